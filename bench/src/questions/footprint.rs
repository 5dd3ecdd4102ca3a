//! What does it take to have the server there, with nobody connected?

use super::{Plan, progress};
use crate::clock::SECOND;
use crate::crowd::Crowd;
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::tree;
use crate::server::watch::Watch;

pub(super) const FORM: Form = Form {
    question: "footprint",
    columns: &[
        column("resident", "MiB"),
        column("private", "MiB"),
        column("program file", "MiB"),
        column("start-up", "ms"),
        column("wake-ups while idle", ""),
        column("idle", "s"),
        column("CPU while idle", "ms"),
    ],
    key: 0,
};

/// The quickest of so many starts counts; the others met something else on the machine.
const STARTS: usize = 5;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    progress(&format!("footprint: {server} starts"));
    let mut quickest = u64::MAX;
    for _ in 1..STARTS {
        quickest = quickest.min(Server::start(server, Role::Chat, &[])?.started_in);
    }
    let process = Server::start(server, Role::Chat, &[])?;
    quickest = quickest.min(process.started_in);
    let processes = tree::processes(process.pid());
    let memory = tree::memory(&processes);
    // A crowd of nobody is a clock to wait by.
    let mut nobody = Crowd::new(&process.door)?;
    nobody.idle(SECOND / 2);
    let idle = if plan.quick { 8 } else { 60 };
    progress(&format!("footprint: {server} is left alone for {idle} s"));
    let before = tree::wake_ups(&processes);
    let watch = Watch::begin(&process);
    nobody.idle(idle * SECOND);
    let spent = watch.end();
    let wake_ups = tree::wake_ups(&processes) - before;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let values = vec![
        mebibytes(memory.resident),
        mebibytes(memory.private),
        mebibytes(tree::program_size(process.pid())),
        quickest as f64 / 1e6,
        wake_ups as f64,
        idle as f64,
        spent.server.total as f64 / 1e6,
    ];
    report.add(server, "nobody connected", values);
    Ok(())
}
