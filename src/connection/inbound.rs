//! Received bytes become messages. An `Inbound` (tungstenite's context, the position in the byte stream, what a turn's
//! budget left over) exists only while a message is under way; between two messages a connection gives it back to the
//! pool, and an idle connection costs nothing here.

use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Bytes, Message as Received, Utf8Bytes};

use super::link::Link;
use super::outbox::Outbox;
use crate::time::Time;
use crate::wire::boundary::{Boundary, MessageLimits, Stop};
use crate::wire::close::Ending;

/// tungstenite allocates this much eagerly, and zero-fills as much for each read.
const READ_BUFFER: usize = 4 * 1024;
/// How many contexts without an owner are kept for the next messages.
const SPARE_MAX: usize = 32;

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(Utf8Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// An answer to our ping, or an unasked pong.
    Pong(Bytes),
    /// A close frame, with the frame that answers it. Nothing comes after it.
    Close {
        /// The code, absent when the frame was empty.
        code: Option<u16>,
        /// The text, possibly empty.
        reason: String,
        /// The close frame to answer with.
        reply: Vec<u8>,
    },
}

/// One peer's message under way.
#[derive(Debug)]
pub struct Inbound {
    context: WebSocketContext,
    boundary: Boundary,
    /// Received, but beyond this turn's share of messages.
    leftover: Vec<u8>,
    /// How much of that has been taken since.
    leftover_taken: usize,
    /// A large message has made the context's buffer large.
    swollen: bool,
}

/// What a call of [`Inbound::receive`] came to, besides the messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing under way: the context can be given back.
    AtRest,
    /// In the middle of a message.
    Waiting,
    /// There are more messages among the bytes already received: call again next turn, with nothing new.
    MoreToDo,
    /// The peer's close frame was among the messages; the context has ended and is of no more use to anybody.
    Closed,
    /// The peer broke a rule; nothing more is read from it.
    Broken(Ending),
}

impl Inbound {
    fn new(limits: MessageLimits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            // One automatic answer at a time goes through tungstenite's own buffer, and leaves it at once.
            .max_write_buffer_size(1024)
            .max_message_size(Some(limits.bytes))
            .max_frame_size(Some(limits.bytes.max(125)));
        Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            boundary: Boundary::default(),
            leftover: Vec::new(),
            leftover_taken: 0,
            swollen: false,
        }
    }

    /// When the message under way was begun; `None` between two messages.
    pub fn begun(&self) -> Option<Time> {
        self.boundary.begun()
    }

    /// True when messages that were received wait for the next turn.
    pub fn has_leftover(&self) -> bool {
        !self.leftover.is_empty()
    }

    /// Takes `bytes`, behind those that were left over, and appends up to `most` messages to `incoming`.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        limits: MessageLimits,
        most: usize,
        now: Time,
        outbox: &mut Option<Box<Outbox>>,
        incoming: &mut Vec<Incoming>,
    ) -> Progress {
        let mut received = std::mem::take(&mut self.leftover);
        if received.is_empty() {
            let (progress, taken) = self.receive_run(bytes, limits, most, now, outbox, incoming);
            if progress == Progress::MoreToDo {
                self.leftover = bytes.get(taken..).unwrap_or(&[]).to_vec();
            }
            return progress;
        }
        received.extend_from_slice(bytes);
        let rest = received.get(self.leftover_taken..).unwrap_or(&[]);
        let (progress, taken) = self.receive_run(rest, limits, most, now, outbox, incoming);
        if progress == Progress::MoreToDo {
            self.leftover_taken += taken;
            self.leftover = received;
        } else {
            self.leftover_taken = 0;
        }
        progress
    }

    /// Takes the messages that begin `bytes`, and says how much of it they were.
    fn receive_run(
        &mut self,
        bytes: &[u8],
        limits: MessageLimits,
        most: usize,
        now: Time,
        outbox: &mut Option<Box<Outbox>>,
        incoming: &mut Vec<Incoming>,
    ) -> (Progress, usize) {
        let scan = self.boundary.scan(bytes, limits, most, now);
        let taken = bytes.get(..scan.consumed).unwrap_or(bytes);
        self.swollen |= taken.len() > READ_BUFFER || self.boundary.payload_left() > READ_BUFFER as u64;
        if let Err(ending) = self.feed(taken, scan.complete, limits, outbox, incoming) {
            return (Progress::Broken(ending), scan.consumed);
        }
        let progress = match scan.stop {
            Stop::Broken(ending) => Progress::Broken(ending),
            Stop::Budget => Progress::MoreToDo,
            Stop::Close => Progress::Closed,
            Stop::Drained if self.boundary.is_at_rest() => Progress::AtRest,
            Stop::Drained => Progress::Waiting,
        };
        (progress, scan.consumed)
    }

    /// Lets tungstenite unmask, reassemble and check what the scan let through. It is asked exactly as often as it has
    /// something to say, plus once if something is under way behind that: a fragment whose text is not UTF-8 is refused
    /// now, not when more bytes come.
    fn feed(
        &mut self,
        bytes: &[u8],
        complete: usize,
        limits: MessageLimits,
        outbox: &mut Option<Box<Outbox>>,
        incoming: &mut Vec<Incoming>,
    ) -> Result<(), Ending> {
        let mut link = Link::new(bytes, outbox);
        let mut complete = complete;
        while complete > 0 || !link.is_drained() || !self.boundary.is_at_rest() {
            complete = complete.saturating_sub(1);
            let message = match self.context.read(&mut link) {
                Ok(message) => message,
                Err(Error::Io(_)) => break,
                Err(error) => return Err(ending_for(&error, limits)),
            };
            match message {
                Received::Text(text) => incoming.push(Incoming::Text(text)),
                Received::Binary(bytes) => incoming.push(Incoming::Binary(bytes)),
                Received::Pong(payload) => incoming.push(Incoming::Pong(payload)),
                Received::Close(frame) => {
                    incoming.push(self.close(frame.map(|frame| (frame.code.into(), frame.reason)), &mut link));
                    break;
                }
                Received::Ping(_) | Received::Frame(_) => {}
            }
            // The pong is only written by the next call, and under edge triggering nobody else makes it.
            self.context.flush(&mut link).map_err(|error| ending_for(&error, limits))?;
        }
        Ok(())
    }

    /// A close frame came: has tungstenite make its reply (the same code, or 1002 for a code that must not be sent).
    fn close(&mut self, frame: Option<(u16, Utf8Bytes)>, link: &mut Link<'_>) -> Incoming {
        // This always says "connection closed": for tungstenite it is, once the reply is in the outbox.
        let _ = self.context.flush(link);
        let reply = link.close_reply.take().unwrap_or_default();
        let (code, reason) = frame.map_or((None, String::new()), |(code, reason)| (Some(code), reason.to_string()));
        Incoming::Close { code, reason, reply }
    }
}

