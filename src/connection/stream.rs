//! What a connection asks of its socket: non-blocking `Read` and `Write`, and a way to end its own half.

use std::io::{self, ErrorKind, Read, Write};

use super::remote::Introduced;
use crate::wire::close::Ending;

/// A non-blocking byte stream. A TCP socket is one; so is a TLS session over it, and so is a fake in a test.
///
/// A stream may keep what it has taken; `flush` says whether all of it is with the kernel.
/// A write that takes fewer bytes than it was given counts as "would block": the stream must report when it can take more.
/// An error of the kind `InvalidData` has a text that is worth a log line, see [`ending_of`].
pub trait Stream: Read + Write {
    /// Ends the sending half, so that the peer reads an end after our last byte.
    ///
    /// # Errors
    /// Whatever the socket says; the caller treats the connection as broken then.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Who the client is, told once, if the stream has learned that from its first bytes (a PROXY header).
    fn learned(&mut self) -> Option<Introduced> {
        None
    }

    /// True when a read may find something, or the end, although it did not fill the buffer: it waits in the stream
    /// itself, and the socket has reported it already. A plain socket holds nothing.
    fn holds_input(&self) -> bool {
        false
    }

    /// What the last read has cost, in bytes of what may be read from everybody in one turn, where that is more than the bytes
    /// it returned: a handshake returns none and takes the time of very many. A plain socket costs what it returns.
    fn read_cost(&self) -> usize {
        0
    }

    /// True when the stream has something to send that comes from itself, such as its part of a handshake, and has not
    /// found the socket full. It is sent by `flush`, which fails with `WouldBlock` as long as something is left.
    fn holds_output(&self) -> bool {
        false
    }

    /// True when the end of the socket alone does not tell the peer that all was said, as it is with TLS.
    fn says_goodbye(&self) -> bool {
        false
    }

    /// What has to happen before the stream carries bytes for others, such as a TLS handshake.
    fn awaits(&self) -> Option<&'static str> {
        None
    }
}

/// How a connection ends whose stream has failed with `error`: a reset happens all the time and is nobody's news, but what
/// a stream itself finds wrong with its peer (`InvalidData`, such as a TLS handshake that failed) is said.
pub fn ending_of(error: &io::Error) -> Ending {
    if error.kind() == ErrorKind::InvalidData { Ending::Transport(error.to_string()) } else { Ending::Reset }
}
