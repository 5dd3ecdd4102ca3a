//! Received bytes become messages. An `Inbound` (tungstenite's context, the position in the byte stream, what a turn's
//! budget left over) exists only while a message is under way; between two messages a connection gives it back to the
//! pool, and an idle connection costs nothing here. Messages that come whole, one frame in one read, stay where they were
//! received; tungstenite puts together and judges all that does not.

use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Bytes, Message as Received, Utf8Bytes};

use super::link::Link;
use super::outbox::Outbox;
use crate::time::Time;
use crate::wire::boundary::{Boundary, MessageLimits, Stop};
use crate::wire::close::Ending;
use crate::wire::whole::Whole;

/// tungstenite allocates this much eagerly, and zero-fills as much for each read.
const READ_BUFFER: usize = 4 * 1024;
/// How many contexts without an owner are kept for the next messages.
const SPARE_MAX: usize = 32;
/// How many of them may have a large buffer. One is enough while one large message after the other is under way.
const SWOLLEN_MAX: usize = 1;

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message that lies, unmasked and not yet judged, in the bytes that were received.
    Whole(Whole),
    /// A text message that was put together.
    Text(Utf8Bytes),
    /// A binary message that was put together.
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
    limits: MessageLimits,
    leftover: Leftover,
    /// A large message has made the context's buffer large.
    swollen: bool,
}

/// Bytes that were received, but are beyond a turn's share of messages.
#[derive(Debug, Default)]
pub struct Leftover {
    /// As they were received.
    pub bytes: Vec<u8>,
    /// How many of them have been taken since.
    pub taken: usize,
}

/// What a call of [`Inbound::receive`] came to, besides the messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing under way: the context can be given back.
    AtRest,
    /// In the middle of a message.
    Waiting,
    /// There are more messages among the bytes already received: call again with those that were not taken.
    MoreToDo,
    /// The peer's close frame was among the messages; the context has ended and is of no more use to anybody.
    Closed,
    /// The peer broke a rule; nothing more is read from it.
    Broken(Ending),
}

