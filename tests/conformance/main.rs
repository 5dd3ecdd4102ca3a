//! RFC 6455 conformance of the engine, case by case.
//!
//! The cases are those of the Autobahn Testsuite's fuzzing client, under its numbers, so that a run of that suite
//! against `examples/echo` can be laid beside this one; the compression cases (12, 13) are left out, as no extension
//! is negotiated. Where that suite is content with less ("non-strict"), the strict outcome is demanded here.
//!
//! | file | sections |
//! | --- | --- |
//! | `case.rs` | what a case is, and the one function that plays it |
//! | `framing.rs` | 1 framing, 2 pings and pongs |
//! | `reserved.rs` | 3 reserved bits, 4 reserved opcodes |
//! | `fragmentation.rs` | 5 fragmentation, 10 automatic fragmentation |
//! | `utf8.rs` | 6 UTF-8 |
//! | `closing.rs` | 7 the closing handshake |
//! | `limits.rs` | 9 large messages, many fragments, small chops, round trips |
//! | `client.rs` | the client itself: it must notice a misbehaving server, else all of the above proves nothing |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this crate is nothing but tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever a case did not want fails it, now and later")]

mod case;
mod client;
mod closing;
mod fragmentation;
mod framing;
mod limits;
mod reserved;
#[path = "../support/mod.rs"]
mod support;
mod utf8;

use std::time::Duration;

use case::{Case, play_all};

#[test]
fn section_1_framing() {
    play_all(&framing::messages(), PATIENCE);
}

#[test]
fn section_2_pings_and_pongs() {
    play_all(&framing::pings(), PATIENCE);
}

#[test]
fn section_3_reserved_bits() {
    play_all(&reserved::bits(), PATIENCE);
}

#[test]
fn section_4_opcodes() {
    play_all(&reserved::opcodes(), PATIENCE);
}

#[test]
fn section_5_fragmentation() {
    play_all(&fragmentation::cases(), PATIENCE);
}

#[test]
fn section_6_utf8() {
    play_all(&utf8::cases(), PATIENCE);
}

#[test]
fn section_7_close_handling() {
    play_all(&closing::cases(), PATIENCE);
}

#[test]
fn section_9_limits() {
    play_all(&limits::cases(), PATIENCE_LARGE);
}

#[test]
fn section_10_automatic_fragmentation() {
    play_all(&fragmentation::automatic(), PATIENCE);
}

/// The tables hold the suite's numbers, all of them and in its order; a case cannot get lost.
#[test]
fn every_case_of_the_suite_is_here() {
    let suite: Vec<String> = SUITE
        .iter()
        .flat_map(|&(section, count)| (1..=count).map(move |number| format!("{section}.{number}")))
        .collect();
    let tables = [
        framing::messages(),
        framing::pings(),
        reserved::bits(),
        reserved::opcodes(),
        fragmentation::cases(),
        utf8::cases(),
        closing::cases(),
        limits::cases(),
        fragmentation::automatic(),
    ];
    let ours: Vec<String> = tables.iter().flatten().map(|case: &Case| case.number.clone()).collect();
    assert_eq!(ours, suite);
    assert_eq!(ours.len(), 301);
}

/// Each section of the suite and how many cases it has.
const SUITE: &[(&str, usize)] = &[
    ("1.1", 8),
    ("1.2", 8),
    ("2", 11),
    ("3", 7),
    ("4.1", 5),
    ("4.2", 5),
    ("5", 20),
    ("6.1", 3),
    ("6.2", 4),
    ("6.3", 2),
    ("6.4", 4),
    ("6.5", 5),
    ("6.6", 11),
    ("6.7", 4),
    ("6.8", 2),
    ("6.9", 4),
    ("6.10", 3),
    ("6.11", 5),
    ("6.12", 8),
    ("6.13", 5),
    ("6.14", 10),
    ("6.15", 1),
    ("6.16", 3),
    ("6.17", 5),
    ("6.18", 5),
    ("6.19", 5),
    ("6.20", 7),
    ("6.21", 8),
    ("6.22", 34),
    ("6.23", 7),
    ("7.1", 6),
    ("7.3", 6),
    ("7.5", 1),
    ("7.7", 13),
    ("7.9", 9),
    ("7.13", 2),
    ("9.1", 6),
    ("9.2", 6),
    ("9.3", 9),
    ("9.4", 9),
    ("9.5", 6),
    ("9.6", 6),
    ("9.7", 6),
    ("9.8", 6),
    ("10.1", 1),
];

/// Well over what any small case needs on a busy machine; only failing cases wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Sixteen megabytes there and back through an unoptimised build.
const PATIENCE_LARGE: Duration = Duration::from_secs(60);
