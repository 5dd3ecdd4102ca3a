//! What is counted by address: who is here, who is not admitted yet, and how often they came lately.
//!
//! An IPv4 address counts for itself. Of an IPv6 address the first 64 bits do, because whoever has one address has all that
//! share them. Both tables are empty when their limits are off, and bounded when they are on: a count exists as long as
//! somebody from there does, so there are at most as many as connections; and a rate is forgotten when its whole burst is
//! left again, and never kept for more than [`RATES_MAX`] addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::rate::{Meter, Rate};
use crate::time::Time;

/// So many addresses have a rate of their own; that is about 3 MiB. When there are more whose rate still matters,
/// further ones are held to the rate in all alone: refusing them would let whoever has many addresses lock out everybody.
pub(super) const RATES_MAX: usize = 65_536;
/// Rates that do not matter any more are looked for at most this often, when a new address comes.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// An address, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
}

/// Connections from one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Here {
    /// All that are counted.
    pub(super) connections: u32,
    /// Those among them that are not admitted.
    pub(super) pending: u32,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    here: HashMap<Network, Here>,
    rates: HashMap<Network, Meter>,
    /// When rates that do not matter were last looked for.
    swept: Time,
}

impl Addresses {
    /// How many connections there are from an address.
    pub(super) fn here(&self, ip: IpAddr) -> Here {
        self.here.get(&network(ip)).copied().unwrap_or_default()
    }

    /// Counts one more connection.
    pub(super) fn enter(&mut self, ip: IpAddr, pending: bool) {
        let here = self.here.entry(network(ip)).or_default();
        here.connections += 1;
        here.pending += u32::from(pending);
    }

    /// One that was counted is admitted.
    pub(super) fn leave_pending(&mut self, ip: IpAddr) {
        if let Some(here) = self.here.get_mut(&network(ip)) {
            here.pending -= 1;
        }
    }

    /// One that was counted, and is not pending any more, is gone; with the last one everything is.
    pub(super) fn leave(&mut self, ip: IpAddr) {
        let network = network(ip);
        let Some(here) = self.here.get_mut(&network) else { return };
        here.connections -= 1;
        if here.connections == 0 {
            self.here.remove(&network);
        }
    }

    /// How long it is until somebody else from this address may come.
    pub(super) fn wait(&self, ip: IpAddr, rate: Rate, now: Time) -> Duration {
        self.rates.get(&network(ip)).map_or(Duration::ZERO, |meter| meter.wait(rate, now))
    }

    /// Counts somebody against the rate of the address. False if there is no place to remember that.
    pub(super) fn count(&mut self, ip: IpAddr, rate: Rate, now: Time) -> bool {
        let network = network(ip);
        if let Some(meter) = self.rates.get_mut(&network) {
            meter.count(rate, now);
            return true;
        }
        if now >= self.swept + SWEEP_INTERVAL {
            self.swept = now;
            self.rates.retain(|_, meter| !meter.is_full(now));
            // What a flood has taken is given back.
            self.rates.shrink_to(2 * self.rates.len());
        }
        let has_place = self.rates.len() < RATES_MAX;
        if has_place {
            let mut meter = Meter::default();
            meter.count(rate, now);
            self.rates.insert(network, meter);
        }
        has_place
    }

    /// Everybody may come as if nobody had come lately.
    pub(super) fn forget_rates(&mut self) {
        self.rates = HashMap::new();
    }

    /// Panics unless exactly `expected` is counted: the addresses of all connections that are, with whether each is
    /// pending.
    pub(super) fn check(&self, expected: impl Iterator<Item = (IpAddr, bool)>) {
        let mut recount = Self::default();
        expected.for_each(|(ip, pending)| recount.enter(ip, pending));
        assert_eq!(recount.here, self.here, "the counts by address are wrong");
        assert!(self.rates.len() <= RATES_MAX, "too many rates");
    }
}

fn network(ip: IpAddr) -> Network {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Network::V4(ip.octets()),
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h, ..] = ip.octets();
            Network::V6([a, b, c, d, e, f, g, h])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn numbered(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn who_counts_as_the_same() {
        let same = [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff")];
        let different = [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("::1", "127.0.0.1")];
        for (one, other) in same {
            assert_eq!(network(ip(one)), network(ip(other)));
        }
        for (one, other) in different {
            assert_ne!(network(ip(one)), network(ip(other)));
        }
    }

    #[test]
    fn a_count_is_gone_with_the_last_one() {
        let mut addresses = Addresses::default();
        let (a, b) = (ip("192.0.2.1"), ip("2001:db8::1"));
        addresses.enter(a, true);
        addresses.enter(a, true);
        addresses.enter(b, false);
        addresses.leave_pending(a);
        assert_eq!(addresses.here(a), Here { connections: 2, pending: 1 });
        addresses.check([(a, true), (a, false), (b, false)].into_iter());
        addresses.leave(a);
        addresses.leave_pending(a);
        addresses.leave(a);
        addresses.leave(b);
        assert!(addresses.here.is_empty());
    }

    #[test]
    fn rates_are_bounded_and_forgotten() {
        let mut addresses = Addresses::default();
        let rate = Rate::new(1, 1).unwrap();
        let second = Time::from_millis(1000);
        let most = u32::try_from(RATES_MAX).unwrap();
        for n in 0..most {
            assert!(addresses.count(numbered(n), rate, second), "{n}");
        }
        assert!(!addresses.count(numbered(most), rate, second), "one more than there is place for");
        assert!(addresses.wait(numbered(most), rate, second).is_zero(), "it is not held to anything");
        assert!(!addresses.wait(numbered(7), rate, second).is_zero(), "those who are known still are");
        // A second later none of them matters.
        assert!(addresses.count(numbered(most), rate, Time::from_millis(2000)));
        assert_eq!(addresses.rates.len(), 1);
        assert!(addresses.rates.capacity() < 64, "{}", addresses.rates.capacity());
    }

    #[test]
    fn a_flood_of_one_network_is_one_entry() {
        let mut addresses = Addresses::default();
        let rate = Rate::new(1, 3).unwrap();
        for n in 0..100_000_u128 {
            addresses.count(IpAddr::from((0x2001_0db8_u128 << 96 | n).to_be_bytes()), rate, Time::START);
        }
        assert_eq!(addresses.rates.len(), 1);
    }
}
