//! The load generator: a crowd of connections on one poll of its own, in one thread. A delivery costs it a share of one
//! read, a look at the frame where it lies, and a line in the books.

pub(crate) mod client;
pub(crate) mod hearing;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::clock;
use crate::frame;
use crate::histogram::Histogram;
use crate::server::Door;
use client::{Client, End, Phase};
use hearing::Hearing;

/// Everybody reads into one buffer of this size.
const BUFFER_BYTES: usize = 512 * 1024;
const EVENTS: usize = 1024;
/// The longest sleep of one turn, so that a run that stalls is noticed.
const NAP: Duration = Duration::from_millis(50);

/// How far connections are to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Upgraded, no more.
    Upgraded,
    /// Upgraded, named and greeted.
    Named,
}

/// The crowd.
#[derive(Debug)]
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    door: Door,
    goal: Goal,
    clients: Vec<Client>,
    serial: u32,
    /// `SO_RCVBUF` of those who come next, in bytes; 0 leaves it to the kernel, which takes megabytes for somebody who
    /// does not read.
    pub(crate) receive_buffer: usize,
    /// Nanoseconds for which it does not look again after a turn, so that it is not woken by each delivery: that would cost
    /// the server more than the delivery does. Latencies are longer by as much.
    pub(crate) rest: u32,
    /// Connections that are on their way in.
    arriving: usize,
    ready: usize,
    /// What is measured of the messages that come in.
    pub(crate) hearing: Hearing,
    /// How long it took to get in.
    pub(crate) arrivals: Histogram,
    /// Pings answered.
    pub(crate) pings: u64,
    /// Connections that were pinged, each counted once, since `count_pinged_anew`.
    pub(crate) pinged: usize,
    /// Grows with everything that happens; a run in which it stands still has stalled.
    progress: u64,
}

