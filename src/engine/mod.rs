//! All peers, without their sockets' readiness and without a clock: whoever drives the engine says what is ready and what
//! time it is, so that the whole server but `poll` runs in a simulation.
//!
//! One turn is `receive`, `broadcast`, `expire`, `flush`, `reap`, in this order. What a peer says is collected and applied
//! after its bytes are read; only `flush` writes to streams, and only `reap` removes anybody.

use crate::config::{self, Config, Heartbeat, Limits, Proxy, Shutdown};
use crate::connection::inbound::{InboundPool, Incoming};
use crate::connection::phase::Phase;
use crate::connection::remote::Remote;
use crate::connection::stream::Stream;
use crate::connection::{Peer, Readiness};
use crate::time::{Now, Time};
use crate::wire::boundary::MessageLimits;
use crate::wire::close::Ending;

mod addresses;
mod admission;
mod application;
mod arrival;
mod broadcast;
mod census;
mod counters;
mod desk;
mod drain;
mod expire;
mod flush;
mod gate;
mod histogram;
mod history;
mod hub;
mod reap;
mod receive;
mod reconfigure;
mod rooms;

pub use application::{Application, Arrival};
pub use census::{Page, RoomEntry, Totals, UserEntry};
pub use counters::{ClosedBy, Counters, Measures};
pub use desk::Desk;
pub use gate::Gate;
pub use histogram::Histogram;
pub use reap::Departure;
pub use rooms::RoomId;

use drain::Drain;
use history::History;
use hub::Hub;

/// Beyond the connections that are allowed, this many are accepted to be told so: they get a whole answer and an orderly
/// end. The descriptors for them are part of the reserve that `limits.connections` leaves.
pub const REFUSALS_MAX: usize = 32;

/// What the engine is told about its limits. `connections` and `pending` are final numbers here, not "0 = derive it".
#[derive(Debug, Clone)]
pub struct Settings {
    /// Section `[limits]` of the configuration.
    pub limits: Limits,
    /// Section `[heartbeat]`.
    pub heartbeat: Heartbeat,
    /// Section `[shutdown]`.
    pub shutdown: Shutdown,
    /// Section `[proxy]`.
    pub proxy: Proxy,
    /// Section `[history]`.
    pub history: config::History,
}

impl Settings {
    /// Those of a configuration, with its limits settled.
    pub fn new(config: &Config, limits: Limits) -> Self {
        let Config { heartbeat, shutdown, proxy, history, .. } = config.clone();
        Self { limits, heartbeat, shutdown, proxy, history }
    }
}

