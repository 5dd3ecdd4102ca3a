//! While one speaks to many without a pause, how long do others wait who come in or are greeted, and how long is a turn of
//! the server's loop?

use super::fanout::MESSAGE_BYTES;
use super::turns::Trace;
use super::{Plan, named_crowd, note_doubts, progress};
use crate::clock::{self, SECOND};
use crate::crowd::Crowd;
use crate::frame;
use crate::histogram::Histogram;
use crate::ledger::Ledger;
use crate::machine::{self, Apart};
use crate::prober::{self, Probes, Target, Times};
use crate::report::{Form, Report, column};
use crate::server::catalog::Role;
use crate::server::watch::{Spent, Watch};
use crate::server::{Server, tree};
use crate::talk::{self, Limit, Pace, Speaker};

pub(super) const FORM: Form = Form {
    question: "beside",
    columns: &[
        column("entry p50", "ms"),
        column("entry p99", "ms"),
        column("entry max", "ms"),
        column("answer p50", "ms"),
        column("answer p99", "ms"),
        column("answer max", "ms"),
        column("entry p99 less waits", "ms"),
        column("answer p99 less waits", "ms"),
        column("idle server: entry p99", "ms"),
        column("answer p99 there", "ms"),
        column("turn p50", "ms"),
        column("turn p99", "ms"),
        column("turn max", "ms"),
        column("turns", ""),
        column("turns too long", ""),
        column("visits", ""),
        column("deliveries", "/s"),
        column("server CPU", "%"),
        column("generator CPU", "%"),
        column("missing", ""),
    ],
    key: 1,
};

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = SECOND / 1_000;
/// The goal for the 99th percentile of entries and of answers.
const ANSWER_MAX: u64 = 20 * MILLISECOND;
/// The goal for every turn of the loop, in microseconds.
const TURN_MAX: u64 = 10_000;
/// The next message comes when the last but one is everywhere, so the server always has one to pass on and nothing piles up.
const PACE: Pace = Pace { window: 2, name: "window of 2" };
/// Nanoseconds between two looks of the generator, see [`Crowd::rest`].
const REST: u32 = 1_000_000;
/// Messages before the measurement begins.
const WARM_UP: Limit = Limit { messages: 2, time: SECOND };

/// One case of one server.
#[derive(Debug)]
struct Case<'c> {
    server: &'c str,
    name: String,
    receivers: usize,
    /// Nanoseconds of each stretch.
    time: u64,
    cores: Option<&'c Apart>,
}

/// A stretch of broadcasts and what was seen beside it.
#[derive(Debug)]
struct Stretch {
    probes: Probes,
    spent: Spent,
}

/// The turns of a stretch.
#[derive(Debug)]
struct Turns {
    lengths: Histogram,
    /// Turns above the goal, and by how much all of them together, in microseconds.
    too_long: u64,
    excess: u64,
    /// Microseconds in which the server had no core, because somebody else had it.
    waited: u64,
}

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let sizes: &[usize] = if plan.quick { &[1_000] } else { &[1_000, 10_000, 18_000] };
    let cores = Apart::begin();
    for &receivers in sizes {
        let name = format!("{receivers} receivers");
        if receivers + 2 >= plan.connections_max {
            let text = format!("left out, the open-file limit allows {} connections", plan.connections_max);
            report.note(server, &name, &text);
            continue;
        }
        if cores.is_none() {
            report.note(server, &name, "server, generator and prober share one core, so they wait for each other");
        }
        let time = if plan.quick { 2 * SECOND } else { 10 * SECOND };
        let case = Case { server, name, receivers, time, cores: cores.as_ref() };
        case.ask(report)?;
    }
    Ok(())
}

