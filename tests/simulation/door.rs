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
        let mut here: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for ip in desk.peers().filter_map(|peer| desk.remote(peer)).filter_map(Remote::ip) {
            *here.entry(ip).or_default() += 1;
        }
        let most = limits.connections_per_address;
        assert!(most == 0 || here.values().all(|&count| count <= most), "{here:?}, {most} are allowed");
        assert!(desk.rooms().count() <= limits.rooms as usize, "too many rooms");
        let most = limits.users_per_room as usize;
        assert!(most == 0 || desk.rooms().all(|room| desk.count(room) <= most), "a room is too full");
    }
}
