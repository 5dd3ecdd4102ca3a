//! A connected socket of whatever kind: the one stream type of the real server.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::proxied::{Introduction, take_introduction};
use crate::connection::remote::Remote;
use crate::connection::stream::Stream;

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// The same, and the header of a proxy is still to come, or to be asked for.
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
        let introduced = self.introduced;
        let socket = self.socket()?;
        if !introduced {
            let introduction = match socket {
                Socket::Tcp(stream) => take_introduction(stream),
                Socket::Unix(stream) => take_introduction(stream),
                Socket::Proxied(_) => Err(ErrorKind::NotConnected.into()),
            };
            match introduction? {
                Introduction::Ended => return Ok(0),
                Introduction::Made(client) => (self.introduced, self.client) = (true, client),
            }
        }
        self.socket()?.read(buffer)
    }
}

impl Socket {
    /// The same socket, from which the header of a proxy is to be read first.
    pub(super) fn behind_proxy(self) -> Self {
        Self::Proxied(Box::new(Proxied { socket: Some(self), client: None, introduced: false }))
    }

    /// The same socket without what mio knows of it, for somebody who is told one thing and sent away.
    pub(super) fn into_raw(self) -> Option<socket2::Socket> {
        match self {
            Self::Tcp(stream) => Some(std::net::TcpStream::from(stream).into()),
            Self::Unix(stream) => Some(std::os::unix::net::UnixStream::from(stream).into()),
            Self::Proxied(proxied) => proxied.socket?.into_raw(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Proxied(proxied) => proxied.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Proxied(proxied) => proxied.socket()?.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(slices),
            Self::Unix(stream) => stream.write_vectored(slices),
            Self::Proxied(proxied) => proxied.socket()?.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Proxied(proxied) => proxied.socket()?.shutdown_write(),
        }
    }

    fn learned(&mut self) -> Option<Remote> {
        let Self::Proxied(proxied) = self else { return None };
        if !proxied.introduced {
            return None;
        }
        let client = proxied.client;
        if let Some(socket) = proxied.socket.take() {
            *self = socket;
        }
        client
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interests),
            Self::Unix(stream) => registry.register(stream, token, interests),
            Self::Proxied(proxied) => proxied.socket()?.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.reregister(stream, token, interests),
            Self::Unix(stream) => registry.reregister(stream, token, interests),
            Self::Proxied(proxied) => proxied.socket()?.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.deregister(stream),
            Self::Unix(stream) => registry.deregister(stream),
            Self::Proxied(proxied) => proxied.socket()?.deregister(registry),
        }
    }
}
