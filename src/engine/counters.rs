//! What happened so far, in numbers. Every limit that strikes is in here under its own name.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use crate::wire::close::Ending;

/// Counts since the start. They only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    /// Connections that were upgraded and whose token, if one is needed, was good.
    pub admitted: u64,
    /// HTTP answers by status code.
    pub answers: BTreeMap<u16, u64>,
    /// Refusals by [`Refusal::cause`](crate::wire::response::Refusal::cause).
    pub refusals: BTreeMap<&'static str, u64>,
    /// Ends of what was a WebSocket, by who decided it and by code: 1005 or 1006 without one, 0 for one that a peer made up.
    pub closes: BTreeMap<(ClosedBy, u16), u64>,
    /// Endings by [`Ending::name`].
    pub endings: BTreeMap<&'static str, u64>,
    /// Refused on arrival: `limits.connections` was reached.
    pub full: u64,
    /// Refused on arrival: `limits.pending` was reached.
    pub pending_full: u64,
    /// Refused on arrival: `limits.pending_per_address` was reached.
    pub pending_per_address_full: u64,
    /// Refused on arrival: `limits.connections_per_address` was reached.
    pub connections_per_address_full: u64,
    /// Refused on arrival: more than `limits.handshakes_per_second`.
    pub handshakes_over: u64,
    /// Refused on arrival: more than `limits.handshakes_per_second_per_address`.
    pub handshakes_per_address_over: u64,
    /// Let in without a look at the rate of the address, because too many addresses have come lately.
    pub addresses_full: u64,
    /// Refused a new room: `limits.rooms` was reached.
    pub rooms_full: u64,
    /// Refused a room that has as many users as `limits.users_per_room`.
    pub users_per_room_full: u64,
    /// Not read from in a turn because the room's log had reached `limits.room_log`.
    pub held_back: u64,
    /// A turn's share of messages or bytes was used up, and the rest waited for the next turn.
    pub over_budget: u64,
    /// Cut off because the last bytes were not taken, or the peer did not end its side, in time.
    pub cut: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages said in a room, in however many encodings.
    pub broadcasts: u64,
    /// Messages out: for each broadcast as many as could hear it when it was said, and one for each message to a single
    /// peer. Counted when it is said, because one write takes any number of messages; what a peer leaves unread when it
    /// goes is counted too.
    pub deliveries: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Pings sent.
    pub pings: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// Who decided that a WebSocket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosedBy {
    /// The peer, or the network between.
    Peer,
    /// The server.
    Us,
}

/// How long things took since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// Turns of the loop, without the wait at their beginning.
    pub turns: Histogram,
    /// From the moment at which a message was said to the end of the turn in which the last member was written to, or
    /// found unable to take more; one for each pass through a room, by the oldest message that it brought.
    pub fan_outs: Histogram,
    /// From a ping to the first bytes of the peer after it, most often its pong.
    pub round_trips: Histogram,
}

/// The code under which a close is counted: its own if it is a registered one or one of ours, and 0 for all others,
/// because peers and applications choose theirs, and what they choose must not make this list long.
fn close_code(ending: &Ending, by: ClosedBy) -> u16 {
    // RFC 6455 section 7.1.5: 1005 is "no code", 1006 is "no close frame". Neither is ever sent.
    let absent = if matches!(ending, Ending::ClosedByPeer { .. }) { 1005 } else { 1006 };
    let code = ending.code().unwrap_or(absent);
    match (code, by) {
        (1000..=1015, _) | (4401 | 4403 | 4408 | 4409, ClosedBy::Us) => code,
        _ => 0,
    }
}

impl Counters {
    pub(super) fn count_ending(&mut self, ending: &Ending, was_websocket: bool) {
        if was_websocket {
            let by = if ending.is_by_peer() { ClosedBy::Peer } else { ClosedBy::Us };
            *self.closes.entry((by, close_code(ending, by))).or_default() += 1;
        }
        *self.endings.entry(ending.name()).or_default() += 1;
        if let Ending::Answered { status, .. } = ending {
            *self.answers.entry(*status).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_are_counted_by_code_and_by_who_decided() {
        let by_peer = |code| Ending::ClosedByPeer { code, reason: String::new() };
        let own = |code| Ending::Application { code, reason: String::new() };
        let table = [
            (by_peer(Some(1000)), ClosedBy::Peer, 1000),
            (by_peer(None), ClosedBy::Peer, 1005),
            (by_peer(Some(4403)), ClosedBy::Peer, 0),
            (by_peer(Some(3999)), ClosedBy::Peer, 0),
            (Ending::Gone, ClosedBy::Peer, 1006),
            (Ending::Reset, ClosedBy::Peer, 1006),
            (Ending::Transport("x".into()), ClosedBy::Peer, 1006),
            (Ending::NotUtf8, ClosedBy::Us, 1007),
            (Ending::TokenExpired, ClosedBy::Us, 4401),
            (Ending::Replaced, ClosedBy::Us, 4409),
            (own(4403), ClosedBy::Us, 4403),
            (own(4711), ClosedBy::Us, 0),
        ];
        for (ending, by, code) in table {
            let mut counters = Counters::default();
            counters.count_ending(&ending, true);
            assert_eq!(counters.closes, BTreeMap::from([((by, code), 1)]), "{ending:?}");
            counters.count_ending(&ending, false);
            assert_eq!((counters.closes.len(), counters.endings[ending.name()]), (1, 2), "{ending:?}");
        }
    }
}
