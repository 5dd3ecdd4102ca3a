//! The step `expire`: asks those whose deadline came up whether it is really due, and acts on it.

use super::desk::Desk;
use super::{Application, Engine};
use crate::connection::Peer;
use crate::connection::phase::{Phase, Stage};
use crate::connection::stream::Stream;
use crate::time::{Now, Time};
use crate::wire::close::Ending;
use crate::wire::response::{Refusal, Status};

/// What is due for an open connection.
enum Due {
    TokenExpired,
    TooLongBehind,
    MessageTimeout,
    NoPong,
    Appointment,
    Ping,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// Handles the deadlines that have passed, up to the turn's budget; the rest comes up in the next turn.
    pub fn expire(&mut self, now: Now) {
        self.hub.now = now;
        self.adapt_step();
        self.drain_step();
        self.hub.rooms.expire(now.time);
        let mut due = std::mem::take(&mut self.due);
        self.hub.wheel.expire(now.time, self.hub.limits.turn_writes as usize, &mut due);
        for index in due.drain(..) {
            if let Some(peer) = self.hub.peer_at(index) {
                self.expire_one(peer);
                // Whatever came of it, the connection has a deadline again.
                self.hub.rearm(peer);
            }
        }
        self.due = due;
        self.settle();
    }

    fn expire_one(&mut self, peer: Peer) {
        let limits = &self.hub.limits;
        let Some(connection) = self.hub.get(peer) else { return };
        let due = connection.due(limits, &self.hub.heartbeat, self.hub.rooms.log(connection.seat));
        if due > self.hub.now.time {
            return;
        }
        let admit_timeout = limits.admit_timeout;
        match &connection.phase {
            Phase::Handshake(_) if self.awaits(peer).is_some() => {
                let what = self.awaits(peer).unwrap_or_default();
                self.hub.end(peer, Ending::Transport(format!("no whole {what} within {admit_timeout:?}")));
            }
            Phase::Handshake(_) => {
                let text = format!("no whole request within {admit_timeout:?}");
                let refusal = Refusal::new(Status::RequestTimeout, text.clone());
                self.hub.refuse(peer, &refusal, false, text);
            }
            Phase::TokenCheck(_) => self.hub.end(peer, Ending::NoTokenInTime(admit_timeout)),
            Phase::Open => self.expire_open(peer),
            Phase::Closing(closing) => {
                let unsent = closing.stage == Stage::Sending;
                self.hub.counters.cut += u64::from(unsent);
                self.hub.cut(peer);
            }
        }
    }

    /// What the stream of a peer waits for before anything can be said over it.
    fn awaits(&self, peer: Peer) -> Option<&'static str> {
        self.streams.get(peer.index as usize)?.as_ref()?.awaits()
    }

    fn expire_open(&mut self, peer: Peer) {
        let (limits, heartbeat) = (&self.hub.limits, &self.hub.heartbeat);
        match self.what_is_due(peer) {
            Some(Due::TokenExpired) => self.hub.end(peer, Ending::TokenExpired),
            Some(Due::TooLongBehind) => self.hub.end(peer, Ending::TooLongBehind(limits.unread_age)),
            Some(Due::MessageTimeout) => self.hub.end(peer, Ending::MessageTimeout(limits.message_timeout)),
            Some(Due::NoPong) => self.hub.end(peer, Ending::NoPong(heartbeat.pong_timeout)),
            Some(Due::Appointment) => {
                if let Some(connection) = self.hub.get_mut(peer) {
                    connection.appointment = Time::NEVER;
                }
                self.application.overdue(&mut Desk::new(&mut self.hub), peer);
            }
            Some(Due::Ping) => {
                let now = self.hub.now.time;
                if let Some(connection) = self.hub.get_mut(peer) {
                    connection.ping(now);
                }
                self.hub.counters.pings += 1;
                self.hub.queue_flush(peer);
            }
            None => {}
        }
    }

    fn what_is_due(&self, peer: Peer) -> Option<Due> {
        let now = self.hub.now.time;
        let (limits, heartbeat) = (&self.hub.limits, &self.hub.heartbeat);
        let connection = self.hub.get(peer)?;
        let log = self.hub.rooms.log(connection.seat);
        let heartbeat_due = if connection.awaits_pong() {
            (connection.pong_due(heartbeat), Due::NoPong)
        } else {
            (connection.ping_due(heartbeat), Due::Ping)
        };
        let deadlines = [
            (connection.until, Due::TokenExpired),
            (connection.reading_due(limits, log), Due::TooLongBehind),
            (connection.message_due(limits), Due::MessageTimeout),
            (connection.appointment, Due::Appointment),
            heartbeat_due,
        ];
        deadlines.into_iter().find(|(at, _)| *at <= now).map(|(_, due)| due)
    }
}
