//! Clients that somebody else wrote, and the examples: what a user would really run, against the real daemon.
//!
//! `tests/clients/install` fetches the libraries; the example in Rust needs nothing, so its tests are not ignored.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this crate is nothing but tests")]

mod examples;
mod lines;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of Node.js out of this repository, run where its libraries are. It is copied there because that is where Node.js
/// looks for them.
fn node(program: &str) -> Command {
    let home = home();
    let file = Path::new(program).file_name().expect("a file");
    // Two tests may copy the same file at the same time, so it appears whole or not at all.
    let (new, copy) = (home.join(format!("{:016x}", fastrand::u64(..))), home.join(file));
    std::fs::copy(repository().join(program), &new).expect("a file in the target directory");
    std::fs::rename(&new, &copy).expect("a file in the target directory");
    let mut command = Command::new("node");
    command.arg(copy);
    command
}

/// A program of Python out of this repository, run with the libraries.
fn python(program: &str) -> Command {
    let mut command = Command::new(home().join("venv/bin/python"));
    command.arg(repository().join(program));
    command
}

fn home() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients");
    assert!(home.is_dir(), "there is no {}: run tests/clients/install", home.display());
    home
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
