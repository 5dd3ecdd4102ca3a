//! What does user space hold and do for a connection, when no kernel is in the way? The engine with peers in memory, up to a
//! million of them, all pinged, and one message to everybody.

use super::{Plan, progress};
use crate::inner::callgrind::{self, Count};
use crate::inner::child::{self, Answer};
use crate::report::{Form, Report, column};

pub(super) const FORM: Form = Form {
    question: "memory",
    columns: &[
        column("private/connection", "B"),
        column("of it the stream in memory", "B"),
        column("private/connection, at the end", "B"),
        column("instructions/accept", ""),
        column("instructions/ping", ""),
        column("instructions/delivery", ""),
        column("CPU/accept", "ns"),
        column("CPU/ping", "ns"),
        column("CPU/delivery", "ns"),
        column("longest turn's CPU, accepting", "ms"),
        column("longest turn's CPU, pinging", "ms"),
        column("longest turn's CPU, delivering", "ms"),
        column("pings", ""),
        column("deliveries", ""),
    ],
    key: 0,
};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// What a connection may take of the memory that only this process has, in bytes.
const PRIVATE_MAX: f64 = 300.0;
/// How much more or less a count may be than with the fewest peers.
const FLAT: f64 = 0.2;
const COUNTED: [&str; 3] = ["accept", "ping", "delivery"];

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    super::ours_alone(server)?;
    let sizes = if plan.quick { &SIZES[..1] } else { &SIZES[..] };
    let mut few = None;
    for &peers in sizes {
        let case = peers.to_string();
        progress(&format!("memory: {case} peers"));
        let answer = child::ask(&["many", &case])?;
        progress(&format!("memory: {case} peers, instructions"));
        let counts = match callgrind::count(&["many", &case], COUNTED.len()) {
            Ok(count) => each(&count),
            Err(reason) => {
                report.note(server, &case, &format!("instructions are missing: {reason}"));
                [f64::NAN; 3]
            }
        };
        report.add(server, &case, values(&answer, counts));
        for fault in &answer.faults {
            report.fail(server, &case, fault);
        }
        for broken in broken_promises(&answer, counts, *few.get_or_insert(counts)) {
            report.fail(server, &case, &broken);
        }
    }
    Ok(())
}

/// Instructions per accept, ping and delivery.
fn each(count: &Count) -> [f64; 3] {
    let per = |part: usize, things: &str| {
        count.parts.get(part).map_or(f64::NAN, |&instructions| instructions as f64 / count.answer.get(things))
    };
    [per(0, "accepts counted"), per(1, "pings counted"), per(2, "deliveries")]
}

fn values(answer: &Answer, counts: [f64; 3]) -> Vec<f64> {
    let mut values = vec![answer.get("private"), answer.get("stream"), answer.get("private at the end")];
    values.extend(counts);
    values.extend(COUNTED.map(|what| answer.get(&format!("{what} ns"))));
    values.extend(COUNTED.map(|what| answer.get(&format!("{what} turn ns")) / 1e6));
    values.extend([answer.get("pings"), answer.get("deliveries")]);
    values
}

/// What is promised for every size and not kept.
fn broken_promises(answer: &Answer, counts: [f64; 3], few: [f64; 3]) -> Vec<String> {
    let mut broken = Vec::new();
    let private = answer.get("private");
    if private.is_nan() || private > PRIVATE_MAX {
        broken.push(format!("a connection takes {private:.0} bytes, more than {PRIVATE_MAX}"));
    }
    for ((what, now), before) in COUNTED.iter().zip(counts).zip(few) {
        if (now / before - 1.0).abs() > FLAT {
            broken.push(format!("instructions per {what} are {now:.0}, and {before:.0} with the fewest peers"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_held() {
        let answer = |private| Answer::parse(&format!("private={private}\n"));
        let few = [100.0, 10.0, 1.0];
        assert!(broken_promises(&answer(299), few, few).is_empty());
        assert!(broken_promises(&answer(299), [f64::NAN; 3], [f64::NAN; 3]).is_empty());
        assert!(broken_promises(&answer(299), [119.0, 8.1, 1.0], few).is_empty());
        assert_eq!(broken_promises(&answer(299), [121.0, 7.9, 1.0], few).len(), 2);
        assert_eq!(broken_promises(&answer(301), few, few).len(), 1);
        assert_eq!(broken_promises(&Answer::default(), few, few).len(), 1);
    }

    #[test]
    fn counts_are_divided_by_what_was_counted() {
        let answer = Answer::parse("accepts counted=4\npings counted=2\ndeliveries=5\n");
        assert_eq!(each(&Count { answer: answer.clone(), parts: vec![8, 3, 5] }), [2.0, 1.5, 1.0]);
        assert!(each(&Count { answer, parts: vec![8] })[2].is_nan());
    }
}
