//! What was said under which client id, so that a message that is sent again because its answer was lost is not said again.
//!
//! Per message it is a hash of 8 bytes and a number of 8, twice, for as many messages of a room as its history has and for
//! as long. A room that is gone is forgotten when its last message is too old.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::time::Time;

/// See the module's documentation. Rooms are known by their epoch.
#[derive(Debug)]
pub(super) struct Repeats {
    rooms: HashMap<u64, Said>,
    /// When each room is to be looked at, the first one first.
    due: VecDeque<(Time, u64)>,
    /// Clients choose their ids, and must not be able to make them collide.
    seed: RandomState,
    /// At most so many messages of a room.
    most: usize,
    age: Duration,
}

/// The messages of one room that had an id.
#[derive(Debug, Default)]
struct Said {
    numbers: HashMap<u64, u64>,
    order: VecDeque<(Time, u64)>,
}

impl Repeats {
    pub(super) fn new(most: usize, age: Duration) -> Self {
        Self { rooms: HashMap::new(), due: VecDeque::new(), seed: RandomState::new(), most, age }
    }

    /// Other bounds from now on; what is beyond them goes when something is said next.
    pub(super) fn set_bounds(&mut self, most: usize, age: Duration) {
        self.most = most;
        self.age = age;
    }

    /// The number under which `name` has said something with this id before.
    pub(super) fn find(&self, epoch: u64, name: &str, id: &str) -> Option<u64> {
        self.rooms.get(&epoch)?.numbers.get(&self.seed.hash_one((name, id))).copied()
    }

    /// Takes note of the number of what `name` says with this id.
    pub(super) fn note(&mut self, epoch: u64, name: &str, id: &str, number: u64, now: Time) {
        self.expire(now);
        if self.most == 0 {
            return;
        }
        let key = self.seed.hash_one((name, id));
        let said = self.rooms.entry(epoch).or_default();
        if said.order.is_empty() {
            self.due.push_back((now + self.age, epoch));
        }
        said.numbers.insert(key, number);
        said.order.push_back((now, key));
        while said.order.len() > self.most {
            said.forget_oldest();
        }
    }

    /// Forgets rooms that are not among `epochs`, all that there are, when it is worth looking at all of them.
    pub(super) fn forget_gone(&mut self, epochs: impl ExactSizeIterator<Item = u64>) {
        if self.rooms.len() <= 2 * epochs.len() + ROOMS_SLACK {
            return;
        }
        let there: HashSet<u64> = epochs.collect();
        self.rooms.retain(|epoch, _| there.contains(epoch));
        self.due.retain(|(_, epoch)| there.contains(epoch));
    }

    fn expire(&mut self, now: Time) {
        while let Some((at, epoch)) = self.due.front().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_front();
            let Some(said) = self.rooms.get_mut(&epoch) else { continue };
            while said.order.front().is_some_and(|(at, _)| *at + self.age <= now) {
                said.forget_oldest();
            }
            match said.order.front() {
                Some((oldest, _)) => self.due.push_back((*oldest + self.age.max(at.since(*oldest)), epoch)),
                None => drop(self.rooms.remove(&epoch)),
            }
        }
    }
}

/// So few rooms are not looked through.
const ROOMS_SLACK: usize = 64;

impl Said {
    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.numbers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn what_was_said_is_found_by_room_name_and_id() {
        let mut repeats = Repeats::new(2, Duration::from_secs(10));
        repeats.note(1, "yuan", "a", 7, at(0));
        assert_eq!(repeats.find(1, "yuan", "a"), Some(7));
        assert_eq!(
            (repeats.find(1, "yuan", "b"), repeats.find(1, "alex", "a"), repeats.find(2, "yuan", "a")),
            (None, None, None)
        );
        repeats.note(1, "yuan", "b", 8, at(1));
        repeats.note(1, "yuan", "c", 9, at(2));
        assert_eq!(repeats.find(1, "yuan", "a"), None, "only two are remembered");
        assert_eq!(repeats.find(1, "yuan", "b"), Some(8));
    }

    #[test]
    fn rooms_that_are_silent_are_forgotten() {
        let mut repeats = Repeats::new(5, Duration::from_secs(10));
        for epoch in 0..100 {
            repeats.note(epoch, "yuan", "a", 1, at(epoch / 10));
        }
        repeats.note(3, "yuan", "b", 2, at(8));
        repeats.note(200, "yuan", "a", 1, at(15));
        assert_eq!(repeats.find(3, "yuan", "a"), None);
        assert_eq!(repeats.find(3, "yuan", "b"), Some(2));
        assert_eq!(repeats.find(10, "yuan", "a"), None);
        repeats.note(200, "yuan", "b", 2, at(100));
        assert_eq!((repeats.rooms.len(), repeats.due.len()), (1, 1));
    }

    #[test]
    fn rooms_that_are_gone_do_not_pile_up() {
        let mut repeats = Repeats::new(5, Duration::from_secs(10));
        for epoch in 0..10_000 {
            repeats.note(epoch, "yuan", "a", epoch, at(0));
            repeats.forget_gone([3, epoch].into_iter());
            assert!(repeats.rooms.len() <= 2 * 2 + ROOMS_SLACK && repeats.due.len() <= repeats.rooms.len());
        }
        assert_eq!(repeats.find(3, "yuan", "a"), Some(3), "it is still there");
    }

    #[test]
    fn without_a_history_nothing_is_remembered() {
        let mut repeats = Repeats::new(0, Duration::from_secs(10));
        repeats.note(1, "yuan", "a", 7, at(0));
        assert_eq!(repeats.find(1, "yuan", "a"), None);
        assert!(repeats.rooms.is_empty());
    }
}
