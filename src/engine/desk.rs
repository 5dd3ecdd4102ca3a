//! The desk on which an application says things. Nothing said here touches a socket: it goes into rooms' logs and peers'
//! outboxes, and out at the end of the turn.

use std::time::Duration;

use super::hub::Hub;
use super::rooms::RoomId;
use crate::connection::Peer;
use crate::connection::remote::Remote;
use crate::room::Encoding;
use crate::room::log::Log;
use crate::time::{Now, Time};
use crate::wire::close::{Ending, is_sendable};
use crate::wire::frame::{self, Message};

/// What an application can do about its peers. See the module's documentation.
#[derive(Debug)]
pub struct Desk<'a, D> {
    hub: &'a mut Hub<D>,
}

impl<'a, D> Desk<'a, D> {
    pub(super) fn new(hub: &'a mut Hub<D>) -> Self {
        Self { hub }
    }

    /// What the clocks said when this turn began.
    pub fn now(&self) -> Now {
        self.hub.now
    }

    /// Says something to one peer, behind everything that was said to it or its room before. Nothing happens if the peer
    /// is gone; a peer with too much waiting (`limits.outbox`) is closed with 1013.
    pub fn send(&mut self, peer: Peer, message: Message<'_>) {
        self.hub.tell(peer, message);
    }

    /// As [`Desk::send`], of what the peer has not asked for, or of a large answer: it never closes the peer. False if
    /// nothing was said, because more of this kind than `limits.outbox` would wait for the peer, or because it is gone.
    pub fn offer(&mut self, peer: Peer, message: Message<'_>) -> bool {
        self.hub.offer(peer, message)
    }

    /// Says something to everybody in a room.
    pub fn broadcast(&mut self, room: RoomId, message: Message<'_>) {
        self.hub.broadcast(room.0, None, message, true);
    }

    /// Says something to everybody in the room of `peer` but itself.
    pub fn broadcast_others(&mut self, peer: Peer, message: Message<'_>) {
        if let Some(room) = self.room(peer) {
            self.hub.broadcast(room.0, Some(peer), message, true);
        }
    }

    /// The encoding in which a peer reads what is said in its room.
    pub fn encoding(&self, peer: Peer) -> Option<Encoding> {
        let seat = self.hub.get(peer)?.seat;
        self.hub.rooms.audience_at(seat).map(|audience| audience.encoding)
    }

    /// Whether a peer gets what is said in its room. A peer that listens again hears what is said from then on.
    pub fn set_listening(&mut self, peer: Peer, listens: bool) {
        let hub = &mut *self.hub;
        let Some(connection) = hub.connections.get_mut(peer.index as usize).filter(|other| other.peer == peer) else {
            return;
        };
        // What it has missed until now is behind it, whoever has looked at it last.
        let _ = connection.has_more(hub.rooms.log(connection.seat));
        if std::mem::replace(&mut connection.walk.deaf, !listens) == listens && connection.is_open() {
            let seat = connection.seat;
            hub.rooms.count_out(seat, !listens);
            hub.rooms.count_in(seat, listens);
        }
    }

    /// True if somebody in this room reads this encoding and listens.
    pub fn is_heard(&self, room: RoomId, encoding: Encoding) -> bool {
        self.hub.rooms.is_heard(room.0, encoding)
    }

    /// As [`Desk::broadcast_others`], with something that is not one of the room's numbered messages.
    pub fn relay_others(&mut self, peer: Peer, message: Message<'_>) {
        if let Some(room) = self.room(peer) {
            self.hub.broadcast(room.0, Some(peer), message, false);
        }
    }

    /// Says something, in one encoding, to those in a room who read that, but not to `except`. It is also kept for those who
    /// come later, if this encoding is the history. Nothing happens if nobody reads it and it is not kept.
    pub fn broadcast_encoded(&mut self, room: RoomId, encoding: Encoding, except: Option<Peer>, message: Message<'_>) {
        self.hub.broadcast_encoded(room.0, encoding, except, message);
    }

    /// True if somebody reads this encoding in this room, or it is kept for later.
    pub fn is_read(&mut self, room: RoomId, encoding: Encoding) -> bool {
        self.hub.rooms.readers(room.0, encoding).is_some()
    }

    /// The number of the next message of a room: what is said from now on belongs to it. The first one is 1.
    pub fn next_number(&mut self, room: RoomId) -> u64 {
        let Some(room) = self.hub.rooms.get_mut(room.0) else { return 0 };
        room.said += 1;
        self.hub.counters.broadcasts += 1;
        room.said
    }

    /// The number of the newest message of a room; 0 if nothing was said yet.
    pub fn number(&self, room: RoomId) -> u64 {
        self.hub.rooms.get(room.0).map_or(0, |room| room.said)
    }

