//! New settings for an engine that runs. They are in force at once, for everybody; nobody is closed because of the change
//! itself.
//!
//! Most settings are looked at when they are needed, so nothing has to be done about them. Deadlines are worked out when
//! the lazy wheel asks, so one that moves away is found out then; but for one that comes nearer the wheel would ask too
//! late. So everybody is armed again, a slice in each turn: at a million connections all at once would stop the loop
//! for about 0.1 s.

use super::history::History;
use super::hub::Hub;
use super::{Application, Engine, Gate, Settings, message_limits};
use crate::config::Limits;
use crate::connection::Peer;
use crate::connection::stream::Stream;
use crate::time::Now;

/// So many places of the slab are gone through in one turn.
const SLICE: usize = 1024;

impl<S: Stream, A: Application> Engine<S, A> {
    /// Puts other settings in force.
    ///
    /// Who is in stays in: a lower `limits.connections` closes nobody, and an identity is not asked again. Who is further
    /// behind than a lower limit allows is judged by it when the next message comes, and a message under way by the limits
    /// under which it was begun. Deadlines that were told to somebody (admission, appointments, closing) stay as they are.
    pub fn reconfigure(&mut self, settings: Settings, gate: Gate, now: Now) {
        self.hub.now = now;
        self.former_log_bound = self.former_log_bound.max(self.log_bound());
        self.pool.reconfigure(message_limits(&settings.limits));
        if settings.limits.turn_read != self.buffer.len() {
            self.buffer = vec![0; settings.limits.turn_read];
        }
        let rates = |limits: &Limits| {
            let of_address = (limits.handshakes_per_second_per_address, limits.handshake_burst_per_address);
            (limits.handshakes_per_second, limits.handshake_burst, of_address)
        };
        if rates(&settings.limits) != rates(&self.hub.limits) {
            // What was within another rate says nothing about how many may come now.
            self.hub.forget_rates();
        }
        let history = History::of(A::HISTORY, &settings.history, &settings.limits);
        self.hub.rooms.set_history(history, now.time);
        self.hub.limits = settings.limits;
        self.hub.heartbeat = settings.heartbeat;
        self.hub.proxy = settings.proxy;
        self.shutdown = settings.shutdown;
        self.gate = gate;
        // Whoever comes from now on comes under the new settings, also into a place that is further up.
        self.hub.outdated = 0..self.streams.len();
    }

    /// Goes through the next slice of those who came before the last change of settings.
    pub(super) fn adapt_step(&mut self) {
        let outdated = self.hub.outdated.clone();
        let end = outdated.end.min(outdated.start.saturating_add(SLICE));
        for index in outdated.start..end {
            if let Some(peer) = u32::try_from(index).ok().and_then(|index| self.hub.peer_at(index)) {
                self.hub.adapt(peer);
            }
        }
        self.hub.outdated.start = end;
    }
}

impl<D> Hub<D> {
    /// Makes what a connection keeps fit the settings in force. Doing it twice does no harm.
    pub(super) fn adapt(&mut self, peer: Peer) {
        if let Some(connection) = self.get_mut(peer) {
            connection.forgive();
        }
        self.count_address(peer);
        self.rearm(peer);
    }
}
