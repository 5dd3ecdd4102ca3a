//! All rooms by name and by key, and their audiences by key. A room is made by the first who enters. It is gone with the
//! last who leaves, or when what was said in it is too old to be asked for, whichever is later.

use std::collections::{HashMap, VecDeque};

use slab::Slab;

use super::history::{Empty, History};
use crate::connection::Seat;
use crate::room::audience::{Audience, Moved};
use crate::room::log::{Log, Retention};
use crate::room::{Encoding, Room};
use crate::time::Time;
use crate::wire::frame::Message;

/// Names a room for as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomId(pub(crate) u32);

/// The rooms that exist. There are at most `limits.rooms`, so that the tables, which double when they are full, never copy
/// more at once than a few milliseconds take.
#[derive(Debug)]
pub(super) struct Rooms {
    pub(super) rooms: Slab<Room>,
    audiences: Slab<Audience>,
    by_name: HashMap<Box<str>, u32>,
    /// The audiences to which something was said that not everybody has been visited for.
    pub(super) passing: VecDeque<u32>,
    /// For each pass that came through in this turn, when the oldest message was said that it brought to everybody.
    pub(super) passed: Vec<Time>,
    /// How many bytes all logs hold.
    log_bytes: u64,
    pub(super) history: Option<History>,
    /// Those in which nobody is.
    pub(super) empty: Empty,
    /// For the epochs.
    random: fastrand::Rng,
    /// What those read who are in no room.
    nothing: Log,
}

impl Rooms {
    pub(super) fn new(history: Option<History>, seed: u64) -> Self {
        Self {
            rooms: Slab::new(),
            audiences: Slab::new(),
            by_name: HashMap::new(),
            passing: VecDeque::new(),
            passed: Vec::new(),
            log_bytes: 0,
            history,
            empty: Empty::default(),
            random: fastrand::Rng::with_seed(seed),
            nothing: Log::default(),
        }
    }

    pub(super) fn get(&self, room: u32) -> Option<&Room> {
        self.rooms.get(room as usize)
    }

    pub(super) fn get_mut(&mut self, room: u32) -> Option<&mut Room> {
        self.rooms.get_mut(room as usize)
    }

    pub(super) fn audience(&self, audience: u32) -> Option<&Audience> {
        self.audiences.get(audience as usize)
    }

    pub(super) fn audience_mut(&mut self, audience: u32) -> Option<&mut Audience> {
        self.audiences.get_mut(audience as usize)
    }

    /// The key of each audience, and that of its room.
    pub(super) fn audience_keys(&self) -> impl Iterator<Item = (u32, u32)> {
        self.audiences.iter().map(|(key, audience)| (as_key(key), audience.room))
    }