    /// Tells a room from those that had the same name before it; the numbers begin anew with each.
    pub fn epoch(&self, room: RoomId) -> u64 {
        self.hub.rooms.get(room.0).map_or(0, |room| room.epoch)
    }

    /// What [`Desk::replay`] could send of a room's history now: the number of the oldest message, or one above the newest
    /// if there is none.
    pub fn oldest_kept(&mut self, room: RoomId) -> u64 {
        let now = self.hub.now.time;
        self.hub.rooms.trim_history(room.0, now);
        let number = self.number(room);
        // The log may hold more, for a slow reader: that is not for those who come later.
        let retention = self.hub.rooms.history_retention();
        let before = |log: &Log| log.number_before(log.kept_from(retention, now));
        let kept = self.hub.rooms.history_log(room.0).map_or(number, before);
        kept.min(number) + 1
    }

    /// Sends what is kept of the history of a peer's room behind message `number` to it, in the encoding that is kept,
    /// behind everything that was said to the peer before, and then `last`. What was said between the messages comes with
    /// them. `number` is [`Desk::oldest_kept`] less 1, or more than that.
    pub fn replay(&mut self, peer: Peer, number: u64, last: Message<'_>) {
        let hub = &mut *self.hub;
        let now = hub.now.time;
        let Some(connection) = hub.connections.get_mut(peer.index as usize).filter(|other| other.peer == peer) else {
            return;
        };
        let Some(room) = hub.rooms.room_at(connection.seat) else { return };
        let Some(log) = hub.rooms.history_log(room.0) else { return };
        // The history has a limit of its own, and who has not been sent this yet is not heard.
        let after = hub.rooms.log(connection.seat).end();
        connection.outbox.get_or_insert_default().push_offered(after, now, |bytes| {
            let mut position = log.position_after(number);
            while position < log.end() {
                let run = log.run(position);
                bytes.extend_from_slice(run);
                position += run.len().max(1) as u64;
            }
            frame::append(bytes, last.opcode(), last.payload());
        });
        hub.counters.deliveries += 1;
        hub.queue_flush(peer);
    }

    /// Says something to everybody on this server, in whatever room.
    pub fn broadcast_everywhere(&mut self, message: Message<'_>) {
        let rooms: Vec<RoomId> = self.hub.rooms.iter().map(|(id, _)| id).collect();
        for room in rooms {
            self.broadcast(room, message);
        }
    }

    /// Says something to those in a room whom `pick` chooses.
    pub fn broadcast_filter(&mut self, room: RoomId, message: Message<'_>, mut pick: impl FnMut(Peer, &D) -> bool) {
        let picked: Vec<Peer> =
            self.peers_in(room).filter(|&peer| self.data(peer).is_some_and(|data| pick(peer, data))).collect();
        self.broadcast_to(&picked, message);
    }

    /// Says something to those on a list.
    pub fn broadcast_to(&mut self, peers: &[Peer], message: Message<'_>) {
        for &peer in peers {
            self.hub.tell(peer, message);
        }
    }

    /// Moves a peer to the room called `room`, which is made if need be. What it has not been sent yet of the old room
    /// comes first. `None` if the peer is gone, and if a limit is in the way (`limits.rooms`, `limits.users_per_room`): then
    /// it stays where it is.
    pub fn move_to(&mut self, peer: Peer, room: &str) -> Option<RoomId> {
        let hub = &mut *self.hub;
        let connection = hub.get(peer).filter(|connection| connection.is_open())?;
        let (old, hears) = (connection.seat, !connection.walk.deaf);
        let encoding = hub.rooms.audience_at(old)?.encoding;
        let left = hub.rooms.room_at(old)?;
        if hub.no_seat(room, Some(left.0)).is_some() {
            return None;
        }
        let connection = hub.connections.get_mut(peer.index as usize)?;
        connection.carry_over(hub.rooms.log(old), hub.now.time);
        let waiting = connection.outbox.as_ref().map_or(0, |outbox| outbox.bytes());
        hub.rooms.count_out(old, hears);
        hub.stand_up(peer);
        let seat = hub.sit_down(peer, room, encoding)?;
        if waiting > hub.limits.outbox {
            hub.end(peer, Ending::OutboxFull { most: hub.limits.outbox });
        }
        hub.queue_flush(peer);
        hub.rooms.room_at(Some(seat))
    }

    /// Ends a connection with a code of the application's choice (3000–4999, or one of the registered ones) and a text of
    /// up to 123 bytes, behind everything that was said to the peer before. `closed` is called later in this turn. A code
    /// that must not be sent (RFC 6455 section 7.4) is our fault: it becomes 1011.
    pub fn close(&mut self, peer: Peer, code: u16, reason: &str) {
        let reason = frame::shorten(reason, frame::CONTROL_PAYLOAD_MAX - 2).to_owned();
        if is_sendable(code) {
            self.end(peer, Ending::Application { code, reason });
        } else {
            self.end(peer, Ending::Fault("the application chose a close code that must not be sent"));
        }
    }

