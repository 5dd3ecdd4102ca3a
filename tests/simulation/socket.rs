//! A fake connected socket: what the kernel would hold between a server and one client, with faults.
//!
//! Readiness is that of an edge-triggered poll: an event comes when the state changes from not ready to ready, and for
//! whoever does not act on it there is no second one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

use hollerd::connection::Readiness;
use hollerd::connection::stream::Stream;

use crate::layer::Layer;
use crate::tap::Tap;

/// How often things go wrong, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// A call is interrupted by a signal.
    pub(crate) interrupted: u8,
    /// A read gets only a part, and the rest arrives just after it.
    pub(crate) short_read: u8,
    /// A write is cut short, and there is room again just after it.
    pub(crate) short_write: u8,
    /// An event comes for nothing.
    pub(crate) spurious: u8,
    /// Every arrival makes an event, and an event tells all that is ready, as epoll has it. Otherwise it tells only what
    /// changed.
    pub(crate) wide_edges: bool,
}

/// Both ends of one connection.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) random: fastrand::Rng,
    faults: Faults,
    /// What lies on top of it, if anything does.
    pub(crate) layer: Option<Layer>,
    /// On its way to the server, as far as it has arrived.
    inbox: VecDeque<u8>,
    inbox_most: usize,
    /// The client has ended its side.
    pub(crate) fin: bool,
    pub(crate) fin_read: bool,
    /// The connection is broken.
    pub(crate) reset: bool,
    /// The stream itself found out, and says what was wrong.
    pub(crate) garbled: bool,
    /// Nobody is there any more: what the server writes is answered with a reset.
    gone: bool,
    /// Bytes written by the server that the client has not read, and how many fit.
    unread: usize,
    send_buffer: usize,
    /// So much must be free before a server that was turned away is told.
    low_water: usize,
    /// A write was turned away or cut short, and the server waits to be told.
    pub(crate) starved: bool,
    /// The server was starved, or did not know yet that it no longer was, at some moment since the last turn began.
    pub(crate) was_starved: bool,
    /// The server has ended its side.
    pub(crate) shut: bool,
    /// The server has closed it.
    pub(crate) dropped: bool,
    registered: bool,
    news: Readiness,
    pub(crate) tap: Tap,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    pub(crate) bytes_taken: u64,
    reads: u32,
    writes: u32,
}

impl Socket {
    pub(crate) fn new(seed: u64, faults: Faults, send_buffer: usize, inbox_most: usize, layered: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let low_water = random.usize(1..=send_buffer.div_ceil(3));
        Self {
            layer: layered.then(|| Layer::new(&mut random)),
            random,
            faults,
            inbox: VecDeque::new(),
            inbox_most,
            fin: false,
            fin_read: false,
            reset: false,
            garbled: false,
            gone: false,
            unread: 0,
            send_buffer,
            low_water,
            starved: false,
            was_starved: false,
            shut: false,
            dropped: false,
            registered: false,
            news: Readiness::default(),
            tap: Tap::default(),
            bytes_read: 0,
            bytes_written: 0,
            bytes_taken: 0,
            reads: 0,
            writes: 0,
        }
    }

    /// The client's bytes arrive, as many as there is room for; returns how many that was.
    pub(crate) fn arrive(&mut self, bytes: &mut VecDeque<u8>, most: usize) -> usize {
        if self.fin || self.reset || self.gone || self.dropped {
            bytes.clear();
            return 0;
        }
        let drained = self.inbox.is_empty();
        let room = self.inbox_most.saturating_sub(self.inbox.len());
        let hello = self.layer.as_mut().map_or(0, |layer| {
            let count = layer.unsent.min(most).min(room);
            layer.unsent -= count;
            count
        });
        self.inbox.extend(std::iter::repeat_n(0, hello));
        let is_greeted = self.layer.as_ref().is_none_or(|layer| layer.unsent == 0);
        let count = if is_greeted { (most - hello).min(bytes.len()).min(room - hello) } else { 0 };
        self.inbox.extend(bytes.drain(..count));
        if hello + count > 0 && (drained || self.faults.wide_edges) {
            self.edge(true, false, false);
        }
        count
    }

