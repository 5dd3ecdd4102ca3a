//! How many can be held, and what does one of them cost while nothing is said?

use super::{Plan, TOGETHER, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::crowd::hearing::describe;
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
        column("pinged", ""),
        column("missing", ""),
    ],
    key: 0,
};

/// So many are wished for; the open-file limit may stop us before.
const WISHED: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The first of a crowd, who make the server set up once what is not for them alone.
const FIRST: usize = 8;
/// More than these are pinged as seldom as the server is shipped to do: every second would be all that it does.
const OFTEN_MAX: usize = 20_000;

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let most = plan.connections_max;
    let wished = match plan.connections.as_slice() {
        [] if plan.quick => &WISHED[..2],
        [] => &WISHED,
        said => said,
    };
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
    crowd.gather(FIRST, TOGETHER, Goal::Named, PATIENCE)?;
    let (memory, kernel) = (tree::memory(&processes), machine::kernel_memory());
    let watch = Watch::begin(&process);
    crowd.gather(count - FIRST, TOGETHER, Goal::Named, PATIENCE)?;
    let came = watch.end();
    let (full_memory, full_kernel) = (tree::memory(&processes), machine::kernel_memory());

    let mut speaker = Speaker::new(super::fanout::MESSAGE_BYTES, frame::TEXT);
    crowd.hearing.begin(Ledger::of_broadcasts(count, 1), speaker.body_bytes());
    let watch = Watch::begin(&process);
    talk::recite(&mut crowd, &mut speaker, ONE_AT_A_TIME, Limit::messages(1), count as u64 - 1);
    let told = watch.end();
    note_doubts(report, server, &case, &crowd, &told);
    let missing = crowd.hearing.ledger.totals().missing;
    let pings = if count > OFTEN_MAX {
        silence(server, count, &Beat::AS_SHIPPED, report, (&process, &mut crowd))
    } else {
        drop((crowd, process));
        pinged_often(server, plan, report, count)?
    };
    let added = (count - FIRST) as u64;
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
        pings.pinged as f64,
        missing as f64,
    ];
    report.add(server, case, values);
    Ok(())
}

/// How often a server pings, and how long it is watched.
struct Beat {
    /// Until everybody is due at another time, in nanoseconds.
    settle: u64,
    /// A ping interval with its spread, the time for the last answer, and a little, in nanoseconds: by then everybody was
    /// pinged, and who was thought to be gone is gone.
    watch: u64,
}

impl Beat {
    /// Every 25 s, 10 s for the answer.
    const AS_SHIPPED: Self = Self { settle: 0, watch: 40 * SECOND };
    /// Every second, 2 s for the answer.
    const OFTEN: Self = Self { settle: 4 * SECOND, watch: 10 * SECOND };
    /// The same, in less time.
    const QUICK: Self = Self { settle: SECOND / 2, watch: 7 * SECOND / 2 };
}

/// What a stretch without any messages came to.
struct Pings {
    idle_cpu: f64,
    rate: f64,
    cost: f64,
    /// How many were pinged at least once.
    pinged: usize,
}

/// The same number, pinged every second at ours.
fn pinged_often(server: &str, plan: &Plan, report: &mut Report, count: usize) -> Result<Pings, String> {
    let often = [("HOLLERD_HEARTBEAT_PING_INTERVAL", "1s"), ("HOLLERD_HEARTBEAT_PONG_TIMEOUT", "2s")];
    let process = Server::start(server, Role::Chat, &often)?;
    let mut crowd = named_crowd(&process, count)?;
    let beat = if plan.quick { Beat::QUICK } else { Beat::OFTEN };
    Ok(silence(server, count, &beat, report, (&process, &mut crowd)))
}

/// Nobody says anything. Ours has to ping everybody and to lose nobody; others ping as they do by default, which is seldom
/// or not at all, and then the idle CPU alone tells.
fn silence(server: &str, count: usize, beat: &Beat, report: &mut Report, held: (&Server, &mut Crowd)) -> Pings {
    let (process, crowd) = held;
    progress(&format!("connections: {server}, {count} are silent"));
    crowd.idle(beat.settle);
    crowd.count_pinged_anew();
    let before = crowd.pings;
    let watch = Watch::begin(process);
    crowd.idle(beat.watch);
    let spent = watch.end();
    let (pings, pinged) = (crowd.pings - before, crowd.pinged);
    let cost = if pings > 0 { spent.cost(pings) } else { f64::NAN };
    let case = count.to_string();
    if server == "hollerd" && pinged < count {
        report.fail(server, &case, &format!("only {pinged} were pinged within {} s", beat.watch / SECOND));
    }
    if crowd.ready() < count {
        let endings = describe(&crowd.endings(0..usize::MAX));
        report.fail(server, &case, &format!("{} were lost while nothing was said: {endings}", count - crowd.ready()));
    }
    Pings { idle_cpu: spent.server_share(), rate: spent.rate(pings), cost, pinged }
}
