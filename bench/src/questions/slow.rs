//! One in ten never reads. What does that cost in memory, do the others notice, and what becomes of the slow?
//!
//! Stretches without and with slow readers take turns at one server, before the same readers, so that an hour in which the
//! machine is busy changes both. Each time the slow are new ones, because a server may send them away.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Plan, TOGETHER, micros, named_crowd, note_faults, progress};
use crate::clock::SECOND;
use crate::crowd::client::End;
use crate::crowd::hearing::describe;
use crate::crowd::{Crowd, Goal};
use crate::formula::{Limits, Load};
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::{self, Role};
use crate::server::tree;
use crate::server::watch::{Spent, Watch};
use crate::talk::{self, Limit, PATIENCE, Pace, Speaker};

pub(super) const FORM: Form = Form {
    question: "slow",
    columns: &[
        column("p99 of the others", "µs"),
        column("p99 ÷ without slow", ""),
        column("p50", "µs"),
        column("p99.9", "µs"),
        column("peak private memory", "MiB"),
        column("README's bound", "MiB"),
        column("CPU/delivery", "µs"),
        column("deliveries", "/s"),
        column("server CPU", "%"),
        column("generator CPU", "%"),
        column("missing", ""),
    ],
    key: 0,
};

/// Large enough that a stalled reader is soon behind every limit.
const MESSAGE_BYTES: usize = 4 << 10;
/// The kernel holds that much for somebody who does not read, as it would for a phone on a bad line.
const SLOW_BUFFER_BYTES: usize = 64 << 10;
/// A lively room, whose readers keep up.
const PACE: Pace = Pace { window: 4, name: "window of 4" };
/// Messages of one stretch: enough to bring the slow beyond the limit for unread bytes, and not many more, so that they
/// are there for most of it.
const MESSAGES: u32 = 400;
/// How long the server may take to send the slow away, once they read again.
const AFTERWARDS: u64 = 2 * SECOND;
/// The names of the two cases.
const CASES: [&str; 2] = ["everybody reads", "10 % never read"];
/// The case with slow readers.
const WITH: usize = 1;

/// A run at one server.
#[derive(Debug)]
struct Run<'r> {
    server: &'r str,
    process: Server,
    crowd: Crowd,
    readers: usize,
    slow: usize,
    /// How the slow ended, over all stretches.
    endings: BTreeMap<Option<End>, usize>,
}

/// What one stretch came to.
#[derive(Debug)]
struct Stretch {
    spent: Spent,
    /// p50, p99 and p99.9 of the readers, in microseconds.
    latency: [f64; 3],
    received: u64,
    missing: u64,
    /// Bytes.
    peak: u64,
}

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let (receivers, pairs) = if plan.quick { (200, 3) } else { (1_000, 9) };
    let slow = receivers / 10;
    let process = Server::start(server, Role::Chat, &[])?;
    let crowd = named_crowd(&process, 1 + receivers - slow)?;
    let mut run = Run { server, process, crowd, readers: receivers - slow, slow, endings: BTreeMap::new() };
    let mut stretches = [Vec::new(), Vec::new()];
    // The first of each kind warms up.
    for pair in 0..=pairs {
        for (case, stretches) in stretches.iter_mut().enumerate() {
            progress(&format!("slow: {server}, {}, {pair} of {pairs}", CASES[case]));
            let stretch = run.stretch(report, case)?;
            if pair > 0 {
                stretches.push(stretch);
            }
        }
    }
    report.note(server, CASES[WITH], &format!("of the slow: {}", describe(&run.endings)));
    let ratios = stretches[0].iter().zip(&stretches[WITH]).map(|(without, with)| with.latency[1] / without.latency[1]);
    let ratios = [1.0, median(ratios.collect())];
    for (case, stretches) in stretches.iter().enumerate() {
        run.tell(report, case, stretches, ratios[case])?;
    }
    Ok(())
}

