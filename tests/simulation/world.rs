//! The loop of the server without its poll: clients act, time passes, and the engine turns, as `server::Server` has it
//! turn.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hollerd::config::Config;
use hollerd::connection::remote::Remote;
use hollerd::connection::{Peer, Readiness};
use hollerd::engine::{Counters, Departure, Engine};
use hollerd::time::{Now, Time};

use crate::audit::Account;
use crate::client::Client;
use crate::door::Door;
use crate::ledger::Witness;
use crate::plan::Plan;
use crate::request;
use crate::socket::Line;

/// The wall clock when the simulation begins.
const UNIX_START: u64 = 1_700_000_000;
/// If nothing comes from outside the engine has to come to rest within so many turns.
const RESTLESS_MOST: u64 = 5000;
/// If everybody wants to go everybody has to be gone within so many turns.
const FAREWELL_MOST: u64 = 20_000;

/// A client that was accepted, and what is known about its connection.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) account: Account,
}

/// All clients, the network and one server.
pub(crate) struct World<W: Witness> {
    pub(crate) plan: Plan,
    random: fastrand::Rng,
    pub(crate) engine: Engine<Line, W>,
    pub(crate) now: Now,
    step: Rc<Cell<u64>>,
    /// Connected, but not accepted.
    backlog: VecDeque<Client>,
    pub(crate) places: BTreeMap<Peer, Place>,
    gone: Vec<Peer>,
    arrived: u16,
    pub(crate) draining: bool,
    /// Nothing comes from outside while this is set.
    quiet: bool,
    departures: Vec<Departure>,
    pub(crate) totals: Totals,
    pub(crate) door: Door,
    pub(crate) trace: bool,
}

/// Sums over all connections that are gone.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) departed: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) pings_before: u64,
    pub(crate) cut_before: u64,
    pub(crate) reloads: u64,
}

impl<W: Witness> World<W> {
    pub(crate) fn new(plan: Plan, application: W, step: Rc<Cell<u64>>, trace: bool) -> Self {
        let engine = Engine::new(application, plan.gate(), plan.settings.clone(), plan.seed);
        Self {
            random: fastrand::Rng::with_seed(!plan.seed),
            engine,
            now: Now { time: Time::from_millis(1), unix_ms: UNIX_START * 1000 },
            step,
            backlog: VecDeque::new(),
            places: BTreeMap::new(),
            gone: Vec::new(),
            arrived: 0,
            draining: false,
            quiet: false,
            departures: Vec::new(),
            totals: Totals::default(),
            door: Door::default(),
            trace,
            plan,
        }
    }

    /// Plays all steps, and then until everybody is gone.
    pub(crate) fn run(mut self) -> (Counters, BTreeMap<&'static str, u64>) {
        for step in 0..self.plan.steps {
            self.step.set(step);
            self.live();
            if self.draining && self.engine.connections() == 0 {
                break;
            }
        }
        self.say_farewell();
        self.check_the_end();
        (self.engine.counters().clone(), self.engine.application().ledger().used.clone())
    }

    fn live(&mut self) {
        self.invite();
        let shutdown = self.plan.shutdown.as_ref().filter(|(at, _)| *at <= self.step.get()).cloned();
        if let Some((_, ending)) = shutdown.filter(|_| !self.draining) {
            self.draining = true;
            self.backlog.clear();
            self.engine.begin_shutdown(ending, self.now);
        }
        self.reload();
        self.act(2);
        if self.random.u8(..50) == 0 {
            let (application, mut desk) = self.engine.application_mut(self.now);
            application.remark(&mut desk);
        }
        let most = if self.random.u8(..3) == 0 { 30 } else { 2 };
        let passed = Duration::from_millis(self.random.u64(..=most));
        self.pass(passed);
        self.turn();
        if self.random.u8(..16) == 0 {
            self.come_to_rest();
            self.sleep();
        }
    }

