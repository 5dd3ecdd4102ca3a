//! A peer in memory, in two parts. The seat outside the engine holds what the peer says next and the books of what it was
//! told. What the engine owns in a socket's place is the sink, one reference: eight bytes, where a socket takes four.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice, Read, Write};

use hollerd::connection::Peer;
use hollerd::connection::stream::Stream;

use super::lines::STAMP_BYTES;
use crate::frame;

/// How far a peer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for 101.
    Outside,
    /// It waits to be greeted by its name.
    Nameless,
    /// It is in.
    Inside,
}

/// What all peers share.
#[derive(Debug)]
pub(crate) struct Hall {
    /// Who was pinged and has not answered.
    pub(super) pinged: RefCell<Vec<u32>>,
    /// Writes that no server should make.
    pub(super) odd: Cell<u64>,
    /// Is a peer inside only when it was greeted?
    greets: bool,
}

impl Hall {
    /// `peers` is how many there can be at the most.
    pub(crate) fn new(peers: usize, greets: bool) -> Self {
        Self { pinged: RefCell::new(Vec::with_capacity(peers)), odd: Cell::new(0), greets }
    }
}

/// One peer, as it sees itself.
#[derive(Debug)]
pub(crate) struct Seat<'h> {
    hall: &'h Hall,
    number: u32,
    /// What the engine has not read yet.
    pub(super) says: Cell<&'h [u8]>,
    pub(super) peer: Cell<Option<Peer>>,
    pub(super) stage: Cell<Stage>,
    /// Messages that came.
    pub(super) heard: Cell<u32>,
    /// Which ones, and in which order; see [`fold`].
    pub(super) tally: Cell<u32>,
    pub(super) pings: Cell<u32>,
    /// When it last said something, or was pinged, in milliseconds of the virtual clock.
    pub(super) quiet_since: Cell<u64>,
}

impl<'h> Seat<'h> {
    pub(crate) fn new(hall: &'h Hall, number: u32) -> Self {
        Self {
            hall,
            number,
            says: Cell::new(&[]),
            peer: Cell::new(None),
            stage: Cell::new(Stage::Outside),
            heard: Cell::new(0),
            tally: Cell::new(0),
            pings: Cell::new(0),
            quiet_since: Cell::new(0),
        }
    }

    /// Takes what one write brought. The engine gets rid of all that it writes, so every write ends with a whole frame.
    fn take(&self, bytes: &[u8]) {
        if self.stage.get() == Stage::Outside {
            self.enter(bytes);
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((opcode, payload, behind)) = split(rest) else {
                self.wonder();
                return;
            };
            rest = behind;
            match opcode {
                frame::TEXT if self.stage.get() == Stage::Nameless => self.be_greeted(payload),
                frame::TEXT | frame::BINARY => self.hear(payload),
                frame::PING => {
                    self.pings.set(self.pings.get() + 1);
                    self.hall.pinged.borrow_mut().push(self.number);
                }
                _ => self.wonder(),
            }
        }
    }

    fn enter(&self, head: &[u8]) {
        if head.starts_with(b"HTTP/1.1 101 ") && head.ends_with(b"\r\n\r\n") {
            self.stage.set(if self.hall.greets { Stage::Nameless } else { Stage::Inside });
        } else {
            self.wonder();
        }
    }

    fn be_greeted(&self, payload: &[u8]) {
        if payload.starts_with(b"hello p") {
            self.stage.set(Stage::Inside);
        } else {
            self.wonder();
        }
    }

    #[inline]
    fn hear(&self, payload: &[u8]) {
        let Some(&stamp) = payload.last_chunk::<STAMP_BYTES>() else { return self.wonder() };
        self.heard.set(self.heard.get() + 1);
        self.tally.set(fold(self.tally.get(), u32::from_le_bytes(stamp)));
    }

    fn wonder(&self) {
        self.hall.odd.set(self.hall.odd.get() + 1);
    }
}

/// Adds a message to a tally. The tallies of two peers are equal when they heard the same messages in the same order.
#[inline]
pub(super) fn fold(tally: u32, stamp: u32) -> u32 {
    tally.wrapping_mul(0x9e37_79b1).wrapping_add(stamp)
}

/// The first frame of unmasked ones, and what is behind it.
#[inline]
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second {
        126 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        length if length < 126 => (usize::from(length), rest),
        _ => return None,
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first & 0x0f, payload, rest))
}

/// What the engine reads and writes.
#[derive(Debug)]
pub(crate) struct Sink<'h>(pub(super) &'h Seat<'h>);

impl Read for Sink<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let says = self.0.says.get();
        if says.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = says.len().min(buffer.len());
        if let (Some(front), Some((said, rest))) = (buffer.get_mut(..count), says.split_at_checked(count)) {
            front.copy_from_slice(said);
            self.0.says.set(rest);
        }
        Ok(count)
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Each slice is a run of whole frames.
        slices.iter().for_each(|slice| self.0.take(slice));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Sink<'_> {
    fn shutdown_write(&mut self) -> io::Result<()> {
        // Nobody is sent away in these runs.
        self.0.wonder();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_in_the_books() {
        let hall = Hall::new(1, true);
        let seat = Seat::new(&hall, 0);
        let mut sink = Sink(&seat);
        sink.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
        assert_eq!(seat.stage.get(), Stage::Nameless);
        sink.write_all(b"\x81\x08hello p0").unwrap();
        assert_eq!((seat.stage.get(), seat.heard.get()), (Stage::Inside, 0));
        sink.write_all(b"\x89\x00\x81\x05x0001\x81\x05x0002").unwrap();
        let expected = [b"0001", b"0002"].iter().fold(0, |tally, stamp| fold(tally, u32::from_le_bytes(**stamp)));
        assert_eq!((seat.pings.get(), seat.heard.get(), seat.tally.get()), (1, 2, expected));
        assert_eq!((hall.odd.get(), hall.pinged.borrow().as_slice()), (0, &[0][..]));
    }

    #[test]
    fn what_should_not_be_written_is_noticed() {
        for wrong in [&b"\x81\x05x000"[..], b"\x81", b"\x88\x02\x03\xe8", b"\x81\x01x", b"\x81\x7e\x00"] {
            let hall = Hall::new(1, false);
            let seat = Seat::new(&hall, 0);
            Sink(&seat).write_all(b"HTTP/1.1 101 \r\n\r\n").unwrap();
            assert_eq!((hall.odd.get(), seat.stage.get()), (0, Stage::Inside));
            Sink(&seat).write_all(wrong).unwrap();
            assert_eq!(hall.odd.get(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn lost_doubled_and_swapped_messages_change_the_tally() {
        let tally = |stamps: &[u32]| stamps.iter().fold(0, |tally, &stamp| fold(tally, stamp));
        let all = tally(&[1, 2, 3]);
        for wrong in [&[1, 3][..], &[1, 2, 2, 3], &[1, 3, 2], &[1, 1, 3]] {
            assert_ne!(tally(wrong), all, "{wrong:?}");
        }
    }
}
