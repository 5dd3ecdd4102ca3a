//! One speaks, many hear: what does a delivery cost the server, and how long does it take?

use super::{Plan, micros, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::crowd::Crowd;
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Column, Form, Report, column};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::watch::{Spent, Watch};
use crate::talk::{self, Limit, ONE_AT_A_TIME, PIPELINED, Pace, Speaker, WINDOW};

pub(super) const FORM: Form = Form { question: "fanout", columns: DELIVERY_COLUMNS, key: 0 };

/// What is told about a run of deliveries.
pub(super) const DELIVERY_COLUMNS: &[Column] = &[
    column("CPU/delivery", "µs"),
    column("user", "%"),
    column("deliveries", "/s"),
    column("p50", "µs"),
    column("p99", "µs"),
    column("p99.9", "µs"),
    column("wall", "s"),
    column("server CPU", "%"),
    column("generator CPU", "%"),
    column("missing", ""),
    column("duplicate", ""),
    column("out of order", ""),
];

/// Bytes of a message without its name.
pub(super) const MESSAGE_BYTES: usize = 56;

/// Messages before the measurement begins.
const WARM_UP: Limit = Limit { messages: 4, time: SECOND };

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let sizes: &[usize] = if plan.quick { &[100, 1_000] } else { &[100, 1_000, 10_000, 18_000] };
    for &receivers in sizes {
        if receivers >= plan.connections_max {
            let text = format!("left out, the open-file limit allows {} connections", plan.connections_max);
            report.note(server, &format!("{receivers} receivers"), &text);
            continue;
        }
        progress(&format!("fanout: {server}, {receivers} receivers come in"));
        let process = Server::start(server, Role::Chat, &[])?;
        let mut crowd = named_crowd(&process, receivers + 1)?;
        for pace in [ONE_AT_A_TIME, WINDOW, PIPELINED] {
            let case = format!("{receivers}, {}", pace.name);
            progress(&format!("fanout: {server}, {case}"));
            let spent = run(&process, &mut crowd, plan, pace, receivers);
            report.add(server, &case, delivery_values(&crowd, &spent));
            note_doubts(report, server, &case, &crowd, &spent);
            if crowd.ready() <= receivers {
                return Err(format!("{case}: connections were lost"));
            }
        }
    }
    Ok(())
}

fn run(process: &Server, crowd: &mut Crowd, plan: &Plan, pace: Pace, receivers: usize) -> Spent {
    let time = if plan.quick { SECOND * 3 / 4 } else { 5 * SECOND };
    let mut speaker = Speaker::new(MESSAGE_BYTES, frame::TEXT);
    let everybody = receivers as u64;
    crowd.hearing.begin(Ledger::of_broadcasts(receivers + 1, 1), speaker.body_bytes());
    talk::recite(crowd, &mut speaker, pace, WARM_UP, everybody);
    crowd.hearing.begin(Ledger::of_broadcasts(receivers + 1, 1), speaker.body_bytes());
    let watch = Watch::begin(process);
    talk::recite(crowd, &mut speaker, pace, Limit::time(time), everybody);
    watch.end()
}

/// The values for [`DELIVERY_COLUMNS`].
pub(super) fn delivery_values(crowd: &Crowd, spent: &Spent) -> Vec<f64> {
    let totals = crowd.hearing.ledger.totals();
    let latency = |share| micros(crowd.hearing.latency.quantile(share));
    vec![
        spent.cost(totals.received),
        spent.server.user_share(),
        spent.rate(totals.received),
        latency(0.5),
        latency(0.99),
        latency(0.999),
        spent.seconds(),
        spent.server_share(),
        spent.generator_share(),
        totals.missing as f64,
        totals.duplicate as f64,
        totals.out_of_order as f64,
    ]
}