    pub(super) fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.audiences.iter().map(|(_, audience)| audience)
    }

    /// The keys of a room's audiences.
    pub(super) fn audiences_of(&self, room: u32) -> impl Iterator<Item = u32> + use<> {
        self.get(room).map(|room| room.audiences).into_iter().flatten().flatten()
    }

    pub(super) fn find(&self, name: &str) -> Option<RoomId> {
        self.by_name.get(name).copied().map(RoomId)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(key, room)| (RoomId(as_key(key)), room))
    }

    /// The key of a room's audience for an encoding, if there is one.
    pub(super) fn audience_of(&self, room: u32, encoding: Encoding) -> Option<u32> {
        self.get(room)?.audiences.get(encoding.index()).copied().flatten()
    }

    /// The epoch of each room.
    pub(super) fn epochs(&self) -> impl ExactSizeIterator<Item = u64> {
        self.rooms.iter().map(|(_, room)| room.epoch)
    }

    /// The audience that somebody at `seat` is part of.
    pub(super) fn audience_at(&self, seat: Option<Seat>) -> Option<&Audience> {
        seat.and_then(|seat| self.audience(seat.audience))
    }

    /// The room that somebody at `seat` is in.
    pub(super) fn room_at(&self, seat: Option<Seat>) -> Option<RoomId> {
        self.audience_at(seat).map(|audience| RoomId(audience.room))
    }

    /// The log that somebody at `seat` reads.
    pub(super) fn log(&self, seat: Option<Seat>) -> &Log {
        self.audience_at(seat).map_or(&self.nothing, |audience| &audience.log)
    }

    /// What is kept of an encoding.
    pub(super) fn retention(&self, encoding: Encoding) -> Retention {
        if self.keeps(encoding) { self.history_retention() } else { Retention::NONE }
    }

    /// Gives `member` a seat in the room called `name`, which is made if need be.
    pub(super) fn enter(&mut self, name: &str, encoding: Encoding, member: u32) -> Seat {
        let room = match self.by_name.get(name) {
            Some(&room) => room,
            None => {
                let room = as_key(self.rooms.insert(Room::new(name, self.random.u64(..))));
                self.by_name.insert(name.into(), room);
                room
            }
        };
        if let Some(bytes) = self.get_mut(room).and_then(|room| room.empty.take()) {
            self.empty.bytes -= bytes;
        }
        let audience = self.make_audience(room, encoding);
        let index = self.audience_mut(audience).map_or(0, |audience| audience.join(member));
        Seat { audience, index }
    }

    /// The audience of `encoding` in a room, which is made if need be.
    fn make_audience(&mut self, room: u32, encoding: Encoding) -> u32 {
        let entry = self.audiences.vacant_entry();
        let key = as_key(entry.key());
        let Some(owner) = self.rooms.get_mut(room as usize) else { return key };
        let Some(place) = owner.audiences.get_mut(encoding.index()) else { return key };
        if let Some(audience) = place {
            return *audience;
        }
        *place = Some(key);
        entry.insert(Audience::new(room, encoding, owner.said));
        key
    }

    /// True if somebody in a room hears what is said in this encoding.
    pub(super) fn is_heard(&self, room: u32, encoding: Encoding) -> bool {
        let audience = self.audience_of(room, encoding).and_then(|audience| self.audience(audience));
        audience.is_some_and(|audience| audience.hearing > 0)
    }

    /// The audience of `encoding` in a room, if anybody reads it now or may ask for it later.
    pub(super) fn readers(&mut self, room: u32, encoding: Encoding) -> Option<u32> {
        let audience = self.audience_of(room, encoding);
        if audience.is_some() {
            return audience;
        }
        self.keeps(encoding).then(|| self.make_audience(room, encoding))
    }

    /// Takes the member off `seat`, and returns who has another seat because of that. An audience that is empty and of which
    /// nothing is kept goes, and so does a room.
    pub(super) fn leave(&mut self, seat: Seat, now: Time) -> [Option<Moved>; 2] {
        let Some(audience) = self.audience_mut(seat.audience) else { return [None; 2] };
        let moved = audience.leave(seat.index);
        if !audience.members().is_empty() {
            return moved;
        }
        let (room, encoding) = (audience.room, audience.encoding);
        if !self.keeps(encoding) {
            self.remove_audience(seat.audience);
        }
        let is_occupied = |key| self.audience(key).is_some_and(|other| !other.members().is_empty());
        if !self.audiences_of(room).any(is_occupied) {
            self.leave_empty(room, now);
        }
        moved
    }

    /// One more member at `seat` is open, and hears if it does.
    pub(super) fn count_in(&mut self, seat: Option<Seat>, hears: bool) {
        let Some(audience) = seat.and_then(|seat| self.audiences.get_mut(seat.audience as usize)) else { return };
        audience.hearing += usize::from(hears);
        if let Some(room) = self.rooms.get_mut(audience.room as usize) {
            room.open += 1;
        }
    }

    /// One less is.
    pub(super) fn count_out(&mut self, seat: Option<Seat>, heard: bool) {
        let Some(audience) = seat.and_then(|seat| self.audiences.get_mut(seat.audience as usize)) else { return };
        audience.hearing -= usize::from(heard);
        if let Some(room) = self.rooms.get_mut(audience.room as usize) {
            room.open -= 1;
        }
    }

    /// Adds a message to an audience's log, and returns the position behind it and how many members hear it.
    pub(super) fn append(
        &mut self,
        audience: u32,
        message: Message<'_>,
        sender: u32,
        now: Time,
    ) -> Option<(u64, usize)> {
        let audience = self.audiences.get_mut(audience as usize)?;
        let said = self.rooms.get(audience.room as usize)?.said;
        let before = audience.log.end();
        let end = audience.log.append(message, sender, said, now);
        audience.note_said(now);
        self.log_bytes += end - before;
        let (room, hearing) = (audience.room, audience.hearing);
        if self.get(room).is_some_and(|room| room.empty.is_some()) {
            self.leave_empty(room, now);
        }
        Some((end, hearing))
    }

    /// Ends the pass of an audience that is queued, if it has come through, and lets its log forget what everybody has and
    /// the history does not keep. True if another round is needed.
    pub(super) fn settle_pass(&mut self, audience: u32, now: Time) -> bool {
        let Some(entry) = self.audience(audience) else { return false };
        let retention = self.retention(entry.encoding);
        let Some(entry) = self.audiences.get_mut(audience as usize) else { return false };
        self.passed.extend(entry.came_through());
        let before = entry.log.bytes();
        entry.queued = entry.settle_pass(retention, now);
        self.log_bytes -= before - entry.log.bytes();
        entry.queued
    }

    /// A member was behind and is not any more. With the last of them the log can go.
    pub(super) fn caught_up(&mut self, audience: u32, now: Time) {
        let Some(entry) = self.audience_mut(audience) else { return };
        entry.behind -= 1;
        if entry.behind == 0 {
            self.release_log(audience, now);
        }
    }

    /// Lets an audience's log forget what nobody needs, if nobody can.
    pub(super) fn release_log(&mut self, audience: u32, now: Time) {
        let Some(entry) = self.audience(audience) else { return };
        let retention = self.retention(entry.encoding);
        let Some(entry) = self.audiences.get_mut(audience as usize) else { return };
        let before = entry.log.bytes();
        entry.release_log(retention, now);
        self.log_bytes -= before - entry.log.bytes();
    }

    /// The audience of a room whose log takes `most` bytes or more, if there is one.
    pub(super) fn full_audience(&self, room: u32, most: u64) -> Option<u32> {
        self.audiences_of(room).find(|&key| self.audience(key).is_some_and(|audience| audience.log.memory() >= most))
    }

    /// True if a room is gone when the one who is in it leaves: then that makes place for another one.
    pub(super) fn is_left_by_one(&self, room: u32) -> bool {
        let audiences = || self.audiences_of(room).filter_map(|audience| self.audience(audience));
        let members: usize = audiences().map(|audience| audience.members().len()).sum();
        members == 1 && audiences().all(|audience| audience.log.memory() == 0 || self.history.is_none())
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

    pub(super) fn remove_room(&mut self, room: u32) {
        for audience in self.audiences_of(room) {
            self.remove_audience(audience);
        }
        if let Some(gone) = self.rooms.try_remove(room as usize) {
            self.by_name.remove(&gone.name);
            self.empty.bytes -= gone.empty.unwrap_or(0);
            self.forget_gone();
        }
    }

    pub(super) fn remove_audience(&mut self, audience: u32) {
        let Some(gone) = self.audiences.try_remove(audience as usize) else { return };
        self.log_bytes -= gone.log.bytes();
        if gone.queued {
            self.passing.retain(|&other| other != audience);
        }
        let room = self.rooms.get_mut(gone.room as usize);
        if let Some(place) = room.and_then(|room| room.audiences.get_mut(gone.encoding.index())) {
            *place = None;
        }
    }

    /// Puts an audience on the list of those whose members are to be visited.
    pub(super) fn queue_pass(&mut self, audience: u32) {
        let Some(entry) = self.audiences.get_mut(audience as usize) else { return };
        if !std::mem::replace(&mut entry.queued, true) {
            self.passing.push_back(audience);
        }
    }
}

