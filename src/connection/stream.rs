//! What a connection asks of its socket: non-blocking `Read` and `Write`, and a way to end its own half.

use std::io::{self, Read, Write};

/// A non-blocking byte stream. A TCP socket is one; so is a TLS session over it, and so is a fake in a test.
///
/// A write that takes fewer bytes than it was given counts as "would block": the stream must report when it can take more.
pub trait Stream: Read + Write {
    /// Ends the sending half, so that the peer reads an end after our last byte.
    ///
    /// # Errors
    /// Whatever the socket says; the caller treats the connection as broken then.
    fn shutdown_write(&mut self) -> io::Result<()>;
}
