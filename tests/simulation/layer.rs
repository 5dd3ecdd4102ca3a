//! What lies between the server and the socket where TLS is spoken, as far as it concerns the server: a handshake that needs
//! both sides, bytes that wait in it in both directions, an end that is said inside.
//!
//! The promises of `connection::stream::Stream` are kept in other ways than the real one keeps them, and less generously:
//! records are tiny, a read gives up early, and nothing is written that is not asked for.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use crate::socket::Socket;

/// The most that may be said before the handshake is done.
const EARLY_MOST: usize = 4096;
/// The most that may wait to be sent: one record.
pub(crate) const HELD_MOST: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// Bytes of the client's part of the handshake that are not sent.
    pub(crate) unsent: usize,
    /// And that the server has not read.
    hello: usize,
    pub(crate) done: bool,
    /// Our own bytes that are to be sent, before and behind what is held.
    answer: bool,
    goodbye: bool,
    early: VecDeque<u8>,
    held: VecDeque<u8>,
    store: VecDeque<u8>,
    pending: bool,
    /// What the last read cost.
    cost: usize,
    blocked: bool,
    ending: bool,
    /// The client's end comes inside, and no event tells of it.
    pub(crate) end_inside: bool,
    ended: bool,
}

impl Layer {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        let hello = random.usize(1..300);
        Self { unsent: hello, hello, ..Self::default() }
    }

    /// Bytes that wait in it, whichever way they go.
    pub(crate) fn waiting(&self) -> usize {
        let own = usize::from(self.answer) + usize::from(self.goodbye);
        own + self.early.len() + self.held.len() + self.store.len()
    }

    /// Of these, the bytes of messages that are on their way to the client.
    pub(crate) fn leaving(&self) -> usize {
        self.early.len() + self.held.len()
    }

    pub(crate) fn stored(&self) -> usize {
        self.store.len()
    }

    pub(crate) fn holds_input(&self) -> bool {
        self.pending
    }

    pub(crate) fn read_cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn holds_output(&self) -> bool {
        (self.answer || !self.held.is_empty()) && !self.blocked
    }

    fn take(&mut self, buffer: &mut [u8], filled: &mut usize) {
        let room = buffer.get_mut(*filled..).unwrap_or(&mut []);
        let count = room.len().min(self.store.len());
        for (place, byte) in room.iter_mut().zip(self.store.drain(..count)) {
            *place = byte;
        }
        *filled += count;
    }

    /// What has come from below.
    fn receive(&mut self, bytes: &[u8]) {
        let (hello, rest) = bytes.split_at(self.hello.min(bytes.len()));
        self.hello -= hello.len();
        if self.hello == 0 && !std::mem::replace(&mut self.done, true) {
            self.answer = true;
            self.held.append(&mut self.early);
        }
        self.store.extend(rest);
    }
}

impl Socket {
    pub(crate) fn read_layer(&mut self, layer: &mut Layer, buffer: &mut [u8]) -> io::Result<usize> {
        layer.pending = false;
        // Often more than there is for everybody, whatever the read will bring.
        layer.cost = if self.random.u8(..4) == 0 { self.random.usize(..8 << 20) } else { 0 };
        let mut filled = 0;
        layer.take(buffer, &mut filled);
        let size = if self.random.bool() { self.random.usize(1..300) } else { 18_000 };
        let mut chunk = vec![0; size];
        for _ in 0..self.random.u8(1..4) {
            if filled == buffer.len() || layer.ended {
                break;
            }
            match self.read_below(&mut chunk) {
                Ok(0) => layer.ended = true,
                Ok(read) => {
                    layer.receive(chunk.get(..read).unwrap_or(&[]));
                    layer.take(buffer, &mut filled);
                    let said_all = layer.end_inside && self.unread_by_server() == 0 && layer.store.is_empty();
                    layer.ended |= said_all;
                    if read < size && filled > 0 && !layer.ended {
                        layer.pending = !layer.store.is_empty();
                        return Ok(filled);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    layer.ended |= layer.end_inside && layer.store.is_empty();
                    if !layer.ended {
                        return if filled > 0 { Ok(filled) } else { Err(error) };
                    }
                }
                Err(error) if filled == 0 => return Err(error),
                Err(_) => break,
            }
        }
        layer.pending = filled > 0 || !layer.ended;
        if filled > 0 || layer.ended { Ok(filled) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    pub(crate) fn write_layer(&mut self, layer: &mut Layer, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        if !layer.done {
            let count = bytes.len().min(EARLY_MOST - layer.early.len());
            layer.early.extend(bytes.iter().take(count));
            return if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) };
        }
        self.push(layer)?;
        let mut taken = 0;
        while taken < bytes.len() {
            let record = self.random.usize(1..=HELD_MOST).min(bytes.len() - taken);
            layer.held.extend(bytes.iter().skip(taken).take(record));
            taken += record;
            match self.push(layer) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    pub(crate) fn flush_layer(&mut self, layer: &mut Layer) -> io::Result<()> {
        self.push(layer)?;
        if !layer.early.is_empty() {
            self.was_starved = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        if layer.ending && !self.shut {
            self.shut_below()?;
        }
        Ok(())
    }

    pub(crate) fn shut_layer(&mut self, layer: &mut Layer) -> io::Result<()> {
        layer.goodbye = layer.done && !layer.ending;
        layer.ending = true;
        match self.flush_layer(layer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    fn push(&mut self, layer: &mut Layer) -> io::Result<()> {
        let pushed = self.push_all(layer);
        layer.blocked = pushed.is_err();
        pushed
    }

    fn push_all(&mut self, layer: &mut Layer) -> io::Result<()> {
        if layer.answer {
            self.write_own()?;
            layer.answer = false;
        }
        while !layer.held.is_empty() {
            match self.write_below(&[IoSlice::new(layer.held.make_contiguous())]) {
                Ok(count) => drop(layer.held.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if layer.goodbye {
            self.write_own()?;
            layer.goodbye = false;
        }
        Ok(())
    }
}
