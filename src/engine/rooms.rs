//! All rooms by name and by key. A room is made by the first who enters and is gone with the last who leaves.

use std::collections::{HashMap, VecDeque};

use slab::Slab;

use crate::connection::Seat;
use crate::room::Room;
use crate::room::log::Log;
use crate::time::Time;
use crate::wire::frame::Message;

/// Names a room for as long as somebody is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomId(pub(crate) u32);

/// The rooms that exist. There are at most `limits.rooms`, so that the tables, which double when they are full, never copy
/// more at once than a few milliseconds take.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Slab<Room>,
    by_name: HashMap<Box<str>, u32>,
    /// The rooms in which something was said that not everybody has been visited for.
    pub(super) passing: VecDeque<u32>,
    /// For each pass that came through in this turn, when the oldest message was said that it brought to everybody.
    pub(super) passed: Vec<Time>,
    /// How many bytes all logs hold.
    log_bytes: u64,
    /// What those read who are in no room.
    nothing: Log,
}

impl Rooms {
    pub(super) fn get(&self, room: u32) -> Option<&Room> {
        self.rooms.get(room as usize)
    }

    pub(super) fn get_mut(&mut self, room: u32) -> Option<&mut Room> {
        self.rooms.get_mut(room as usize)
    }

    pub(super) fn find(&self, name: &str) -> Option<RoomId> {
        self.by_name.get(name).copied().map(RoomId)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(key, room)| (RoomId(as_key(key)), room))
    }

    /// The log that somebody at `seat` reads.
    pub(super) fn log(&self, seat: Option<Seat>) -> &Log {
        seat.and_then(|seat| self.get(seat.room)).map_or(&self.nothing, |room| &room.log)
    }

    /// Gives `member` a seat in the room called `name`, which is made if nobody is in it yet.
    pub(super) fn enter(&mut self, name: &str, member: u32) -> Seat {
        let room = match self.by_name.get(name) {
            Some(&room) => room,
            None => {
                let room = as_key(self.rooms.insert(Room::new(name)));
                self.by_name.insert(name.into(), room);
                room
            }
        };
        let index = self.get_mut(room).map_or(0, |room| room.join(member));
        Seat { room, index }
    }

    /// Removes a room that nobody is in.
    pub(super) fn remove_if_empty(&mut self, room: u32) {
        if self.get(room).is_some_and(|room| room.members().is_empty()) {
            let gone = self.rooms.remove(room as usize);
            self.by_name.remove(&gone.name);
            self.log_bytes -= gone.log.bytes();
            if gone.queued {
                self.passing.retain(|&other| other != room);
            }
        }
    }

    /// Adds a message to a room's log, and returns the position behind it and how many of the members can hear.
    pub(super) fn append(&mut self, room: u32, message: Message<'_>, sender: u32, now: Time) -> Option<(u64, usize)> {
        let room = self.rooms.get_mut(room as usize)?;
        let before = room.log.end();
        let end = room.log.append(message, sender, now);
        room.note_said(now);
        self.log_bytes += end - before;
        Some((end, room.open))
    }

    /// Ends the pass of a room that is queued, if it has come through, and lets its log forget what everybody has. True if
    /// another round is needed.
    pub(super) fn settle_pass(&mut self, room: u32) -> bool {
        let Some(room) = self.rooms.get_mut(room as usize) else { return false };
        self.passed.extend(room.came_through());
        let before = room.log.bytes();
        room.queued = room.settle_pass();
        self.log_bytes -= before - room.log.bytes();
        room.queued
    }

    /// A member was behind and is not any more. With the last of them the room's log can go.
    pub(super) fn caught_up(&mut self, room: u32) {
        let Some(room) = self.rooms.get_mut(room as usize) else { return };
        room.behind -= 1;
        if room.behind == 0 {
            let before = room.log.bytes();
            room.release_log();
            self.log_bytes -= before - room.log.bytes();
        }
    }

    /// How many rooms there are.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Room keys are below this.
    pub(super) fn places(&self) -> u32 {
        as_key(self.rooms.capacity())
    }

    /// How many bytes all logs hold.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// Puts a room on the list of those whose members are to be visited.
    pub(super) fn queue_pass(&mut self, room: u32) {
        let Some(entry) = self.rooms.get_mut(room as usize) else { return };
        if !std::mem::replace(&mut entry.queued, true) {
            self.passing.push_back(room);
        }
    }
}

/// Slab keys are indices of at most as many entries as there are descriptors, so they fit.
fn as_key(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_lives_from_the_first_to_the_last() {
        let mut rooms = Rooms::default();
        let first = rooms.enter("lobby", 7);
        let second = rooms.enter("lobby", 8);
        assert_eq!(first.room, second.room);
        assert_eq!(rooms.find("lobby"), Some(RoomId(first.room)));
        rooms.queue_pass(first.room);
        rooms.queue_pass(first.room);
        assert_eq!(rooms.passing.len(), 1);
        rooms.remove_if_empty(first.room);
        assert!(rooms.find("lobby").is_some());
        for place in [1, 0] {
            rooms.get_mut(first.room).unwrap().leave(place);
        }
        rooms.remove_if_empty(first.room);
        assert!(rooms.find("lobby").is_none() && rooms.passing.is_empty());
    }
}
