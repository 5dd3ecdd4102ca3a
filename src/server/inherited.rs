//! Sockets that a service manager has opened for us (`sd_listen_fds(3)`): it keeps them while we are gone, so nobody who
//! connects in between is refused.

use std::fmt;
use std::os::fd::AsFd;
use std::path::PathBuf;

use listenfd::ListenFd;
use mio::net::{TcpListener, UnixListener};
use socket2::SockRef;

use super::StartError;
use crate::config::ListenAddress;

/// The number of the first one (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

/// A socket that listens, by whomever it was opened.
#[derive(Debug)]
pub(super) enum Socket {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// With or without a file.
    Unix(UnixListener),
}

/// One inherited socket.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) socket: Socket,
    pub(super) address: ListenAddress,
}

/// All that was handed over, by the names of the descriptors.
#[derive(Debug, Default)]
pub(super) struct Inheritance {
    pub(super) for_everybody: Vec<Inherited>,
    /// Its name begins with `admin`.
    pub(super) for_administrators: Option<Inherited>,
}

/// A descriptor that is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongDescriptor {
    number: usize,
    name: String,
    why: &'static str,
}

impl fmt::Display for WrongDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inherited descriptor {} ({}) {}", self.number, self.name.escape_debug(), self.why)
    }
}

/// What was handed over to this process; nothing if `LISTEN_PID` names another one, or nobody.
///
/// # Errors
/// The first descriptor that is no listening stream socket of a kind that is served. Nothing is served then: whoever wrote
/// the unit has meant something else.
pub(super) fn take() -> Result<Inheritance, StartError> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("LISTEN_PID").parse() != Ok(std::process::id()) {
        return Ok(Inheritance::default());
    }
    let names = variable("LISTEN_FDNAMES");
    let mut descriptors = ListenFd::from_env();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let mut inherited = Inheritance::default();
    for place in 0..descriptors.len() {
        let name = names.next().unwrap_or("unknown");
        let wrong = |why| StartError::Inherited(WrongDescriptor { number: FIRST + place, name: name.to_owned(), why });
        let mut one = take_one(&mut descriptors, place).map_err(wrong)?;
        if name.starts_with("tls") {
            let address =
                one.address.inet().ok_or_else(|| wrong("has a name for TLS, which is spoken over TCP only"))?;
            one.address = ListenAddress::Tls(address);
        }
        if !name.starts_with("admin") {
            inherited.for_everybody.push(one);
        } else if inherited.for_administrators.replace(one).is_some() {
            return Err(wrong("is a second one for administrators, and there can be only one"));
        }
    }
    Ok(inherited)
}

fn take_one(descriptors: &mut ListenFd, place: usize) -> Result<Inherited, &'static str> {
    const KIND: &str = "is neither a TCP nor a Unix stream socket";
    const UNUSABLE: &str = "cannot be used";
    // Taking one also keeps it from our children; what is of the wrong kind is left.
    if let Ok(Some(socket)) = descriptors.take_tcp_listener(place) {
        listens(&socket)?;
        socket.set_nonblocking(true).map_err(|_| UNUSABLE)?;
        let address = ListenAddress::Tcp(socket.local_addr().map_err(|_| UNUSABLE)?);
        return Ok(Inherited { socket: Socket::Tcp(TcpListener::from_std(socket)), address });
    }
    let socket = descriptors.take_unix_listener(place).map_err(|_| KIND)?.ok_or(KIND)?;
    listens(&socket)?;
    socket.set_nonblocking(true).map_err(|_| UNUSABLE)?;
    let address = socket.local_addr().map_err(|_| UNUSABLE)?;
    // One without a file has no path that anybody could open.
    let path = address.as_pathname().map_or_else(|| PathBuf::from("@"), std::path::Path::to_owned);
    let address = ListenAddress::Unix(path);
    Ok(Inherited { socket: Socket::Unix(UnixListener::from_std(socket)), address })
}

fn listens(socket: &impl AsFd) -> Result<(), &'static str> {
    let listens = SockRef::from(socket).is_listener().unwrap_or(false);
    if listens { Ok(()) } else { Err("does not listen (is Accept=yes set in the socket unit?)") }
}