    /// The client reads; returns how many bytes that was.
    pub(crate) fn take(&mut self, most: usize) -> usize {
        let count = most.min(self.unread);
        self.unread -= count;
        self.bytes_taken += count as u64;
        if self.starved && self.send_buffer - self.unread >= self.low_water.max(1) {
            self.starved = false;
            self.edge(false, true, false);
        }
        count
    }

    /// The client ends its side, and reads on.
    pub(crate) fn end(&mut self) {
        let may_end_inside = self.layer.as_ref().is_some_and(|layer| layer.done);
        if may_end_inside && !self.fin && self.random.bool() {
            self.fin = true;
            if let Some(layer) = &mut self.layer {
                layer.end_inside = true;
            }
            self.edge(true, false, false);
            return;
        }
        self.end_below();
    }

    fn end_below(&mut self) {
        if !std::mem::replace(&mut self.fin, true) {
            // Some polls say only that the peer hung up.
            let readable = self.random.bool();
            self.edge(readable, false, true);
        }
    }

    /// The client closes: its side is ended, and nobody reads what comes.
    pub(crate) fn close(&mut self) {
        self.gone = true;
        if self.unread > 0 {
            // A socket that is closed with unread bytes answers with a reset at once.
            self.break_off();
        } else {
            self.end_below();
        }
    }

    /// The connection breaks.
    pub(crate) fn break_off(&mut self) {
        if std::mem::replace(&mut self.reset, true) {
            return;
        }
        if self.random.bool() {
            self.inbox.clear();
        }
        self.garbled = self.random.u8(..4) == 0;
        self.starved = false;
        self.edge(true, true, true);
    }

    /// From here on events are reported; what is ready already is reported first.
    pub(crate) fn register(&mut self) {
        self.registered = true;
        self.edge(!self.inbox.is_empty() || self.fin || self.reset, true, self.fin || self.reset);
    }

    /// True when an event waits to be reported.
    pub(crate) fn has_news(&self) -> bool {
        self.news.readable || self.news.writable || self.news.hangup
    }

    /// The event that waits, if there is one; now and then one that means nothing, unless it has to be `quiet`.
    pub(crate) fn poll(&mut self, quiet: bool) -> Option<Readiness> {
        if !quiet && self.happens(self.faults.spurious) {
            let readable = self.random.bool();
            self.edge(readable, !readable, false);
        }
        if !self.registered || self.dropped || !self.has_news() {
            return None;
        }
        let mut event = std::mem::take(&mut self.news);
        if self.faults.wide_edges {
            event.readable |= !self.inbox.is_empty() || self.fin || self.reset;
            event.writable |= !self.starved && self.unread < self.send_buffer;
            event.hangup |= (self.fin && !self.ends_inside()) || self.reset;
        }
        Some(event)
    }

    /// The server could write and be heard: it was not told to wait, nor that the connection is broken.
    pub(crate) fn is_writable(&self) -> bool {
        let greeted = self.layer.as_ref().is_none_or(|layer| layer.done);
        !self.starved && !self.reset && !self.dropped && greeted
    }

    /// Nothing is left for the server to read.
    pub(crate) fn is_read_up(&self) -> bool {
        let stored = self.layer.as_ref().map_or(0, Layer::stored);
        stored == 0 && self.inbox.is_empty() && (!self.fin || self.fin_read) && !self.reset
    }

    pub(crate) fn unread_by_server(&self) -> usize {
        self.inbox.len()
    }

    pub(crate) fn begin_turn(&mut self) {
        self.reads = 0;
        self.writes = 0;
        let waiting = self.layer.as_ref().is_some_and(|layer| layer.waiting() > layer.stored());
        self.was_starved = self.starved || self.news.writable || waiting;
    }

    fn edge(&mut self, readable: bool, writable: bool, hangup: bool) {
        if self.registered && !self.dropped {
            self.news.readable |= readable;
            self.news.writable |= writable;
            self.news.hangup |= hangup;
        }
    }

    fn failure(&self, kind: ErrorKind) -> io::Error {
        if self.garbled { io::Error::new(ErrorKind::InvalidData, "garbled") } else { kind.into() }
    }