/// What tungstenite complains about, in our words. It sends no close frame of its own.
fn ending_for(error: &Error, limits: MessageLimits) -> Ending {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Ending::TooBig { most: limits.bytes },
        Error::Utf8(_) => Ending::NotUtf8,
        Error::Protocol(ProtocolError::InvalidCloseSequence) => Ending::Protocol("close frame of one byte"),
        Error::Protocol(_) => Ending::Protocol("invalid frame"),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::Capacity(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_) => Ending::Fault("unexpected answer of the frame decoder"),
    }
}

/// Contexts that nobody uses at the moment. One is enough for all peers whose messages come whole.
#[derive(Debug)]
pub struct InboundPool {
    #[expect(clippy::vec_box, reason = "the boxes move to connections and back; their contents stay where they are")]
    spare: Vec<Box<Inbound>>,
    limits: MessageLimits,
}

impl InboundPool {
    /// An empty pool for messages of up to `limits`.
    pub fn new(limits: MessageLimits) -> Self {
        Self { spare: Vec::new(), limits }
    }

    /// What a message may be.
    pub fn limits(&self) -> MessageLimits {
        self.limits
    }

    /// A context that stands between two messages.
    pub fn take(&mut self) -> Box<Inbound> {
        self.spare.pop().unwrap_or_else(|| Box::new(Inbound::new(self.limits)))
    }

