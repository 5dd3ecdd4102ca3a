//! The limits on who comes, in the order in which they are looked at, and the counts that they are held against.
//!
//! First what concerns everybody: the shutdown, `limits.connections`, `limits.pending` (503). Then what concerns one
//! address: `limits.connections_per_address`, `limits.pending_per_address`, `limits.handshakes_per_second_per_address`
//! (429). Last the rate in all, `limits.handshakes_per_second` (503): whoever is over a limit of its own takes nothing of
//! it, so a flood from a few addresses leaves it to the others. The rooms come later, when the room is known.
//!
//! Of somebody who comes through a trusted proxy the address is not known yet. Then only the first part is looked at, and
//! the others are when the proxy has said whom it speaks for.

use std::net::IpAddr;

use super::hub::Hub;
use super::{Application, Engine};
use crate::config::ForwardedHeader;
use crate::connection::Peer;
use crate::connection::phase::Stage;
use crate::connection::remote::{Introduced, Remote};
use crate::connection::stream::Stream;
use crate::rate::{Meter, Rate};
use crate::wire::close::Ending;
use crate::wire::forwarded::{forwarded, x_forwarded_for};
use crate::wire::request::Request;
use crate::wire::response::{Refusal, Status};

/// `Retry-After` is a random number of seconds up to this, so that those who were refused together do not come back
/// together.
const RETRY_AFTER_MAX_S: u32 = 30;

/// Of those who were refused on arrival this many are waited for, so that no reset eats their answer.
const REFUSED_WAITING_MAX: usize = 16;

/// A limit that was reached.
struct Struck {
    status: Status,
    /// For the peer.
    text: &'static str,
    /// The key in `[limits]`, and its value.
    key: &'static str,
    limit: u32,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// The answer for a connection that comes when there is no place for it, and what the log says.
    pub(super) fn refusal_on_arrival(&mut self, remote: Remote) -> Option<(Refusal, String)> {
        if self.drain.is_some() {
            let text = Ending::ShuttingDown.reason().into_owned();
            return Some((self.try_later(Status::ServiceUnavailable, &text), text));
        }
        let known = !self.hub.trusts(remote);
        let struck = self.hub.full().or_else(|| known.then(|| self.hub.come(remote)).flatten())?;
        Some(self.refusal_of(&struck))
    }

    fn refusal_of(&mut self, struck: &Struck) -> (Refusal, String) {
        let detail = format!("{} (limits.{} = {})", struck.text, struck.key, struck.limit);
        (self.try_later(struck.status, struck.text).because(struck.key), detail)
    }

    /// Looks who it is that a request comes from, if it comes through a proxy that is trusted. False if that client is
    /// over a limit and has been told so.
    pub(super) fn find_client(&mut self, peer: Peer, request: &Request<'_>) -> bool {
        let Some(connection) = self.hub.get(peer) else { return false };
        let (remote, unnamed) = (connection.remote, connection.unnamed);
        if !self.hub.trusts(remote) {
            return true;
        }
        let trusted = |ip| self.hub.trusts_address(Some(ip));
        let client = match self.hub.proxy.header {
            _ if unnamed => None,
            ForwardedHeader::XForwardedFor => x_forwarded_for(request, trusted),
            ForwardedHeader::Forwarded => forwarded(request, trusted),
            ForwardedHeader::None => None,
        };
        let client = client.map_or(remote, |(ip, port)| Remote::Inet { ip, port });
        self.introduce(peer, client, request.method() == "HEAD")
    }

    /// The first bytes of a connection have told whose it is.
    pub(super) fn meet(&mut self, peer: Peer, introduced: Introduced) {
        match introduced {
            // Another proxy, which may say more in the request.
            Introduced::As(client) if self.hub.trusts(client) => self.hub.set_remote(peer, client),
            Introduced::As(client) => drop(self.introduce(peer, client, false)),
            Introduced::AsNobody => {
                if let Some(connection) = self.hub.get_mut(peer) {
                    connection.unnamed = true;
                }
            }
        }
    }

    /// True if somebody who connects from there has to begin with a PROXY header.
    pub fn expects_introduction(&self, remote: Remote) -> bool {
        self.hub.proxy.protocol && self.hub.trusts(remote)
    }

