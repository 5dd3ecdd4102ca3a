//! When a connection is due: its heartbeat, the message under way, the oldest unread message, its token, its appointment.
//! All of it is worked out from what the connection knows when the lazy timer wheel asks; nothing is kept for it.

use super::Connection;
use crate::config::{Heartbeat, Limits};
use crate::room::log::Log;
use crate::time::Time;
use crate::wire::frame::{self, Opcode};

impl<D> Connection<D> {
    /// Asks for a sign of life.
    pub fn ping(&mut self, now: Time) {
        let mut ping = Vec::with_capacity(2);
        frame::append(&mut ping, Opcode::Ping, &[]);
        self.outbox.get_or_insert_default().push_control(&ping);
        self.pulse = now;
        self.awaits_pong = true;
    }

    /// True when it was asked for a sign of life and has not given one.
    pub fn awaits_pong(&self) -> bool {
        self.awaits_pong
    }

    /// When it should be asked for a sign of life: a while after the last one, 10 % more or less, the same for the same
    /// peer but different between peers, so that those who came together are not pinged together.
    pub fn ping_due(&self, heartbeat: &Heartbeat) -> Time {
        if heartbeat.ping_interval.is_zero() {
            return Time::NEVER;
        }
        let spread = self.peer.generation.wrapping_mul(0x9E37_79B9) >> 22;
        let permille = 900 + spread * 200 / 1023;
        self.pulse + heartbeat.ping_interval * permille / 1000
    }

    /// When an answer to the ping is overdue.
    pub fn pong_due(&self, heartbeat: &Heartbeat) -> Time {
        if self.awaits_pong { self.pulse + heartbeat.pong_timeout } else { Time::NEVER }
    }

    /// When the message under way is overdue.
    pub fn message_due(&self, limits: &Limits) -> Time {
        let begun = self.inbound.as_ref().and_then(|inbound| inbound.begun());
        begun.map_or(Time::NEVER, |begun| begun + limits.message_timeout)
    }

    /// When the oldest unread message is too old. A peer that could take it is not slow: then it waits for its turn.
    pub fn reading_due(&self, limits: &Limits, log: &Log) -> Time {
        if self.ready.writable {
            return Time::NEVER;
        }
        let shared = log.said_at(self.walk.cursor);
        let private = self.outbox.as_ref().and_then(|outbox| outbox.oldest());
        let oldest = shared.into_iter().chain(private).min();
        oldest.map_or(Time::NEVER, |oldest| oldest + limits.unread_age)
    }

    /// When there is something to do for this connection if nothing happens before. The lazy timer wheel asks this when
    /// an entry comes up, so traffic never has to move an entry.
    pub fn due(&self, limits: &Limits, heartbeat: &Heartbeat, log: &Log) -> Time {
        if !self.is_open() {
            return self.until;
        }
        let heartbeat_due = if self.awaits_pong() { self.pong_due(heartbeat) } else { self.ping_due(heartbeat) };
        self.until
            .min(self.appointment)
            .min(heartbeat_due)
            .min(self.message_due(limits))
            .min(self.reading_due(limits, log))
    }
}