/// Slab keys are indices of at most as many entries as there are descriptors, so they fit.
fn as_key(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::{KEPT, TEXT, with_history};
    use super::*;

    #[test]
    fn a_room_lives_from_the_first_to_the_last() {
        let mut rooms = Rooms::new(None, 1);
        let first = rooms.enter("lobby", TEXT, 7);
        let second = rooms.enter("lobby", TEXT, 8);
        assert_eq!(first.audience, second.audience);
        let room = rooms.find("lobby").unwrap();
        assert_eq!(rooms.room_at(Some(first)), Some(room));
        rooms.queue_pass(first.audience);
        rooms.queue_pass(first.audience);
        assert_eq!(rooms.passing.len(), 1);
        rooms.leave(second, Time::START);
        assert!(rooms.find("lobby").is_some());
        rooms.leave(first, Time::START);
        assert!(rooms.find("lobby").is_none() && rooms.passing.is_empty());
        assert_eq!((rooms.rooms.len(), rooms.audiences.len()), (0, 0));
    }

    #[test]
    fn an_encoding_is_kept_only_for_those_who_read_it_or_may_ask() {
        let mut rooms = with_history(1_000_000);
        let seat = rooms.enter("lobby", KEPT, 7);
        let room = rooms.find("lobby").unwrap().0;
        assert_eq!(rooms.readers(room, TEXT), None);
        let reader = rooms.enter("lobby", TEXT, 8);
        assert_eq!(rooms.readers(room, TEXT), Some(reader.audience));
        rooms.leave(reader, Time::START);
        assert_eq!(rooms.readers(room, TEXT), None);
        rooms.leave(seat, Time::START);
        let seat = rooms.enter("other", TEXT, 9);
        let room = rooms.find("other").unwrap().0;
        assert!(rooms.readers(room, KEPT).is_some_and(|kept| kept != seat.audience));
    }
}