impl Run<'_> {
    /// One stretch, without the slow or with them.
    fn stretch(&mut self, report: &mut Report, case: usize) -> Result<Stretch, String> {
        let processes = tree::processes(self.process.pid());
        let sleepers = if case == WITH { self.slow_come()? } else { 0..0 };
        let crowd = &mut self.crowd;
        crowd.hearing.deaf = sleepers.clone();
        let mut speaker = Speaker::new(MESSAGE_BYTES, frame::TEXT);
        crowd.hearing.begin(Ledger::of_broadcasts(crowd.places(), 1), speaker.body_bytes());
        tree::forget_peak(&processes)?;
        let watch = Watch::begin(&self.process);
        talk::recite(crowd, &mut speaker, PACE, Limit::messages(MESSAGES), self.readers as u64);
        let spent = watch.end();
        let peak = tree::memory(&processes).private_peak();
        note_faults(report, self.server, CASES[case], crowd, &spent);
        let totals = crowd.hearing.ledger.totals();
        let latency = [0.5, 0.99, 0.999].map(|share| micros(crowd.hearing.latency.quantile(share)));
        self.slow_go(sleepers);
        if self.crowd.ready() <= self.readers {
            return Err(format!("{}: readers were lost", CASES[case]));
        }
        Ok(Stretch { spent, latency, received: totals.received, missing: totals.missing, peak })
    }

    fn slow_come(&mut self) -> Result<Range<usize>, String> {
        let first = self.crowd.places();
        self.crowd.receive_buffer = SLOW_BUFFER_BYTES;
        self.crowd.gather(self.slow, TOGETHER, Goal::Named, PATIENCE)?;
        let sleepers = first..self.crowd.places();
        self.crowd.fall_asleep(sleepers.clone());
        Ok(sleepers)
    }

    /// The slow read what is there, and those whom the server keeps leave.
    fn slow_go(&mut self, sleepers: Range<usize>) {
        self.crowd.wake(sleepers.clone());
        self.crowd.wait(AFTERWARDS, |crowd| !sleepers.clone().any(|place| crowd.is_open(place)));
        for (end, count) in self.crowd.endings(sleepers.clone()) {
            *self.endings.entry(end).or_default() += count;
        }
        self.crowd.send_off(sleepers);
    }

    fn tell(&self, report: &mut Report, case: usize, stretches: &[Stretch], ratio: f64) -> Result<(), String> {
        let each = |value: fn(&Stretch) -> f64| median(stretches.iter().map(value).collect());
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let peak = stretches.iter().map(|stretch| stretch.peak).max().unwrap_or(0);
        let bound = self.bound(case)?;
        if let Some(bound) = bound.filter(|&bound| peak > bound) {
            let text = format!("{:.2} MiB of private memory, {:.2} are allowed", mebibytes(peak), mebibytes(bound));
            report.fail(self.server, CASES[case], &text);
        }
        let values = vec![
            each(|stretch| stretch.latency[1]),
            ratio,
            each(|stretch| stretch.latency[0]),
            each(|stretch| stretch.latency[2]),
            mebibytes(peak),
            bound.map_or(f64::NAN, mebibytes),
            each(|stretch| stretch.spent.cost(stretch.received)),
            each(|stretch| stretch.spent.rate(stretch.received)),
            each(|stretch| stretch.spent.server_share()),
            each(|stretch| stretch.spent.generator_share()),
            stretches.iter().map(|stretch| stretch.missing as f64).sum(),
        ];
        report.add(self.server, CASES[case], values);
        Ok(())
    }

    /// What our README allows for this run; others promise nothing.
    fn bound(&self, case: usize) -> Result<Option<u64>, String> {
        if self.server != "hollerd" {
            return Ok(None);
        }
        let limits = Limits::read(&catalog::defaults()?, |name| std::env::var(name).ok())?;
        let slow = usize::from(case == WITH);
        let connections = 1 + self.readers + slow * self.slow;
        Ok(Some(limits.bound(Load { connections, talkers: 1, rooms: 1 - slow, slow_rooms: slow })))
    }
}

/// The middle one; not a number if there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 90.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }
}
