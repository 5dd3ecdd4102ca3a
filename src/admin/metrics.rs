//! Every number that the server tells, under its name.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Format};
use crate::connection::stream::Stream;
use crate::engine::{Application, ClosedBy, Counters, Engine, Measures, Totals};
use crate::time::Now;
use crate::wire::response::{Response, Status};

/// What the engine cannot know of its own process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// When it started, in seconds since 1970-01-01 UTC. Worked out anew from two clocks it would not be the same each time.
    pub started: u64,
    /// Open file descriptors; `None` if they cannot be counted quickly.
    pub descriptors: Option<u64>,
    /// How many there may be; `None` for no limit.
    pub descriptors_limit: Option<u64>,
    /// Resident memory in bytes; `None` if the system does not tell.
    pub memory: Option<u64>,
    /// How often a connection could not be accepted for want of descriptors or memory.
    pub exhausted: u64,
    /// Connections of administrators.
    pub admin_connections: usize,
    /// Connections of administrators that were refused because there were too many.
    pub admin_refused: u64,
    /// Answers to administrators by status.
    pub admin_answers: BTreeMap<u16, u64>,
}

/// The whole text.
pub(super) fn respond<S: Stream, A: Application>(
    format: Format,
    engine: &Engine<S, A>,
    process: &Process,
    now: Now,
) -> Response {
    let mut to = Exposition::new(format);
    let counters = engine.counters();
    about_process(&mut to, process, now);
    connections(&mut to, &engine.totals(), engine.limits().connections, counters);
    endings(&mut to, counters);
    traffic(&mut to, &engine.totals(), counters);
    limits(&mut to, counters);
    times(&mut to, engine.measures());
    Response::page(Status::Ok, format.content_type(), to.finish().into_bytes())
}

fn about_process(to: &mut Exposition, process: &Process, now: Now) {
    let uptime = now.time.as_micros() / 1_000_000;
    to.info("hollerd_build", "What is running.", "version", env!("CARGO_PKG_VERSION"));
    let help = "When the process started, in seconds since 1970-01-01 UTC.";
    to.gauge("hollerd_start_time_seconds", help, process.started);
    to.gauge("hollerd_uptime_seconds", "How long it has been running.", uptime);
    if let Some(memory) = process.memory {
        to.gauge("hollerd_resident_memory_bytes", "Resident memory of the process.", memory);
    }
    if let Some(descriptors) = process.descriptors {
        to.gauge("hollerd_descriptors", "Open file descriptors.", descriptors);
    }
    if let Some(limit) = process.descriptors_limit {
        to.gauge("hollerd_descriptors_limit", "How many descriptors may be open.", limit);
    }
    let help = "Times that a connection could not be accepted for want of descriptors or memory.";
    to.counter("hollerd_accept_exhausted", help, process.exhausted);
    to.gauge("hollerd_admin_connections", "Connections to the admin listener.", process.admin_connections);
    let help = "Connections to the admin listener that were refused because admin.connections was reached.";
    to.counter("hollerd_admin_refused", help, process.admin_refused);
    let answers = process.admin_answers.iter().map(|(status, count)| (*status, *count));
    to.counters("hollerd_admin_answers", "Answers of the admin listener by HTTP status.", "status", answers);
}

fn connections(to: &mut Exposition, totals: &Totals, limit: u32, counters: &Counters) {
    let phases = [
        ("handshake", totals.handshake),
        ("token_check", totals.token_check),
        ("open", totals.open),
        ("closing", totals.closing),
    ];
    to.gauges("hollerd_connections", "Connections by what they wait for.", "phase", &phases);
    to.gauge("hollerd_connections_limit", "How many connections are taken (limits.connections).", limit);
    let help = "Connections accepted, those included that were refused at once.";
    to.counter("hollerd_connections_accepted", help, counters.accepted);
    let help = "Handshakes that succeeded: upgraded, and with a good token where one is needed.";
    to.counter("hollerd_connections_admitted", help, counters.admitted);
    let refusals = counters.refusals.iter().map(|(cause, count)| (*cause, *count));
    let help = "Requests that were refused, by cause: the key of the limit, or what was wrong.";
    to.counters("hollerd_refusals", help, "cause", refusals);
    let answers = counters.answers.iter().map(|(status, count)| (*status, *count));
    to.counters("hollerd_answers", "HTTP answers other than 101 by status.", "status", answers);
}

fn endings(to: &mut Exposition, counters: &Counters) {
    let closes = counters.closes.iter().map(|((by, code), count)| {
        let by = match by {
            ClosedBy::Peer => "peer",
            ClosedBy::Us => "us",
        };
        let code = if *code == 0 { "other".to_owned() } else { code.to_string() };
        (by, code, *count)
    });
    let help = "WebSockets that ended, by who decided it and by close code: 1005 is a close frame without a code, 1006 \
                an end without a close frame, other any code that is not registered or ours.";
    to.counters_by_two("hollerd_closes", help, ["by", "code"], closes);
    let endings = counters.endings.iter().map(|(name, count)| (*name, *count));
    to.counters("hollerd_endings", "Connections whose end was decided, by reason.", "reason", endings);
    let help = "Connections cut off because the last bytes were not taken, or not ended by the peer, in time.";
    to.counter("hollerd_connections_cut", help, counters.cut);
}

fn traffic(to: &mut Exposition, totals: &Totals, counters: &Counters) {
    to.counter("hollerd_messages_received", "Messages received.", counters.messages_in);
    to.counter("hollerd_broadcasts", "Messages said to a whole room, each counted once.", counters.broadcasts);
    let help = "Messages out: a broadcast once for each who could hear it when it was said, and messages to one peer. \
                Counted when said; what a peer leaves unread when it goes is counted too.";
    to.counter("hollerd_deliveries", help, counters.deliveries);
    to.counter("hollerd_received_bytes", "Bytes received.", counters.bytes_in);
    to.counter("hollerd_sent_bytes", "Bytes sent.", counters.bytes_out);
    to.counter("hollerd_writes", "Writes to sockets; each takes all that is new for one peer.", counters.writes);
    to.counter("hollerd_pings", "Pings sent.", counters.pings);
    to.gauge("hollerd_rooms", "Rooms that somebody is in.", totals.rooms);
    let help = "Bytes of messages that rooms hold: somebody has not been sent them yet, or they are history.";
    to.gauge("hollerd_backlog_bytes", help, totals.log_bytes);
    let help = "Peers that could not take everything that was said to their room.";
    to.gauge("hollerd_slow_readers", help, totals.slow_readers);
}

fn limits(to: &mut Exposition, counters: &Counters) {
    let help =
        "Connections let in without a look at the rate of their address, because too many addresses have come lately.";
    to.counter("hollerd_addresses_full", help, counters.addresses_full);
    let help =
        "Times that somebody who talks was not read from because the log of the room was full (limits.room_log).";
    to.counter("hollerd_held_back", help, counters.held_back);
    let help = "Times that a peer used up its share of a turn, so that the rest waited for the next.";
    to.counter("hollerd_over_budget", help, counters.over_budget);
}

fn times(to: &mut Exposition, measures: &Measures) {
    let help = "How long turns of the loop took, the wait at their beginning left out.";
    to.histogram("hollerd_turn_seconds", help, &measures.turns);
    let help = "From the moment at which something was said to the end of the turn in which the last member of the room \
                was written to or found unable to take more; one for each round through a room.";
    to.histogram("hollerd_fanout_seconds", help, &measures.fan_outs);
    let help = "From a ping to the first bytes of the peer after it, most often its pong.";
    to.histogram("hollerd_ping_round_trip_seconds", help, &measures.round_trips);
}
