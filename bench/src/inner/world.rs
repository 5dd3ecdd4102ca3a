//! Drives the engine as the server does: take note of who is ready, then the steps of a turn, and on until nothing is
//! left to do. Then the clock is moved to the next deadline.

use std::net::SocketAddr;
use std::ops::Range;

use hollerd::config::Config;
use hollerd::connection::Readiness;
use hollerd::engine::{Application, Departure, Engine, Settings};
use hollerd::time::{Now, Time};

use super::lines::{self, Lines, UNIX_START, stamp};
use super::seat::{Hall, Seat, Sink, Stage, fold};

const READABLE: Readiness = Readiness { readable: true, writable: false, hangup: false };
/// How the poll reports a new socket.
const NEW: Readiness = Readiness { readable: true, writable: true, hangup: false };

/// A peer's silence before a ping, in milliseconds: 25 s, 10 % more or less, and what the wheel rounds up.
const SILENCE: Range<u64> = 22_500..27_500 + 2 * TICK;
/// A slot of the timer wheel, in milliseconds.
const TICK: u64 = 64;

/// The engine, its clock and its peers.
pub(crate) struct World<'h, A: Application> {
    pub(crate) engine: Engine<Sink<'h>, A>,
    seats: &'h [Seat<'h>],
    hall: &'h Hall,
    lines: &'h Lines,
    /// The virtual clock, in milliseconds.
    millis: u64,
    /// The CPU time of this process, in nanoseconds.
    watch: fn() -> u64,
    departures: Vec<Departure>,
    gone: u64,
    /// The longest turn since it was last asked for, in nanoseconds.
    longest_turn: u64,
    /// What every listener should have heard by now.
    said: Said,
    mistimed: u64,
}

/// The messages to everybody so far.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    count: u32,
    tally: u32,
}

