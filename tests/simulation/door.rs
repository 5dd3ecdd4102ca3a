//! What the limits on who comes allow: rates that hold in every stretch of time, and crowds that are never too large.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hollerd::config::Limits;
use hollerd::connection::remote::Remote;
use hollerd::engine::Counters;
use hollerd::time::Time;

use crate::ledger::Witness;
use crate::world::World;

/// When those came who were not refused on arrival.
#[derive(Debug, Default)]
pub(crate) struct Door {
    all: Vec<Time>,
    by_address: BTreeMap<IpAddr, Vec<Time>>,
    answered: u64,
    /// How many there were when the last turn ended: more than a limit that was lowered since may only become fewer.
    before: Crowds,
    /// Whoever came under other settings is counted by address in the course of the next turn.
    reloaded: bool,
}

#[derive(Debug, Default)]
struct Crowds {
    by_address: BTreeMap<IpAddr, usize>,
    by_room: BTreeMap<String, usize>,
}

impl Door {
    /// Takes note of somebody who has just come. Whoever is refused on arrival is answered in the same moment.
    pub(crate) fn came(&mut self, counters: &Counters, ip: IpAddr, now: Time) {
        let answered = counters.endings.get("answered").copied().unwrap_or(0);
        let before = std::mem::replace(&mut self.answered, answered);
        if answered == before {
            self.all.push(now);
            self.by_address.entry(ip).or_default().push(now);
        }
    }

    /// From here on other settings are in force.
    pub(crate) fn reload(&mut self) {
        *self = Self { before: std::mem::take(&mut self.before), reloaded: true, ..Self::default() };
    }

    /// To be called before somebody comes, because others are answered too.
    pub(crate) fn look(&mut self, counters: &Counters) {
        self.answered = counters.endings.get("answered").copied().unwrap_or(0);
    }

    pub(crate) fn audit(&self, limits: &Limits) {
        audit_rate(&self.all, limits.handshakes_per_second, limits.handshake_burst);
        let (per_second, burst) = (limits.handshakes_per_second_per_address, limits.handshake_burst_per_address);
        self.by_address.values().for_each(|came| audit_rate(came, per_second, burst));
    }
}

/// In no stretch of time that ends now may more have come than the burst and what the rate allows in that time. The clock
/// has milliseconds, so a stretch may be one longer than it seems.
fn audit_rate(came: &[Time], per_second: u32, burst: u32) {
    let Some(&last) = came.last().filter(|_| per_second > 0) else { return };
    for (count, &first) in (1_u128..).zip(came.iter().rev()) {
        let allowed = u128::from(burst) + u128::from(per_second) * (last.since(first).as_millis() + 1) / 1000;
        assert!(count <= allowed, "{count} came from {first:?} to {last:?}: {per_second} per second, burst {burst}");
    }
}

impl<W: Witness> World<W> {
    pub(crate) fn audit_crowds(&mut self) {
        let limits = self.plan.settings.limits.clone();
        let (_, desk) = self.engine.application_mut(self.now);
        let mut crowds = Crowds::default();
        for ip in desk.peers().filter_map(|peer| desk.remote(peer)).filter_map(Remote::ip) {
            // Whoever is in has sent its request, and with it the proxy has told whose it is.
            assert!(ip.to_string().starts_with("192.0.2."), "{ip} is no client");
            *crowds.by_address.entry(ip).or_default() += 1;
        }
        for room in desk.rooms() {
            crowds.by_room.insert(desk.room_name(room).unwrap_or_default().to_owned(), desk.count(room));
        }
        let before = std::mem::take(&mut self.door.before);
        if !std::mem::take(&mut self.door.reloaded) {
            audit_crowds("an address", &crowds.by_address, &before.by_address, limits.connections_per_address);
        }
        audit_crowds("a room", &crowds.by_room, &before.by_room, limits.users_per_room);
        let (rooms, most) = (crowds.by_room.len(), before.by_room.len().max(limits.rooms as usize));
        assert!(rooms <= most, "{rooms} rooms, {most} are allowed");
        // Those who are still to be admitted have been let in.
        crowds.by_address.clear();
        for place in self.places.values() {
            let client = place.client.visit.forwarded.unwrap_or(place.client.remote);
            *crowds.by_address.entry(client.ip()).or_default() += 1;
        }
        self.door.before = crowds;
    }
}

fn audit_crowds<K: Ord>(what: &str, crowds: &BTreeMap<K, usize>, before: &BTreeMap<K, usize>, most: u32) {
    for (key, &count) in crowds {
        let allowed = before.get(key).copied().unwrap_or(0).max(most as usize);
        assert!(most == 0 || count <= allowed, "{what} has {count}, {allowed} are allowed");
    }
}