impl Inbound {
    fn new(limits: MessageLimits) -> Self {
        let mut config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            // One automatic answer at a time goes through tungstenite's own buffer, and leaves it at once.
            .max_write_buffer_size(1024);
        set_sizes(&mut config, limits);
        Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            boundary: Boundary::default(),
            limits,
            leftover: Leftover::default(),
            swollen: false,
        }
    }

    /// Takes over other limits, unless a message is under way: that one is judged by those under which it was begun. False
    /// if they are still to be taken over.
    pub fn adopt(&mut self, limits: MessageLimits) -> bool {
        if self.limits != limits {
            if !self.boundary.is_at_rest() {
                return false;
            }
            self.limits = limits;
            self.context.set_config(|config| set_sizes(config, limits));
        }
        true
    }

    /// When the message under way was begun; `None` between two messages.
    pub fn begun(&self) -> Option<Time> {
        self.boundary.begun()
    }

    /// True when messages that were received wait for the next turn.
    pub fn has_leftover(&self) -> bool {
        !self.leftover.bytes.is_empty()
    }

    /// Keeps what the next turn has to go on with.
    pub fn keep_leftover(&mut self, leftover: Leftover) {
        self.leftover = leftover;
    }

    /// What an earlier turn kept; empty if it kept nothing. Nothing new may be received before it is used up.
    pub fn take_leftover(&mut self) -> Leftover {
        std::mem::take(&mut self.leftover)
    }

    /// Appends up to `most` messages that begin or go on at `from` of `bytes` to `incoming`, and says how far that is.
    /// Whole messages are unmasked in place, and their positions are positions in `bytes`.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        from: usize,
        most: usize,
        now: Time,
        outbox: &mut Option<Box<Outbox>>,
        incoming: &mut Vec<Incoming>,
    ) -> (Progress, usize) {
        let mut taken = from;
        let mut left = most;
        if self.boundary.is_at_rest() {
            while left > 0 {
                if let Some(whole) = Whole::take(bytes, taken, self.limits.bytes) {
                    taken = whole.end();
                    incoming.push(Incoming::Whole(whole));
                } else if let Some(payload) = Whole::take_pong(bytes, taken) {
                    taken = payload.end;
                    let payload = bytes.get(payload).unwrap_or(&[]);
                    incoming.push(Incoming::Pong(Bytes::copy_from_slice(payload)));
                } else {
                    break;
                }
                left -= 1;
            }
            if taken == bytes.len() {
                return (Progress::AtRest, taken);
            }
        }
        let rest = bytes.get(taken..).unwrap_or(&[]);
        let scan = self.boundary.scan(rest, self.limits, left, now);
        let passed = rest.get(..scan.consumed).unwrap_or(rest);
        taken += passed.len();
        self.swollen |= passed.len() > READ_BUFFER || self.boundary.payload_left() > READ_BUFFER as u64;
        if let Err(ending) = self.feed(passed, scan.complete, outbox, incoming) {
            return (Progress::Broken(ending), taken);
        }
        let progress = match scan.stop {
            Stop::Broken(ending) => Progress::Broken(ending),
            Stop::Budget => Progress::MoreToDo,
            Stop::Close => Progress::Closed,
            Stop::Drained if self.boundary.is_at_rest() => Progress::AtRest,
            Stop::Drained => Progress::Waiting,
        };
        (progress, taken)
    }

    /// Lets tungstenite unmask, reassemble and check what the scan let through. It is asked exactly as often as it has
    /// something to say, plus once if something is under way behind that: a fragment whose text is not UTF-8 is refused
    /// now, not when more bytes come.
    fn feed(
        &mut self,
        bytes: &[u8],
        complete: usize,
        outbox: &mut Option<Box<Outbox>>,
        incoming: &mut Vec<Incoming>,
    ) -> Result<(), Ending> {
        let limits = self.limits;
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

fn set_sizes(config: &mut WebSocketConfig, limits: MessageLimits) {
    config.max_message_size = Some(limits.bytes);
    config.max_frame_size = Some(limits.bytes.max(125));
}

/// What tungstenite complains about, in our words. It sends no close frame of its own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is left depends on features that others in a build may ask for"
)]
fn ending_for(error: &Error, limits: MessageLimits) -> Ending {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Ending::TooBig { most: limits.bytes },
        Error::Utf8(_) => Ending::NotUtf8,
        Error::Protocol(ProtocolError::InvalidCloseSequence) => Ending::Protocol("close frame of one byte"),
        Error::Protocol(_) => Ending::Protocol("invalid frame"),
        _ => Ending::Fault("unexpected answer of the frame decoder"),
    }
}

/// Contexts that nobody uses at the moment. One is enough for all peers whose messages come whole.
#[derive(Debug)]
pub struct InboundPool {
    #[expect(clippy::vec_box, reason = "the boxes move to connections and back; their contents stay where they are")]
    spare: Vec<Box<Inbound>>,
    /// How many of the spare ones have a large buffer.
    swollen: usize,
    limits: MessageLimits,
}

impl InboundPool {
    /// An empty pool for messages of up to `limits`.
    pub fn new(limits: MessageLimits) -> Self {
        Self { spare: Vec::new(), swollen: 0, limits }
    }

    /// Messages may be something else from now on. Contexts that are lent adopt it between two messages.
    pub fn reconfigure(&mut self, limits: MessageLimits) {
        if self.limits != limits {
            *self = Self::new(limits);
        }
    }

    /// What a message may be.
    pub fn limits(&self) -> MessageLimits {
        self.limits
    }

    /// A context that stands between two messages.
    pub fn take(&mut self) -> Box<Inbound> {
        let Some(inbound) = self.spare.pop() else { return Box::new(Inbound::new(self.limits)) };
        self.swollen -= usize::from(inbound.swollen);
        inbound
    }

