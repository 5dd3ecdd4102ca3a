//! What is kept of a room for those who come later, and for how long: the newest messages of one encoding, also while
//! nobody is in the room. Empty rooms stand in the order in which they were left; that is also the order in which they go.

use std::collections::VecDeque;
use std::time::Duration;

use super::rooms::Rooms;
use crate::config::{self, Limits};
use crate::room::Encoding;
use crate::room::log::{Log, Retention};
use crate::time::Time;

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
    pub(super) fn of(encoding: Option<Encoding>, settings: &config::History, limits: &Limits) -> Option<Self> {
        // Where the history alone filled the log, those who talk would be held back for ever.
        let bytes = settings.bytes.min(limits.room_log / LOG_SHARE) as u64;
        let retention = Retention { messages: settings.messages, bytes, age: settings.age };
        let encoding = encoding.filter(|_| settings.messages > 0)?;
        Some(Self { encoding, retention, empty_bytes: settings.empty_rooms as u64 })
    }
}

/// The history takes at most this part of what a room's log may take.
const LOG_SHARE: usize = 4;

/// The rooms in which nobody is.
#[derive(Debug, Default)]
pub(super) struct Empty {
    /// Rooms that were empty when they were put here, the oldest first.
    listed: VecDeque<Listed>,
    /// The memory of those that are empty now.
    pub(super) bytes: u64,
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

impl Rooms {
    /// Keeps something else of all rooms from now on.
    pub(super) fn set_history(&mut self, history: Option<History>, now: Time) {
        if self.history == history {
            return;
        }
        self.history = history;
        let audiences: Vec<(u32, u32)> = self.audience_keys().collect();
        for (audience, room) in audiences {
            let kept = self.audience(audience).is_some_and(|entry| self.keeps(entry.encoding));
            if !kept && self.audience(audience).is_some_and(|entry| entry.members().is_empty()) {
                self.remove_audience(audience);
            } else {
                self.release_log(audience, now);
            }
            if self.get(room).is_some_and(|room| room.empty.is_some()) {
                self.leave_empty(room, now);
            }
        }
    }

    /// True if this encoding is kept as history.
    pub(super) fn keeps(&self, encoding: Encoding) -> bool {
        self.history.is_some_and(|history| history.encoding == encoding)
    }

    /// Nobody is in this room. It stays as long as its history may be asked for.
    pub(super) fn leave_empty(&mut self, room: u32, now: Time) {
        let Some((age, bytes)) = self.trim_history(room, now).filter(|(_, bytes)| *bytes > 0) else {
            self.remove_room(room);
            return;
        };
        let Some(entry) = self.rooms.get_mut(room as usize) else { return };
        let bytes = bytes + ROOM_BYTES + entry.name.len() as u64;
        self.empty.bytes = self.empty.bytes + bytes - entry.empty.replace(bytes).unwrap_or(0);
        if !std::mem::replace(&mut entry.listed, true) {
            self.empty.listed.push_back(Listed { at: now + age, room, epoch: entry.epoch });
        }
        let most = self.history.map_or(0, |history| history.empty_bytes);
        while self.empty.bytes > most && self.forget_oldest() {}
    }

    /// Makes place for another room if there are `most`, by forgetting one that is empty. True if there is place.
    pub(super) fn make_place(&mut self, most: usize) -> bool {
        while self.rooms.len() >= most && self.forget_oldest() {}
        self.rooms.len() < most
    }

    /// Forgets the room that has been empty for longest. False if none is left.
    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.empty.listed.pop_front() else { return false };
        if self.unlist(oldest) {
            self.remove_room(oldest.room);
        }
        true
    }

    /// When the next empty room is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.empty.listed.front().map(|listed| listed.at)
    }

    /// Looks at the rooms that were empty for as long as history is kept.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some(listed) = self.empty.listed.front().copied().filter(|listed| listed.at <= now) {
            self.empty.listed.pop_front();
            if self.unlist(listed) {
                self.leave_empty(listed.room, now);
            }
        }
    }

    /// Takes rooms off the front of the list that went before their time, so that nobody wakes up for them.
    pub(super) fn forget_gone(&mut self) {
        while self.empty.listed.front().is_some_and(|listed| !self.is_there(*listed)) {
            self.empty.listed.pop_front();
        }
    }

    fn is_there(&self, listed: Listed) -> bool {
        self.rooms.get(listed.room as usize).is_some_and(|room| room.epoch == listed.epoch)
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
        let audience = self.audience_of(room, history.encoding)?;
        self.release_log(audience, now);
        Some((history.retention.age, self.audience(audience)?.log.memory()))
    }

    /// How much is kept of each room's history.
    pub(super) fn history_retention(&self) -> Retention {
        self.history.map_or(Retention::NONE, |history| history.retention)
    }

    /// The log of what is kept of a room's history.
    pub(super) fn history_log(&self, room: u32) -> Option<&Log> {
        let audience = self.audience_of(room, self.history?.encoding)?;
        self.audience(audience).map(|audience| &audience.log)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::room::log::NO_SENDER;
    use crate::wire::frame::Message;

    pub(in super::super) const TEXT: Encoding = Encoding(0);
    pub(in super::super) const KEPT: Encoding = Encoding(1);

    fn seconds(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    pub(in super::super) fn with_history(empty_bytes: u64) -> Rooms {
        let retention = Retention { messages: 10, bytes: 10_000, age: Duration::from_secs(60) };
        Rooms::new(Some(History { encoding: KEPT, retention, empty_bytes }), 1)
    }

    fn say(rooms: &mut Rooms, room: u32, now: Time) {
        rooms.get_mut(room).unwrap().said += 1;
        for encoding in [TEXT, KEPT] {
            if let Some(audience) = rooms.readers(room, encoding) {
                rooms.append(audience, Message::Text("hi"), NO_SENDER, now);
            }
        }
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
        assert_eq!(rooms.empty.bytes, 0);
        say(&mut rooms, room, seconds(40));
        rooms.leave(seat, seconds(50));
        // It was listed when it was empty for the first time, and is looked at again later.
        rooms.expire(seconds(62));
        assert!(rooms.find("lobby").is_some());
        rooms.expire(seconds(200));
        assert!(rooms.find("lobby").is_none());
        assert_eq!((rooms.next_wake(), rooms.empty.bytes, rooms.audiences().count()), (None, 0, 0));
    }

    #[test]
    fn nobody_wakes_up_for_a_room_that_went_before_its_time() {
        let mut rooms = with_history(1_000_000);
        let seat = rooms.enter("lobby", TEXT, 7);
        let room = rooms.find("lobby").unwrap().0;
        say(&mut rooms, room, seconds(0));
        rooms.leave(seat, seconds(10));
        let seat = rooms.enter("lobby", TEXT, 8);
        // It is listed until 70, and by now nothing is left of its history.
        rooms.leave(seat, seconds(65));
        assert!(rooms.find("lobby").is_none());
        assert_eq!(rooms.next_wake(), None);
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