impl Case<'_> {
    fn ask(&self, report: &mut Report) -> Result<(), String> {
        let process = self.on_server_core(|| Server::start(self.server, Role::Chat, &[]))?;
        let mut crowd = self.crowd(&process)?;
        self.progress("visits");
        let busy = self.stretch(&process, &process, &mut crowd);
        self.note(report, &crowd, &busy);
        let totals = crowd.hearing.ledger.totals();
        self.progress("visits to an idle server");
        let idle = Server::start(self.server, Role::Chat, &[])?;
        let control = self.stretch(&process, &idle, &mut crowd);
        self.note(report, &crowd, &control);
        drop((crowd, process, idle));
        let turns = self.turns(report)?;
        self.judge(report, &busy.probes);
        turns.judge(report, self);
        let (probes, spent) = (&busy.probes, &busy.spent);
        let mut values = Vec::new();
        for times in [&probes.entries.taken, &probes.answers.taken] {
            values.extend([0.5, 0.99, 1.0].map(|share| milliseconds(times, share)));
        }
        for times in [&probes.entries.least, &probes.answers.least] {
            values.push(milliseconds(times, 0.99));
        }
        for times in [&control.probes.entries.taken, &control.probes.answers.taken] {
            values.push(milliseconds(times, 0.99));
        }
        values.extend([0.5, 0.99, 1.0].map(|share| turns.lengths.quantile(share) as f64 / 1_000.0));
        values.extend([turns.lengths.count(), turns.too_long, probes.entries.taken.count()].map(|count| count as f64));
        values.extend([spent.rate(totals.received), spent.server_share(), spent.generator_share()]);
        values.push(totals.missing as f64);
        report.add(self.server, &self.name, values);
        Ok(())
    }

    fn on_server_core<R>(&self, start: impl FnOnce() -> R) -> R {
        match self.cores {
            Some(cores) => cores.on_server_core(start),
            None => start(),
        }
    }

    fn progress(&self, what: &str) {
        progress(&format!("beside: {}, {}, {what}", self.server, self.name));
    }

    fn crowd(&self, process: &Server) -> Result<Crowd, String> {
        self.progress("come in");
        let mut crowd = named_crowd(process, self.receivers + 1)?;
        crowd.rest = REST;
        self.speak(&mut crowd, WARM_UP);
        Ok(crowd)
    }

    /// One message after the other to all receivers.
    fn speak(&self, crowd: &mut Crowd, limit: Limit) {
        let mut speaker = Speaker::new(MESSAGE_BYTES, frame::TEXT);
        crowd.hearing.begin(Ledger::of_broadcasts(self.receivers + 1, 1), speaker.body_bytes());
        talk::recite(crowd, &mut speaker, PACE, limit, self.receivers as u64);
    }

    /// The server `busy` broadcasts, and the prober visits `probed`.
    fn stretch(&self, busy: &Server, probed: &Server, crowd: &mut Crowd) -> Stretch {
        // Ours are the only rooms.
        let path = if self.server == "hollerd" { "/ws/beside" } else { "/ws" };
        let target = Target { door: probed.door.clone(), path, processes: tree::processes(probed.pid()) };
        let watch = Watch::begin(busy);
        let ((), probes) = prober::beside(&target, || self.speak(crowd, Limit::time(self.time)));
        Stretch { probes, spent: watch.end() }
    }

    /// The same stretch again, at a server that is traced. Its latencies are not looked at, since tracing slows it.
    fn turns(&self, report: &mut Report) -> Result<Turns, String> {
        let (process, trace) = self.on_server_core(|| Trace::start(self.server))?;
        let mut crowd = self.crowd(&process)?;
        self.progress("turns");
        let processes = tree::processes(process.pid());
        let before = tree::waited(&processes) + machine::stolen();
        let from = clock::since_1970();
        let stretch = self.stretch(&process, &process, &mut crowd);
        let until = clock::since_1970();
        let waited = (tree::waited(&processes) + machine::stolen()).saturating_sub(before) / 1_000;
        self.note(report, &crowd, &stretch);
        drop((crowd, process));
        let lengths = trace.lengths(from, until)?;
        if lengths.is_empty() {
            return Err("strace has seen no turn of the loop".to_owned());
        }
        Ok(Turns::new(&lengths, waited))
    }

    /// Notes what must not happen in any stretch.
    fn note(&self, report: &mut Report, crowd: &Crowd, stretch: &Stretch) {
        note_doubts(report, self.server, &self.name, crowd, &stretch.spent);
        let Probes { failures, problem: Some(problem), entries, .. } = &stretch.probes else { return };
        let text =
            format!("of {} visits {failures} came to nothing, the first: {problem}", entries.taken.count() + failures);
        report.fail(self.server, &self.name, &text);
    }

    /// The goal is missed only if no wait for a core explains it.
    fn judge(&self, report: &mut Report, probes: &Probes) {
        for (what, Times { taken, least }) in [("entries", &probes.entries), ("answers", &probes.answers)] {
            let [taken, least] = [taken, least].map(|times| times.quantile(0.99));
            let text = format!("p99 of {what} above the goal of {} ms", ANSWER_MAX / MILLISECOND);
            if least > ANSWER_MAX {
                report.fail(self.server, &self.name, &text);
            } else if taken > ANSWER_MAX {
                report.note(self.server, &self.name, &format!("{text}, but not without the waits for a core"));
            }
        }
    }
}