impl<'h, A: Application> World<'h, A> {
    /// A world without peers. The settings are hollerd's own, but for what `tune` changes; there is room for all seats.
    /// `watch` tells the CPU time of this process, to see how long turns take.
    pub(crate) fn new(
        application: A,
        hall: &'h Hall,
        seats: &'h [Seat<'h>],
        lines: &'h Lines,
        watch: fn() -> u64,
        tune: impl FnOnce(&mut Config),
    ) -> Result<Self, String> {
        let mut config = Config::default();
        config.limits.connections = u32::try_from(seats.len()).map_err(|_| "too many seats")?;
        config.limits.pending = config.limits.connections;
        tune(&mut config);
        let settings = Settings {
            limits: config.limits,
            heartbeat: config.heartbeat,
            shutdown: config.shutdown,
            proxy: config.proxy,
        };
        Ok(Self {
            engine: Engine::new(application, lines::gate()?, settings, 1),
            seats,
            hall,
            lines,
            millis: 1_000,
            watch,
            departures: Vec::new(),
            gone: 0,
            longest_turn: 0,
            said: Said::default(),
            mistimed: 0,
        })
    }

    /// What the clocks say.
    pub(crate) fn now(&self) -> Now {
        Now { time: Time::from_millis(self.millis), unix: UNIX_START + self.millis / 1_000 }
    }

    /// The virtual clock, in milliseconds.
    pub(crate) fn millis(&self) -> u64 {
        self.millis
    }

    /// The longest turn since this was last asked, in nanoseconds.
    pub(crate) fn take_longest_turn(&mut self) -> u64 {
        std::mem::take(&mut self.longest_turn)
    }

    /// Lets the peers with these numbers come in together, by a request with a token, and say their names.
    pub(crate) fn come_in(&mut self, numbers: Range<usize>) {
        let (now, seats) = (self.now(), self.seats);
        for number in numbers.clone() {
            let Some(seat) = seats.get(number) else { return };
            let peer = self.engine.accept(Sink(seat), address(number).into(), now);
            seat.peer.set(Some(peer));
            self.say_as(number, self.lines.head(), NEW);
        }
        self.settle();
        if seats.get(numbers.start).is_some_and(|seat| seat.stage.get() == Stage::Nameless) {
            numbers.for_each(|number| self.say(number, self.lines.name(number)));
            self.settle();
        }
    }

    /// A peer says one of the texts that the lines have.
    pub(crate) fn speak(&mut self, number: usize, text: usize) {
        self.say(number, self.lines.text(text));
    }

    fn say(&mut self, number: usize, frames: &'h [u8]) {
        self.say_as(number, frames, READABLE);
    }

    fn say_as(&mut self, number: usize, bytes: &'h [u8], readiness: Readiness) {
        let Some(seat) = self.seats.get(number) else { return };
        let Some(peer) = seat.peer.get() else { return };
        seat.says.set(bytes);
        seat.quiet_since.set(self.millis);
        self.engine.ready(peer, readiness);
    }

    /// Notes that everybody is to hear the messages with these numbers.
    pub(crate) fn expect(&mut self, messages: Range<u32>) {
        for number in messages {
            self.said.count += 1;
            self.said.tally = fold(self.said.tally, stamp(number));
        }
    }

    /// Turn after turn until nothing is left to do now.
    pub(crate) fn settle(&mut self) {
        loop {
            self.turn();
            let answered = self.answer_pings();
            if !answered && !self.engine.is_busy() {
                return;
            }
        }
    }

    /// Lets the time pass, in steps from deadline to deadline, as the poll does when nobody says anything.
    pub(crate) fn pass_until(&mut self, millis: u64) {
        while let Some(wake) = self.engine.next_wake().map(Time::as_millis).filter(|&wake| wake <= millis) {
            self.millis = self.millis.max(wake);
            self.settle();
        }
        self.millis = self.millis.max(millis);
    }

    fn turn(&mut self) {
        let now = self.now();
        let began = (self.watch)();
        self.engine.receive(now);
        self.engine.broadcast(now);
        self.engine.expire(now);
        self.engine.flush(now);
        self.engine.reap(now, &mut self.departures);
        self.longest_turn = self.longest_turn.max((self.watch)() - began);
        self.gone += self.departures.len() as u64;
        self.departures.clear();
    }

    fn answer_pings(&mut self) -> bool {
        let mut pinged = self.hall.pinged.take();
        let answered = !pinged.is_empty();
        for number in pinged.drain(..) {
            let number = number as usize;
            let silence = self.seats.get(number).map_or(0, |seat| self.millis - seat.quiet_since.get());
            self.mistimed += u64::from(!SILENCE.contains(&silence));
            self.say(number, self.lines.pong());
        }
        self.hall.pinged.replace(pinged);
        answered
    }

    /// How many pings all peers have got.
    pub(crate) fn pings(&self) -> u64 {
        self.seats.iter().map(|seat| u64::from(seat.pings.get())).sum()
    }

    /// How many deliveries all peers have got.
    pub(crate) fn deliveries(&self) -> u64 {
        self.seats.iter().map(|seat| u64::from(seat.heard.get())).sum()
    }

    /// What is not as it should be, one line for each kind of mistake. Everybody is to have heard what was expected, but
    /// the speaker, if there was one who does not hear itself.
    pub(crate) fn faults(&self, speaker: Option<usize>) -> Vec<String> {
        let outside = self.seats.iter().filter(|seat| seat.stage.get() != Stage::Inside).count() as u64;
        let listeners = self.seats.iter().enumerate().filter(|(number, _)| Some(*number) != speaker);
        let misheard =
            listeners.filter(|(_, seat)| seat.heard.get() != self.said.count || seat.tally.get() != self.said.tally);
        // Whoever has been silent for longer than this should have been pinged.
        let forgotten = self.seats.iter().filter(|seat| self.millis - seat.quiet_since.get() >= SILENCE.end);
        let counts = [
            (outside, "peers are not in and named"),
            (self.gone, "peers were sent away"),
            (misheard.count() as u64, "peers did not hear every message once and in order"),
            (forgotten.count() as u64, "peers were silent for too long and not pinged"),
            (self.mistimed, "pings came too early or too late"),
            (self.engine.counters().pings.abs_diff(self.pings()), "pings are lost"),
            (self.hall.odd.get(), "writes were no whole frames, or not expected"),
        ];
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// An address of its own for each peer.
fn address(number: usize) -> SocketAddr {
    let [_, a, b, c] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    SocketAddr::from(([10, a, b, c], 40_000))
}
