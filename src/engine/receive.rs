//! The step `receive`: reads from those who have something, and applies what they said.

use std::io::ErrorKind;

use super::application::Arrival;
use super::desk::Desk;
use super::{Application, Engine};
use crate::auth::Identity;
use crate::connection::Peer;
use crate::connection::inbound::{Inbound, Incoming, Leftover, Progress};
use crate::connection::phase::{Phase, Stage};
use crate::connection::stream::{Stream, ending_of};
use crate::time::{Now, Time};
use crate::wire::close::Ending;
use crate::wire::frame::Message;

/// The most that is read from everybody together in one turn; the rest is read in the next.
pub(super) const TURN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So many messages of one peer are taken before it is looked at how much it was told because of them.
const BATCH: usize = 32;

impl<S: Stream, A: Application> Engine<S, A> {
    /// Reads once from everybody who is ready, up to the turn's budgets.
    pub fn receive(&mut self, now: Now) {
        self.hub.now = now;
        self.hub.rooms.passed.clear();
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut budget = TURN_BYTES_MAX;
        for _ in 0..self.hub.runnable.len() {
            if budget == 0 {
                // The others stay where they are, so that they are the first in the next turn.
                break;
            }
            let Some(peer) = self.hub.runnable.pop_front() else { break };
            let Some(connection) = self.hub.get_mut(peer) else { continue };
            connection.queued.receive = false;
            if self.is_held_back(peer) {
                self.hub.queue_receive(peer);
                continue;
            }
            let cost = self.receive_from(peer, &mut buffer);
            budget = budget.saturating_sub(cost);
            self.settle();
        }
        self.buffer = buffer;
    }

    /// While a room's log is at its limit nobody in that room is heard: that pushes back to those who talk, and the pass
    /// under way makes room.
    fn is_held_back(&mut self, peer: Peer) -> bool {
        let Some(connection) = self.hub.get(peer).filter(|connection| connection.is_open()) else { return false };
        let Some(room) = self.hub.rooms.room_at(connection.seat) else { return false };
        let full = self.hub.rooms.full_audience(room.0, self.hub.limits.room_log as u64);
        if let Some(audience) = full {
            // The last pass may have come past those who have read on, or were given up, only since.
            self.hub.rooms.queue_pass(audience);
        }
        let held_back = full.is_some();
        self.hub.counters.held_back += u64::from(held_back);
        held_back
    }

