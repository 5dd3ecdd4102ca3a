//! What there is at this moment, for somebody who looks from outside: totals that are kept as things happen, and lists that
//! come page by page, because a server can hold a million of everything and a page must not hold up the loop.

use super::rooms::RoomId;
use super::{Application, Engine};
use crate::connection::remote::Remote;
use crate::connection::stream::Stream;
use crate::time::Time;

/// One page looks at no more than so many places, occupied or not.
const PLACES_MAX: usize = 16_384;

/// Totals of this moment. Reading them costs the same however many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Connections whose request has not come whole yet.
    pub handshake: usize,
    /// Connections whose token is to come as the first message.
    pub token_check: usize,
    /// Connections that are admitted.
    pub open: usize,
    /// Connections on their way out.
    pub closing: usize,
    /// Rooms that somebody is in, or whose history is kept.
    pub rooms: usize,
    /// Bytes of messages that are held in rooms' logs: somebody has not been sent them yet, or they are history.
    pub log_bytes: u64,
    /// Peers that could not take everything that was said to their room.
    pub slow_readers: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of their places, which nobody changes while it is there: who is there from the first page to the last
    /// is on one of them, once.
    pub items: Vec<T>,
    /// The place behind which the next page begins; `None` if this is the last page. A page with few items, or none, may
    /// have one after it.
    pub next: Option<u32>,
}

/// A room, as a list shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomEntry<'e> {
    /// Its name.
    pub name: &'e str,
    /// How many peers are in it.
    pub users: usize,
    /// The number of its newest message; the first one since it was made is 1.
    pub sequence: u64,
    /// Bytes that its log holds.
    pub log_bytes: u64,
    /// How many of its peers have not been sent everything.
    pub slow_readers: usize,
}

/// A peer, as a list shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserEntry<'e> {
    /// What the application calls it, if anything.
    pub name: Option<&'e str>,
    /// Its address.
    pub remote: Remote,
    /// When it was accepted.
    pub accepted: Time,
    /// Bytes that were said to it or its room and are not with the kernel yet.
    pub unread: usize,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// Totals of this moment.
    pub fn totals(&self) -> Totals {
        let hub = &self.hub;
        let (open, token_check, closing) = (hub.open as usize, hub.token_check as usize, hub.closing as usize);
        Totals {
            handshake: hub.connections.len() - open - token_check - closing,
            token_check,
            open,
            closing,
            rooms: hub.rooms.len(),
            log_bytes: hub.rooms.log_bytes(),
            slow_readers: hub.behind,
        }
    }

    /// Up to `most` rooms behind the place `after`.
    pub fn rooms_page(&self, after: Option<u32>, most: usize) -> Page<RoomEntry<'_>> {
        let rooms = &self.hub.rooms;
        let entry = |place| {
            let room = rooms.get(place)?;
            let audiences = || rooms.audiences_of(place).filter_map(|audience| rooms.audience(audience));
            Some(RoomEntry {
                name: &room.name,
                users: room.open,
                sequence: room.said,
                log_bytes: audiences().map(|audience| audience.log.bytes()).sum(),
                slow_readers: audiences().map(|audience| audience.behind).sum(),
            })
        };
        page(first(after)..rooms.places(), most, entry)
    }

    /// Up to `most` peers of a room behind the place `after`.
    pub fn users_page(&self, room: RoomId, after: Option<u32>, most: usize) -> Page<UserEntry<'_>> {
        let rooms = &self.hub.rooms;
        let audiences = || rooms.audiences_of(room.0).filter_map(|audience| rooms.audience(audience));
        if audiences().map(|audience| audience.members().len()).sum::<usize>() > PLACES_MAX {
            // In a room so large every place of the server is looked at: most of them belong to it.
            let places = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
            return page(first(after)..places, most, |place| self.user_at(place, room));
        }
        let mut places: Vec<u32> = audiences()
            .flat_map(|audience| audience.members().iter().copied())
            .filter(|&place| place >= first(after))
            .collect();
        places.sort_unstable();
        page(places, most, |place| self.user_at(place, room))
    }

    fn user_at(&self, place: u32, room: RoomId) -> Option<UserEntry<'_>> {
        let connection = self.hub.connections.get(place as usize)?;
        let here = connection.is_open() && self.hub.rooms.room_at(connection.seat) == Some(room);
        here.then(|| UserEntry {
            name: self.application.label(&connection.data),
            remote: connection.remote,
            accepted: connection.accepted,
            unread: self.hub.unread(connection.peer),
        })
    }
}

/// The first place of a page.
fn first(after: Option<u32>) -> u32 {
    after.map_or(0, |after| after.saturating_add(1))
}

/// Looks at `places` until there are `most` items and it is known that there is another one.
fn page<T>(places: impl IntoIterator<Item = u32>, most: usize, entry: impl Fn(u32) -> Option<T>) -> Page<T> {
    let mut items = Vec::new();
    let mut last = None;
    for (looked_at, place) in places.into_iter().enumerate() {
        if looked_at == PLACES_MAX {
            return Page { items, next: last };
        }
        if let Some(item) = entry(place) {
            if items.len() == most {
                return Page { items, next: last };
            }
            items.push(item);
        }
        last = Some(place);
    }
    Page { items, next: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(place: u32) -> Option<u32> {
        place.is_multiple_of(2).then_some(place)
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let mut seen = Vec::new();
        let mut after = None;
        for _ in 0..100 {
            let page = page(first(after)..99, 7, even);
            assert!(page.items.len() <= 7);
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..99).step_by(2).collect::<Vec<u32>>());
    }

    #[test]
    fn the_last_page_says_that_it_is_the_last() {
        assert_eq!(page(0..5, 3, even), Page { items: vec![0, 2, 4], next: None });
        assert_eq!(page(0..7, 3, even), Page { items: vec![0, 2, 4], next: Some(5) });
        assert_eq!(page(0..0, 3, even), Page { items: vec![], next: None });
        assert_eq!(page(first(Some(u32::MAX))..7, 3, even), Page { items: vec![], next: None });
    }

    #[test]
    fn a_page_looks_at_so_many_places_and_no_more() {
        let nobody = |_| None::<u32>;
        let places = u32::try_from(PLACES_MAX).unwrap();
        assert_eq!(page(0..2 * places, 3, nobody), Page { items: vec![], next: Some(places - 1) });
        assert_eq!(page(places..2 * places, 3, nobody).next, None);
    }
}
