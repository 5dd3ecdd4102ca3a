//! Who has which name, by room. The names themselves stand with the connections; in here is one peer (8 bytes) per name,
//! found by the name's hash, so that an idle user costs no second copy.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::connection::Peer;
use crate::engine::RoomId;

/// The names in use. The hash is seeded at random: users choose their names, and must not be able to make them collide.
#[derive(Debug, Default)]
pub(super) struct Names {
    rooms: HashMap<RoomId, HashTable<Peer>>,
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
        let hash = |name: &str| seed.hash_one(name);
        let table = self.rooms.entry(room).or_default();
        if table.find(hash(name), |&other| name_of(other) == Some(name)).is_some() {
            return false;
        }
        table.insert_unique(hash(name), peer, |&other| name_of(other).map_or(0, hash));
        true
    }

    /// Makes the name of `peer` free again.
    pub(super) fn give_back(&mut self, room: RoomId, name: &str, peer: Peer) {
        let Some(table) = self.rooms.get_mut(&room) else { return };
        if let Ok(entry) = table.find_entry(self.seed.hash_one(name), |&other| other == peer) {
            entry.remove();
        }
        if table.is_empty() {
            self.rooms.remove(&room);
        }
    }
}
