//! All peers, all rooms, all deadlines, and the lists of what is to be done. The steps of a turn work on it, and so does
//! the application through its [`Desk`](super::Desk). It knows neither sockets nor the application.

use std::collections::VecDeque;
use std::ops::Range;

use slab::Slab;

use super::addresses::Addresses;
use super::counters::{Counters, Measures};
use super::history::History;
use super::rooms::Rooms;
use crate::config::{Heartbeat, Limits, Proxy};
use crate::connection::phase::{Phase, Stage};
use crate::connection::remote::Remote;
use crate::connection::{Connection, Peer, Seat};
use crate::rate::Meter;
use crate::room::Encoding;
use crate::room::log::NO_SENDER;
use crate::time::{Now, Time};
use crate::timer_wheel::TimerWheel;
use crate::wire::close::Ending;
use crate::wire::frame::{self, Message};
use crate::wire::response::{Refusal, Response};

/// Those who are too slow get this part of the ordinary time for their close frame: they are not reading anyway.
const SLOW_GRACE_DIVISOR: u32 = 8;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Hub<D> {
    pub(super) connections: Slab<Connection<D>>,
    pub(super) rooms: Rooms,
    pub(super) wheel: TimerWheel,
    pub(super) limits: Limits,
    pub(super) heartbeat: Heartbeat,
    pub(super) proxy: Proxy,
    pub(super) counters: Counters,
    pub(super) now: Now,
    /// To be read from.
    pub(super) runnable: VecDeque<Peer>,
    /// Members that this turn's pass has visited and that can be written to; all of them are, in this turn.
    pub(super) visited: Vec<Peer>,
    /// To be written to, because something is only for them or because they could take more.
    pub(super) unflushed: VecDeque<Peer>,
    /// Ended, and the application does not know yet.
    pub(super) departed: VecDeque<Peer>,
    /// To be removed at the end of the turn.
    pub(super) over: Vec<Peer>,
    /// Everything was sent, and the application asked to be told.
    pub(super) flushed: Vec<Peer>,
    /// Connections that are not admitted yet.
    pub(super) pending: u32,
    /// What is counted by address.
    pub(super) addresses: Addresses,
    /// Everybody who came lately, refused ones not included.
    pub(super) arrivals: Meter,
    /// Refused on arrival and still there, the oldest first.
    pub(super) refused: VecDeque<Peer>,
    /// Connections that are admitted and not on their way out.
    pub(super) open: u32,
    /// Connections whose token is to come as the first message.
    pub(super) token_check: u32,
    /// Connections on their way out.
    pub(super) closing: u32,
    /// Peers that have not been sent everything, in all rooms.
    pub(super) behind: usize,
    pub(super) measures: Measures,
    /// Counts accepted connections; see [`Peer::generation`].
    generation: u32,
    /// Places of the slab whose connections came under other settings than those in force, and were not adapted yet.
    pub(super) outdated: Range<usize>,
}

impl<D> Hub<D> {
    pub(super) fn new(limits: Limits, heartbeat: Heartbeat, proxy: Proxy, history: Option<History>, seed: u64) -> Self {
        Self {
            connections: Slab::new(),
            rooms: Rooms::new(history, seed),
            wheel: TimerWheel::new(),
            limits,
            heartbeat,
            proxy,
            counters: Counters::default(),
            now: Now { time: Time::START, unix_ms: 0 },
            runnable: VecDeque::new(),
            visited: Vec::new(),
            unflushed: VecDeque::new(),
            departed: VecDeque::new(),
            over: Vec::new(),
            flushed: Vec::new(),
            pending: 0,
            addresses: Addresses::default(),
            arrivals: Meter::default(),
            refused: VecDeque::new(),
            open: 0,
            token_check: 0,
            closing: 0,
            behind: 0,
            measures: Measures::default(),
            generation: 0,
            outdated: 0..0,
        }
    }

    /// Makes a connection in the phase `Handshake`.
    pub(super) fn insert(&mut self, data: D, remote: Remote) -> Peer {
        let entry = self.connections.vacant_entry();
        let index = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        let peer = Peer { index, generation: self.generation };
        self.generation = self.generation.wrapping_add(1);
        let until = self.now.time + self.limits.admit_timeout;
        entry.insert(Connection::new(data, peer, remote, until, self.now.time));
        self.wheel.arm(index, until);
        peer
    }

    pub(super) fn get(&self, peer: Peer) -> Option<&Connection<D>> {
        self.connections.get(peer.index as usize).filter(|connection| connection.peer == peer)
    }

    pub(super) fn get_mut(&mut self, peer: Peer) -> Option<&mut Connection<D>> {
        self.connections.get_mut(peer.index as usize).filter(|connection| connection.peer == peer)
    }

