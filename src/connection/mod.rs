//! One peer, over any non-blocking stream. The stream, the time and the room's log are arguments; that other connections
//! exist is not known here.

use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use crate::rate::{Meter, Rate};
use crate::room::log::Log;
use crate::time::Time;
use crate::wire::close::Ending;
use crate::wire::frame::{self, Opcode};

mod deadlines;
pub mod inbound;
pub mod link;
pub mod outbox;
pub mod phase;
pub mod remote;
pub mod stream;
pub mod walk;

use inbound::Inbound;
use outbox::Outbox;
use phase::{Closing, Phase, Stage};
use remote::Remote;
use stream::Stream;
use walk::Walk;

/// The most slices that one write gathers; whoever has more gets it in the next turn.
const SLICES_MAX: usize = 32;

/// Names one connection for as long as it exists. The index is reused later, the generation is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// Its place in the slab.
    pub index: u32,
    /// Counts accepted connections, so that a stale name never means somebody else.
    pub generation: u32,
}

/// Where a connection sits in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The key of the audience that it is part of.
    pub audience: u32,
    /// The position in the audience's list of members.
    pub index: u32,
}

/// What the socket can do, as far as its events have told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Readiness {
    /// A read may find something.
    pub readable: bool,
    /// A write may be taken.
    pub writable: bool,
    /// The peer ended its side: read until that is seen, a short read proves nothing.
    pub hangup: bool,
}

/// Which of the loop's lists a connection is on, so that it is on each at most once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queued {
    /// To be read from.
    pub receive: bool,
    /// To be written to.
    pub flush: bool,
    /// To be written to in this turn, because a pass came by.
    pub visited: bool,
}

/// What the application still expects of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owed {
    /// It had an open event, so it gets a close event.
    pub close_event: bool,
    /// The application asked to be told when everything is sent.
    pub flushed_event: bool,
}

/// Which counts a connection is part of, so that it is in each once and is taken out of each.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "counts are independent of each other")]
pub struct Counted {
    /// Among those who are behind in their room.
    pub behind: bool,
    /// Among those who are not admitted, also while it is told why and sent away.
    pub pending: bool,
    /// Among those from its address.
    pub address: bool,
    /// Among those who were refused on arrival and are still there.
    pub refused: bool,
}

/// One peer.
#[derive(Debug)]
pub struct Connection<D> {
    /// The application's own.
    pub data: D,
    /// Its name.
    pub peer: Peer,
    /// What it waits for.
    pub phase: Phase,
    /// The one deadline of the phase. In `Open`: when the token expires.
    pub until: Time,
    /// A deadline that the application set, or never.
    pub appointment: Time,
    /// Where it is in its room's log.
    pub walk: Walk,
    /// Its place among the room's members.
    pub seat: Option<Seat>,
    /// The message under way.
    pub inbound: Option<Box<Inbound>>,
    /// What only this peer gets.
    pub outbox: Option<Box<Outbox>>,
    /// See [`Readiness`].
    pub ready: Readiness,
    /// See [`Queued`].
    pub queued: Queued,
    /// See [`Owed`].
    pub owed: Owed,
    /// See [`Counted`].
    pub counted: Counted,
    /// Who is at the other end.
    pub remote: Remote,
    /// It was asked for a sign of life at `pulse`, and has not given one.
    awaits_pong: bool,
    /// A proxy has said that it names nobody, so what the request says about the client is the client's own word.
    pub unnamed: bool,
    /// When it was accepted.
    pub accepted: Time,
    /// Bytes read.
    pub received: u64,
    /// Bytes written.
    pub sent: u64,
    /// When it was last heard of, or when the ping went out that has no answer yet.
    pulse: Time,
    /// How much it has said lately.
    said: Meter,
}

/// What a flush came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is with the kernel.
    All,
    /// There is more, and the socket would take it: next turn.
    More,
    /// There is more, and the socket's buffer is full: when it says so.
    Blocked,
    /// The connection broke, and that is how it ended.
    Broken(Ending),
}