    /// Reads once, at most a buffer full, and returns what that has cost of the turn's budget.
    fn receive_from(&mut self, peer: Peer, buffer: &mut [u8]) -> usize {
        let Some(connection) = self.hub.get(peer) else { return 0 };
        if connection.is_open() && connection.outbox.as_ref().is_some_and(|outbox| outbox.bytes() > 0) {
            // Who does not take its answers is not heard: it is read again when they are sent, see `flush`.
            return 0;
        }
        if connection.inbound.as_ref().is_some_and(|inbound| inbound.has_leftover()) {
            // Not before it is used up: otherwise a fast talker could make it grow.
            self.take_messages(peer, &mut []);
            // What came meanwhile has had its edge already.
            if self.hub.get(peer).is_some_and(|connection| connection.ready.readable) {
                self.hub.queue_receive(peer);
            }
            return 0;
        }
        if !connection.ready.readable {
            return 0;
        }
        let Some(stream) = self.streams.get_mut(peer.index as usize).and_then(Option::as_mut) else { return 0 };
        let read = stream.read(buffer);
        if matches!(connection.phase, Phase::Handshake(_))
            && let Some(introduced) = stream.learned()
        {
            self.meet(peer, introduced);
        }
        let Some(stream) = self.streams.get(peer.index as usize).and_then(Option::as_ref) else { return 0 };
        let (holds_input, holds_output) = (stream.holds_input(), stream.holds_output());
        let cost = stream.read_cost().max(*read.as_ref().unwrap_or(&0));
        if holds_output {
            self.flush_for_stream(peer);
        }
        match read {
            Ok(0) => self.end_of_stream(peer),
            Ok(read) => {
                self.note_read(peer, read, read == buffer.len() || holds_input);
                self.dispatch(peer, buffer.get_mut(..read).unwrap_or(&mut []));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && holds_input => self.hub.queue_receive(peer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(connection) = self.hub.get_mut(peer) {
                    connection.ready.readable = false;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => self.hub.queue_receive(peer),
            Err(error) => self.hub.end(peer, ending_of(&error)),
        }
        cost
    }

    /// The stream has something to send on its own account, and no edge will come for that.
    fn flush_for_stream(&mut self, peer: Peer) {
        if let Some(connection) = self.hub.get_mut(peer) {
            connection.ready.writable = true;
            self.hub.queue_flush(peer);
        }
    }

    /// A short read means that the socket is drained, and there will be an edge when more comes. Otherwise there may be
    /// more, and no edge will say so: the connection stays runnable.
    fn note_read(&mut self, peer: Peer, read: usize, more: bool) {
        let now = self.hub.now.time;
        self.hub.counters.bytes_in += read as u64;
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let answered = connection.hear(read, now);
        if more || connection.ready.hangup {
            self.hub.counters.over_budget += u64::from(more);
            self.hub.queue_receive(peer);
        } else {
            connection.ready.readable = false;
        }
        if let Some(asked) = answered {
            self.hub.measures.round_trips.record(now.micros_since(asked));
            self.hub.rearm(peer);
        }
    }

    fn end_of_stream(&mut self, peer: Peer) {
        let Some(connection) = self.hub.get_mut(peer) else { return };
        connection.ready.readable = false;
        connection.ready.hangup = true;
        match &connection.phase {
            // It may still read: our last bytes are sent, and nothing is waited for after them.
            Phase::Closing(closing) if closing.stage == Stage::Sending => {}
            Phase::Closing(_) => self.hub.cut(peer),
            Phase::Handshake(Some(_)) => self.refuse_half_request(peer),
            Phase::Handshake(None) | Phase::TokenCheck(_) | Phase::Open => self.hub.end(peer, Ending::Gone),
        }
    }

    fn dispatch(&mut self, peer: Peer, bytes: &mut [u8]) {
        let discard = self.hub.limits.discard;
        let Some(connection) = self.hub.get_mut(peer) else { return };
        match &mut connection.phase {
            Phase::Handshake(_) => self.receive_head(peer, bytes),
            Phase::TokenCheck(_) | Phase::Open => self.take_messages(peer, bytes),
            // A peer that must finish talking before it listens is let talk until our last bytes are out.
            Phase::Closing(closing) if closing.stage == Stage::Sending => {}
            Phase::Closing(closing) => {
                closing.discarded += bytes.len();
                if closing.discarded > discard {
                    self.hub.counters.cut += 1;
                    self.hub.cut(peer);
                }
            }
        }
    }

    /// Lets the messages in `bytes` happen, in order, until they are used up, the turn's share is, or the connection ends.
    /// There are no `bytes` while some are left over from an earlier turn.
    pub(super) fn take_messages(&mut self, peer: Peer, bytes: &mut [u8]) {
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let mut inbound = connection.inbound.take().unwrap_or_else(|| self.pool.take());
        let mut leftover = inbound.take_leftover();
        let is_left_over = !leftover.bytes.is_empty();
        let received = if is_left_over { &mut leftover.bytes[..] } else { bytes };
        let (progress, taken) = self.take_batches(peer, &mut inbound, received, leftover.taken);
        if progress == Progress::MoreToDo {
            let kept = if is_left_over {
                Leftover { bytes: leftover.bytes, taken }
            } else {
                Leftover { bytes: received.get(taken..).unwrap_or(&[]).to_vec(), taken: 0 }
            };
            inbound.keep_leftover(kept);
        }
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let goes_on = connection.closing().is_none();
        match progress {
            Progress::AtRest => self.pool.give_back(inbound),
            Progress::Waiting if goes_on => {
                connection.inbound = Some(inbound);
                self.hub.rearm(peer);
            }
            Progress::MoreToDo if goes_on => {
                connection.inbound = Some(inbound);
                self.hub.counters.over_budget += 1;
                self.hub.queue_receive(peer);
            }
            Progress::Broken(ending) => self.hub.end(peer, ending),
            Progress::Closed | Progress::Waiting | Progress::MoreToDo => {}
        }
    }

    /// Takes a batch of messages from `taken` of `bytes` on and lets them happen, again and again, and says how far it came.
    /// A peer that is told a lot in answer has to take that first: the rest of what it said waits until its outbox is sent.
    fn take_batches(
        &mut self,
        peer: Peer,
        inbound: &mut Inbound,
        bytes: &mut [u8],
        mut taken: usize,
    ) -> (Progress, usize) {
        let now = self.hub.now.time;
        let mut share = self.hub.limits.turn_messages as usize;
        loop {
            // After a change of the limits the message under way is taken alone, and those behind it under the new ones.
            let stale = !inbound.adopt(self.pool.limits());
            let most = if stale { 1 } else { share.min(BATCH) };
            let Some(connection) = self.hub.get_mut(peer) else { return (Progress::Closed, taken) };
            let mut incoming = std::mem::take(&mut self.incoming);
            let progress;
            (progress, taken) = inbound.receive(bytes, taken, most, now, &mut connection.outbox, &mut incoming);
            if connection.outbox.is_some() {
                self.hub.queue_flush(peer);
            }
            for message in incoming.drain(..) {
                self.happen(peer, message, bytes);
            }
            self.incoming = incoming;
            share -= most;
            if progress != Progress::MoreToDo || share == 0 || !self.may_be_told_more(peer) {
                return (progress, taken);
            }
        }
    }

    /// True while a peer is open and its outbox is less than half full.
    fn may_be_told_more(&self, peer: Peer) -> bool {
        let Some(connection) = self.hub.get(peer) else { return false };
        let waiting = connection.outbox.as_ref().map_or(0, |outbox| outbox.bytes());
        connection.closing().is_none() && waiting < self.hub.limits.outbox / 2
    }

    /// One thing that a peer said, if it is whole then somewhere in `bytes`. After its end nothing that it said counts any
    /// more.
    fn happen(&mut self, peer: Peer, incoming: Incoming, bytes: &[u8]) {
        let Some(connection) = self.hub.get(peer) else { return };
        if !matches!(connection.phase, Phase::TokenCheck(_) | Phase::Open) {
            return;
        }
        match incoming {
            Incoming::Whole(whole) => match whole.message(bytes) {
                Ok(message) => self.hear(peer, message),
                Err(ending) => self.hub.end(peer, ending),
            },
            Incoming::Text(text) => self.hear(peer, Message::Text(&text)),
            Incoming::Binary(bytes) => self.hear(peer, Message::Binary(&bytes)),
            Incoming::Pong(payload) if connection.is_open() => {
                self.application.pong(&mut Desk::new(&mut self.hub), peer, &payload);
            }
            Incoming::Pong(_) => {}
            Incoming::Close { code, reason, reply } => {
                self.hub.end_with(peer, Ending::ClosedByPeer { code, reason }, &reply);
            }
        }
        // What this says to others may have ended some of them; they are told before anything else happens.
        self.settle();
    }

    /// A message: the token, if that is what is waited for, and else what the peer has to say.
    fn hear(&mut self, peer: Peer, message: Message<'_>) {
        let Some(connection) = self.hub.get(peer) else { return };
        match (&connection.phase, message) {
            (Phase::Open, message) => self.said(peer, message),
            (Phase::TokenCheck(_), Message::Text(token)) => self.check_token(peer, token),
            (Phase::TokenCheck(_), Message::Binary(_)) => {
                let why = "send your token as a text message".to_owned();
                self.hub.end(peer, Ending::TokenRefused(why));
            }
            (Phase::Handshake(_) | Phase::Closing(_), _) => {}
        }
    }

    fn said(&mut self, peer: Peer, message: Message<'_>) {
        let now = self.hub.now.time;
        let (per_second, burst) = (self.hub.limits.messages_per_second, self.hub.limits.message_burst);
        if !self.hub.outdated.is_empty() {
            // What was within another rate must not be held against anybody.
            self.hub.adapt(peer);
        }
        let Some(connection) = self.hub.get_mut(peer) else { return };
        if !connection.may_say(per_second, burst, now) {
            self.hub.end(peer, Ending::TooManyMessages { per_second });
            return;
        }
        self.hub.counters.messages_in += 1;
        self.application.message(&mut Desk::new(&mut self.hub), peer, message);
    }

    fn check_token(&mut self, peer: Peer, token: &str) {
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let Phase::TokenCheck(wish) = &connection.phase else { return };
        let wish = wish.clone();
        match self.gate.check_first_message(token, &wish.room, self.hub.now) {
            Ok(identity) => {
                if let Some((full, _)) = self.hub.no_seat(&wish.room, None) {
                    return self.hub.end(peer, full);
                }
                self.open_connection(peer, &wish.room, wish.protocol, identity, true);
            }
            Err(ending) => self.hub.end(peer, ending),
        }
    }

    /// The token is good: from here on the connection is a peer.
    pub(super) fn open_connection(
        &mut self,
        peer: Peer,
        room: &str,
        protocol: Option<&'static str>,
        identity: Identity,
        say_ok: bool,
    ) {
        let until = match identity.expires {
            Some(expires) => {
                let left_ms = expires.saturating_mul(1000).saturating_sub(self.hub.now.unix_ms);
                self.hub.now.time + std::time::Duration::from_millis(left_ms)
            }
            None => Time::NEVER,
        };
        let Some(seat) = self.hub.admit(peer, room, A::encoding(protocol), until) else { return };
        let Some(room) = self.hub.rooms.room_at(Some(seat)) else { return };
        if say_ok {
            self.hub.tell(peer, Message::Text(A::token_accepted(protocol)));
        }
        let arrival = Arrival { identity, room, protocol };
        self.application.opened(&mut Desk::new(&mut self.hub), peer, arrival);
    }
}
