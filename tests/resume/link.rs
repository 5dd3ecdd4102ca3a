//! Two ends of a connection in memory. Bytes are under way until `carry` brings some of them, and what is under way is lost
//! when the link breaks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

use hollerd::connection::Peer;
use hollerd::connection::stream::Stream;

/// Bytes that a direction takes before its sender has to wait.
const WINDOW: usize = 1500;

#[derive(Default)]
struct Wires {
    peer: Option<Peer>,
    /// From the client: under way, and arrived.
    up: VecDeque<u8>,
    up_arrived: VecDeque<u8>,
    /// From the server: under way, and arrived.
    down: VecDeque<u8>,
    down_arrived: VecDeque<u8>,
    /// Nothing is carried any more. The server finds out when it is told, or by its own heartbeat.
    cut: bool,
    /// The server is to be told that the link broke, or that the client ended its side.
    hangup: Option<bool>,
    told: bool,
    blocked: bool,
}

impl std::fmt::Debug for Wires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let under_way = [self.up.len(), self.up_arrived.len(), self.down.len(), self.down_arrived.len()];
        let (cut, told, blocked) = (self.cut, self.told, self.blocked);
        write!(f, "{:?}: {under_way:?} bytes, cut {cut}, told {told}, blocked {blocked}", self.peer)
    }
}

/// One end; both are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link(Rc<RefCell<Wires>>);

impl Link {
    pub(crate) fn belongs_to(&self, peer: Peer) {
        self.0.borrow_mut().peer = Some(peer);
    }

    pub(crate) fn peer(&self) -> Option<Peer> {
        self.0.borrow().peer
    }

    /// The client sends.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.0.borrow_mut().up.extend(bytes);
    }

    /// What has arrived at the client.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().down_arrived.drain(..).collect()
    }

    /// The link breaks: what is under way is lost. If the server is told, then by a reset or by an end.
    pub(crate) fn cut(&self, told: Option<bool>) {
        let mut wires = self.0.borrow_mut();
        wires.cut = true;
        wires.up.clear();
        wires.down.clear();
        wires.hangup = told;
    }

    /// Brings some bytes over, and says what the server's end can do because of that: read, write, see the end.
    pub(crate) fn carry(&self, random: &mut fastrand::Rng) -> (bool, bool, bool) {
        let mut wires = self.0.borrow_mut();
        let wires = &mut *wires;
        let hangup = wires.hangup.is_some() && !std::mem::replace(&mut wires.told, true) && wires.hangup.is_some();
        if wires.cut {
            return (hangup, false, hangup);
        }
        let up = random.usize(..=wires.up.len());
        wires.up_arrived.extend(wires.up.drain(..up));
        let down = random.usize(..=wires.down.len());
        wires.down_arrived.extend(wires.down.drain(..down));
        let writable = wires.blocked && wires.down.len() < WINDOW;
        if writable {
            wires.blocked = false;
        }
        (up > 0, writable, false)
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wires = self.0.borrow_mut();
        if wires.up_arrived.is_empty() {
            return match wires.hangup {
                Some(true) => Err(ErrorKind::ConnectionReset.into()),
                Some(false) => Ok(0),
                None => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let most = buffer.len().min(wires.up_arrived.len());
        for byte in buffer.iter_mut().take(most) {
            *byte = wires.up_arrived.pop_front().unwrap_or(0);
        }
        Ok(most)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wires = self.0.borrow_mut();
        let room = WINDOW.saturating_sub(wires.down.len());
        if room == 0 {
            wires.blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let most = bytes.len().min(room);
        wires.blocked = most < bytes.len();
        // Into a link that is cut everything goes, and nothing comes out of it.
        wires.down.extend(bytes.iter().take(most));
        Ok(most)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        self.write(&bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Link {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}
