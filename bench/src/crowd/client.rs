//! One connection of the crowd: from the first SYN to its end.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;
use crate::frame::{self, Reader};
use crate::server::Door;

/// Source addresses are taken in turn from this many.
const ADDRESSES: u32 = 62_500;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The TCP connection.
    Connecting,
    /// The answer to its upgrade request.
    Upgrading,
    /// The greeting.
    Naming,
    /// It is in.
    Ready,
    /// It has ended, and why.
    Ended(End),
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// The server's close frame, and its code.
    Closed(u16),
    /// The stream ended without a close frame.
    Eof,
    /// The connection broke, or never came about.
    Broken,
    /// The upgrade was refused, and with which status.
    Refused(u16),
    /// We ended it.
    Ours,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) socket: Option<TcpStream>,
    pub(crate) phase: Phase,
    pub(super) reader: Reader,
    unsent: Vec<u8>,
    /// When it began to connect.
    pub(super) began: u64,
    /// Its name in the chat; never one that was used before.
    pub(super) serial: u32,
    /// It does not read.
    pub(super) asleep: bool,
    /// It was pinged since everybody was asked last.
    pub(super) pinged: bool,
    /// The server has ended its side. No event says so again, so it is read until that is seen.
    pub(super) hangup: bool,
}

impl Client {
    /// Begins to connect from the source address number `place`. A receive buffer of 0 bytes is left to the kernel.
    pub(super) fn begin(door: &Door, place: u32, serial: u32, receive_buffer: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if receive_buffer > 0 {
            socket.set_recv_buffer_size(receive_buffer)?;
        }
        socket.bind(&source(place).into())?;
        match socket.connect(&door.address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            socket: Some(TcpStream::from_std(socket.into())),
            phase: Phase::Connecting,
            reader: Reader::default(),
            unsent: Vec::new(),
            began: clock::now(),
            serial,
            asleep: false,
            pinged: false,
            hangup: false,
        })
    }

    /// The socket says it is writable: is it connected now?
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(false) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends the upgrade request.
    pub(super) fn ask(&mut self, door: &Door) -> io::Result<()> {
        self.phase = Phase::Upgrading;
        self.send(request(door, "/ws").as_bytes())
    }

    /// Sends its name.
    pub(super) fn introduce(&mut self) -> io::Result<()> {
        let mut name = Vec::new();
        frame::append(&mut name, frame::TEXT, format!("u{:07}", self.serial).as_bytes());
        self.phase = Phase::Naming;
        self.send(&name)
    }

    /// Sends bytes now, as far as the socket takes them, and the rest when it takes more.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = self.write(bytes)?;
        self.unsent.extend_from_slice(bytes.get(sent..).unwrap_or_default());
        Ok(())
    }

    /// The socket takes more.
    pub(super) fn send_rest(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        let sent = self.write(&unsent)?;
        unsent.drain(..sent);
        self.unsent = unsent;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(socket) = &mut self.socket else { return Ok(bytes.len()) };
        let mut sent = 0;
        while let Some(left) = bytes.get(sent..).filter(|left| !left.is_empty()) {
            match socket.write(left) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Drops the socket; the first reason stands.
    pub(super) fn end(&mut self, end: End) {
        self.socket = None;
        self.reader = Reader::default();
        self.unsent = Vec::new();
        if !matches!(self.phase, Phase::Ended(_)) {
            self.phase = Phase::Ended(end);
        }
    }
}

/// The request for an upgrade at this path, with the token if the door asks for one.
pub(crate) fn request(door: &Door, path: &str) -> String {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        door.address
    );
    if let Some(token) = &door.token {
        request.push_str("Authorization: Bearer ");
        request.push_str(token);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

/// An address of its own for nearly everybody: one address has only so many ports, and servers count by address.
pub(crate) fn source(place: u32) -> SocketAddr {
    let place = place % ADDRESSES;
    let [.., high, low] = ((place / 250) << 8 | (place % 250 + 1)).to_be_bytes();
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 1, high, low), 0))
}

/// The status of an answer's head and its length, when it is whole.
pub(crate) fn answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    Some((status.and_then(|digits| digits.parse().ok()).unwrap_or(0), end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_addresses_are_different_and_valid() {
        let addresses: std::collections::HashSet<_> = (0..ADDRESSES).map(source).collect();
        assert_eq!(addresses.len(), ADDRESSES as usize);
        assert_eq!(source(0).to_string(), "127.1.0.1:0");
        assert_eq!(source(ADDRESSES - 1).to_string(), "127.1.249.250:0");
    }

    #[test]
    fn an_answer_is_whole_when_its_blank_line_is_there() {
        let text = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nrest";
        assert_eq!(answer(text), Some((101, text.len() - 4)));
        for cut in 0..text.len() - 4 {
            assert_eq!(answer(&text[..cut]), None, "{cut}");
        }
    }
}