    /// Ends a connection with one of the endings of the table.
    pub fn end(&mut self, peer: Peer, ending: Ending) {
        if self.is_open(peer) {
            self.hub.end(peer, ending);
        }
    }

    /// Ends all connections with a code and a text.
    pub fn close_all(&mut self, code: u16, reason: &str) {
        let peers: Vec<Peer> = self.peers().collect();
        for peer in peers {
            self.close(peer, code, reason);
        }
    }

    /// The application's data of a peer.
    pub fn data(&self, peer: Peer) -> Option<&D> {
        self.hub.get(peer).map(|connection| &connection.data)
    }

    /// The application's data of a peer, to change it.
    pub fn data_mut(&mut self, peer: Peer) -> Option<&mut D> {
        self.hub.get_mut(peer).map(|connection| &mut connection.data)
    }

    /// True until the peer's end is decided, by whomever.
    pub fn is_open(&self, peer: Peer) -> bool {
        self.hub.get(peer).is_some_and(|connection| connection.is_open())
    }

    /// The room a peer is in.
    pub fn room(&self, peer: Peer) -> Option<RoomId> {
        self.hub.rooms.room_at(self.hub.get(peer)?.seat)
    }

    /// A room's name.
    pub fn room_name(&self, room: RoomId) -> Option<&str> {
        self.hub.rooms.get(room.0).map(|room| &*room.name)
    }

    /// The room called `name`, if somebody is in it.
    pub fn find_room(&self, name: &str) -> Option<RoomId> {
        self.hub.rooms.find(name)
    }

    /// All rooms.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> {
        self.hub.rooms.iter().map(|(id, _)| id)
    }

    /// The [`Desk::epoch`] of each room, also of those in which nobody is and whose history is kept.
    pub fn epochs(&self) -> impl ExactSizeIterator<Item = u64> {
        self.hub.rooms.epochs()
    }

    /// Everybody on this server.
    pub fn peers(&self) -> impl Iterator<Item = Peer> {
        self.hub
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_open())
            .map(|(_, connection)| connection.peer)
    }

    /// Everybody in a room.
    pub fn peers_in(&self, room: RoomId) -> impl Iterator<Item = Peer> {
        let audiences = self.hub.rooms.audiences_of(room.0).filter_map(|audience| self.hub.rooms.audience(audience));
        let members = audiences.flat_map(|audience| audience.members());
        members.filter_map(|&member| self.hub.peer_at(member)).filter(|&peer| self.is_open(peer))
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.hub.open as usize
    }

    /// True when nobody is there.
    pub fn is_empty(&self) -> bool {
        self.hub.open == 0
    }

    /// How many peers are in a room.
    pub fn count(&self, room: RoomId) -> usize {
        self.hub.rooms.get(room.0).map_or(0, |room| room.open)
    }

    /// Who is at the other end of a peer's connection.
    pub fn remote(&self, peer: Peer) -> Option<Remote> {
        self.hub.get(peer).map(|connection| connection.remote)
    }

    /// True while a room's log holds as much as it may (`limits.room_log`), so that those who talk are held back. Whoever
    /// says something for somebody who is not a peer should look at this first.
    pub fn is_full(&self, room: RoomId) -> bool {
        let most = self.hub.limits.room_log as u64;
        self.hub.rooms.full_audience(room.0, most).is_some()
    }

    /// When a peer was accepted.
    pub fn accepted(&self, peer: Peer) -> Option<Time> {
        self.hub.get(peer).map(|connection| connection.accepted)
    }

    /// Bytes that were said to a peer, or to its room, and are not with the kernel yet.
    pub fn unread(&self, peer: Peer) -> usize {
        self.hub.unread(peer)
    }

    /// Asks for one `flushed` event when everything that was said to a peer so far is with the kernel.
    pub fn notify_when_flushed(&mut self, peer: Peer) {
        if let Some(connection) = self.hub.get_mut(peer).filter(|connection| connection.is_open()) {
            connection.owed.flushed_event = true;
            self.hub.queue_flush(peer);
        }
    }

    /// Asks for an `overdue` event after a while, or calls that off. A peer has one such deadline.
    pub fn set_deadline(&mut self, peer: Peer, after: Option<Duration>) {
        let at = after.map_or(Time::NEVER, |after| self.hub.now.time + after);
        if let Some(connection) = self.hub.get_mut(peer) {
            connection.appointment = at;
            self.hub.rearm(peer);
        }
    }
}
