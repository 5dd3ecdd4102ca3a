//! A TLS session over any stream, as a stream. The promises of [`Stream`] are kept like this:
//!
//! - A read that did not fill the buffer has emptied the stream below, or else [`Stream::holds_input`] says that there is
//!   more: plaintext, an end, a mistake, or bytes that a budget left where they were.
//! - A write takes plaintext only when no ciphertext waits, and at most a record more than the stream below takes.
//!   `flush` says "would block" until the rest is gone, so nobody takes it for sent before it is.
//! - What is said before the handshake is done, such as "the server is full", waits for its end.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::ServerConfig;

use super::tls_session::{RECORD_MAX, Session};
use crate::connection::stream::Stream;
use crate::wire::response::Refusal;

/// So much is asked of the stream below at once: a record, and the beginning of the next one.
const READ_SIZE: usize = RECORD_MAX + 2048;
/// So often in one read. Records without plaintext cannot keep the loop busy.
const READS_MAX: usize = 8;
/// And no more once a read has cost so much: much more than what fills a buffer, if it came in large records.
const COST_MAX: usize = 160 * 1024;
/// Received bytes that may wait for the rest of their record or handshake message: a whole record of whatever kind.
const INCOMING_MAX: usize = RECORD_MAX + 2048 + 5;
/// Plaintext that may wait for the end of the handshake.
const EARLY_MAX: usize = 16 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct TlsStream<T> {
    below: T,
    session: Session,
    /// Said before the handshake was done.
    early: Vec<u8>,
    flags: Flags,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
struct Flags {
    /// Something was received.
    begun: bool,
    /// A read may find more, although no edge will come for it.
    pending: bool,
    /// The stream below has ended.
    ended: bool,
    /// The stream below took less than it was given.
    blocked: bool,
    /// Our side is ended, or is to be when all is sent.
    ending: bool,
    /// The stream below is ended on our side.
    shut: bool,
}

impl<T: Stream> TlsStream<T> {
    pub(super) fn new(below: T, config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self { below, session: Session::new(config)?, early: Vec::new(), flags: Flags::default() })
    }

    pub(super) fn below_mut(&mut self) -> &mut T {
        &mut self.below
    }

    fn has_ended(&self) -> bool {
        self.flags.ended || self.session.ended
    }

    /// Reads below and decrypts until `out` is full, nothing more comes, or the budget is used up.
    fn pull(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.flags.pending = false;
        let mut filled = self.take_from_store(out, 0);
        let mut drained = false;
        for _ in 0..READS_MAX {
            filled = self.decrypt(out, filled)?;
            if filled == out.len() || self.has_ended() {
                break;
            }
            // Without plaintext there is no short read that could tell the caller that all was read.
            if drained && filled > 0 {
                return Ok(filled);
            }
            if self.session.cost >= COST_MAX {
                break;
            }
            match self.fill() {
                Ok(0) => self.flags.ended = true,
                Ok(read) => {
                    self.session.cost += read;
                    drained = read < READ_SIZE;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(filled),
                // Nothing is lost: the error comes again when there is nothing before it.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        self.flags.pending = true;
        Ok(filled)
    }

    /// Reads once from the stream below.
    fn fill(&mut self) -> io::Result<usize> {
        let incoming = &mut self.session.incoming;
        let used = incoming.len();
        if used >= INCOMING_MAX {
            let error = self.session.fail("TLS failed: a message is longer than a record");
            self.say_last();
            return Err(error);
        }
        incoming.resize(used + READ_SIZE, 0);
        let read = self.below.read(incoming.get_mut(used..).unwrap_or(&mut []));
        incoming.truncate(used + *read.as_ref().unwrap_or(&0));
        if incoming.is_empty() {
            *incoming = Vec::new();
        }
        read
    }

    /// Decrypts what has come, behind the first `filled` bytes of `out`, and returns how many it is then.
    fn decrypt(&mut self, out: &mut [u8], mut filled: usize) -> io::Result<usize> {
        if !self.session.incoming.is_empty() && !std::mem::replace(&mut self.flags.begun, true) {
            // No record begins with a letter, but every request does (RFC 8446 section 5.1, RFC 9110 section 9.1).
            if self.session.incoming.first().is_some_and(u8::is_ascii_uppercase) {
                return Err(self.answer_plain_request());
            }
        }
        while filled < out.len() && self.session.store.is_empty() {
            let more = self.session.decrypt();
            filled = self.take_from_store(out, filled);
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.say_last();
                    // What came before the mistake counts; the error comes again.
                    self.flags.pending = true;
                    return if filled > 0 { Ok(filled) } else { Err(error) };
                }
            }
        }
        if self.session.established && !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.session.encrypt(&early)?;
        }
        Ok(filled)
    }

    fn take_from_store(&mut self, out: &mut [u8], filled: usize) -> usize {
        let store = &mut self.session.store;
        let room = out.get_mut(filled..).unwrap_or(&mut []);
        let count = room.len().min(store.len());
        for (place, byte) in room.iter_mut().zip(store.iter()) {
            *place = *byte;
        }
        store.drain(..count);
        if store.is_empty() {
            *store = Vec::new();
        }
        filled + count
    }

    /// Somebody has taken this for a port without TLS, and can read why it is not.
    fn answer_plain_request(&mut self) -> io::Error {
        self.session.outgoing = Refusal::bad_request("this port speaks TLS: use https:// or wss://").render();
        let error = self.session.fail("plain HTTP on a port for TLS");
        self.say_last();
        error
    }

    /// Tells the peer what is wrong, as far as that can be done without waiting for it: the connection is given up next,
    /// and unread bytes would turn that into a reset, which eats what is sent here.
    fn say_last(&mut self) {
        let _ = self.push();
        let _ = self.below.shutdown_write();
        self.session.incoming.resize(READ_SIZE, 0);
        for _ in 0..READS_MAX {
            if !matches!(self.below.read(&mut self.session.incoming), Ok(1..)) {
                break;
            }
        }
        self.session.incoming = Vec::new();
    }

    /// Sends what is encrypted.
    ///
    /// # Errors
    /// `WouldBlock` when something is left, and whatever the stream below says.
    fn push(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let pushed = loop {
            match self.session.outgoing.get(sent..) {
                None | Some([]) => break Ok(()),
                Some(rest) => match self.below.write(rest) {
                    Ok(0) => break Err(ErrorKind::WouldBlock.into()),
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                },
            }
        };
        if pushed.is_ok() {
            self.session.outgoing = Vec::new();
        } else {
            self.session.outgoing.drain(..sent);
        }
        self.flags.blocked = pushed.is_err();
        pushed
    }

    fn write_early(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let before = self.early.len();
        for slice in slices {
            let room = EARLY_MAX - self.early.len();
            self.early.extend_from_slice(slice.get(..room.min(slice.len())).unwrap_or(&[]));
        }
        let taken = self.early.len() - before;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }
}

