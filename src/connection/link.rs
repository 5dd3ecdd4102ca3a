//! The one `Read + Write` that tungstenite drives: it reads the bytes that were just received, and writes its automatic
//! answers (pongs, and the reply to a close frame) into the outbox. Neither direction touches a socket.

use std::io::{self, ErrorKind, Read, Write};

use super::outbox::Outbox;

/// The bytes of this turn on one side, the outbox on the other.
#[derive(Debug)]
pub struct Link<'a> {
    received: &'a [u8],
    /// Made when the first answer goes in.
    outbox: &'a mut Option<Box<Outbox>>,
    /// The reply to a close frame is held back: it has to come after everything that was said before.
    pub close_reply: Option<Vec<u8>>,
}

impl<'a> Link<'a> {
    /// A link over the bytes just received.
    pub fn new(received: &'a [u8], outbox: &'a mut Option<Box<Outbox>>) -> Self {
        Self { received, outbox, close_reply: None }
    }

    /// True when tungstenite has taken all the bytes.
    pub fn is_drained(&self) -> bool {
        self.received.is_empty()
    }
}

impl Read for Link<'_> {
    /// Never ends: when the bytes are used up it says `WouldBlock`, as a socket does.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.received.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.received.read(buffer)
    }
}

impl Write for Link<'_> {
    /// Takes everything. tungstenite writes one whole frame per call because its own write buffer is set to zero.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if frame.first().is_some_and(|first| first & 0x0f == 0x8) {
            self.close_reply = Some(frame.to_vec());
        } else {
            self.outbox.get_or_insert_default().push_control(frame);
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_was_received_and_then_would_block() {
        let mut outbox = None;
        let mut link = Link::new(b"abc", &mut outbox);
        let mut buffer = [0; 2];
        assert_eq!(link.read(&mut buffer).unwrap(), 2);
        assert_eq!(link.read(&mut buffer).unwrap(), 1);
        assert!(link.is_drained());
        assert_eq!(link.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_close_reply_is_held_back_and_a_pong_is_not() {
        let mut outbox = None;
        let mut link = Link::new(b"", &mut outbox);
        link.write_all(b"\x8a\x00").unwrap();
        link.write_all(b"\x88\x02\x03\xe8").unwrap();
        assert_eq!(link.close_reply.as_deref(), Some(&b"\x88\x02\x03\xe8"[..]));
        assert!(outbox.is_some_and(|outbox| !outbox.is_empty()));
    }
}