impl<D> Connection<D> {
    /// A connection that was just accepted and has until `until` to be admitted.
    pub fn new(data: D, peer: Peer, remote: Remote, until: Time, now: Time) -> Self {
        Self {
            data,
            peer,
            phase: Phase::Handshake(None),
            until,
            appointment: Time::NEVER,
            walk: Walk::new(peer.index, 0),
            seat: None,
            inbound: None,
            outbox: None,
            // An accepted socket has an empty send buffer.
            ready: Readiness { readable: false, writable: true, hangup: false },
            queued: Queued::default(),
            owed: Owed::default(),
            counted: Counted::default(),
            remote,
            awaits_pong: false,
            unnamed: false,
            accepted: now,
            received: 0,
            sent: 0,
            pulse: now,
            said: Meter::default(),
        }
    }

    /// True while it can say and be told things.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// True when nothing follows from everything being sent: it goes on as before. The usual case, and a quick one.
    pub fn is_content(&self) -> bool {
        let heard = !self.ready.readable && self.inbound.is_none();
        heard && self.is_open() && !self.owed.flushed_event && !self.counted.behind
    }

    /// How its end is going, once that is decided.
    pub fn closing(&self) -> Option<&Closing> {
        match &self.phase {
            Phase::Closing(closing) => Some(closing),
            Phase::Handshake(_) | Phase::TokenCheck(_) | Phase::Open => None,
        }
    }

    /// As [`Connection::closing`], to go on with it.
    pub fn closing_mut(&mut self) -> Option<&mut Closing> {
        match &mut self.phase {
            Phase::Closing(closing) => Some(closing),
            Phase::Handshake(_) | Phase::TokenCheck(_) | Phase::Open => None,
        }
    }

    /// Takes note of a sign of life. Only this moves on the data path; the timer wheel is not touched, unless a ping is
    /// answered: then the answer is when that was sent, and the next ping may be due before the answer would have been.
    pub fn hear(&mut self, bytes: usize, now: Time) -> Option<Time> {
        self.received += bytes as u64;
        let before = std::mem::replace(&mut self.pulse, now);
        std::mem::take(&mut self.awaits_pong).then_some(before)
    }

    /// True if one more message is within `per_second` and `burst` (0 per second = no limit).
    pub fn may_say(&mut self, per_second: u32, burst: u32, now: Time) -> bool {
        self.said.take(Rate::new(per_second, burst), now)
    }

    /// Forgets how much it has said: after a change of the rate that says nothing about what it may say now.
    pub fn forgive(&mut self) {
        self.said = Meter::default();
    }

    /// Puts a message for this peer alone behind position `after` of the log.
    ///
    /// # Errors
    /// [`Ending::OutboxFull`] if more than `most` bytes wait already. So one message can be larger than that.
    pub fn tell(&mut self, opcode: Opcode, payload: &[u8], after: u64, most: usize, now: Time) -> Result<(), Ending> {
        let outbox = self.outbox.get_or_insert_default();
        if outbox.bytes() - outbox.offered() > most {
            return Err(Ending::OutboxFull { most });
        }
        outbox.push(opcode, payload, after, now);
        Ok(())
    }

    /// As [`Connection::tell`], of something that the peer has not asked for, or that is large: it is no reason to end the
    /// peer. False if it would be more than `most` together with what waits of this kind; one alone can be larger.
    pub fn offer(&mut self, opcode: Opcode, payload: &[u8], after: u64, most: usize, now: Time) -> bool {
        let waiting = self.outbox.as_ref().map_or(0, |outbox| outbox.offered());
        if waiting > 0 && waiting.saturating_add(payload.len()) > most {
            return false;
        }
        let outbox = self.outbox.get_or_insert_default();
        outbox.push_offered(after, now, |bytes| frame::append(bytes, opcode, payload));
        true
    }

