//! How many instructions does user space need for a delivery, a connection, a ping, an echo, a deadline? Counts do not
//! depend on the hour or on what else the machine does, so they show a regression that seconds would hide.

use std::fs;
use std::process::Command;

use super::{Plan, progress};
use crate::baseline::{self, Baseline, MADE_WITH};
use crate::inner::callgrind::{self, Count};
use crate::inner::cases::{self, CASES};
use crate::report::{Form, Report, column};

pub(super) const FORM: Form = Form {
    question: "instructions",
    columns: &[
        column(baseline::COLUMN, ""),
        column("of the peer in memory, left out", ""),
        column("counted", ""),
        column("differ between runs by", "%"),
        column("change from the baseline", "%"),
    ],
    key: 0,
};

/// The baseline that is kept with the source.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results/instructions.csv");
/// Runs of each case in the long form, which makes the baseline.
const RUNS: usize = 3;
/// Seeds of hash tables are random, so a little difference is right. More, in percent, makes counts useless.
const DIFFERENCE_MAX: f64 = 1.0;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    super::ours_alone(server)?;
    let kept = fs::read_to_string(KEPT).map_err(|error| format!("{KEPT}: {error}"));
    let kept = kept.and_then(|text| Baseline::parse(&text).map_err(|problem| format!("{KEPT}: {problem}")));
    let made_with = made_with();
    report.note(server, MADE_WITH, &made_with);
    // The short form is the gate, and a gate without a baseline would let everything through.
    let kept = match kept {
        Ok(kept) => kept,
        Err(problem) if plan.quick => return Err(format!("{problem}; {} makes it", baseline::RENEWAL)),
        Err(_) => Baseline::default(),
    };
    if let Some(before) = kept.made_with.as_ref().filter(|before| **before != made_with) {
        report.note(server, "the baseline", &format!("was {MADE_WITH} {before}: small changes may come from there"));
    }
    for case in CASES {
        progress(&format!("instructions: {}", case.name));
        let mut runs = Vec::new();
        for _ in 0..if plan.quick { 1 } else { RUNS } {
            let count = callgrind::count(&[cases::WORD, case.name], case.parts)?;
            count.answer.faults.iter().for_each(|fault| report.fail(server, case.name, fault));
            runs.push(Run::of(&count));
        }
        judge(report, server, plan, case.name, &mut runs, &kept);
    }
    Ok(())
}

/// What one run came to.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Instructions for each thing, without those of the peers in memory where they were counted.
    each: f64,
    /// Those of the peers in memory.
    peers: f64,
    /// How many things that was.
    things: f64,
}

impl Run {
    fn of(count: &Count) -> Self {
        let per = |part: usize, things: f64| count.parts.get(part).map(|&instructions| instructions as f64 / things);
        let things = count.answer.get("counted");
        let peers = per(1, count.answer.get("peers counted"));
        let each = per(0, things).unwrap_or(f64::NAN) - peers.unwrap_or(0.0);
        Self { each, peers: peers.unwrap_or(f64::NAN), things }
    }
}

/// The middle one of the runs counts.
fn judge(report: &mut Report, server: &str, plan: &Plan, case: &str, runs: &mut [Run], kept: &Baseline) {
    runs.sort_by(|one, other| one.each.total_cmp(&other.each));
    let Some(&Run { each: count, peers, things }) = runs.get(runs.len() / 2) else { return };
    let ends = runs.first().zip(runs.last());
    let difference = ends.map_or(f64::NAN, |(least, most)| 100.0 * (most.each - least.each) / least.each);
    report.add(server, case, vec![count, peers, things, difference, 100.0 * kept.change(case, count)]);
    if difference > DIFFERENCE_MAX {
        report.fail(server, case, &format!("the runs differ by {difference:.2} %"));
    }
    if plan.quick
        && let Err(problem) = kept.verdict(case, count)
    {
        report.fail(server, case, &problem);
    }
}

/// What counts depend on.
fn made_with() -> String {
    let libc = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok().filter(|output| output.status.success());
    let libc = libc
        .map_or_else(|| "an unknown libc".to_owned(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    let valgrind = callgrind::version().unwrap_or_else(|| "no valgrind".to_owned());
    format!("{}; {}; {valgrind}", env!("BUILT_WITH"), libc.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inner::child::Answer;

    const KEPT: &str = "case,server,instructions\nping,hollerd,100.0\n";

    fn judged(quick: bool, counts: &[f64]) -> Report {
        let mut report = Report::new(FORM);
        let plan = Plan { quick, connections_max: 0, connections: Vec::new() };
        let mut runs: Vec<Run> = counts.iter().map(|&each| Run { each, peers: 1.0, things: 7.0 }).collect();
        judge(&mut report, "hollerd", &plan, "ping", &mut runs, &Baseline::parse(KEPT).unwrap());
        report
    }

    #[test]
    fn what_the_peers_do_is_left_out() {
        let answer = Answer::parse("counted=10\npeers counted=5\n");
        let run = Run::of(&Count { answer: answer.clone(), parts: vec![120, 10] });
        assert_eq!((run.each, run.peers, run.things), (10.0, 2.0, 10.0));
        let run = Run::of(&Count { answer, parts: vec![120] });
        assert!(run.peers.is_nan());
        assert_eq!((run.each, run.things), (12.0, 10.0));
    }

    #[test]
    fn only_the_short_form_is_a_gate() {
        assert_eq!(judged(true, &[111.0]).failures_of("hollerd").len(), 1);
        assert!(judged(true, &[109.0]).failures_of("hollerd").is_empty());
        assert!(judged(false, &[111.0, 111.0, 111.0]).failures_of("hollerd").is_empty());
    }

    #[test]
    fn runs_that_differ_are_no_baseline() {
        assert!(judged(false, &[100.9, 100.0, 100.5]).failures_of("hollerd").is_empty());
        assert_eq!(judged(false, &[102.0, 100.0, 100.5]).failures_of("hollerd").len(), 1);
    }
}
