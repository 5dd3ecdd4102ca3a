//! The desk on which an application says things. Nothing said here touches a socket: it goes into rooms' logs and peers'
//! outboxes, and out at the end of the turn.

use std::time::Duration;

use super::hub::Hub;
use super::rooms::RoomId;
use crate::connection::Peer;
use crate::connection::remote::Remote;
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

    /// Says something to everybody in a room.
    pub fn broadcast(&mut self, room: RoomId, message: Message<'_>) {
        self.hub.broadcast(room.0, None, message);
    }

    /// Says something to everybody in the room of `peer` but itself.
    pub fn broadcast_others(&mut self, peer: Peer, message: Message<'_>) {
        if let Some(room) = self.room(peer) {
            self.hub.broadcast(room.0, Some(peer), message);
        }
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
        let old = connection.seat?;
        if hub.no_seat(room, Some(old.room)).is_some() {
            return None;
        }
        let connection = hub.connections.get_mut(peer.index as usize)?;
        connection.carry_over(hub.rooms.log(Some(old)), hub.now.time);
        let waiting = connection.outbox.as_ref().map_or(0, |outbox| outbox.bytes());
        if let Some(left) = hub.rooms.get_mut(old.room) {
            left.open -= 1;
        }
        hub.stand_up(peer);
        let seat = hub.sit_down(peer, room)?;
        if waiting > hub.limits.outbox {
            hub.end(peer, Ending::OutboxFull { most: hub.limits.outbox });
        }
        hub.queue_flush(peer);
        Some(RoomId(seat.room))
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
        self.hub.get(peer)?.seat.map(|seat| RoomId(seat.room))
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
        let members = self.hub.rooms.get(room.0).map_or(&[][..], |room| room.members());
        members.iter().filter_map(|&member| self.hub.peer_at(member)).filter(|&peer| self.is_open(peer))
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

    /// The number of the newest message in a room: the first one since the room was made is 1. A room is made by the first
    /// who enters and is gone with the last who leaves.
    pub fn sequence(&self, room: RoomId) -> u64 {
        self.hub.rooms.get(room.0).map_or(0, |room| room.log.sequence())
    }

    /// True while a room's log holds as much as it may (`limits.room_log`), so that those who talk are held back. Whoever
    /// says something for somebody who is not a peer should look at this first.
    pub fn is_full(&self, room: RoomId) -> bool {
        let most = self.hub.limits.room_log as u64;
        self.hub.rooms.get(room.0).is_some_and(|room| room.log.memory() >= most)
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
