//! A connected socket of whatever kind, and the one stream type of the real server: such a socket, perhaps with TLS or the
//! header of a proxy on top of it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::proxied::{Introduction, take_introduction};
use super::tls_stream::TlsStream;
use crate::connection::remote::{Introduced, Remote};
use crate::connection::stream::Stream;

/// A socket with nothing on top of it.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What a connection reads and writes. An idle connection pays for the largest kind, so the larger ones are boxed.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
    /// One of the others, and the header of a proxy is still to come, or to be asked for.
    Proxied(Box<Proxied>),
}

/// A socket that begins with the header of a proxy. It becomes the socket in it when that has been read.
#[derive(Debug)]
pub(super) struct Proxied {
    /// Always there: only whoever throws this away takes it out.
    socket: Option<Socket>,
    /// The client that the header has named.
    client: Option<Remote>,
    /// The header has been read.
    introduced: bool,
}

impl Proxied {
    fn socket(&mut self) -> io::Result<&mut Socket> {
        self.socket.as_mut().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Reads the header, and from then on what is behind it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.introduced {
            match take_introduction(self.socket()?.plain_mut()?)? {
                Introduction::Ended => return Ok(0),
                Introduction::Made(client) => (self.introduced, self.client) = (true, client),
            }
        }
        self.socket()?.read(buffer)
    }
}

impl Plain {
    /// The same socket without what mio knows of it, for somebody who is told one thing and sent away.
    pub(super) fn into_raw(self) -> socket2::Socket {
        match self {
            Self::Tcp(stream) => std::net::TcpStream::from(stream).into(),
            Self::Unix(stream) => std::os::unix::net::UnixStream::from(stream).into(),
        }
    }
}

impl Socket {
    /// The same socket, from which the header of a proxy is to be read first.
    pub(super) fn behind_proxy(self) -> Self {
        Self::Proxied(Box::new(Proxied { socket: Some(self), client: None, introduced: false }))
    }

    /// The TLS session, if there is one.
    fn tls(&self) -> Option<&TlsStream<Plain>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream),
            Self::Proxied(proxied) => proxied.socket.as_ref()?.tls(),
        }
    }

    /// The socket at the bottom, which the poll knows.
    pub(super) fn plain_mut(&mut self) -> io::Result<&mut Plain> {
        match self {
            Self::Plain(socket) => Ok(socket),
            Self::Tls(stream) => Ok(stream.below_mut()),
            Self::Proxied(proxied) => proxied.socket()?.plain_mut(),
        }
    }
}

impl AsFd for Plain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(slices),
            Self::Unix(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Plain {
    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Source for Plain {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interests),
            Self::Unix(stream) => registry.register(stream, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.reregister(stream, token, interests),
            Self::Unix(stream) => registry.reregister(stream, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.deregister(stream),
            Self::Unix(stream) => registry.deregister(stream),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Proxied(proxied) => proxied.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Proxied(proxied) => proxied.socket()?.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_vectored(slices),
            Self::Tls(stream) => stream.write_vectored(slices),
            Self::Proxied(proxied) => proxied.socket()?.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
            Self::Proxied(proxied) => proxied.socket()?.flush(),
        }
    }
}

impl Stream for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown_write(),
            Self::Tls(stream) => stream.shutdown_write(),
            Self::Proxied(proxied) => proxied.socket()?.shutdown_write(),
        }
    }

    fn learned(&mut self) -> Option<Introduced> {
        let Self::Proxied(proxied) = self else { return None };
        if !proxied.introduced {
            return None;
        }
        let client = proxied.client;
        if let Some(socket) = proxied.socket.take() {
            *self = socket;
        }
        Some(client.map_or(Introduced::AsNobody, Introduced::As))
    }

    fn holds_input(&self) -> bool {
        self.tls().is_some_and(|stream| stream.holds_input())
    }

    fn read_cost(&self) -> usize {
        self.tls().map_or(0, |stream| stream.read_cost())
    }

    fn holds_output(&self) -> bool {
        self.tls().is_some_and(|stream| stream.holds_output())
    }

    fn says_goodbye(&self) -> bool {
        self.tls().is_some_and(|stream| stream.says_goodbye())
    }

    fn awaits(&self) -> Option<&'static str> {
        self.tls()?.awaits()
    }
}
