//! Section 9: large messages, many fragments, small chops, and a thousand round trips. The suite measures here; we
//! only ask that every byte comes back.

use crate::case::{Bulk, Case};
use crate::support::opcode;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(series("9.1", "a large text", &SIZES, |length| Bulk { length, ..TEXT }));
    cases.extend(series("9.2", "a large binary message", &SIZES, |length| Bulk { length, ..BINARY }));
    let fragmented = |bulk: Bulk, fragment| Bulk { length: 4 * MIB, fragment, ..bulk };
    cases.extend(series("9.3", "4 MiB of text in fragments", &FRAGMENTS, |size| fragmented(TEXT, size)));
    cases.extend(series("9.4", "4 MiB binary in fragments", &FRAGMENTS, |size| fragmented(BINARY, size)));
    let chopped = |bulk: Bulk, chop| Bulk { length: MIB, chop, ..bulk };
    cases.extend(series("9.5", "1 MiB of text in chops", &CHOPS, |size| chopped(TEXT, size)));
    cases.extend(series("9.6", "1 MiB binary in chops", &CHOPS, |size| chopped(BINARY, size)));
    let rounds = |bulk: Bulk, length| Bulk { length, rounds: 1_000, ..bulk };
    cases.extend(series("9.7", "1,000 texts there and back", &ROUNDS, |length| rounds(TEXT, length)));
    cases.extend(series("9.8", "1,000 binary messages there and back", &ROUNDS, |length| rounds(BINARY, length)));
    cases
}

fn series(section: &str, what: &'static str, sizes: &[usize], bulk: impl Fn(usize) -> Bulk) -> Vec<Case> {
    let cases = sizes.iter().enumerate();
    cases.map(|(index, &size)| Case::new(format!("{section}.{}", index + 1), what).echoes(bulk(size))).collect()
}

/// The suite's patterns: five or ten bytes, so that no two words of a payload in a row are the same.
const TEXT: Bulk =
    Bulk { opcode: opcode::TEXT, pattern: b"BAsd7&jh23", length: 0, fragment: usize::MAX, chop: usize::MAX, rounds: 1 };
const BINARY: Bulk = Bulk { opcode: opcode::BINARY, pattern: b"\x00\xfe\x23\xfa\xf0", ..TEXT };

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SIZES: [usize; 6] = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
const FRAGMENTS: [usize; 9] = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
const CHOPS: [usize; 6] = [64, 128, 256, 512, 1_024, 2_048];
const ROUNDS: [usize; 6] = [0, 16, 64, 256, 1_024, 4_096];