/// The server without its sockets. `S` is what it reads and writes, `A` is what it is for.
pub struct Engine<S, A: Application> {
    hub: Hub<A::Data>,
    /// By slab index, beside the connections: an application never sees them.
    streams: Vec<Option<S>>,
    application: A,
    gate: Gate,
    shutdown: Shutdown,
    drain: Option<Drain>,
    pool: InboundPool,
    /// The one read buffer.
    buffer: Vec<u8>,
    /// What the peer that is being read from has said; empty between two peers.
    incoming: Vec<Incoming>,
    /// Keys that came due; empty between two turns.
    due: Vec<u32>,
    /// For the random part of `Retry-After`.
    random: fastrand::Rng,
    /// What the logs were allowed to hold before it was made less, as long as one of them still holds more.
    former_log_bound: u64,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// An engine without peers. `seed` decides what little is random.
    pub fn new(application: A, gate: Gate, settings: Settings, seed: u64) -> Self {
        let limits = &settings.limits;
        let mut random = fastrand::Rng::with_seed(seed);
        let history = History::of(A::HISTORY, &settings.history, limits);
        Self {
            pool: InboundPool::new(message_limits(limits)),
            buffer: vec![0; limits.turn_read],
            hub: Hub::new(settings.limits, settings.heartbeat, settings.proxy, history, random.u64(..)),
            streams: Vec::new(),
            application,
            gate,
            shutdown: settings.shutdown,
            drain: None,
            incoming: Vec::new(),
            due: Vec::new(),
            random,
            former_log_bound: 0,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.hub.limits
    }

    /// True while another connection can be taken, if only to be told that the server is full.
    pub fn has_room(&self) -> bool {
        let most = self.hub.limits.connections as usize;
        // After the limit was lowered there may be more than it allows; who comes then is told so all the same.
        let overfull = self.hub.occupied() >= most && self.hub.refused.len() < REFUSALS_MAX;
        overfull || self.hub.connections.len() < most + REFUSALS_MAX
    }

    /// Takes a connection that was just accepted. It is refused at once, with a whole HTTP answer, if a limit says so.
    pub fn accept(&mut self, stream: S, remote: Remote, now: Now) -> Peer {
        self.hub.now = now;
        self.hub.counters.accepted += 1;
        let refusal = self.refusal_on_arrival(remote);
        let peer = self.hub.insert(A::Data::default(), remote);
        let index = peer.index as usize;
        if index >= self.streams.len() {
            self.streams.resize_with(index + 1, || None);
        }
        if let Some(place) = self.streams.get_mut(index) {
            *place = Some(stream);
        }
        match refusal {
            Some((refusal, detail)) => {
                self.hub.refuse(peer, &refusal, false, detail);
                self.hub.enter_refused(peer);
            }
            None => self.hub.enter_pending(peer),
        }
        peer
    }

    /// The stream of a peer, to register it with whatever reports its readiness.
    pub fn stream_mut(&mut self, peer: Peer) -> Option<&mut S> {
        self.hub.get(peer)?;
        self.streams.get_mut(peer.index as usize)?.as_mut()
    }

    /// Takes note of what a peer's stream can do now. An event for somebody who is gone means nothing.
    pub fn ready(&mut self, peer: Peer, event: Readiness) {
        let Some(connection) = self.hub.get_mut(peer) else { return };
        connection.ready.readable |= event.readable || event.hangup;
        connection.ready.writable |= event.writable;
        connection.ready.hangup |= event.hangup;
        if connection.ready.readable {
            self.hub.queue_receive(peer);
        }
        if event.writable {
            self.hub.queue_flush(peer);
        }
    }

    /// Gives a connection up whose stream cannot be used, for example because it could not be registered.
    pub fn abandon(&mut self, peer: Peer) {
        self.hub.end(peer, Ending::Reset);
    }

    /// True when there is something to do at once: the next wait must not sleep.
    pub fn is_busy(&self) -> bool {
        let idle = self.hub.runnable.is_empty()
            && self.hub.unflushed.is_empty()
            && self.hub.rooms.passing.is_empty()
            && self.hub.over.is_empty()
            && self.hub.outdated.is_empty();
        !idle
    }

    /// When there is something to do if nothing happens before; `None` when nothing is armed at all.
    pub fn next_wake(&self) -> Option<Time> {
        let drain = self.drain.as_ref().map(|drain| drain.next);
        self.hub.wheel.next_wake().into_iter().chain(drain).chain(self.hub.rooms.next_wake()).min()
    }

    /// How many connections there are, in whatever phase.
    pub fn connections(&self) -> usize {
        self.hub.connections.len()
    }

    /// How many are admitted and not on their way out.
    pub fn open(&self) -> usize {
        self.hub.open as usize
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.hub.counters
    }

    /// How long things took.
    pub fn measures(&self) -> &Measures {
        &self.hub.measures
    }

    /// Takes note that a turn has ended at `at`. Nothing depends on it but [`Engine::measures`].
    pub fn end_turn(&mut self, at: Time) {
        let hub = &mut self.hub;
        hub.measures.turns.record(at.micros_since(hub.now.time));
        for since in hub.rooms.passed.drain(..) {
            hub.measures.fan_outs.record(at.micros_since(since));
        }
    }

    /// The application.
    pub fn application(&self) -> &A {
        &self.application
    }

    /// The application and a desk for it, for what does not come from a peer.
    pub fn application_mut(&mut self, now: Now) -> (&mut A, Desk<'_, A::Data>) {
        self.hub.now = now;
        (&mut self.application, Desk::new(&mut self.hub))
    }

    /// Tells the application who is gone, until nobody new is: what it does about that may end others.
    fn settle(&mut self) {
        while let Some(peer) = self.hub.departed.pop_front() {
            let Some(connection) = self.hub.get_mut(peer) else { continue };
            let owed = std::mem::take(&mut connection.owed.close_event);
            let Some(ending) = connection.closing().map(|closing| closing.ending.clone()) else { continue };
            if owed {
                self.application.closed(&mut Desk::new(&mut self.hub), peer, &ending);
            }
        }
    }

    /// Checks what must hold between two turns; for tests and debug builds.
    ///
    /// # Panics
    /// When something does not hold, which is a bug of ours and nothing that a peer can cause.
    pub fn check_invariants(&mut self) {
        assert!(self.hub.wheel.is_consistent(), "the timer wheel is out of order");
        assert!(self.hub.departed.is_empty() && self.incoming.is_empty(), "an event was not delivered");
        let mut open = 0;
        let mut pending = 0;
        let (mut token_check, mut closing) = (0, 0);
        for (index, connection) in &self.hub.connections {
            let stream = self.streams.get(index).is_some_and(Option::is_some);
            assert!(stream, "{:?} has no stream", connection.peer);
            let armed = self.hub.wheel.armed_for(connection.peer.index).is_some();
            // Without pings an open connection may have none until it is found to be behind.
            let without_pings = self.hub.heartbeat.ping_interval.is_zero() || self.hub.outdated.contains(&index);
            let may_idle = connection.is_open() && without_pings;
            assert!(armed || may_idle, "{:?} has no deadline in {}", connection.peer, connection.phase.name());
            open += u32::from(connection.is_open());
            pending += u32::from(connection.counted.pending);
            token_check += u32::from(matches!(connection.phase, Phase::TokenCheck(_)));
            closing += u32::from(connection.closing().is_some());
            if let Some(seat) = connection.seat {
                let members = self.hub.rooms.audience(seat.audience).map_or(&[][..], |audience| audience.members());
                assert_eq!(members.get(seat.index as usize), Some(&connection.peer.index), "a seat is wrong");
            }
        }
        assert_eq!((open, pending), (self.hub.open, self.hub.pending), "a count is wrong");
        self.hub.check_addresses();
        assert_eq!((token_check, closing), (self.hub.token_check, self.hub.closing), "a count of phases is wrong");
        let (mut slow_readers, mut log_bytes) = (0, 0);
        let bound = self.log_bound();
        // A log that was allowed to be larger may only shrink.
        let allowed = bound.max(self.former_log_bound);
        let mut largest = 0;
        for audience in self.hub.rooms.audiences() {
            let members = || audience.members().iter().filter_map(|&member| self.hub.connections.get(member as usize));
            let behind = members().filter(|member| member.counted.behind).count();
            let hearing = members().filter(|member| member.is_open() && !member.walk.deaf).count();
            let name = self.hub.rooms.get(audience.room).map_or("?", |room| &room.name);
            assert_eq!(behind, audience.behind, "the count of slow readers is wrong in {name}");
            assert_eq!(hearing, audience.hearing, "the count of those who hear is wrong in {name}");
            slow_readers += behind;
            log_bytes += audience.log.bytes();
            assert!(audience.log.bytes() <= allowed, "the log of {name} has outgrown its bound");
            largest = largest.max(audience.log.bytes());
        }
        assert_eq!((slow_readers, log_bytes), (self.hub.behind, self.hub.rooms.log_bytes()), "a total is wrong");
        self.former_log_bound = if largest > bound { largest } else { 0 };
    }

    /// The most that a room's log can hold: what is allowed, and what one turn can add before those who talk are held back.
    fn log_bound(&self) -> u64 {
        let limits = &self.hub.limits;
        limits.room_log as u64 + 2 * (receive::TURN_BYTES_MAX + limits.turn_read + limits.message) as u64
    }
}

fn message_limits(limits: &Limits) -> MessageLimits {
    MessageLimits { bytes: limits.message, fragments: limits.fragments }
}
