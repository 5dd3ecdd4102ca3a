//! All rooms by name and by key, and their audiences by key. A room is made by the first who enters. It is gone with the
//! last who leaves, or when what was said in it is too old to be asked for, whichever is later.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use slab::Slab;

use crate::config;
use crate::connection::Seat;
use crate::room::audience::{Audience, Moved};
use crate::room::log::{Log, Retention};
use crate::room::{Encoding, Room};
use crate::time::Time;

/// Names a room for as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomId(pub(crate) u32);

/// What is kept of a room for those who come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct History {
    /// The encoding of which it is kept.
    pub(super) encoding: Encoding,
    pub(super) retention: Retention,
    /// Bytes that rooms in which nobody is may take, all together.
    pub(super) empty_bytes: u64,
}

impl History {
    /// What the settings keep of the encoding that an application has for this.
    pub(super) fn of(encoding: Option<Encoding>, settings: &config::History) -> Option<Self> {
        let retention = Retention { messages: settings.messages, bytes: settings.bytes as u64, age: settings.age };
        let encoding = encoding.filter(|_| settings.messages > 0)?;
        Some(Self { encoding, retention, empty_bytes: settings.empty_rooms as u64 })
    }
}

/// The rooms that exist.
#[derive(Debug)]
pub(super) struct Rooms {
    rooms: Slab<Room>,
    audiences: Slab<Audience>,
    by_name: HashMap<Box<str>, u32>,
    /// The audiences to which something was said that not everybody has been visited for.
    pub(super) passing: VecDeque<u32>,
    history: Option<History>,
    /// Rooms that were empty when they were put here, the oldest first.
    empty: VecDeque<Listed>,
    /// The memory of those that are empty.
    empty_bytes: u64,
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
            history,
            empty: VecDeque::new(),
            empty_bytes: 0,
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
        self.history.filter(|history| history.encoding == encoding).map_or(Retention::NONE, |history| history.retention)
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
            self.empty_bytes -= bytes;
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

    /// The audience of `encoding` in a room, if anybody reads it now or may ask for it later.
    pub(super) fn readers(&mut self, room: u32, encoding: Encoding) -> Option<u32> {
        let audience = self.get(room)?.audiences.get(encoding.index()).copied().flatten();
        if audience.is_some() {
            return audience;
        }
        let kept = self.history.is_some_and(|history| history.encoding == encoding);
        kept.then(|| self.make_audience(room, encoding))
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
        if self.history.is_none_or(|history| history.encoding != encoding) {
            self.remove_audience(seat.audience);
        }
        let is_occupied = |key| self.audience(key).is_some_and(|other| !other.members().is_empty());
        if !self.audiences_of(room).any(is_occupied) {
            self.leave_empty(room, now);
        }
        moved
    }

    /// Nobody is in this room. It stays as long as its history may be asked for.
    pub(super) fn leave_empty(&mut self, room: u32, now: Time) {
        let Some((age, bytes)) = self.trim_history(room, now).filter(|(_, bytes)| *bytes > 0) else {
            self.remove_room(room);
            return;
        };
        let Some(entry) = self.rooms.get_mut(room as usize) else { return };
        let bytes = bytes + ROOM_BYTES + entry.name.len() as u64;
        self.empty_bytes = self.empty_bytes + bytes - entry.empty.replace(bytes).unwrap_or(0);
        if !std::mem::replace(&mut entry.listed, true) {
            self.empty.push_back(Listed { at: now + age, room, epoch: entry.epoch });
        }
        let most = self.history.map_or(0, |history| history.empty_bytes);
        while self.empty_bytes > most {
            let Some(oldest) = self.empty.pop_front() else { break };
            if self.unlist(oldest) {
                self.remove_room(oldest.room);
            }
        }
    }

