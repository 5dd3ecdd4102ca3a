//! Who comes back misses nothing and sees nothing twice. Clients of the JSON protocol talk to the real chat on links in memory,
//! under a virtual clock, and lose their connections at every point: with bytes half sent in either direction, noticed by
//! the server at once, late, or never before they come back. Each keeps books; in the end all books agree.
//!
//! `SIM_SEED=7` repeats one run, `SIM_SEEDS=5000` makes more of them, `SIM_STEPS=2000` longer ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "this crate is nothing but tests")]

mod client;
mod link;

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Book, Client};
use hollerd::auth::SessionKey;
use hollerd::chat::Chat;
use hollerd::config::Config;
use hollerd::connection::Readiness;
use hollerd::engine::{Engine, Gate, Settings};
use hollerd::time::{Now, Time};
use link::Link;

const START_MS: u64 = 1_796_812_800_000;

/// The engine and its clock.
pub(crate) struct World {
    engine: Engine<Link, Chat>,
    millis: u64,
}

#[test]
fn everything_comes_once_when_the_history_is_long_enough() {
    for seed in seeds() {
        play(seed, false);
    }
}

#[test]
fn a_gap_is_always_told() {
    let mut gaps = 0;
    for seed in seeds() {
        gaps += play(seed, true);
    }
    assert!(gaps > 0, "no client has come back too late: the test has not looked at that");
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(10),
    }
}

fn steps() -> u64 {
    std::env::var("SIM_STEPS").ok().map_or(400, |text| text.parse().expect("a number"))
}

/// One run; returns how often somebody was told of a gap.
fn play(seed: u64, short: bool) -> u64 {
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(seed, short);
    let mut clients: Vec<Client> = (0..random.usize(2..7)).map(|number| Client::new(number, seed)).collect();
    for _ in 0..steps() {
        let place = random.usize(..clients.len());
        if let Some(client) = clients.get_mut(place) {
            // Somebody has to stay, or the room is a new one when its history is short.
            client.act(&mut world, &mut random, !short || place > 0);
        }
        world.pass(random.u64(0..200), &mut clients, &mut random);
    }
    // Everybody stays connected until all is said and heard.
    for _ in 0..2_000 {
        clients.iter_mut().for_each(|client| client.calm_down(&mut world));
        world.pass(100, &mut clients, &mut random);
    }
    audit(&clients, short)
}

/// The books of all clients against each other.
fn audit(clients: &[Client], short: bool) -> u64 {
    let mut said: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for client in clients {
        assert!(client.is_satisfied(), "{} waits for an answer: {client:?}", client.name);
        for (number, entry) in &client.book.heard {
            let before = said.entry(*number).or_insert_with(|| entry.clone());
            assert_eq!(before, entry, "message {number} is not the same for everybody");
        }
    }
    let texts: Vec<&String> = said.values().map(|(_, text)| text).collect();
    let different: std::collections::BTreeSet<&&String> = texts.iter().collect();
    // What is no longer remembered can be said twice.
    assert!(short || different.len() == texts.len(), "something was said twice");
    let newest = said.keys().next_back().copied().unwrap_or(0);
    for client in clients {
        let Book { heard, next, gaps, first, .. } = &client.book;
        assert_eq!(*next, newest + 1, "{} has not heard everything", client.name);
        let missing = (*first..=newest).filter(|number| !heard.contains_key(number)).count();
        assert_eq!(missing as u64, gaps.iter().map(|gap| gap.end - gap.start).sum::<u64>(), "a gap was not told");
        assert!(short || gaps.is_empty(), "{} has missed {gaps:?}", client.name);
    }
    clients.iter().map(|client| client.book.gaps.len() as u64).sum()
}

impl World {
    fn new(seed: u64, short: bool) -> Self {
        let mut config = Config::default();
        config.limits.connections = 100;
        config.limits.pending = 100;
        config.limits.pending_per_address = 0;
        config.limits.messages_per_second = 0;
        config.history.messages = if short { 3 } else { 100_000 };
        config.history.bytes = if short { 2048 } else { 512 * 1024 };
        config.history.age = Duration::from_secs(if short { 20 } else { 36_000 });
        let settings = Settings::new(&config, config.limits.clone());
        let chat = Chat::new(&config.chat, &config.history, SessionKey::new(&seed.to_be_bytes()));
        Self { engine: Engine::new(chat, Gate::open(), settings, seed), millis: 1 }
    }

    pub(crate) fn now(&self) -> Now {
        Now { time: Time::from_millis(self.millis), unix_ms: START_MS + self.millis }
    }

    pub(crate) fn millis(&self) -> u64 {
        self.millis
    }

    /// A new connection, by a link whose one end the client keeps.
    pub(crate) fn accept(&mut self, client: usize) -> Link {
        let link = Link::default();
        let address = std::net::SocketAddr::from(([192, 0, 2, u8::try_from(client).unwrap_or(0)], 9));
        let peer = self.engine.accept(link.clone(), address.into(), self.now());
        link.belongs_to(peer);
        link
    }

    /// Lets time pass: bytes arrive, in pieces, and the engine turns as its deadlines say.
    fn pass(&mut self, millis: u64, clients: &mut [Client], random: &mut fastrand::Rng) {
        let until = self.millis + millis;
        loop {
            self.turn_until_idle(clients, random);
            match self.engine.next_wake() {
                Some(wake) if wake.as_millis() <= until => self.millis = self.millis.max(wake.as_millis()),
                _ => break,
            }
        }
        self.millis = until;
        self.turn_until_idle(clients, random);
    }

    fn turn_until_idle(&mut self, clients: &mut [Client], random: &mut fastrand::Rng) {
        for _ in 0..10_000 {
            let mut moved = false;
            for client in clients.iter_mut() {
                for link in client.links() {
                    let (readable, writable, hangup) = link.carry(random);
                    moved |= readable || writable || hangup;
                    if let Some(peer) = link.peer().filter(|_| readable || writable || hangup) {
                        self.engine.ready(peer, Readiness { readable, writable, hangup });
                    }
                }
            }
            self.turn();
            for client in clients.iter_mut() {
                moved |= client.listen(self);
            }
            if !moved && !self.engine.is_busy() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn turn(&mut self) {
        let now = self.now();
        self.engine.receive(now);
        self.engine.broadcast(now);
        self.engine.expire(now);
        self.engine.flush(now);
        self.engine.reap(now, &mut Vec::new());
        self.engine.check_invariants();
    }
}