    /// A connection turns out to be that of `client`, for whom all limits count that could not be looked at before. False
    /// if one of them was reached; then the client has been told so.
    fn introduce(&mut self, peer: Peer, client: Remote, head_only: bool) -> bool {
        self.hub.set_remote(peer, client);
        let Some(struck) = self.hub.come(client) else {
            self.hub.enter_address(peer);
            return true;
        };
        let (refusal, detail) = self.refusal_of(&struck);
        self.hub.refuse(peer, &refusal, head_only, detail);
        self.hub.leave_pending(peer);
        self.hub.enter_refused(peer);
        false
    }

    /// A refusal that says when to come again.
    pub(super) fn try_later(&mut self, status: Status, text: &str) -> Refusal {
        let seconds = self.retry_after();
        Refusal::new(status, format!("{text}, try again in {seconds} s")).retry_after(seconds)
    }

    pub(super) fn retry_after(&mut self) -> u32 {
        self.random.u32(1..=RETRY_AFTER_MAX_S)
    }
}

impl<D> Hub<D> {
    /// The limits that do not ask who comes.
    fn full(&mut self) -> Option<Struck> {
        let status = Status::ServiceUnavailable;
        let limits = &self.limits;
        if self.occupied() >= limits.connections as usize {
            self.counters.full += 1;
            return Some(Struck { status, text: "the server is full", key: "connections", limit: limits.connections });
        }
        if self.pending >= limits.pending {
            self.counters.pending_full += 1;
            let text = "too many connections are waiting to be let in";
            return Some(Struck { status, text, key: "pending", limit: limits.pending });
        }
        None
    }

    /// The limits by address and the rates, which count somebody who is within all of them.
    fn come(&mut self, remote: Remote) -> Option<Struck> {
        let status = Status::TooManyRequests;
        let limits = &self.limits;
        let here = self.counted_ip(remote).map(|ip| self.addresses.here(ip)).unwrap_or_default();
        let limit = limits.connections_per_address;
        if limit > 0 && here.connections >= limit {
            self.counters.connections_per_address_full += 1;
            let text = "too many connections from your address";
            return Some(Struck { status, text, key: "connections_per_address", limit });
        }
        let limit = limits.pending_per_address;
        if limit > 0 && here.pending >= limit {
            self.counters.pending_per_address_full += 1;
            let text = "too many connections from your address are waiting to be let in";
            return Some(Struck { status, text, key: "pending_per_address", limit });
        }
        self.come_at_a_rate(remote)
    }

    fn come_at_a_rate(&mut self, remote: Remote) -> Option<Struck> {
        let (limits, now) = (&self.limits, self.now.time);
        let limit = limits.handshakes_per_second_per_address;
        let of_address = self.counted_ip(remote).zip(Rate::new(limit, limits.handshake_burst_per_address));
        if of_address.is_some_and(|(ip, rate)| !self.addresses.wait(ip, rate, now).is_zero()) {
            self.counters.handshakes_per_address_over += 1;
            let text = "too many new connections from your address";
            let status = Status::TooManyRequests;
            return Some(Struck { status, text, key: "handshakes_per_second_per_address", limit });
        }
        let limit = limits.handshakes_per_second;
        if !self.arrivals.take(Rate::new(limit, limits.handshake_burst), now) {
            self.counters.handshakes_over += 1;
            let status = Status::ServiceUnavailable;
            return Some(Struck { status, text: "too many new connections", key: "handshakes_per_second", limit });
        }
        if let Some((ip, rate)) = of_address {
            let counted = self.addresses.count(ip, rate, now);
            self.counters.addresses_full += u64::from(!counted);
        }
        None
    }

    /// Is this a proxy whose word counts?
    pub(super) fn trusts(&self, remote: Remote) -> bool {
        self.trusts_address(remote.ip())
    }

    fn trusts_address(&self, ip: Option<IpAddr>) -> bool {
        self.proxy.trusted.iter().any(|network| network.contains(ip))
    }

    /// The address that somebody is counted by. A proxy that is trusted is not counted: many come through it.
    fn counted_ip(&self, remote: Remote) -> Option<IpAddr> {
        remote.ip().filter(|_| !self.trusts(remote))
    }

    /// From here on a connection is that of `remote`. It is counted by no address until [`Hub::enter_address`].
    fn set_remote(&mut self, peer: Peer, remote: Remote) {
        self.leave_address(peer);
        if let Some(connection) = self.get_mut(peer) {
            connection.remote = remote;
        }
    }

    /// Counts a connection among those who are not admitted, until it is or until it is gone.
    pub(super) fn enter_pending(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        connection.counted.pending = true;
        self.pending += 1;
        self.enter_address(peer);
    }

