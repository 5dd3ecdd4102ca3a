//! An application that does whatever can be done on a desk, at random, and writes down what it says.

use std::time::Duration;

use hollerd::config::{Config, Limits};
use hollerd::connection::Peer;
use hollerd::engine::{Application, Arrival, Desk, RoomId};
use hollerd::wire::close::Ending;
use hollerd::wire::frame::Message;
use hollerd::wire::path::room_of;
use hollerd::wire::request::Request;
use hollerd::wire::response::{Refusal, Status};

use crate::ledger::{Ledger, Witness};
use crate::request::ROOMS;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Busybody {
    random: fastrand::Rng,
    ledger: Ledger,
    /// So that no two messages are equal.
    number: u64,
    talkative: bool,
    limits: Limits,
}

/// What it knows of a peer.
#[derive(Debug, Default)]
pub(crate) struct Sticker(u8);

type Table<'a> = Desk<'a, Sticker>;

impl Busybody {
    pub(crate) fn new(seed: u64, limits: &Limits) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self { talkative: random.bool(), random, ledger: Ledger::default(), number: 0, limits: limits.clone() }
    }

    fn line(&mut self, what: &str) -> String {
        self.number += 1;
        let size = if self.random.u8(..20) == 0 { self.random.usize(..400) } else { 0 };
        format!("{what} {} {}", self.number, "x".repeat(size))
    }

    fn somebody(&mut self, desk: &Table<'_>, or: Peer) -> Peer {
        let peers: Vec<Peer> = desk.peers().collect();
        self.random.choice(peers).unwrap_or(or)
    }

    /// A message of a peer, to be passed on one way or the other.
    fn pass_on(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        match self.random.u8(..100) {
            0..=19 => self.send(desk, peer, message),
            20..=59 => {
                let room = self.ledger.present(peer).room.clone();
                self.ledger.count("broadcast_others");
                self.ledger.broadcast(desk, &room, Some(peer), message);
                desk.broadcast_others(peer, message);
            }
            60..=74 => self.broadcast(desk, peer, message),
            75..=79 => self.everywhere(desk, message),
            80..=84 => self.filter(desk, peer, message),
            85..=89 => self.list(desk, peer, message),
            _ => self.act(desk, peer),
        }
    }

    fn act(&mut self, desk: &mut Table<'_>, peer: Peer) {
        let other = self.somebody(desk, peer);
        match self.random.u8(..24) {
            0..=4 => self.move_to(desk, peer),
            5..=6 => self.move_to(desk, other),
            7..=10 => self.ask_when_flushed(desk, peer),
            11..=16 => self.appoint(desk, peer),
            17..=18 => self.close(desk, other),
            19 => {
                self.ledger.count("end");
                let ending =
                    if self.random.bool() { Ending::Fault("an application said so") } else { Ending::RoomForbidden };
                desk.end(other, ending);
            }
            20 => {
                // What is said after the end must not come.
                self.close(desk, peer);
                let late = self.line("too late for some");
                self.broadcast(desk, peer, Message::Text(&late));
                self.send(desk, peer, Message::Text(&late));
            }
            21 => {
                // More than can wait for one peer, all in one turn.
                for _ in 0..self.random.u8(2..40) {
                    let flood = self.line("one of very many");
                    self.send(desk, other, Message::Text(&flood));
                }
            }
            22 if self.random.u8(..20) == 0 => {
                self.ledger.count("close_all");
                desk.close_all(4001, "all out");
            }
            _ => {
                if let Some(sticker) = desk.data_mut(other) {
                    sticker.0 = self.random.u8(..4);
                }
            }
        }
    }

    fn send(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        self.ledger.count("send");
        self.ledger.send(desk, peer, message);
        desk.send(peer, message);
    }

    fn broadcast(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        let Some(room) = desk.room(peer) else { return };
        self.broadcast_in(desk, room, message);
    }

    fn broadcast_in(&mut self, desk: &mut Table<'_>, room: RoomId, message: Message<'_>) {
        let Some(name) = desk.room_name(room).map(str::to_owned) else { return };
        self.ledger.count("broadcast");
        self.ledger.broadcast(desk, &name, None, message);
        desk.broadcast(room, message);
    }

    fn everywhere(&mut self, desk: &mut Table<'_>, message: Message<'_>) {
        self.ledger.count("broadcast_everywhere");
        let rooms: Vec<String> = desk.rooms().filter_map(|room| desk.room_name(room).map(str::to_owned)).collect();
        for room in rooms {
            self.ledger.broadcast(desk, &room, None, message);
        }
        desk.broadcast_everywhere(message);
    }

    fn filter(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        self.ledger.count("broadcast_filter");
        let Some(room) = desk.room(peer) else { return };
        let wanted = self.random.u8(..4);
        let picked: Vec<Peer> =
            desk.peers_in(room).filter(|&peer| desk.data(peer).is_some_and(|data| data.0 == wanted)).collect();
        for peer in picked {
            self.ledger.send(desk, peer, message);
        }
        desk.broadcast_filter(room, message, |_, sticker| sticker.0 == wanted);
    }

    /// A list with strangers and repetitions in it.
    fn list(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        self.ledger.count("broadcast_to");
        let stranger = Peer { index: peer.index, generation: peer.generation.wrapping_add(1000) };
        let list = [peer, self.somebody(desk, peer), stranger, self.somebody(desk, peer)];
        for peer in list {
            self.ledger.send(desk, peer, message);
        }
        desk.broadcast_to(&list, message);
    }

    fn move_to(&mut self, desk: &mut Table<'_>, peer: Peer) {
        self.ledger.count("move_to");
        let room = ROOMS[self.random.usize(..ROOMS.len())];
        let open = desk.is_open(peer);
        let old = desk.room(peer);
        let crowded = self.is_crowded(desk, room);
        let moved = desk.move_to(peer, room);
        match moved {
            Some(id) => assert!(open && (!crowded || old.is_none_or(|old| old == id || desk.room_name(old).is_none()))),
            None => assert!(!open || (crowded && desk.room(peer) == old), "only those who are there can be moved"),
        }
        if open && moved.is_none() && self.random.bool() {
            let (rooms, users) = (self.limits.rooms, self.limits.users_per_room);
            let is_there = desk.find_room(room).is_some();
            let full = if is_there { Ending::RoomFull { most: users } } else { Ending::TooManyRooms { most: rooms } };
            return desk.end(peer, full);
        }
        if let Some(id) = moved {
            assert_eq!((desk.room(peer), desk.room_name(id)), (Some(id), Some(room)));
            let guest = self.ledger.present(peer);
            guest.room = room.to_owned();
            // What it has not been sent of its old room it takes along.
            guest.coming.iter_mut().for_each(|item| item.private = true);
        }
        let line = self.line("moved");
        self.send(desk, peer, Message::Text(&line));
    }

    /// Whether a limit is in the way of those who come from another room in which others are.
    fn is_crowded(&self, desk: &Table<'_>, room: &str) -> bool {
        match desk.find_room(room) {
            Some(id) => self.limits.users_per_room > 0 && desk.count(id) >= self.limits.users_per_room as usize,
            None => desk.rooms().count() >= self.limits.rooms as usize,
        }
    }

    fn ask_when_flushed(&mut self, desk: &mut Table<'_>, peer: Peer) {
        self.ledger.count("notify_when_flushed");
        if desk.is_open(peer) {
            let guest = self.ledger.present(peer);
            guest.flush_asked = Some(guest.said);
        }
        desk.notify_when_flushed(peer);
    }

    fn appoint(&mut self, desk: &mut Table<'_>, peer: Peer) {
        self.ledger.count("set_deadline");
        let after = (self.random.u8(..4) > 0).then(|| Duration::from_millis(self.random.u64(..1000)));
        if desk.is_open(peer) {
            self.ledger.present(peer).appointment = after.map(|after| desk.now().time + after);
        }
        desk.set_deadline(peer, after);
    }

    fn close(&mut self, desk: &mut Table<'_>, peer: Peer) {
        self.ledger.count("close");
        let reason = self.line("asked to go ").repeat(4);
        desk.close(peer, 4000, &reason);
        assert!(!desk.is_open(peer));
    }
}

