//! Who has which name, by room. The names themselves stand with the connections; in here is one peer (8 bytes) per name,
//! found by the name's hash, so that an idle user costs no second copy.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::connection::Peer;
use crate::engine::RoomId;

/// A segment is split when there are more names than this for each of them. One split moves about so many names, and
/// asks for their hashes; that is the longest pause that a newcomer causes.
const SEGMENT_NAMES: usize = 1024;

/// The names in use. The hash is seeded at random: users choose their names, and must not be able to make them collide.
#[derive(Debug, Default)]
pub(super) struct Names {
    rooms: HashMap<RoomId, Segments>,
    seed: RandomState,
}

impl Names {
    /// Gives `name` to `peer` unless somebody in the room has it. `name_of` tells the name of a peer that is in here.
    pub(super) fn take<'n>(
        &mut self,
        room: RoomId,
        name: &str,
        peer: Peer,
        name_of: impl Fn(Peer) -> Option<&'n str>,
    ) -> bool {
        let seed = &self.seed;
        let hash = seed.hash_one(name);
        let segments = self.rooms.entry(room).or_default();
        if segments.at(hash).is_some_and(|names| names.find(hash, |&other| name_of(other) == Some(name)).is_some()) {
            return false;
        }
        segments.insert(hash, peer, |other| name_of(other).map_or(0, |name| seed.hash_one(name)));
        true
    }

    /// Who in the room has `name`.
    pub(super) fn find<'n>(&self, room: RoomId, name: &str, name_of: impl Fn(Peer) -> Option<&'n str>) -> Option<Peer> {
        let hash = self.seed.hash_one(name);
        let segments = self.rooms.get(&room)?;
        let names = segments.tables.get(place_of(hash, segments.tables.len()))?;
        names.find(hash, |&other| name_of(other) == Some(name)).copied()
    }

    /// How many names are in use in a room.
    pub(super) fn count(&self, room: RoomId) -> usize {
        self.rooms.get(&room).map_or(0, |segments| segments.len)
    }

    /// Makes the name of `peer` free again.
    pub(super) fn give_back(&mut self, room: RoomId, name: &str, peer: Peer) {
        let Some(segments) = self.rooms.get_mut(&room) else { return };
        segments.remove(self.seed.hash_one(name), peer);
        if segments.len == 0 {
            self.rooms.remove(&room);
        }
    }
}

/// A table that grows one segment at a time (linear hashing), because growing all at once stops the loop for as long as it
/// takes to ask a million peers for their names.
#[derive(Debug, Default)]
struct Segments {
    /// The segments that were split since their number was last a power of two come first; the new halves are at the end.
    tables: Vec<HashTable<Peer>>,
    len: usize,
}

impl Segments {
    fn at(&mut self, hash: u64) -> Option<&mut HashTable<Peer>> {
        let place = place_of(hash, self.tables.len());
        self.tables.get_mut(place)
    }

    fn insert(&mut self, hash: u64, peer: Peer, hash_of: impl Fn(Peer) -> u64) {
        if self.len >= self.tables.len() * SEGMENT_NAMES {
            self.split(&hash_of);
        }
        self.len += 1;
        if let Some(table) = self.at(hash) {
            table.insert_unique(hash, peer, |&other| hash_of(other));
        }
    }

    fn remove(&mut self, hash: u64, peer: Peer) {
        let entry = self.at(hash).and_then(|table| table.find_entry(hash, |&other| other == peer).ok());
        if entry.map(|entry| entry.remove()).is_some() {
            self.len -= 1;
        }
    }

    /// Adds a segment and moves into it what belongs there, all of which is in one other.
    fn split(&mut self, hash_of: &impl Fn(Peer) -> u64) {
        let new = self.tables.len();
        self.tables.push(HashTable::new());
        // The highest bit of its number is what the new segment has and the old one has not.
        let old = new.checked_ilog2().map_or(0, |bits| new - (1 << bits));
        let Some(table) = self.tables.get_mut(old).map(std::mem::take) else { return };
        for peer in table {
            let hash = hash_of(peer);
            if let Some(table) = self.at(hash) {
                table.insert_unique(hash, peer, |&other| hash_of(other));
            }
        }
    }
}

/// Which of `count` segments a hash belongs to. These bits are not those by which a segment finds its entries.
fn place_of(hash: u64, count: usize) -> usize {
    let bits = usize::try_from(hash >> 20 & u64::from(u32::MAX)).unwrap_or(0);
    let power = count.next_power_of_two();
    let place = bits & (power - 1);
    // A segment that is not there yet is still part of the one that it will be split from.
    if place < count { place } else { place & ((power / 2).max(1) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(0);

    fn peer(index: u32) -> Peer {
        Peer { index, generation: 0 }
    }

    #[test]
    fn a_name_is_taken_once_and_free_when_it_is_given_back() {
        let names: Vec<String> = (0..20 * SEGMENT_NAMES).map(|n| format!("user {n}")).collect();
        let name_of = |peer: Peer| names.get(peer.index as usize).map(String::as_str);
        let mut table = Names::default();
        for (index, name) in (0..).zip(&names) {
            assert!(table.take(ROOM, name, peer(index), name_of), "{name}");
        }
        let segments = &table.rooms[&ROOM];
        assert_eq!(segments.tables.len(), 20);
        assert!(segments.tables.iter().all(|table| table.len() < 3 * SEGMENT_NAMES), "they are of about the same size");
        for name in &names {
            assert!(!table.take(ROOM, name, peer(0), name_of), "{name}");
            let owner = table.find(ROOM, name, name_of).and_then(name_of);
            assert_eq!(owner, Some(name.as_str()));
        }
        assert_eq!(table.find(ROOM, "nobody", name_of), None);
        assert_eq!(table.find(RoomId(1), &names[0], name_of), None);
        for (index, name) in (0..).zip(&names).skip(1) {
            table.give_back(ROOM, name, peer(index));
            // Twice does no harm.
            table.give_back(ROOM, name, peer(index));
        }
        assert_eq!(table.rooms[&ROOM].len, 1);
        assert!(!table.take(ROOM, &names[0], peer(1), name_of));
        assert!(table.take(ROOM, &names[1], peer(1), name_of));
        table.give_back(ROOM, &names[0], peer(0));
        table.give_back(ROOM, &names[1], peer(1));
        assert!(table.rooms.is_empty(), "a room without names costs nothing");
    }

    #[test]
    fn the_same_name_in_another_room_is_another() {
        let mut table = Names::default();
        assert!(table.take(RoomId(1), "yuan", peer(1), |_| Some("yuan")));
        assert!(table.take(RoomId(2), "yuan", peer(2), |_| Some("yuan")));
        assert!(!table.take(RoomId(1), "yuan", peer(3), |_| Some("yuan")));
    }

    /// What a new segment holds was in exactly one other before.
    #[test]
    fn a_split_takes_from_one_segment_only() {
        for new in 1..70_usize {
            let old = new - (1 << new.ilog2());
            for bits in 0..1_000_u64 {
                let (before, after) = (place_of(bits << 20, new), place_of(bits << 20, new + 1));
                assert!(before == after || (before == old && after == new), "{bits} with {new}");
            }
        }
    }
}