    /// Counts a connection among those from its address, if it has one.
    fn enter_address(&mut self, peer: Peer) {
        let Some(ip) = self.get(peer).and_then(|connection| self.counted_ip(connection.remote)) else { return };
        let Some(connection) = self.get_mut(peer) else { return };
        let pending = connection.counted.pending;
        if !std::mem::replace(&mut connection.counted.address, true) {
            self.addresses.enter(ip, pending);
        }
    }

    pub(super) fn leave_pending(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        if !std::mem::take(&mut connection.counted.pending) {
            return;
        }
        let address = connection.remote.ip().filter(|_| connection.counted.address);
        self.pending -= 1;
        if let Some(ip) = address {
            self.addresses.leave_pending(ip);
        }
        if self.limits.connections_per_address == 0 {
            // Nobody asks how many are here, so nothing is kept for those who are in.
            self.leave_address(peer);
        }
    }

    /// Takes a connection out of the count of its address.
    pub(super) fn leave_address(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        let pending = connection.counted.pending;
        let ip = connection.remote.ip().filter(|_| std::mem::take(&mut connection.counted.address));
        let Some(ip) = ip else { return };
        if pending {
            self.addresses.leave_pending(ip);
        }
        self.addresses.leave(ip);
    }

    /// Counts those who are in by their address, or no longer, after `limits.connections_per_address` or `proxy.trusted` was
    /// changed.
    pub(super) fn count_address(&mut self, peer: Peer) {
        let wanted = self.limits.connections_per_address > 0;
        let Some(connection) = self.get(peer) else { return };
        let (counted, trusted) = (connection.counted, self.trusts(connection.remote));
        if wanted && !trusted && !counted.address && !counted.refused {
            self.enter_address(peer);
        } else if trusted || (!wanted && !counted.pending) {
            self.leave_address(peer);
        }
    }

    /// Everybody may come as if nobody had come lately.
    pub(super) fn forget_rates(&mut self) {
        self.addresses.forget_rates();
        self.arrivals = Meter::default();
    }

    /// Why nobody may take a seat in the room called `name`, and the key of that limit. `from` is the room in which
    /// somebody is now who would move.
    pub(super) fn no_seat(&mut self, name: &str, from: Option<u32>) -> Option<(Ending, &'static str)> {
        let limits = &self.limits;
        if let Some(room) = self.rooms.find(name) {
            let most = limits.users_per_room;
            let open = self.rooms.get(room.0).map_or(0, |room| room.open);
            let full = most > 0 && from != Some(room.0) && open >= most as usize;
            self.counters.users_per_room_full += u64::from(full);
            return full.then_some((Ending::RoomFull { most }, "users_per_room"));
        }
        // Whoever leaves a room of its own for another one makes place for it.
        let alone = from.is_some_and(|room| self.rooms.is_left_by_one(room));
        let most = limits.rooms as usize + usize::from(alone);
        let full = !self.rooms.make_place(most);
        self.counters.rooms_full += u64::from(full);
        full.then_some((Ending::TooManyRooms { most: limits.rooms }, "rooms"))
    }

    /// Panics unless the counts by address are those of the connections that are counted.
    pub(super) fn check_addresses(&self) {
        let counted = self.connections.iter().filter(|(_, connection)| connection.counted.address);
        self.addresses.check(counted.filter_map(|(_, other)| other.remote.ip().map(|ip| (ip, other.counted.pending))));
    }

    /// Counts a connection among those who were refused on arrival. When there are many, the oldest are waited for no
    /// longer: they have their answer, or could not take it, and others want theirs.
    pub(super) fn enter_refused(&mut self, peer: Peer) {
        let Some(connection) = self.get_mut(peer) else { return };
        connection.counted.refused = true;
        self.refused.push_back(peer);
        let excess = self.refused.len().saturating_sub(REFUSED_WAITING_MAX);
        let hopeless = self.refused.iter().filter(|&&peer| {
            self.get(peer).is_some_and(|connection| {
                let answered = connection.closing().is_some_and(|closing| closing.stage == Stage::Discarding);
                answered || !connection.ready.writable
            })
        });
        let oldest: Vec<Peer> = hopeless.take(excess).copied().collect();
        for peer in oldest {
            self.cut(peer);
        }
    }

    pub(super) fn leave_refused(&mut self, peer: Peer) {
        if self.get(peer).is_some_and(|connection| connection.counted.refused) {
            self.refused.retain(|&other| other != peer);
        }
    }

    /// How many places are taken; those who are being refused take none.
    pub(super) fn occupied(&self) -> usize {
        self.connections.len() - self.refused.len()
    }
}