    fn happens(&mut self, percent: u8) -> bool {
        percent > 0 && self.random.u8(..100) < percent
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        assert!(self.reads <= 1, "the server reads twice from one connection in one turn");
        let read = match self.layer.take() {
            None => self.read_below(buffer),
            Some(mut layer) => {
                let read = self.read_layer(&mut layer, buffer);
                self.layer = Some(layer);
                read
            }
        };
        self.fin_read |= matches!(read, Ok(0));
        self.bytes_read += *read.as_ref().unwrap_or(&0) as u64;
        read
    }

    pub(crate) fn read_below(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.happens(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.inbox.is_empty() {
            if self.reset {
                return Err(self.failure(ErrorKind::ConnectionReset));
            }
            return if self.fin && !self.ends_inside() { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let mut count = buffer.len().min(self.inbox.len());
        if self.happens(self.faults.short_read) {
            count = self.random.usize(1..=count);
            // The rest was not there yet when the server read, and arrives now.
            self.edge(count < self.inbox.len(), false, false);
        }
        for (place, byte) in buffer.iter_mut().zip(self.inbox.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes += 1;
        assert!(self.writes <= 1, "the server writes twice to one connection in one turn");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0 && slices.len() <= 1024, "{} slices of together {offered} bytes", slices.len());
        let written = match self.layer.take() {
            None => self.write_below(slices),
            Some(mut layer) => {
                let written = self.write_layer(&mut layer, slices);
                self.layer = Some(layer);
                written
            }
        };
        self.bytes_written += *written.as_ref().unwrap_or(&0) as u64;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(mut layer) = self.layer.take() else { return Ok(()) };
        let flushed = self.flush_layer(&mut layer);
        self.layer = Some(layer);
        flushed
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let Some(mut layer) = self.layer.take() else { return self.shut_below() };
        let shut = self.shut_layer(&mut layer);
        self.layer = Some(layer);
        shut
    }

    pub(crate) fn shut_below(&mut self) -> io::Result<()> {
        self.shut = true;
        if self.reset { Err(ErrorKind::NotConnected.into()) } else { Ok(()) }
    }

    /// The layer's own bytes, of which nobody keeps an account. They need room like all others.
    pub(crate) fn write_own(&mut self) -> io::Result<()> {
        if self.reset {
            return Err(self.failure(ErrorKind::BrokenPipe));
        }
        if !self.gone && self.unread >= self.send_buffer {
            self.starved = true;
            self.was_starved = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    fn ends_inside(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.end_inside)
    }

    pub(crate) fn write_below(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        assert!(!self.shut, "the server writes after it ended its side");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.happens(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.reset {
            return Err(self.failure(ErrorKind::BrokenPipe));
        }
        let room = if self.gone { usize::MAX } else { self.send_buffer - self.unread };
        let mut count = offered.min(room);
        let cut = count > 1 && self.happens(self.faults.short_write);
        if cut {
            count = self.random.usize(1..count);
        }
        if count < offered {
            self.starved = true;
            self.was_starved = true;
        }
        if cut && self.random.bool() {
            // Room was made between the write and now. Otherwise it is made when the client reads.
            self.starved = false;
            self.edge(false, true, false);
        }
        self.pass_on(slices, count);
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn pass_on(&mut self, slices: &[IoSlice<'_>], count: usize) {
        let mut left = count;
        for slice in slices {
            let part = slice.get(..left.min(slice.len())).unwrap_or(&[]);
            self.tap.write(part);
            left -= part.len();
        }
        if self.gone {
            self.break_off();
        } else {
            self.unread += count;
        }
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) Rc<RefCell<Socket>>);

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.borrow_mut().write(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

impl Stream for Line {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shutdown_write()
    }

    fn holds_input(&self) -> bool {
        self.0.borrow().layer.as_ref().is_some_and(Layer::holds_input)
    }

    fn read_cost(&self) -> usize {
        self.0.borrow().layer.as_ref().map_or(0, Layer::read_cost)
    }

    fn holds_output(&self) -> bool {
        self.0.borrow().layer.as_ref().is_some_and(Layer::holds_output)
    }

    fn says_goodbye(&self) -> bool {
        self.0.borrow().layer.as_ref().is_some_and(|layer| layer.done)
    }

    fn awaits(&self) -> Option<&'static str> {
        self.0.borrow().layer.as_ref().filter(|layer| !layer.done).map(|_| "greeting")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.borrow_mut().dropped = true;
    }
}