    /// Puts the settings in force whose time has come.
    fn reload(&mut self) {
        if self.plan.to_come.front().is_none_or(|(step, _)| *step > self.step.get()) {
            return;
        }
        let Some((_, mut era)) = self.plan.to_come.pop_front() else { return };
        era.from = self.now.time;
        self.engine.reconfigure(era.settings.clone(), self.plan.gate(), self.now);
        let limits = era.settings.limits.clone();
        let config = Config { chat: era.chat.clone(), limits, ..Config::default() };
        let (application, mut desk) = self.engine.application_mut(self.now);
        application.reconfigure(&mut desk, &config);
        self.plan.settings = era.settings.clone();
        self.plan.chat = era.chat.clone();
        self.plan.eras.push(era);
        self.door.reload();
        self.totals.reloads += 1;
        for place in self.places.values_mut() {
            // Deadlines are other ones from now on.
            place.account.ping_by = None;
            place.account.overdue = None;
        }
        if self.trace {
            println!("  reload: {:?}", self.plan.settings);
        }
    }

    /// New clients come, as long as there are fewer than the plan says.
    fn invite(&mut self) {
        let present = self.places.len() + self.backlog.len();
        let everybody = self.plan.crowd.saturating_sub(present);
        if self.draining || everybody == 0 || self.random.u8(..3) > 0 {
            return;
        }
        for _ in 0..self.random.usize(1..=everybody) {
            self.arrived += 1;
            let host = self.random.u8(1..=self.plan.addresses);
            // The port tells connections apart.
            let remote = SocketAddr::from(([192, 0, 2, host], self.arrived));
            let mut visit = request::visit(&mut self.random, self.plan.tokens, self.now.unix());
            let mut remote = remote;
            // A HEAD may be refused on arrival with a body or, when its client is known, without one: nobody can tell.
            if self.random.u8(..100) < self.plan.proxied && !visit.head_only {
                visit = request::through_a_proxy(&mut self.random, remote, visit);
                remote = SocketAddr::from(([198, 51, 100, host], self.arrived));
            }
            self.backlog.push_back(Client::new(self.random.u64(..), &self.plan, remote, visit));
        }
    }

    /// One in `share` clients does something, in this moment.
    fn act(&mut self, share: u8) {
        if self.quiet {
            return;
        }
        for client in self.backlog.iter_mut().chain(self.places.values_mut().map(|place| &mut place.client)) {
            if self.random.u8(..share) == 0 {
                client.act(self.now.time, &self.plan);
            }
        }
    }

    fn pass(&mut self, duration: Duration) {
        let time = self.now.time + duration;
        self.now = Now { time, unix_ms: UNIX_START * 1000 + time.as_millis() };
    }

    /// One turn of the loop. Between its steps the world goes on.
    fn turn(&mut self) {
        for place in self.places.values_mut() {
            place.client.socket.borrow_mut().begin_turn();
        }
        self.report();
        self.accept();
        self.engine.receive(self.now);
        self.disturb();
        self.engine.broadcast(self.now);
        self.disturb();
        self.engine.expire(self.now);
        self.disturb();
        self.engine.flush(self.now);
        self.disturb();
        self.engine.reap(self.now, &mut self.departures);
        self.audit_turn();
    }

    fn disturb(&mut self) {
        if self.random.u8(..8) == 0 {
            self.act(4);
        }
    }

    /// What the poll would return: some of the events that wait, and now and then one for somebody who is gone.
    fn report(&mut self) {
        let mut peers: Vec<Peer> = self.places.keys().copied().collect();
        self.random.shuffle(&mut peers);
        let mut left = self.plan.events_most;
        for peer in peers {
            let Some(place) = self.places.get(&peer).filter(|_| left > 0) else { break };
            let Some(event) = place.client.socket.borrow_mut().poll(self.quiet) else { continue };
            left -= 1;
            self.engine.ready(peer, event);
        }
        if self.random.u8(..20) == 0
            && let Some(&peer) = self.random.choice(&self.gone)
        {
            self.engine.ready(peer, Readiness { readable: true, writable: true, hangup: true });
        }
    }