impl Witness for Busybody {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn remark(&mut self, desk: &mut Table<'_>) {
        let line = self.line("from nowhere");
        let rooms: Vec<RoomId> = desk.rooms().collect();
        if let Some(room) = self.random.choice(rooms) {
            self.broadcast_in(desk, room, Message::Text(&line));
        }
        self.ledger.compare(desk);
    }
}

impl Application for Busybody {
    type Data = Sticker;

    fn room_for(&self, path: &str) -> Result<String, Refusal> {
        let room = room_of(path, "lobby")?.ok_or_else(|| Refusal::new(Status::NotFound, "no such room"))?;
        Ok(room.to_owned())
    }

    fn admit(&mut self, _request: &Request<'_>, _room: &str) -> Result<Sticker, Refusal> {
        Ok(Sticker(self.random.u8(..4)))
    }

    fn opened(&mut self, desk: &mut Table<'_>, peer: Peer, arrival: Arrival) {
        self.ledger.open(desk, peer, arrival.room);
        match self.random.u8(..20) {
            0 => self.close(desk, peer),
            1 => self.move_to(desk, peer),
            2..=9 => {
                let line = self.line("welcome");
                self.send(desk, peer, Message::Text(&line));
                self.ask_when_flushed(desk, peer);
            }
            _ => {}
        }
    }