impl<T: Stream> Read for TlsStream<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.session.cost = 0;
        if self.session.has_failed() && self.session.store.is_empty() {
            self.session.decrypt()?;
        }
        let filled = self.pull(out)?;
        if filled == 0 && !self.has_ended() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if filled == 0 {
            // The end is told now.
            self.flags.pending = false;
        }
        Ok(filled)
    }
}

impl<T: Stream> Write for TlsStream<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Many small pieces become one record.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.session.established {
            return self.write_early(slices);
        }
        self.push()?;
        let mut taken = 0;
        let mut record = Vec::new();
        let mut rest = slices.iter().flat_map(|slice| slice.chunks(RECORD_MAX)).peekable();
        while let Some(piece) = rest.next() {
            record.extend_from_slice(piece);
            if rest.peek().is_some_and(|next| record.len() + next.len() <= RECORD_MAX) {
                continue;
            }
            self.session.encrypt(&record)?;
            taken += record.len();
            record.clear();
            match self.push() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()?;
        if !self.early.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.flags.ending && !std::mem::replace(&mut self.flags.shut, true) {
            self.below.shutdown_write()?;
        }
        Ok(())
    }
}

impl<T: Stream> Stream for TlsStream<T> {
    /// Sends `close_notify`, without which the peer could not tell the end from a cut line, and ends the stream below
    /// behind it.
    fn shutdown_write(&mut self) -> io::Result<()> {
        if self.session.established && !self.flags.ending {
            self.session.end()?;
        }
        self.flags.ending = true;
        match self.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    fn holds_input(&self) -> bool {
        self.flags.pending
    }

    fn read_cost(&self) -> usize {
        self.session.cost
    }

    fn holds_output(&self) -> bool {
        !self.session.outgoing.is_empty() && !self.flags.blocked
    }

    fn says_goodbye(&self) -> bool {
        self.session.established && !self.session.has_failed()
    }

    fn awaits(&self) -> Option<&'static str> {
        (!self.session.established).then_some("TLS handshake")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::path::Path;
    use std::rc::Rc;

    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;
    use crate::config::Tls;
    use crate::server::TlsConfig;
    use crate::server::tls_session::HANDSHAKE_COST;

    /// A socket with room for a few bytes, which is full, short, or empty as it likes.
    #[derive(Debug, Default)]
    struct Pipe {
        inbox: VecDeque<u8>,
        eof: bool,
        out: VecDeque<u8>,
        room: usize,
        shut: bool,
    }

    #[derive(Debug, Clone, Default)]
    struct End(Rc<RefCell<Pipe>>);

    impl Read for End {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let mut pipe = self.0.borrow_mut();
            let count = buffer.len().min(pipe.inbox.len());
            for (place, byte) in buffer.iter_mut().zip(pipe.inbox.drain(..count)) {
                *place = byte;
            }
            if count == 0 && !pipe.eof { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }
    }

    impl Write for End {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut pipe = self.0.borrow_mut();
            assert!(!pipe.shut, "something is sent behind the end");
            let count = bytes.len().min(pipe.room);
            pipe.room -= count;
            pipe.out.extend(&bytes[..count]);
            if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for End {
        fn shutdown_write(&mut self) -> io::Result<()> {
            self.0.borrow_mut().shut = true;
            Ok(())
        }
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
    }

    fn pair(version: &'static rustls::SupportedProtocolVersion) -> (TlsStream<End>, End, ClientConnection) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) =
            (pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", &made.signing_key.serialize_der()));
        let tls = Tls { certificate: Some("c".into()), key: Some("k".into()), ..Tls::default() };
        let mut read = |path: &Path| Ok(if path == Path::new("c") { &certificate } else { &key }.clone().into_bytes());
        let TlsConfig(server) = TlsConfig::load(&tls, &mut read).unwrap().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let client = ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap()).unwrap();
        let end = End::default();
        (TlsStream::new(end.clone(), server).unwrap(), end, client)
    }

    /// What the client has to send arrives, some of it; it reads what it was sent, some of that.
    fn exchange(client: &mut ClientConnection, end: &End, most: usize) -> io::Result<Vec<u8>> {
        let mut pipe = end.0.borrow_mut();
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent)?;
        }
        pipe.inbox.extend(sent);
        let mut taken: Vec<u8> = Vec::new();
        let count = most.min(pipe.out.len());
        taken.extend(pipe.out.drain(..count));
        let mut left = &taken[..];
        let mut heard = Vec::new();
        while !left.is_empty() {
            client.read_tls(&mut left)?;
            client.process_new_packets().map_err(io::Error::other)?;
            let _ = client.reader().read_to_end(&mut heard);
        }
        Ok(heard)
    }