    fn accept(&mut self) {
        for _ in 0..self.engine.limits().turn_accepts {
            if self.backlog.is_empty() || !self.engine.has_room() {
                return;
            }
            let Some(mut client) = self.backlog.pop_front() else { return };
            self.door.look(self.engine.counters());
            let peer = self.engine.accept(Line(Rc::clone(&client.socket)), client.remote.into(), self.now);
            client.peer = Some(peer);
            // Those who come through a proxy are counted when their request is there.
            if !self.plan.is_proxy(client.remote.ip()) {
                self.door.came(self.engine.counters(), client.remote.ip(), self.now.time);
            }
            self.door.audit(&self.plan.settings.limits);
            assert!(self.engine.stream_mut(peer).is_some(), "a connection has no stream");
            if self.random.u8(..=255) == 0 {
                // It could not be registered.
                client.socket.borrow_mut().break_off();
                self.engine.abandon(peer);
            }
            client.socket.borrow_mut().register();
            let account = Account::new(self.now.time);
            let before = self.places.insert(peer, Place { client, account });
            assert!(before.is_none(), "the name of {peer:?} was given twice");
        }
    }

    fn audit_turn(&mut self) {
        self.audit_places();
        self.audit_pings();
        let departures = std::mem::take(&mut self.departures);
        for departure in &departures {
            self.audit_departure(departure);
        }
        self.totals.cut_before = self.engine.counters().cut;
        self.engine.check_invariants();
        self.audit_memory();
        self.audit_crowds();
        if self.trace {
            println!(
                "step {:5}  {:9} ms  {:3} connections, {:3} open, {:5} broadcasts{}",
                self.step.get(),
                self.now.time.as_millis(),
                self.engine.connections(),
                self.engine.open(),
                self.engine.counters().broadcasts,
                if self.engine.is_busy() { ", busy" } else { "" }
            );
        }
    }

    /// Removes a connection that has departed.
    pub(crate) fn bury(&mut self, remote: Remote) -> (Peer, Place) {
        let is_it = |client: &Client| {
            Remote::from(client.remote) == remote || client.visit.forwarded.is_some_and(|it| Remote::from(it) == remote)
        };
        let found = self.places.iter().find(|(_, place)| is_it(&place.client)).map(|(&peer, _)| peer);
        let peer = found.unwrap_or_else(|| panic!("{remote} departs a second time, or never came"));
        self.gone.push(peer);
        let place = self.places.remove(&peer);
        place.map(|place| (peer, place)).expect("it was just found")
    }

    fn is_at_rest(&self) -> bool {
        let due = self.wake().is_some_and(|wake| wake <= self.now.time);
        let news = self.places.values().any(|place| place.client.socket.borrow().has_news());
        let waiting = !self.backlog.is_empty() && self.engine.has_room();
        !(self.engine.is_busy() || due || news || waiting)
    }

    fn wake(&self) -> Option<Time> {
        self.engine.next_wake().filter(|&wake| wake != Time::NEVER)
    }

    /// Nothing comes from outside, and time stands still: the engine has to come to rest, and then nobody may be owed
    /// anything.
    fn come_to_rest(&mut self) {
        self.quiet = true;
        let mut turns = 0;
        while !self.is_at_rest() {
            turns += 1;
            assert!(turns < RESTLESS_MOST, "the loop spins: {:?}", self.engine.counters());
            self.turn();
        }
        self.quiet = false;
        self.audit_rest();
    }

    /// Sleeps as the poll would: to the next deadline, or shorter because something happens, or much longer because the
    /// machine was suspended.
    fn sleep(&mut self) {
        let until = self.wake().map_or(Duration::from_millis(50), |wake| wake.since(self.now.time));
        let slept = match self.random.u64(..self.plan.jump_every.min(1 << 40)) {
            0..16 if self.plan.jump_every < u64::MAX => Duration::from_secs(self.random.u64(1..3700)),
            roll if roll % 2 == 0 => until,
            _ => until.min(Duration::from_millis(self.random.u64(1..200))),
        };
        self.pass(slept);
        self.turn();
    }

    fn say_farewell(&mut self) {
        for place in self.places.values_mut() {
            place.client.leave();
        }
        self.backlog.clear();
        let mut turns = 0;
        while self.engine.connections() > 0 {
            turns += 1;
            assert!(turns < FAREWELL_MOST, "{} connections never end", self.engine.connections());
            self.act(1);
            let passed = Duration::from_millis(self.random.u64(..20));
            self.pass(passed);
            self.turn();
            if self.random.u8(..8) == 0 {
                self.come_to_rest();
                self.sleep();
            }
        }
        self.come_to_rest();
    }
}
