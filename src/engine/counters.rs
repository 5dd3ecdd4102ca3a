//! What happened so far, in numbers. Every limit that strikes is in here under its own name.

use std::collections::BTreeMap;

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
    /// Endings by [`Ending::name`].
    pub endings: BTreeMap<&'static str, u64>,
    /// Refused on arrival: `limits.connections` was reached.
    pub full: u64,
    /// Refused on arrival: `limits.pending` was reached.
    pub pending_full: u64,
    /// Refused on arrival: `limits.pending_per_address` was reached.
    pub pending_per_address_full: u64,
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
    /// Writes to sockets.
    pub writes: u64,
    /// Pings sent.
    pub pings: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Counters {
    pub(super) fn count_ending(&mut self, ending: &Ending) {
        *self.endings.entry(ending.name()).or_default() += 1;
        if let Ending::Answered { status, .. } = ending {
            *self.answers.entry(*status).or_default() += 1;
        }
    }
}
