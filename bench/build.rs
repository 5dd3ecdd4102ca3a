//! Tells the program which compiler made it and for which processor: instruction counts are of little use without.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().ok().filter(|output| output.status.success());
    let version = output.map_or_else(|| "an unknown compiler".to_owned(), |output| first_line(&output.stdout));
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    println!("cargo::rustc-env=BUILT_WITH={version} for {} with {features}", env::var("TARGET").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
}

fn first_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().next().unwrap_or_default().to_owned()
}