    /// Decides the end: from here on nothing is taken from the peer, and `last` is the last that it gets, behind all that
    /// was said to it before, or at the next frame boundary if the ending gives that up.
    pub fn begin_close(&mut self, ending: Ending, last: &[u8], log: &Log, grace: Duration, now: Time) {
        let end = log.end();
        self.inbound = None;
        let outbox = self.outbox.get_or_insert_default();
        if ending.gives_up_unread() {
            let frame_end = log.frame_end(self.walk.cursor).filter(|_| self.walk.mid_frame);
            let missing = frame_end.and_then(|end| usize::try_from(end - self.walk.cursor).ok()).unwrap_or(0);
            outbox.give_up(log.run(self.walk.cursor).get(..missing).unwrap_or(&[]));
            self.walk.mid_frame = false;
            self.walk.cursor = end;
        }
        outbox.push_last(last, end, now);
        let stage = if ending.is_broken() { Stage::Over } else { Stage::Sending };
        self.until = now + grace;
        self.phase = Phase::Closing(Box::new(Closing { ending, stage, discarded: 0 }));
    }

    /// Takes what it has not been sent of `log` with it, because it goes where that log is not read: all that waits
    /// becomes one piece of its outbox.
    pub fn carry_over(&mut self, log: &Log, now: Time) {
        if !self.has_more(log) {
            return;
        }
        let mut waiting = Vec::new();
        let _ = self.walk.look_ahead(self.outbox.as_deref(), log, |bytes| {
            waiting.extend_from_slice(bytes);
            true
        });
        // The beginning may be the rest of a frame that is half sent, and nothing may come before that.
        let mut outbox = Outbox::default();
        outbox.push_begun(waiting, now);
        self.outbox = Some(Box::new(outbox));
        self.walk.mid_frame = false;
    }

    /// True when there is something to send to it.
    pub fn has_more(&mut self, log: &Log) -> bool {
        self.walk.has_more(self.outbox.as_deref(), log)
    }

    /// Bytes of the log that it is still to be sent: after its end is decided, those that were said before.
    pub fn unread(&self, log: &Log) -> u64 {
        if self.walk.finished {
            return 0;
        }
        let end = self.outbox.as_ref().and_then(|outbox| outbox.last_after());
        end.map_or(log.end(), |end| end.min(log.end())).saturating_sub(self.walk.cursor)
    }

    /// Writes, with one call, as much as the socket takes of what is next.
    pub fn flush<S: Stream>(&mut self, stream: &mut S, log: &Log) -> Flushed {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut offered = 0;
        let arrival = self.walk.look_ahead(self.outbox.as_deref(), log, |bytes| {
            if let Some(slice) = slices.get_mut(count) {
                *slice = IoSlice::new(bytes);
                offered += bytes.len();
                count += 1;
            }
            count < SLICES_MAX
        });
        let written = match slices.get(..count) {
            None | Some([]) => Ok(0),
            Some([one]) => stream.write(one),
            Some(several) => stream.write_vectored(several),
        };
        let sent = match written {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.ready.writable = error.kind() == ErrorKind::Interrupted;
                return if self.ready.writable { Flushed::More } else { Flushed::Blocked };
            }
            Err(error) => return Flushed::Broken(stream::ending_of(&error)),
        };
        self.sent += sent as u64;
        if let Some(arrival) = arrival.filter(|_| sent == offered) {
            self.walk = arrival;
            self.outbox = None;
            return self.flush_stream(stream);
        }
        self.walk.follow(self.outbox.as_deref_mut(), log, sent);
        if self.outbox.as_ref().is_some_and(|outbox| outbox.is_empty()) {
            self.outbox = None;
        }
        if sent < offered {
            // The kernel took less than it was given: its buffer is full, and it will say when it has room again.
            self.ready.writable = false;
            return Flushed::Blocked;
        }
        if self.has_more(log) { Flushed::More } else { self.flush_stream(stream) }
    }

    /// Sends what the stream itself still has, when there is nothing more to give to it.
    pub fn flush_stream<S: Stream>(&mut self, stream: &mut S) -> Flushed {
        match stream.flush() {
            Ok(()) => Flushed::All,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.ready.writable = false;
                Flushed::Blocked
            }
            Err(error) => Flushed::Broken(stream::ending_of(&error)),
        }
    }
}