    fn is_would_block<T>(result: &io::Result<T>) -> bool {
        result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Seeded conversations over a socket that is full most of the time: nothing is lost, nothing waits without somebody
    /// knowing of it.
    #[test]
    fn what_is_said_arrives_whatever_the_socket_does() {
        for seed in 0..12 {
            let mut random = fastrand::Rng::with_seed(seed);
            let version = if random.bool() { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
            let (mut server, end, mut client) = pair(version);
            let (mut said, mut heard) = ([Vec::<u8>::new(), Vec::new()], [Vec::<u8>::new(), Vec::new()]);
            let mut buffer = vec![0; random.usize(1..40_000)];
            for step in 0..600 {
                if step < 400 && said[0].len() < 200_000 && random.u8(..4) == 0 {
                    let words = vec![random.u8(..); 1 + (random.usize(1..20_000) >> random.u8(..12))];
                    let taken = client.writer().write(&words).unwrap();
                    said[0].extend(&words[..taken]);
                }
                if step < 400 && random.u8(..3) == 0 {
                    let words = vec![random.u8(..); 1 + (random.usize(1..60_000) >> random.u8(..12))];
                    let (left, right) = words.split_at(random.usize(..words.len()));
                    let written = server.write_vectored(&[IoSlice::new(left), IoSlice::new(right)]);
                    assert!(written.is_ok() || is_would_block(&written), "{written:?}");
                    said[1].extend(&words[..written.unwrap_or(0)]);
                }
                end.0.borrow_mut().room = if step < 400 { random.usize(..6000) } else { usize::MAX };
                let most = if step < 400 { random.usize(..9000) } else { usize::MAX };
                heard[1].extend(exchange(&mut client, &end, most).unwrap());
                match server.read(&mut buffer) {
                    Ok(read) => {
                        heard[0].extend(&buffer[..read]);
                        let drained = end.0.borrow().inbox.is_empty() && server.session.store.is_empty();
                        assert!(read == buffer.len() || server.holds_input() || drained, "something waits");
                    }
                    other => assert!(is_would_block(&other), "{other:?}"),
                }
                if server.holds_output() || random.bool() {
                    let flushed = server.flush();
                    assert_eq!(flushed.is_ok(), server.session.outgoing.is_empty() && server.early.is_empty());
                }
                assert!(server.session.outgoing.len() < 2 * RECORD_MAX && server.session.store.len() <= 3 * RECORD_MAX);
            }
            while server.holds_input() {
                let read = server.read(&mut buffer).unwrap();
                heard[0].extend(&buffer[..read]);
            }
            assert!(said == heard, "seed {seed}");
            assert!(!said[0].is_empty() && !said[1].is_empty());
            // At rest it keeps nothing.
            let Session { incoming, store, outgoing, .. } = &server.session;
            assert_eq!((incoming.capacity(), store.capacity(), outgoing.capacity()), (0, 0, 0));
        }
    }

    fn shake_hands(server: &mut TlsStream<End>, end: &End, client: &mut ClientConnection) {
        end.0.borrow_mut().room = usize::MAX;
        while client.is_handshaking() || server.awaits().is_some() {
            exchange(client, end, usize::MAX).unwrap();
            assert!(is_would_block(&server.read(&mut [0; 10])));
            server.flush().unwrap();
        }
    }

    #[test]
    fn an_end_behind_the_last_words_is_told_without_an_edge() {
        let (mut server, end, mut client) = pair(&rustls::version::TLS13);
        shake_hands(&mut server, &end, &mut client);
        client.writer().write_all(b"bye").unwrap();
        client.send_close_notify();
        exchange(&mut client, &end, 0).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(server.read(&mut buffer).unwrap(), 3);
        assert!(server.holds_input(), "nobody would ask again");
        assert_eq!(server.read(&mut buffer).unwrap(), 0);
        assert!(!server.holds_input());
    }

    /// Asks the server to read, and returns what that cost and how many bytes it gave.
    fn cost_of_read(server: &mut TlsStream<End>) -> (usize, usize) {
        let read = server.read(&mut [0; 64 * 1024]).unwrap_or(0);
        (server.read_cost(), read)
    }

    #[test]
    fn a_read_costs_what_it_takes_and_not_what_it_returns() {
        let (mut server, end, mut client) = pair(&rustls::version::TLS13);
        end.0.borrow_mut().room = usize::MAX;
        assert_eq!(cost_of_read(&mut server), (0, 0), "nothing has come");
        exchange(&mut client, &end, usize::MAX).unwrap();
        let (cost, read) = cost_of_read(&mut server);
        assert!(cost >= HANDSHAKE_COST && read == 0, "a signature for {cost}");
        assert_eq!(cost_of_read(&mut server), (0, 0), "the same is charged once");
        shake_hands(&mut server, &end, &mut client);

        client.writer().write_all(&[1; 3 * RECORD_MAX]).unwrap();
        exchange(&mut client, &end, usize::MAX).unwrap();
        let (cost, read) = cost_of_read(&mut server);
        assert!(read == 3 * RECORD_MAX && cost < read + read / 20, "{cost} for {read} in large records");

        for _ in 0..6000 {
            client.writer().write_all(&[1]).unwrap();
            exchange(&mut client, &end, usize::MAX).unwrap();
        }
        let (mut all, mut reads) = (0, 0);
        while all < 6000 {
            let (cost, read) = cost_of_read(&mut server);
            assert!(cost >= 200 * read && cost < 400 * 1024, "{cost} for {read} records");
            assert!(server.holds_input() || all + read == 6000, "something waits and nobody knows");
            (all, reads) = (all + read, reads + 1);
        }
        assert!(reads > 5, "{reads} reads for 6,000 records");
    }

    /// Records that carry nothing are paid for as well.
    #[test]
    fn what_brings_nothing_costs_too() {
        let (mut server, end, mut client) = pair(&rustls::version::TLS13);
        shake_hands(&mut server, &end, &mut client);
        for _ in 0..20 {
            client.refresh_traffic_keys().unwrap();
        }
        exchange(&mut client, &end, usize::MAX).unwrap();
        let (cost, read) = cost_of_read(&mut server);
        assert!(read == 0 && cost > 20 * 200, "{cost}");
    }

    #[test]
    fn close_notify_waits_for_room_and_the_socket_ends_behind_it() {
        let (mut server, end, mut client) = pair(&rustls::version::TLS12);
        shake_hands(&mut server, &end, &mut client);
        end.0.borrow_mut().room = 0;
        server.shutdown_write().unwrap();
        assert!(!end.0.borrow().shut && is_would_block(&server.flush()));
        end.0.borrow_mut().room = 1000;
        server.flush().unwrap();
        assert!(end.0.borrow().shut);
        exchange(&mut client, &end, usize::MAX).unwrap();
        assert_eq!(client.reader().read(&mut [0; 1]).unwrap(), 0, "the client was told");
    }

    #[test]
    fn what_is_said_before_the_handshake_is_done_waits_for_it() {
        let (mut server, end, mut client) = pair(&rustls::version::TLS13);
        end.0.borrow_mut().room = usize::MAX;
        assert_eq!(server.write(b"the server is full").unwrap(), 18);
        assert!(is_would_block(&server.flush()), "it is not sent yet");
        let mut heard = Vec::new();
        for _ in 0..5 {
            heard.extend(exchange(&mut client, &end, usize::MAX).unwrap());
            let _ = server.read(&mut [0; 10]);
            let _ = server.flush();
        }
        assert_eq!(heard, b"the server is full");
        server.flush().unwrap();
    }

    #[test]
    fn garbage_of_all_kinds_is_an_error_with_a_text_and_an_answer() {
        let table: [(&[u8], &str); 4] = [
            (b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on a port for TLS"),
            (b"\x00\x01\x02\x03\x04\x05\x06\x07", "TLS handshake failed: this is not TLS"),
            (b"\x16\x03\x01\xff\xff", "TLS handshake failed: "),
            (b"\x17\x03\x03\x00\x05hello", "TLS handshake failed: "),
        ];
        for (bytes, text) in table {
            let (mut server, end, _) = pair(&rustls::version::TLS13);
            end.0.borrow_mut().room = usize::MAX;
            end.0.borrow_mut().inbox.extend(bytes);
            let error = server.read(&mut [0; 100]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
            assert!(error.to_string().starts_with(text), "{error}");
            let pipe = end.0.borrow();
            assert!(pipe.shut && !pipe.out.is_empty(), "{text}: nothing was answered");
            drop(pipe);
            assert_eq!(server.read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }

    /// Whatever byte of a conversation is wrong, nothing panics and nothing spins.
    #[test]
    fn mutated_sessions_never_panic() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            let version = if random.bool() { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
            let (mut server, end, mut client) = pair(version);
            end.0.borrow_mut().room = usize::MAX;
            client.writer().write_all(&[7; 100]).unwrap();
            let bad_step = random.usize(..4);
            for step in 0..6 {
                let _ = exchange(&mut client, &end, usize::MAX);
                let mut pipe = end.0.borrow_mut();
                if step == bad_step && !pipe.inbox.is_empty() {
                    match random.u8(..4) {
                        0 => {
                            let cut = random.usize(..pipe.inbox.len());
                            pipe.inbox.truncate(cut);
                        }
                        1 => pipe.eof = true,
                        _ => {
                            let at = random.usize(..pipe.inbox.len());
                            pipe.inbox[at] ^= 1 << random.u8(..8);
                        }
                    }
                }
                drop(pipe);
                let _ = server.read(&mut [0; 64]);
                let _ = server.write(b"hello");
                let _ = server.flush();
            }
            let _ = server.shutdown_write();
        }
    }
}