impl Turns {
    fn new(lengths: &[u64], waited: u64) -> Self {
        let mut turns = Self { lengths: Histogram::new(), too_long: 0, excess: 0, waited };
        for &length in lengths {
            turns.lengths.record(length);
            turns.too_long += u64::from(length > TURN_MAX);
            turns.excess += length.saturating_sub(TURN_MAX);
        }
        turns
    }

    /// Whether the turns would be too long even if all waiting for a core had happened in those that are.
    fn are_too_long(&self) -> bool {
        self.excess > self.waited
    }

    fn judge(&self, report: &mut Report, case: &Case<'_>) {
        if self.too_long == 0 {
            return;
        }
        let Self { lengths, too_long, excess, waited } = self;
        let text = format!(
            "{too_long} of {} turns above the goal of {} ms, {:.1} ms too much in all; the server waited {:.1} ms for a core",
            lengths.count(),
            TURN_MAX / 1_000,
            *excess as f64 / 1_000.0,
            *waited as f64 / 1_000.0,
        );
        if self.are_too_long() {
            report.fail(case.server, &case.name, &text);
        } else {
            report.note(case.server, &case.name, &text);
        }
    }
}

/// Not a number if nothing was recorded.
fn milliseconds(times: &Histogram, share: f64) -> f64 {
    if times.count() == 0 { f64::NAN } else { times.quantile(share) as f64 / MILLISECOND as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(turns: &Turns) -> usize {
        let mut report = Report::new(FORM);
        let case = Case { server: "hollerd", name: "test".to_owned(), receivers: 1, time: 1, cores: None };
        turns.judge(&mut report, &case);
        report.failures_of("hollerd").len()
    }

    #[test]
    fn turns_are_too_long_when_no_wait_for_a_core_explains_them() {
        let lengths = [500, TURN_MAX, TURN_MAX + 3_000, TURN_MAX + 1_000];
        let turns = Turns::new(&lengths, 3_999);
        assert_eq!((turns.too_long, turns.excess, turns.lengths.count()), (2, 4_000, 4));
        assert_eq!(failures(&turns), 1);
        assert_eq!(failures(&Turns::new(&lengths, 4_000)), 0);
        assert_eq!(failures(&Turns::new(&lengths[..2], 0)), 0);
    }

    #[test]
    fn a_slow_answer_counts_unless_a_wait_for_a_core_explains_it() {
        let case = Case { server: "hollerd", name: "test".to_owned(), receivers: 1, time: 1, cores: None };
        let failures = |taken, waited| {
            let mut probes = Probes::new();
            probes.answers.record(taken, waited);
            let mut report = Report::new(FORM);
            case.judge(&mut report, &probes);
            report.failures_of("hollerd").len()
        };
        assert_eq!(failures(ANSWER_MAX, 0), 0);
        assert_eq!(failures(2 * ANSWER_MAX, ANSWER_MAX - MILLISECOND), 1);
        assert_eq!(failures(2 * ANSWER_MAX, ANSWER_MAX), 0);
    }
}
