//! Which system calls does the server make for a delivery, and which for a connection? Counts, so they are the same on
//! every machine.

use super::strace::Strace;
use super::{Plan, TOGETHER, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::crowd::{Crowd, Goal};
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::tree;
use crate::server::watch::Watch;
use crate::talk::{self, Limit, ONE_AT_A_TIME, PIPELINED, Pace, Speaker};

pub(super) const FORM: Form = Form {
    question: "syscalls",
    columns: &[column("system calls each", ""), column("system calls", ""), column("deliveries or connections", "")],
    key: 0,
};

const RECEIVERS: usize = 1_000;
/// A traced server is slow.
const PATIENCE: u64 = 20 * SECOND;
/// A server that calls the kernel for each delivery gets no further than this.
const TIME_MAX: u64 = 3 * SECOND;
/// So many names are told; the rest are hardly ever called.
const NAMES_MAX: usize = 6;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let rounds = if plan.quick { 1 } else { 5 };
    deliveries(server, report, ONE_AT_A_TIME, 20 * rounds)?;
    deliveries(server, report, PIPELINED, 2_000 * rounds)?;
    accepts(server, report, Role::OpenChat, Goal::Upgraded, "connection, upgraded")?;
    accepts(server, report, Role::Chat, Goal::Named, "connection, named")
}

fn deliveries(server: &str, report: &mut Report, pace: Pace, count: u32) -> Result<(), String> {
    let case = format!("delivery, {}", pace.name);
    progress(&format!("syscalls: {server}, {case}"));
    let process = Server::start(server, Role::Chat, &[])?;
    let mut crowd = named_crowd(&process, RECEIVERS + 1)?;
    let mut speaker = Speaker::new(super::fanout::MESSAGE_BYTES, frame::TEXT);
    crowd.hearing.begin(Ledger::of_broadcasts(RECEIVERS + 1, 1), speaker.body_bytes());
    let strace = Strace::attach(&tree::processes(process.pid()))?;
    let watch = Watch::begin(&process);
    talk::recite(&mut crowd, &mut speaker, pace, Limit { messages: count, time: TIME_MAX }, RECEIVERS as u64);
    let counts = strace.detach()?;
    let spent = watch.end();
    note_doubts(report, server, &case, &crowd, &spent);
    tell(report, server, &case, &counts, crowd.hearing.ledger.received());
    Ok(())
}

fn accepts(server: &str, report: &mut Report, role: Role, goal: Goal, case: &str) -> Result<(), String> {
    progress(&format!("syscalls: {server}, {case}"));
    let process = Server::start(server, role, &[])?;
    let mut crowd = Crowd::new(&process.door)?;
    let strace = Strace::attach(&tree::processes(process.pid()))?;
    crowd.gather(RECEIVERS, TOGETHER, goal, PATIENCE)?;
    let counts = strace.detach()?;
    tell(report, server, case, &counts, RECEIVERS as u64);
    Ok(())
}

fn tell(report: &mut Report, server: &str, case: &str, counts: &[(String, u64)], each: u64) {
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    report.add(server, case, vec![sum as f64 / each as f64, sum as f64, each as f64]);
    let names = counts.iter().take(NAMES_MAX).map(|(name, count)| format!("{name} {:.4}", *count as f64 / each as f64));
    report.note(server, case, &names.collect::<Vec<_>>().join(", "));
}
