//! What must have been seen when all seeds are through: a simulation in which nothing happens proves nothing.

use std::collections::BTreeMap;

use hollerd::engine::{ClosedBy, Counters};

/// Every way in which a connection ends.
const ENDINGS: [&str; 27] = [
    "answered",
    "application",
    "binary_refused",
    "closed_by_peer",
    "fault",
    "gone",
    "message_timeout",
    "no_name_in_time",
    "no_pong",
    "no_token_in_time",
    "not_utf8",
    "outbox_full",
    "protocol",
    "reset",
    "restarting",
    "room_forbidden",
    "room_full",
    "shutting_down",
    "token_expired",
    "token_refused",
    "too_big",
    "too_far_behind",
    "too_long_behind",
    "too_many_fragments",
    "too_many_messages",
    "too_many_rooms",
    "transport",
];
const ANSWERS: [u16; 11] = [200, 400, 401, 403, 404, 405, 408, 426, 429, 431, 503];
const METHODS: [&str; 12] = [
    "broadcast",
    "broadcast_everywhere",
    "broadcast_filter",
    "broadcast_others",
    "broadcast_to",
    "close",
    "close_all",
    "end",
    "move_to",
    "notify_when_flushed",
    "send",
    "set_deadline",
];

/// Sums over all seeds.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    endings: BTreeMap<&'static str, u64>,
    answers: BTreeMap<u16, u64>,
    methods: BTreeMap<&'static str, u64>,
    others: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub(crate) fn add(&mut self, counters: &Counters, methods: &BTreeMap<&'static str, u64>) {
        // A field that is added to the counters has to be looked at here.
        let Counters {
            accepted,
            admitted,
            answers,
            refusals,
            closes,
            endings,
            full,
            pending_full,
            pending_per_address_full,
            connections_per_address_full,
            handshakes_over,
            handshakes_per_address_over,
            rooms_full,
            users_per_room_full,
            // It takes more addresses than a simulation has.
            addresses_full: _,
            held_back,
            over_budget,
            cut,
            messages_in,
            broadcasts,
            deliveries,
            writes,
            pings,
            bytes_in,
            bytes_out,
        } = counters;
        let others = [
            ("accepted", accepted),
            ("admitted", admitted),
            ("full", full),
            ("pending_full", pending_full),
            ("pending_per_address_full", pending_per_address_full),
            ("connections_per_address_full", connections_per_address_full),
            ("handshakes_over", handshakes_over),
            ("handshakes_per_address_over", handshakes_per_address_over),
            ("rooms_full", rooms_full),
            ("users_per_room_full", users_per_room_full),
            ("held_back", held_back),
            ("over_budget", over_budget),
            ("cut", cut),
            ("messages_in", messages_in),
            ("broadcasts", broadcasts),
            ("deliveries", deliveries),
            ("writes", writes),
            ("pings", pings),
            ("bytes_in", bytes_in),
            ("bytes_out", bytes_out),
        ];
        refusals.iter().for_each(|(&cause, count)| *self.others.entry(cause).or_default() += count);
        let closed = |by| -> u64 { closes.iter().filter(|((who, _), _)| *who == by).map(|(_, count)| count).sum() };
        *self.others.entry("closed by the peer").or_default() += closed(ClosedBy::Peer);
        *self.others.entry("closed by us").or_default() += closed(ClosedBy::Us);
        others.iter().for_each(|&(name, count)| *self.others.entry(name).or_default() += count);
        endings.iter().for_each(|(&name, count)| *self.endings.entry(name).or_default() += count);
        answers.iter().for_each(|(&status, count)| *self.answers.entry(status).or_default() += count);
        methods.iter().for_each(|(&name, count)| *self.methods.entry(name).or_default() += count);
    }

    /// What has not been seen although it should have been.
    pub(crate) fn missing(&self) -> Vec<String> {
        let endings =
            ENDINGS.iter().filter(|name| !self.endings.contains_key(*name)).map(|name| format!("ending {name}"));
        let answers =
            ANSWERS.iter().filter(|status| !self.answers.contains_key(status)).map(|status| format!("answer {status}"));
        let methods =
            METHODS.iter().filter(|name| !self.methods.contains_key(*name)).map(|name| format!("method {name}"));
        let others = self.others.iter().filter(|(_, count)| **count == 0).map(|(name, _)| format!("counter {name}"));
        endings.chain(answers).chain(methods).chain(others).collect()
    }
}