    /// Bytes that were said to a peer, or to its room, and are not with the kernel yet.
    pub(super) fn unread(&self, peer: Peer) -> usize {
        let Some(connection) = self.get(peer) else { return 0 };
        let shared = usize::try_from(connection.unread(self.rooms.log(connection.seat))).unwrap_or(usize::MAX);
        shared.saturating_add(connection.outbox.as_ref().map_or(0, |outbox| outbox.bytes()))
    }

    pub(super) fn peer_at(&self, index: u32) -> Option<Peer> {
        self.connections.get(index as usize).map(|connection| connection.peer)
    }

    /// Makes sure that the connection is read from, in this turn or the next.
    pub(super) fn queue_receive(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        if !std::mem::replace(&mut connection.queued.receive, true) {
            self.runnable.push_back(peer);
        }
    }

    /// Makes sure that the connection is written to, in this turn or the next.
    pub(super) fn queue_flush(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        if !std::mem::replace(&mut connection.queued.flush, true) {
            self.unflushed.push_back(peer);
        }
    }

    /// Makes the wheel ask the connection no later than when it is due. Called where a deadline may have come nearer;
    /// one that has moved away is found out when the wheel asks.
    pub(super) fn rearm(&mut self, peer: Peer) {
        let Some(connection) = self.get(peer) else { return };
        let due = connection.due(&self.limits, &self.heartbeat, self.rooms.log(connection.seat));
        if self.wheel.armed_for(peer.index).is_none_or(|armed| armed > due) {
            self.wheel.arm(peer.index, due);
        }
    }

    /// Lets a connection whose token is good into a room. The application is to be told by the caller.
    pub(super) fn admit(&mut self, peer: Peer, room: &str, encoding: Encoding, until: Time) -> Option<Seat> {
        self.leave_pending(peer);
        let connection = self.connections.get_mut(peer.index as usize)?;
        self.token_check -= u32::from(matches!(connection.phase, Phase::TokenCheck(_)));
        connection.phase = Phase::Open;
        connection.until = until;
        connection.owed.close_event = true;
        self.open += 1;
        self.counters.admitted += 1;
        let seat = self.sit_down(peer, room, encoding)?;
        self.rearm(peer);
        Some(seat)
    }

    /// Gives a connection a seat in a room, from whose next message on it will hear everything.
    pub(super) fn sit_down(&mut self, peer: Peer, room: &str, encoding: Encoding) -> Option<Seat> {
        let seat = self.rooms.enter(room, encoding, peer.index);
        let end = self.rooms.log(Some(seat)).end();
        let connection = self.connections.get_mut(peer.index as usize)?;
        connection.seat = Some(seat);
        connection.walk.cursor = end;
        connection.walk.own_until = 0;
        self.rooms.count_in(Some(seat), !connection.walk.deaf);
        Some(seat)
    }

    /// Takes a connection off its seat; the room goes if that was the last one.
    pub(super) fn stand_up(&mut self, peer: Peer) {
        self.set_behind(peer, false);
        let Some(seat) = self.get_mut(peer).and_then(|connection| connection.seat.take()) else { return };
        for moved in self.rooms.leave(seat, self.now.time).into_iter().flatten() {
            let moved_seat = self.connections.get_mut(moved.member as usize).and_then(|other| other.seat.as_mut());
            if let Some(moved_seat) = moved_seat {
                moved_seat.index = moved.to;
            }
        }
    }

