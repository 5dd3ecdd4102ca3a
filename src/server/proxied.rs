//! A connection that begins with the PROXY header of a trusted proxy. The header is looked at where it lies in the kernel's
//! buffer and taken out when it is whole, so nothing is kept of it, and not a byte behind it is touched: that may already be
//! TLS.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use rustix::net::{RecvFlags, recv};

use crate::connection::remote::Remote;
use crate::wire::proxy_protocol::{HEADER_MAX, Parsed, parse};

/// What a look at the beginning came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Introduction {
    /// The header has been taken out. The client, if the proxy has named one.
    Made(Option<Remote>),
    /// The other side has ended before its header.
    Ended,
}

/// Takes the header out of the socket.
///
/// # Errors
/// `WouldBlock` until it is whole, and then there is an edge when more comes; `InvalidData` with a text if it is none.
pub(super) fn take_introduction(socket: &impl AsFd) -> io::Result<Introduction> {
    let mut header = [0; HEADER_MAX];
    let (seen, _) = recv(socket, &mut header[..], RecvFlags::PEEK)?;
    if seen == 0 {
        return Ok(Introduction::Ended);
    }
    let invalid = |why: &str| io::Error::new(ErrorKind::InvalidData, why);
    match parse(header.get(..seen).unwrap_or(&[])).map_err(invalid)? {
        Parsed::Partial => Err(ErrorKind::WouldBlock.into()),
        Parsed::Whole { source, len } => {
            // All of it was seen to be there.
            let (taken, _) = recv(socket, header.get_mut(..len).unwrap_or(&mut []), RecvFlags::empty())?;
            if taken != len {
                return Err(invalid("the PROXY header could not be read"));
            }
            Ok(Introduction::Made(source.map(Remote::from)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::SocketAddr;
    use std::os::unix::net::UnixStream;

    fn pair() -> (UnixStream, UnixStream) {
        let (client, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        (client, server)
    }

    #[test]
    fn not_a_byte_behind_the_header_is_touched() {
        let (mut client, mut server) = pair();
        let all = b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n\x16\x03\x01";
        assert_eq!(take_introduction(&server).unwrap_err().kind(), ErrorKind::WouldBlock);
        for byte in &all[..all.len() - 4] {
            client.write_all(&[*byte]).unwrap();
            assert_eq!(take_introduction(&server).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        client.write_all(&all[all.len() - 4..]).unwrap();
        let source: SocketAddr = "192.0.2.1:4711".parse().unwrap();
        assert_eq!(take_introduction(&server).unwrap(), Introduction::Made(Some(source.into())));
        let mut rest = [0; 8];
        assert_eq!(server.read(&mut rest).unwrap(), 3);
        assert_eq!(rest[..3], *b"\x16\x03\x01");
    }

    #[test]
    fn an_end_and_a_wrong_beginning() {
        let (client, server) = pair();
        drop(client);
        assert_eq!(take_introduction(&server).unwrap(), Introduction::Ended);
        let (mut client, server) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        let error = take_introduction(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("no PROXY protocol header"), "{error}");
    }
}