    /// Takes back a context that is at rest. Most of those whose buffer was made large are dropped, so that memory follows
    /// use.
    pub fn give_back(&mut self, inbound: Box<Inbound>) {
        debug_assert!(inbound.boundary.is_at_rest() && !inbound.has_leftover());
        let usable = inbound.limits == self.limits && self.spare.len() < SPARE_MAX;
        if usable && (!inbound.swollen || self.swollen < SWOLLEN_MAX) {
            self.swollen += usize::from(inbound.swollen);
            self.spare.push(inbound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::Message;

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

    /// The same for whole messages as for those that were put together.
    fn owned(incoming: Incoming, bytes: &[u8]) -> Incoming {
        let Incoming::Whole(whole) = incoming else { return incoming };
        match whole.message(bytes) {
            Ok(Message::Text(text)) => Incoming::Text(text.into()),
            Ok(Message::Binary(bytes)) => Incoming::Binary(Bytes::copy_from_slice(bytes)),
            Err(_) => Incoming::Whole(whole),
        }
    }

    /// Feeds `bytes` in the given cuts and returns all that came out, the end state, and the outbox.
    fn run(bytes: &[u8], cuts: usize, most: usize) -> (Vec<Incoming>, Progress, Vec<u8>) {
        let mut inbound = Inbound::new(LIMITS);
        let mut outbox = None;
        let mut incoming = Vec::new();
        let mut progress = Progress::AtRest;
        for part in bytes.to_vec().chunks_mut(cuts) {
            let mut taken = 0;
            loop {
                let mut some = Vec::new();
                (progress, taken) = inbound.receive(part, taken, most, NOW, &mut outbox, &mut some);
                assert!(some.len() <= most);
                incoming.extend(some.into_iter().map(|message| owned(message, part)));
                if progress != Progress::MoreToDo {
                    break;
                }
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
        let mut bytes = masked(0x81, b"hello");
        let mut inbound = Inbound::new(LIMITS);
        let mut outbox = None;
        let mut incoming = Vec::new();
        assert_eq!(inbound.begun(), None);
        let (begin, end) = bytes.split_at_mut(8);
        let progress = inbound.receive(begin, 0, 32, NOW, &mut outbox, &mut incoming);
        assert_eq!(progress, (Progress::Waiting, 8));
        assert_eq!(inbound.begun(), Some(NOW));
        inbound.receive(end, 0, 32, Time::from_millis(9), &mut outbox, &mut incoming);
        assert_eq!(inbound.begun(), None);
        assert_eq!(incoming, [Incoming::Text("hello".into())]);
    }

    #[test]
    fn what_is_no_message_becomes_an_ending() {
        let cases = [
            (masked(0x88, b"\x03"), Ending::Protocol("close frame of one byte")),
            (masked(0x88, b"\x03\xe8\xff"), Ending::NotUtf8),
        ];
        for (bytes, ending) in cases {
            let (incoming, progress, _) = run(&bytes, 1000, 32);
            assert_eq!((incoming, progress), (vec![], Progress::Broken(ending)));
        }
        // A text that is no text is found out when it is asked for, or by tungstenite if it comes in two reads.
        let bytes = masked(0x81, b"\xff\xfe");
        assert!(matches!(run(&bytes, 1000, 32).0.as_slice(), [Incoming::Whole(_)]));
        assert_eq!(run(&bytes, 5, 32).1, Progress::Broken(Ending::NotUtf8));
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
    fn one_large_context_is_kept_and_no_more() {
        let mut pool = InboundPool::new(LIMITS);
        let mut outbox = None;
        let mut use_one = |size: usize, mut inbound: Box<Inbound>| {
            let mut message = masked(0x82, &vec![0; size]);
            let (begin, end) = message.split_at_mut(7);
            inbound.receive(begin, 0, 32, NOW, &mut outbox, &mut Vec::new());
            assert_eq!(inbound.receive(end, 0, 32, NOW, &mut outbox, &mut Vec::new()).0, Progress::AtRest);
            inbound
        };
        let large = [use_one(60_000, pool.take()), use_one(60_000, pool.take())];
        let small = use_one(10, pool.take());
        large.into_iter().for_each(|inbound| pool.give_back(inbound));
        assert_eq!(pool.spare.len(), SWOLLEN_MAX);
        pool.give_back(small);
        assert_eq!(pool.spare.len(), SWOLLEN_MAX + 1);
        let again = [pool.take(), pool.take()];
        again.into_iter().for_each(|inbound| pool.give_back(inbound));
        assert_eq!(pool.spare.len(), SWOLLEN_MAX + 1, "whoever comes back is counted as when it went");
    }
}