    /// Keeps the count of those who have not been sent everything; with the last of them the log can go.
    pub(super) fn set_behind(&mut self, peer: Peer, behind: bool) {
        let Some(connection) = self.connections.get_mut(peer.index as usize) else { return };
        let before = std::mem::replace(&mut connection.counted.behind, behind);
        let Some(seat) = connection.seat else { return };
        match (before, behind) {
            (false, true) => {
                self.behind += 1;
                if let Some(audience) = self.rooms.audience_mut(seat.audience) {
                    audience.behind += 1;
                }
            }
            (true, false) => {
                self.behind -= 1;
                self.rooms.caught_up(seat.audience, self.now.time);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Says something to one peer; what cannot wait in its outbox any more ends it.
    pub(super) fn tell(&mut self, peer: Peer, message: Message<'_>) {
        let Some(connection) = self.connections.get_mut(peer.index as usize).filter(|other| other.peer == peer) else {
            return;
        };
        if !connection.is_open() {
            return;
        }
        let after = self.rooms.log(connection.seat).end();
        let told = connection.tell(message.opcode(), message.payload(), after, self.limits.outbox, self.now.time);
        match told {
            Ok(()) => {
                self.counters.deliveries += 1;
                self.queue_flush(peer);
            }
            Err(ending) => self.end(peer, ending),
        }
    }

    /// See [`Connection::offer`].
    pub(super) fn offer(&mut self, peer: Peer, message: Message<'_>) -> bool {
        let Some(connection) = self.connections.get_mut(peer.index as usize).filter(|other| other.peer == peer) else {
            return false;
        };
        let after = self.rooms.log(connection.seat).end();
        let most = self.limits.outbox;
        let offered =
            connection.is_open() && connection.offer(message.opcode(), message.payload(), after, most, self.now.time);
        if offered {
            self.counters.deliveries += 1;
            self.queue_flush(peer);
        }
        offered
    }

    /// Appends a message to the log of each of a room's audiences, to be stepped over by `except`. It has a number of its own
    /// unless it is only relayed.
    pub(super) fn broadcast(&mut self, room: u32, except: Option<Peer>, message: Message<'_>, numbered: bool) {
        let Some(entry) = self.rooms.get_mut(room) else { return };
        entry.said += u64::from(numbered);
        self.counters.broadcasts += 1;
        for audience in self.rooms.audiences_of(room) {
            self.append(audience, except, message);
        }
    }

    /// As [`Hub::broadcast`], for those who read `encoding`.
    pub(super) fn broadcast_encoded(
        &mut self,
        room: u32,
        encoding: Encoding,
        except: Option<Peer>,
        message: Message<'_>,
    ) {
        if let Some(audience) = self.rooms.readers(room, encoding) {
            self.append(audience, except, message);
        }
    }

    fn append(&mut self, audience: u32, except: Option<Peer>, message: Message<'_>) {
        // Who is stepped over reads this log. In another one its index could be somebody else's.
        let here = |seat: Option<Seat>| seat.is_some_and(|seat| seat.audience == audience);
        let except = except.filter(|&peer| self.get(peer).is_some_and(|connection| here(connection.seat)));
        let sender = except.map_or(NO_SENDER, |peer| peer.index);
        let Some((end, hearing)) = self.rooms.append(audience, message, sender, self.now.time) else { return };
        self.rooms.queue_pass(audience);
        let mut hearers = hearing as u64;
        if let Some(connection) = except.and_then(|peer| self.get_mut(peer)) {
            connection.walk.own_until = end;
            hearers -= u64::from(connection.is_open() && !connection.walk.deaf);
        }
        self.counters.deliveries += hearers;
    }

    /// As [`Hub::answer`], with a refusal, which is counted by its cause.
    pub(super) fn refuse(&mut self, peer: Peer, refusal: &Refusal, head_only: bool, detail: String) {
        *self.counters.refusals.entry(refusal.cause()).or_default() += 1;
        self.answer(peer, &refusal.response(), head_only, detail);
    }

    /// Answers a request that does not become a WebSocket; that is the end of the connection.
    pub(super) fn answer(&mut self, peer: Peer, response: &Response, head_only: bool, detail: String) {
        let status = response.status().code();
        let bytes = if head_only { response.render_head() } else { response.render() };
        self.end_with(peer, Ending::Answered { status, detail }, &bytes);
    }

    /// Ends a connection, with the close frame that belongs to the ending.
    pub(super) fn end(&mut self, peer: Peer, ending: Ending) {
        let mut close = Vec::new();
        if let Some(code) = ending.code() {
            frame::append_close(&mut close, Some(code), &ending.reason());
        }
        self.end_with(peer, ending, &close);
    }

    /// Ends a connection whose last bytes are `last`. A connection ends once: what comes later changes nothing, except
    /// that a broken connection needs no further patience.
    pub(super) fn end_with(&mut self, peer: Peer, ending: Ending, last: &[u8]) {
        let Some(connection) = self.get(peer) else { return };
        if connection.closing().is_some() {
            if ending.is_broken() {
                self.cut(peer);
            }
            return;
        }
        if connection.is_open() {
            self.leave_open(peer);
        }
        let Some(connection) = self.get(peer) else { return };
        let was_websocket = !matches!(connection.phase, Phase::Handshake(_));
        self.token_check -= u32::from(matches!(connection.phase, Phase::TokenCheck(_)));
        self.closing += 1;
        self.counters.count_ending(&ending, was_websocket);
        let grace = if ending.is_too_slow() {
            self.limits.close_timeout / SLOW_GRACE_DIVISOR
        } else {
            self.limits.close_timeout
        };
        let Some(connection) = self.connections.get_mut(peer.index as usize) else { return };
        let log = self.rooms.log(connection.seat);
        let broken = ending.is_broken();
        connection.begin_close(ending, last, log, grace, self.now.time);
        if broken {
            self.over.push(peer);
        } else {
            self.queue_flush(peer);
            self.rearm(peer);
        }
    }

    /// Gives a connection up: it is removed at the end of this turn, whatever is unsent.
    pub(super) fn cut(&mut self, peer: Peer) {
        let Some(closing) = self.get_mut(peer).and_then(Connection::closing_mut) else { return };
        if std::mem::replace(&mut closing.stage, Stage::Over) != Stage::Over {
            self.over.push(peer);
        }
    }

    fn leave_open(&mut self, peer: Peer) {
        self.open -= 1;
        let Some(connection) = self.get(peer) else { return };
        let (seat, hears) = (connection.seat, !connection.walk.deaf);
        self.rooms.count_out(seat, hears);
        self.departed.push_back(peer);
    }
}