    fn message(&mut self, desk: &mut Table<'_>, peer: Peer, message: Message<'_>) {
        self.ledger.hear(peer, message);
        self.pass_on(desk, peer, message);
    }

    fn pong(&mut self, desk: &mut Table<'_>, peer: Peer, _payload: &[u8]) {
        self.ledger.present(peer);
        if self.random.u8(..10) == 0 {
            let line = self.line("you live");
            self.send(desk, peer, Message::Text(&line));
        }
    }

    fn flushed(&mut self, desk: &mut Table<'_>, peer: Peer) {
        let guest = self.ledger.present(peer);
        let asked = guest.flush_asked.take();
        assert!(asked.is_some(), "{peer:?} is flushed and nobody asked");
        guest.flush_told = asked;
        if self.talkative {
            let line = self.line("now that it is sent");
            self.broadcast(desk, peer, Message::Text(&line));
        }
    }

    fn overdue(&mut self, desk: &mut Table<'_>, peer: Peer) {
        let due = self.ledger.present(peer).appointment.take();
        let now = desk.now().time;
        assert!(due.is_some_and(|due| due <= now), "{peer:?} is overdue at {now:?}, but was due at {due:?}");
        let line = self.line("overdue");
        match self.random.u8(..4) {
            0 => desk.end(peer, Ending::NoNameInTime(Duration::from_secs(1))),
            1 => self.everywhere(desk, Message::Text(&line)),
            2 => self.appoint(desk, peer),
            _ => self.broadcast(desk, peer, Message::Text(&line)),
        }
    }

    fn closed(&mut self, desk: &mut Table<'_>, peer: Peer, ending: &Ending) {
        self.ledger.close(desk, peer, ending);
        if self.talkative {
            let line = self.line("somebody left");
            self.broadcast(desk, peer, Message::Text(&line));
            self.send(desk, peer, Message::Text(&line));
        }
    }

    fn reconfigure(&mut self, _desk: &mut Table<'_>, config: &Config) {
        self.limits = config.limits.clone();
    }
}