    /// Takes back a context that is at rest. One whose buffer was made large is dropped, so that memory follows use.
    pub fn give_back(&mut self, inbound: Box<Inbound>) {
        debug_assert!(inbound.boundary.is_at_rest() && inbound.leftover.is_empty());
        if self.spare.len() < SPARE_MAX && !inbound.swollen {
            self.spare.push(inbound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits { bytes: 70_000, fragments: 10 };
    const NOW: Time = Time::from_millis(7);

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match u8::try_from(payload.len()) {
            Ok(len) if len < 126 => bytes.push(0x80 | len),
            _ => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Feeds `bytes` in the given cuts and returns all that came out, the end state, and the outbox.
    fn run(bytes: &[u8], cuts: usize, most: usize) -> (Vec<Incoming>, Progress, Vec<u8>) {
        let mut inbound = Inbound::new(LIMITS);
        let mut outbox = None;
        let mut incoming = Vec::new();
        let mut progress = Progress::AtRest;
        for part in bytes.chunks(cuts) {
            progress = inbound.receive(part, LIMITS, most, NOW, &mut outbox, &mut incoming);
            while progress == Progress::MoreToDo {
                progress = inbound.receive(&[], LIMITS, most, NOW, &mut outbox, &mut incoming);
            }
            if matches!(progress, Progress::Broken(_)) {
                break;
            }
        }
        (incoming, progress, outbox.map_or_else(Vec::new, |outbox: Box<Outbox>| outbox.control))
    }

    #[test]
    fn whole_fragmented_and_chopped_messages_come_out_the_same() {
        let mut bytes = masked(0x81, "grüße".as_bytes());
        bytes.extend(masked(0x02, &[1; 5000]));
        bytes.extend(masked(0x89, b"ping"));
        bytes.extend(masked(0x80, &[2; 3000]));
        bytes.extend(masked(0x8a, b"pong"));
        let whole = [[1; 5000].as_slice(), &[2; 3000]].concat();
        let expected = [
            Incoming::Text("grüße".into()),
            Incoming::Binary(whole.into()),
            Incoming::Pong(Bytes::from_static(b"pong")),
        ];
        for cuts in [1, 2, 7, 100, 4096, 100_000] {
            for most in [1, 2, 100] {
                let (incoming, progress, control) = run(&bytes, cuts, most);
                assert_eq!(incoming, expected, "cut every {cuts} bytes, {most} a turn");
                assert_eq!(progress, Progress::AtRest);
                assert_eq!(control, b"\x8a\x04ping");
            }
        }
    }

    #[test]
    fn a_peer_in_the_middle_of_a_message_is_waited_for() {
        let bytes = masked(0x81, b"hello");
        let mut inbound = Inbound::new(LIMITS);
        let mut outbox = None;
        let mut incoming = Vec::new();
        assert_eq!(inbound.begun(), None);
        let progress = inbound.receive(&bytes[..8], LIMITS, 32, NOW, &mut outbox, &mut incoming);
        assert_eq!(progress, Progress::Waiting);
        assert_eq!(inbound.begun(), Some(NOW));
        inbound.receive(&bytes[8..], LIMITS, 32, Time::from_millis(9), &mut outbox, &mut incoming);
        assert_eq!(inbound.begun(), None);
        assert_eq!(incoming, [Incoming::Text("hello".into())]);
    }

    #[test]
    fn what_tungstenite_finds_wrong_becomes_an_ending() {
        let cases = [
            (masked(0x81, b"\xff\xfe"), Ending::NotUtf8),
            (masked(0x88, b"\x03"), Ending::Protocol("close frame of one byte")),
            (masked(0x88, b"\x03\xe8\xff"), Ending::NotUtf8),
        ];
        for (bytes, ending) in cases {
            let (incoming, progress, _) = run(&bytes, 1000, 32);
            assert_eq!((incoming, progress), (vec![], Progress::Broken(ending)));
        }
        // A whole message and a broken fragment in one read: the fragment is judged with it.
        let mut together = masked(0x81, b"fine");
        together.extend(masked(0x01, b"\xff"));
        let (incoming, progress, _) = run(&together, 1000, 32);
        assert_eq!((incoming.len(), progress), (1, Progress::Broken(Ending::NotUtf8)));
        // A character cut in two by fragments is fine, a broken one is refused with the fragment that breaks it.
        let mut split = masked(0x01, "ü".as_bytes().split_at(1).0);
        assert_eq!(run(&split, 1000, 32).1, Progress::Waiting);
        split.extend(masked(0x00, b"x"));
        assert_eq!(run(&split, 1000, 32).1, Progress::Broken(Ending::NotUtf8));
    }

    #[test]
    fn close_frames_are_answered_with_their_code_or_with_1002() {
        let cases: [(&[u8], Option<u16>, &[u8]); 3] = [
            (b"\x03\xe8bye", Some(1000), b"\x88\x05\x03\xe8bye"),
            (b"", None, b"\x88\x00"),
            (b"\x03\xed", Some(1002), b"\x88\x14\x03\xeaProtocol violation"),
        ];
        for (payload, expected, answer) in cases {
            let (incoming, progress, control) = run(&masked(0x88, payload), 1000, 32);
            assert_eq!(progress, Progress::Closed, "the context must not go back to the pool");
            let [Incoming::Close { code, reply, .. }] = incoming.as_slice() else { panic!("{incoming:?}") };
            assert_eq!((*code, reply.as_slice()), (expected, answer));
            assert!(control.is_empty(), "the reply waits for its turn");
        }
    }

    #[test]
    fn only_a_context_of_ordinary_size_goes_back_to_the_pool() {
        let mut pool = InboundPool::new(LIMITS);
        let mut outbox = None;
        for (size, kept) in [(10, 1), (60_000, 0)] {
            let mut inbound = pool.take();
            let message = masked(0x82, &vec![0; size]);
            inbound.receive(&message, LIMITS, 32, NOW, &mut outbox, &mut Vec::new());
            pool.give_back(inbound);
            assert_eq!(pool.spare.len(), kept);
        }
    }
}
