//! How many can come in per second, and what happens when ten thousand come back at once?

use super::{Plan, TOGETHER, micros, progress};
use crate::clock::SECOND;
use crate::crowd::{Crowd, Goal};
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::watch::{Spent, Watch};

pub(super) const FORM: Form = Form {
    question: "handshake",
    columns: &[
        column("CPU/handshake", "µs"),
        column("user", "%"),
        column("handshakes", "/s"),
        column("p50", "µs"),
        column("p99", "µs"),
        column("wall", "s"),
        column("server CPU", "%"),
        column("generator CPU", "%"),
    ],
    key: 0,
};

/// A lost SYN is repeated after one second and then after two more.
const PATIENCE: u64 = 8 * SECOND;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    plain(server, plan, report, Role::OpenChat, "without token")?;
    if server == "hollerd" {
        plain(server, plan, report, Role::Chat, "with token")?;
    }
    reconnect(server, plan, report)
}

/// Connections come, are upgraded, and leave again, in several waves so that the open-file limit does not matter.
fn plain(server: &str, plan: &Plan, report: &mut Report, role: Role, case: &str) -> Result<(), String> {
    let (waves, size) = if plan.quick { (3, 2_000) } else { (10, 5_000) };
    let process = Server::start(server, role, &[])?;
    let mut crowd = Crowd::new(&process.door)?;
    let mut sum: Option<Spent> = None;
    for wave in 0..=waves {
        progress(&format!("handshake: {server}, {case}, wave {wave} of {waves}"));
        let watch = Watch::begin(&process);
        crowd.gather(size, TOGETHER, Goal::Upgraded, PATIENCE)?;
        let spent = watch.end();
        // The first wave warms up, and the leaving of each is not part of what is measured.
        if wave == 0 {
            crowd.arrivals.clear();
        } else {
            sum = Some(sum.map_or(spent, |sum| sum.plus(spent)));
        }
        crowd.leave();
        crowd.idle(SECOND / 5);
    }
    if let Some(spent) = sum {
        row(report, server, case, &crowd, &spent, (waves * size) as u64);
    }
    Ok(())
}

/// Everybody is in, the network goes away, and everybody is back in the same moment, named.
fn reconnect(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let count = if plan.quick { 2_000 } else { 10_000 }.min(plan.connections_max);
    let case = format!("{count} at once, named");
    progress(&format!("handshake: {server}, {case}"));
    let process = Server::start(server, Role::Chat, &[])?;
    let mut crowd = Crowd::new(&process.door)?;
    crowd.gather(count, TOGETHER, Goal::Named, PATIENCE)?;
    crowd.leave();
    crowd.arrivals.clear();
    let watch = Watch::begin(&process);
    crowd.gather(count, count, Goal::Named, PATIENCE)?;
    let spent = watch.end();
    row(report, server, &case, &crowd, &spent, count as u64);
    Ok(())
}

fn row(report: &mut Report, server: &str, case: &str, crowd: &Crowd, spent: &Spent, count: u64) {
    let values = vec![
        spent.cost(count),
        spent.server.user_share(),
        spent.rate(count),
        micros(crowd.arrivals.quantile(0.5)),
        micros(crowd.arrivals.quantile(0.99)),
        spent.seconds(),
        spent.server_share(),
        spent.generator_share(),
    ];
    report.add(server, case, values);
    if spent.generator_was_the_bottleneck() {
        report.note(server, case, "the generator was the bottleneck: look at the CPU, not at the rate");
    }
}
