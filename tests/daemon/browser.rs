//! The page in a real browser. The tests are in `tests/browser`, in the language of the page.

use std::process::Command;

/// `npm ci --prefix tests/browser` gets what they need besides node and chromium; `tests/all` does it.
#[test]
#[ignore = "needs chromium and node"]
fn the_page_works_in_a_browser() {
    let status = Command::new("node")
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec", "tests/browser/"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("HOLLERD", env!("CARGO_BIN_EXE_hollerd"))
        .status()
        .expect("node is installed");
    assert!(status.success(), "the page failed in a browser: {status}");
}
