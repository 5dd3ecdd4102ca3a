//! Who is at the other end, as far as the kernel, or a proxy that is trusted, can tell.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection: what its log line begins with, and what the limits per address count by.
///
/// It takes 20 bytes, where a `SocketAddr` takes 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// Somebody with an address.
    Inet {
        /// The address.
        ip: IpAddr,
        /// The port; 0 if a proxy did not tell it.
        port: u16,
    },
    /// Somebody on this machine, over a Unix socket. Such peers have no address, so limits per address pass them by.
    Unix,
}

/// What the first bytes of a connection said about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introduced {
    /// This is the client.
    As(Remote),
    /// A proxy speaks for itself, or does not know for whom (`LOCAL`, `UNKNOWN`).
    AsNobody,
}

impl Remote {
    /// The address; `None` for a peer on a Unix socket.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Inet { ip, .. } => Some(ip),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self::Inet { ip: address.ip(), port: address.port() }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            // A proxy has told it, without a port.
            Self::Inet { ip, port: 0 } => ip.fmt(f),
            Self::Inet { ip, port } => SocketAddr::new(ip, port).fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_shown_as_usual() {
        assert_eq!(size_of::<Remote>(), 20);
        for text in ["192.0.2.7:4711", "[2001:db8::1]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Remote::from(address).to_string(), text);
            assert_eq!(Remote::from(address).ip(), Some(address.ip()));
        }
        assert_eq!(Remote::Inet { ip: [192, 0, 2, 7].into(), port: 0 }.to_string(), "192.0.2.7");
        assert_eq!((Remote::Unix.to_string().as_str(), Remote::Unix.ip()), ("unix", None));
    }
}
