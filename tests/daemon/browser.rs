//! The page in a real browser. The tests are in `tests/browser`, in the language of the page.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `npm ci --prefix tests/browser` gets what they need besides node and chromium; `tests/all` does it.
#[test]
#[ignore = "needs chromium, node and openssl"]
fn the_page_works_in_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let entries = folder.read_dir().expect("the folder of the tests").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    files.sort();
    assert_eq!(files.len(), 5, "{files:?}");
    let status = Command::new("node")
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files)
        .env("HOLLERD", env!("CARGO_BIN_EXE_hollerd"))
        .status()
        .expect("node is installed");
    assert!(status.success(), "the page failed in a browser: {status}");
}