    /// When the next empty room is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.empty.front().map(|listed| listed.at)
    }

    /// Looks at the rooms that were empty for as long as history is kept.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some(listed) = self.empty.front().copied().filter(|listed| listed.at <= now) {
            self.empty.pop_front();
            if self.unlist(listed) {
                self.leave_empty(listed.room, now);
            }
        }
    }

    /// True if the room that was listed is still there, and empty.
    fn unlist(&mut self, listed: Listed) -> bool {
        let Some(room) = self.rooms.get_mut(listed.room as usize).filter(|room| room.epoch == listed.epoch) else {
            return false;
        };
        room.listed = false;
        room.empty.is_some()
    }

    /// Forgets what is too old of a room's history. How long it is kept, and how many bytes are left of it.
    pub(super) fn trim_history(&mut self, room: u32, now: Time) -> Option<(Duration, u64)> {
        let history = self.history?;
        let audience = self.get(room)?.audiences.get(history.encoding.index()).copied().flatten()?;
        let audience = self.audience_mut(audience)?;
        audience.release_log(history.retention, now);
        Some((history.retention.age, audience.log.memory()))
    }

    /// The log of what is kept of a room's history.
    pub(super) fn history_log(&self, room: u32) -> Option<&Log> {
        let audience = self.get(room)?.audiences.get(self.history?.encoding.index()).copied().flatten()?;
        self.audience(audience).map(|audience| &audience.log)
    }

    fn remove_room(&mut self, room: u32) {
        for audience in self.audiences_of(room) {
            self.remove_audience(audience);
        }
        if let Some(gone) = self.rooms.try_remove(room as usize) {
            self.by_name.remove(&gone.name);
            self.empty_bytes -= gone.empty.unwrap_or(0);
        }
    }

    fn remove_audience(&mut self, audience: u32) {
        let Some(gone) = self.audiences.try_remove(audience as usize) else { return };
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

/// A room that was empty, and when it is to be looked at.
#[derive(Debug, Clone, Copy)]
struct Listed {
    at: Time,
    room: u32,
    /// Another room can have its key by then.
    epoch: u64,
}

/// What a room takes besides its log and its name, rounded up.
const ROOM_BYTES: u64 = 512;

/// Slab keys are indices of at most as many entries as there are descriptors, so they fit.
fn as_key(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::log::NO_SENDER;
    use crate::wire::frame::Message;

    const TEXT: Encoding = Encoding(0);
    const KEPT: Encoding = Encoding(1);

    fn seconds(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn with_history(empty_bytes: u64) -> Rooms {
        let retention = Retention { messages: 10, bytes: 10_000, age: Duration::from_secs(60) };
        Rooms::new(Some(History { encoding: KEPT, retention, empty_bytes }), 1)
    }

    fn say(rooms: &mut Rooms, room: u32, now: Time) {
        rooms.get_mut(room).unwrap().said += 1;
        let number = rooms.get(room).unwrap().said;
        for encoding in [TEXT, KEPT] {
            if let Some(audience) = rooms.readers(room, encoding) {
                let entry = rooms.audience_mut(audience).unwrap();
                entry.log.append(Message::Text("hi"), NO_SENDER, number, now);
            }
        }
    }

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

    #[test]
    fn a_room_with_history_outlives_its_last_member_for_a_while() {
        let mut rooms = with_history(1_000_000);
        let seat = rooms.enter("lobby", TEXT, 7);
        let room = rooms.find("lobby").unwrap().0;
        let epoch = rooms.get(room).unwrap().epoch;
        say(&mut rooms, room, seconds(1));
        rooms.leave(seat, seconds(2));
        rooms.expire(seconds(30));
        let seat = rooms.enter("lobby", KEPT, 8);
        let entry = rooms.get(room).unwrap();
        assert_eq!((entry.epoch, entry.said, entry.empty), (epoch, 1, None));
        assert_eq!(rooms.empty_bytes, 0);
        say(&mut rooms, room, seconds(40));
        rooms.leave(seat, seconds(50));
        // It was listed when it was empty for the first time, and is looked at again later.
        rooms.expire(seconds(62));
        assert!(rooms.find("lobby").is_some());
        rooms.expire(seconds(200));
        assert!(rooms.find("lobby").is_none());
        assert_eq!((rooms.next_wake(), rooms.empty_bytes, rooms.audiences.len()), (None, 0, 0));
    }

    #[test]
    fn of_empty_rooms_the_oldest_go_when_they_take_too_much() {
        let mut rooms = with_history(3 * (ROOM_BYTES + 100));
        for n in 0..10_u64 {
            let seat = rooms.enter(&format!("room {n}"), KEPT, 7);
            let room = rooms.room_at(Some(seat)).unwrap().0;
            say(&mut rooms, room, seconds(n));
            rooms.leave(seat, seconds(n));
        }
        let left: Vec<bool> = (0..10).map(|n| rooms.find(&format!("room {n}")).is_some()).collect();
        assert_eq!(left.iter().filter(|left| **left).count(), 3, "{left:?}");
        assert!(left.ends_with(&[true; 3]), "{left:?}");
    }
}
