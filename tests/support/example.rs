//! The programs below `examples`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

/// The binary of an example. `cargo test` builds the examples, `cargo test --test NAME` does not and may leave an old one
/// behind. So one that is missing, or older than the daemon's binary, is built once more; that costs nothing when it was up to
/// date after all.
pub(crate) fn example(name: &str) -> PathBuf {
    // One after the other, and each once.
    static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let test = std::env::current_exe().expect("a test binary has a path");
    // TARGET/PROFILE/deps/test-HASH, and beside deps: TARGET/PROFILE/examples/NAME.
    let profile = test.ancestors().nth(2).expect("a test binary lives in a profile's directory");
    let binary = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !built.contains(&binary) {
        let daemon = modified(Path::new(env!("CARGO_BIN_EXE_hollerd")));
        if modified(&binary).is_none_or(|time| Some(time) < daemon) {
            build(name, profile);
        }
        built.push(binary.clone());
    }
    binary
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// Builds the example into the directory that the running test came from.
fn build(name: &str, profile: &Path) {
    let target = profile.parent().expect("a profile's directory is in the target directory");
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        // The one profile whose directory has another name than itself.
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", name]);
    cargo.args(["--profile", profile, "--target-dir"]).arg(target);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{name} was not built:\n{}", String::from_utf8_lossy(&output.stderr));
}