impl Crowd {
    pub(crate) fn new(door: &Door) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("no poll: {error}"))?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER_BYTES],
            door: door.clone(),
            goal: Goal::Named,
            clients: Vec::new(),
            serial: 0,
            receive_buffer: 0,
            rest: 0,
            arriving: 0,
            ready: 0,
            hearing: Hearing::new(door.echoes_own),
            arrivals: Histogram::new(),
            pings: 0,
            pinged: 0,
            progress: 0,
        })
    }

    /// How many places were ever taken; the next who comes gets this one.
    pub(crate) fn places(&self) -> usize {
        self.clients.len()
    }

    /// How many are in.
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// Lets so many more come, at most `together` at a time, and waits until they are in. Returns how many are.
    pub(crate) fn gather(&mut self, count: usize, together: usize, goal: Goal, patience: u64) -> Result<usize, String> {
        self.goal = goal;
        // A million that doubles as it grows would be there twice for a moment.
        self.clients.reserve_exact(count);
        let before = self.ready;
        let mut begun = 0;
        while begun < count || self.arriving > 0 {
            while begun < count && self.arriving < together {
                self.begin().map_err(|error| format!("connection {} cannot begin: {error}", begun + 1))?;
                begun += 1;
            }
            let seen = (self.ready, self.arriving);
            if !self.wait(patience, |crowd| (crowd.ready, crowd.arriving) != seen) {
                return Err(format!("only {} of {count} came in, {}", self.ready - before, self.endings_text()));
            }
        }
        let came = self.ready - before;
        if came < count {
            return Err(format!("only {came} of {count} came in, {}", self.endings_text()));
        }
        Ok(came)
    }

    fn begin(&mut self) -> io::Result<()> {
        let place = self.clients.len();
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let mut client = Client::begin(&self.door, number, self.serial, self.receive_buffer)?;
        if let Some(socket) = &mut client.socket {
            self.poll.registry().register(socket, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        }
        self.serial += 1;
        self.arriving += 1;
        self.clients.push(client);
        Ok(())
    }

    /// Turns until `done`; false if nothing at all happened for `patience` nanoseconds.
    pub(crate) fn wait(&mut self, patience: u64, done: impl Fn(&Self) -> bool) -> bool {
        let mut seen = self.progress;
        let mut since = clock::now();
        while !done(self) {
            self.turn(NAP);
            let now = clock::now();
            if self.progress != seen {
                (seen, since) = (self.progress, now);
            } else if now - since > patience {
                return false;
            }
        }
        true
    }

    /// Turns until the time is over.
    pub(crate) fn idle(&mut self, nanoseconds: u64) {
        let end = clock::now() + nanoseconds;
        loop {
            let left = end.saturating_sub(clock::now());
            if left == 0 {
                return;
            }
            self.turn(Duration::from_nanos(left));
        }
    }

    /// One poll and what it brings.
    pub(crate) fn turn(&mut self, longest: Duration) {
        if let Err(error) = self.poll.poll(&mut self.events, Some(longest)) {
            // A signal is no event; anything else shows as a run that stalls.
            debug_assert_eq!(error.kind(), ErrorKind::Interrupted);
            return;
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut count = 0;
        for event in &events {
            count += 1;
            self.progress += 1;
            let Token(place) = event.token();
            if event.is_writable() {
                self.write(place);
            }
            if event.is_readable() {
                if let Some(client) = self.clients.get_mut(place) {
                    client.hangup |= event.is_read_closed();
                }
                self.read(place);
            }
        }
        self.events = events;
        if self.rest > 0 && count < EVENTS {
            clock::pause(self.rest);
        }
    }

    /// Sends bytes that are one or more whole frames.
    pub(crate) fn send(&mut self, place: usize, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(place) else { return };
        if client.send(bytes).is_err() {
            self.end(place, End::Broken);
        }
    }

    fn write(&mut self, place: usize) {
        let Some(client) = self.clients.get_mut(place) else { return };
        let written = match client.phase {
            Phase::Connecting => match client.is_connected() {
                Ok(true) => client.ask(&self.door),
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            },
            Phase::Upgrading | Phase::Naming | Phase::Ready => client.send_rest(),
            Phase::Ended(_) => Ok(()),
        };
        if written.is_err() {
            self.end(place, End::Broken);
        }
    }

    fn read(&mut self, place: usize) {
        loop {
            let Some(client) = self.clients.get_mut(place).filter(|client| !client.asleep) else { return };
            let hangup = client.hangup;
            let Some(socket) = &mut client.socket else { return };
            let kept = client.reader.restore(&mut self.buffer);
            let space = self.buffer.get_mut(kept..).unwrap_or_default();
            let room = space.len();
            let outcome = socket.read(space);
            let filled = kept + *outcome.as_ref().unwrap_or(&0);
            let ending = self.take(place, filled);
            match (outcome, ending) {
                (_, Some(end)) => return self.end(place, end),
                (Ok(0), None) => return self.end(place, End::Eof),
                (Ok(count), None) if count < room && !hangup => return,
                (Ok(_), None) => {}
                (Err(error), None) if error.kind() == ErrorKind::WouldBlock => return,
                (Err(error), None) if error.kind() == ErrorKind::Interrupted => {}
                (Err(_), None) => return self.end(place, End::Broken),
            }
        }
    }

    /// Takes what lies in the buffer. Returns the reason if the connection is over.
    fn take(&mut self, place: usize, filled: usize) -> Option<End> {
        let client = self.clients.get_mut(place)?;
        let bytes = self.buffer.get(..filled)?;
        if client.phase == Phase::Upgrading {
            let Some((status, length)) = client::answer(bytes) else {
                client.reader.keep(bytes);
                return None;
            };
            if status != 101 {
                return Some(End::Refused(status));
            }
            client.reader.skip(length);
            if self.goal == Goal::Named && self.door.greets {
                if client.introduce().is_err() {
                    return Some(End::Broken);
                }
            } else {
                self.arrived(place);
            }
        }
        self.take_frames(place, filled)
    }

    fn take_frames(&mut self, place: usize, filled: usize) -> Option<End> {
        let now = clock::now();
        let client = self.clients.get_mut(place)?;
        let bytes = self.buffer.get(..filled)?;
        let (mut arrived, mut pongs) = (false, Vec::new());
        while let Some(frame) = client.reader.next(bytes) {
            match frame.opcode {
                frame::TEXT | frame::BINARY if client.phase == Phase::Naming => {
                    // What others said in between is not for the books: it was said before everybody was there.
                    arrived |= frame.payload.starts_with(b"hello ");
                }
                frame::TEXT | frame::BINARY => self.hearing.hear(place, &frame, now),
                frame::PING => {
                    frame::append(&mut pongs, frame::PONG, frame.payload);
                    self.pings += 1;
                    self.pinged += usize::from(!std::mem::replace(&mut client.pinged, true));
                }
                frame::CLOSE => {
                    let code = frame.payload.get(..2).and_then(|code| code.try_into().ok());
                    return Some(End::Closed(code.map_or(1005, u16::from_be_bytes)));
                }
                _ => {}
            }
        }
        client.reader.keep(bytes);
        if !pongs.is_empty() && client.send(&pongs).is_err() {
            return Some(End::Broken);
        }
        if arrived {
            self.arrived(place);
        }
        None
    }

    fn arrived(&mut self, place: usize) {
        let Some(client) = self.clients.get_mut(place) else { return };
        client.phase = Phase::Ready;
        self.arrivals.record(clock::now() - client.began);
        self.arriving -= 1;
        self.ready += 1;
    }

    fn end(&mut self, place: usize, end: End) {
        let Some(client) = self.clients.get_mut(place) else { return };
        match client.phase {
            Phase::Connecting | Phase::Upgrading | Phase::Naming => self.arriving -= 1,
            Phase::Ready => self.ready -= 1,
            Phase::Ended(_) => {}
        }
        client.end(end);
    }

    /// From now on everybody counts as not pinged.
    pub(crate) fn count_pinged_anew(&mut self) {
        for client in &mut self.clients {
            client.pinged = false;
        }
        self.pinged = 0;
    }

    /// From now on these do not read.
    pub(crate) fn fall_asleep(&mut self, places: Range<usize>) {
        for client in self.clients.get_mut(places).unwrap_or_default() {
            client.asleep = true;
        }
    }

    /// Those who slept read again, and what came in the meantime is there.
    pub(crate) fn wake(&mut self, places: Range<usize>) {
        for place in places {
            if let Some(client) = self.clients.get_mut(place) {
                client.asleep = false;
            }
            self.read(place);
        }
    }

    /// Those in these places who are still here leave without a word. Their places stay taken.
    pub(crate) fn send_off(&mut self, places: Range<usize>) {
        for place in places {
            if self.is_open(place) {
                self.end(place, End::Ours);
            }
        }
    }

    /// True until the connection in this place has ended.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        self.clients.get(place).is_some_and(|client| !matches!(client.phase, Phase::Ended(_)))
    }

    /// Everybody leaves at once, without a word. Places are given out anew.
    pub(crate) fn leave(&mut self) {
        for place in 0..self.clients.len() {
            self.end(place, End::Ours);
        }
        self.clients.clear();
    }

    /// How the connections in these places ended; those that are open are counted under `None`.
    pub(crate) fn endings(&self, places: Range<usize>) -> BTreeMap<Option<End>, usize> {
        let mut counts = BTreeMap::new();
        for client in self.clients.iter().take(places.end).skip(places.start) {
            let end = if let Phase::Ended(end) = client.phase { Some(end) } else { None };
            *counts.entry(end).or_default() += 1;
        }
        counts
    }

    fn endings_text(&self) -> String {
        hearing::describe(&self.endings(0..usize::MAX))
    }
}
