//! How many can be held, and what does one of them cost while nothing is said?

use super::{Plan, TOGETHER, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::crowd::{Crowd, Goal};
use crate::frame;
use crate::ledger::Ledger;
use crate::machine::{self, KernelMemory};
use crate::report::{Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::tree;
use crate::server::watch::Watch;
use crate::talk::{self, Limit, ONE_AT_A_TIME, PATIENCE, Speaker};

pub(super) const FORM: Form = Form {
    question: "connections",
    columns: &[
        column("private/connection", "B"),
        column("kernel/connection, both ends", "B"),
        column("resident", "MiB"),
        column("handshakes", "/s"),
        column("CPU/handshake", "µs"),
        column("broadcast to all", "ms"),
        column("CPU/delivery", "µs"),
        column("idle CPU", "%"),
        column("pings answered", "/s"),
        column("CPU/ping", "µs"),
        column("missing", ""),
    ],
    key: 0,
};

/// So many are wished for; the open-file limit may stop us before.
const WISHED: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let most = plan.connections_max;
    let wished: &[usize] = if plan.quick { &WISHED[..2] } else { &WISHED };
    for &wish in wished {
        let count = wish.min(most);
        hold(server, plan, report, count)?;
        if count < wish {
            let text = format!("stopped here, the open-file limit allows no more ({wish} were wished for)");
            report.note(server, &count.to_string(), &text);
            break;
        }
    }
    Ok(())
}

fn hold(server: &str, plan: &Plan, report: &mut Report, count: usize) -> Result<(), String> {
    let case = count.to_string();
    progress(&format!("connections: {server}, {case} come in"));
    let process = Server::start(server, Role::Chat, &[])?;
    let processes = tree::processes(process.pid());
    let mut crowd = Crowd::new(&process.door)?;
    // What the first connections make the server set up once is not theirs.
    crowd.gather(8, TOGETHER, Goal::Named, PATIENCE)?;
    let (memory, kernel) = (tree::memory(&processes), machine::kernel_memory());
    let watch = Watch::begin(&process);
    crowd.gather(count - 8, TOGETHER, Goal::Named, PATIENCE)?;
    let came = watch.end();
    let (full_memory, full_kernel) = (tree::memory(&processes), machine::kernel_memory());

    let mut speaker = Speaker::new(super::fanout::MESSAGE_BYTES, frame::TEXT);
    crowd.hearing.begin(Ledger::of_broadcasts(count, 1), speaker.body_bytes());
    let watch = Watch::begin(&process);
    talk::recite(&mut crowd, &mut speaker, ONE_AT_A_TIME, Limit::messages(1), count as u64 - 1);
    let told = watch.end();
    note_doubts(report, server, &case, &crowd, &told);
    let missing = crowd.hearing.ledger.totals().missing;
    drop((crowd, process));

    let pings = ping(server, plan, count)?;
    let added = (count - 8) as u64;
    let per_connection = |before: u64, after: u64| (after as f64 - before as f64) / added as f64;
    let all = |memory: KernelMemory| memory.slab + memory.buffers;
    let values = vec![
        per_connection(memory.private, full_memory.private),
        per_connection(all(kernel), all(full_kernel)),
        full_memory.resident as f64 / f64::from(1 << 20),
        came.rate(added),
        came.cost(added),
        told.seconds() * 1_000.0,
        told.cost(count as u64 - 1),
        pings.idle_cpu,
        pings.rate,
        pings.cost,
        missing as f64,
    ];
    report.add(server, case, values);
    Ok(())
}

/// What a stretch without any messages came to.
struct Pings {
    idle_cpu: f64,
    rate: f64,
    cost: f64,
}

/// The same crowd, silent, with a ping for each of them every one or two seconds at ours. Others ping as they do by default, which is
/// seldom or not at all; then the idle CPU alone tells.
fn ping(server: &str, plan: &Plan, count: usize) -> Result<Pings, String> {
    progress(&format!("connections: {server}, {count} are silent"));
    let often = [("HOLLERD_HEARTBEAT_PING_INTERVAL", "1s"), ("HOLLERD_HEARTBEAT_PONG_TIMEOUT", "2s")];
    let process = Server::start(server, Role::Chat, &often)?;
    let mut crowd = named_crowd(&process, count)?;
    crowd.idle(if plan.quick { SECOND / 2 } else { 4 * SECOND });
    let before = crowd.pings;
    let watch = Watch::begin(&process);
    crowd.idle(if plan.quick { 3 * SECOND } else { 10 * SECOND });
    let spent = watch.end();
    let pings = crowd.pings - before;
    let cost = if pings > 0 { spent.cost(pings) } else { f64::NAN };
    if crowd.ready() < count {
        return Err(format!("{} of {count} were lost while nothing was said", count - crowd.ready()));
    }
    Ok(Pings { idle_cpu: spent.server_share(), rate: spent.rate(pings), cost })
}
