//! One in ten never reads. What does that cost in memory, do the others notice, and what becomes of the slow?

use super::{Plan, TOGETHER, micros, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::crowd::hearing::describe;
use crate::crowd::{Crowd, Goal};
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::tree;
use crate::server::watch::{Spent, Watch};
use crate::talk::{self, Limit, PATIENCE, Pace, Speaker};

pub(super) const FORM: Form = Form {
    question: "slow",
    columns: &[
        column("p99 of the others", "µs"),
        column("p50", "µs"),
        column("p99.9", "µs"),
        column("peak memory", "MiB"),
        column("memory before", "MiB"),
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
/// How long the server may take to send the slow away, once they read again.
const AFTERWARDS: u64 = 2 * SECOND;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let receivers = if plan.quick { 200 } else { 1_000 };
    let messages = if plan.quick { 1_500 } else { 3_000 };
    for (case, slow) in [("everybody reads", 0), ("10 % never read", receivers / 10)] {
        progress(&format!("slow: {server}, {case}"));
        run(server, report, case, receivers, slow, messages)?;
    }
    Ok(())
}

fn run(
    server: &str,
    report: &mut Report,
    case: &str,
    receivers: usize,
    slow: usize,
    messages: u32,
) -> Result<(), String> {
    let process = Server::start(server, Role::Chat, &[])?;
    let processes = tree::processes(process.pid());
    // Place 0 speaks, the slow are behind it, and the readers are the rest.
    let sleepers = 1..1 + slow;
    let mut crowd = named_crowd(&process, 1)?;
    crowd.receive_buffer = SLOW_BUFFER_BYTES;
    crowd.gather(slow, TOGETHER, Goal::Named, PATIENCE)?;
    crowd.receive_buffer = 0;
    crowd.gather(receivers - slow, TOGETHER, Goal::Named, PATIENCE)?;
    crowd.fall_asleep(sleepers.clone());
    crowd.hearing.deaf = sleepers.clone();
    let mut speaker = Speaker::new(MESSAGE_BYTES, frame::TEXT);
    crowd.hearing.begin(Ledger::of_broadcasts(receivers + 1, 1), speaker.body_bytes());
    let before = tree::memory(&processes).resident;
    let watch = Watch::begin(&process);
    talk::recite(&mut crowd, &mut speaker, PACE, Limit::messages(messages), (receivers - slow) as u64);
    let spent = watch.end();
    let peak = tree::memory(&processes).peak;
    row(report, server, case, &crowd, &spent, [peak, before]);
    note_doubts(report, server, case, &crowd, &spent);
    if slow > 0 {
        crowd.wake(sleepers.clone());
        crowd.idle(AFTERWARDS);
        report.note(server, case, &format!("of the slow: {}", describe(&crowd.endings(sleepers))));
    }
    Ok(())
}

fn row(report: &mut Report, server: &str, case: &str, crowd: &Crowd, spent: &Spent, [peak, before]: [u64; 2]) {
    let totals = crowd.hearing.ledger.totals();
    let latency = |share| micros(crowd.hearing.latency.quantile(share));
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let values = vec![
        latency(0.99),
        latency(0.5),
        latency(0.999),
        mebibytes(peak),
        mebibytes(before),
        spent.cost(totals.received),
        spent.rate(totals.received),
        spent.server_share(),
        spent.generator_share(),
        totals.missing as f64,
    ];
    report.add(server, case, values);
}
