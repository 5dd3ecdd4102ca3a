//! One fake client: how it comes, what it says, whether it reads and answers, and how it goes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hollerd::connection::Peer;
use hollerd::time::Time;

use crate::plan::Plan;
use crate::request::{PINNED, Visit};
use crate::socket::Socket;
use crate::speech::{self, BINARY, Kind, TEXT, Utterance};
use crate::tap::Sent;

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Promptly,
    Sparsely,
    /// Not at all for a while, now and then.
    InTurns(Time),
    Never,
}

/// What a client does when everything is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    /// Ends its side and reads on.
    End,
    /// Closes, whatever comes.
    Close,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Option<Peer>,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: Rc<RefCell<Socket>>,
    pub(crate) visit: Visit,
    random: fastrand::Rng,
    pub(crate) reads: Reads,
    /// The most bytes that it sends at once.
    pace: usize,
    answers: bool,
    /// Says something in so many of a hundred steps.
    talks: u8,
    rude: bool,
    /// Does not wait for the answer to its request.
    hasty: bool,
    /// Does not end its side when the server does.
    stubborn: bool,
    outgoing: VecDeque<u8>,
    composed: u64,
    pub(crate) transmitted: u64,
    /// Until the server is known to have dealt with them.
    pub(crate) utterances: VecDeque<Utterance>,
    /// What the server sent and this client has not come to yet, with the position behind it.
    pub(crate) incoming: VecDeque<(u64, Sent)>,
    /// The payloads of the pings whose answers may still come.
    pub(crate) pings: VecDeque<Vec<u8>>,
    /// The server greeted it by name.
    pub(crate) named: bool,
    upgraded: bool,
    /// Nothing more is said.
    silent: bool,
    closing: bool,
    /// It has composed a close frame.
    pub(crate) said_goodbye: bool,
    then: Then,
    breaks_at: Option<u64>,
    number: u64,
}

impl Client {
    pub(crate) fn new(seed: u64, plan: &Plan, remote: SocketAddr, visit: Visit) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let send_buffer = random.usize(64..=plan.send_buffer_most);
        let layered = random.u8(..100) < plan.layered;
        let mut socket = Socket::new(seed, plan.faults, send_buffer, plan.receive_buffer_most, layered);
        socket.tap.head_only = visit.head_only;
        let reads = match random.u8(..100) {
            0..=59 => Reads::Promptly,
            60..=74 => Reads::Sparsely,
            75..=92 => Reads::InTurns(Time::START),
            _ => Reads::Never,
        };
        let pace = match random.u8(..10) {
            0 => random.usize(1..4),
            1..=3 => random.usize(20..300),
            _ => usize::MAX,
        };
        let mut client = Self {
            peer: None,
            remote,
            socket: Rc::new(RefCell::new(socket)),
            reads,
            pace,
            answers: random.u8(..8) > 0,
            talks: if random.u8(..6) == 0 { 0 } else { random.u8(1..60) },
            rude: random.u8(..5) == 0,
            hasty: random.u8(..3) == 0,
            stubborn: random.u8(..4) == 0,
            outgoing: VecDeque::new(),
            composed: 0,
            transmitted: 0,
            utterances: VecDeque::new(),
            incoming: VecDeque::new(),
            pings: VecDeque::new(),
            named: false,
            upgraded: false,
            silent: visit.status != 101 || (visit.awaits_token && visit.token.is_none()),
            closing: false,
            said_goodbye: false,
            then: if visit.ends { Then::End } else { Then::Stay },
            breaks_at: None,
            number: 0,
            visit,
            random,
        };
        client.come();
        client
    }

    fn come(&mut self) {
        self.outgoing.extend(&self.visit.head);
        self.composed = self.visit.head.len() as u64;
        if let Some((opcode, token)) = self.visit.token.take() {
            let bytes = speech::message(&mut self.random, opcode, &token);
            self.say(&bytes, Kind::Token);
        }
        if self.random.u8(..50) == 0 {
            self.breaks_at = Some(self.random.u64(..self.composed.max(1)));
        }
    }

    /// One moment of this client's life.
    pub(crate) fn act(&mut self, now: Time, plan: &Plan) {
        if self.socket.borrow().dropped {
            return;
        }
        self.read(now);
        self.react();
        let may_speak = !self.silent && (self.upgraded || self.hasty) && self.outgoing.len() < 600;
        if may_speak && self.random.u8(..100) < self.talks {
            self.speak(plan);
        }
        self.transmit(now);
    }

    /// Nothing more is said, and the client goes one way or the other.
    pub(crate) fn leave(&mut self) {
        self.silent = true;
        self.then = if self.random.bool() { Then::End } else { Then::Close };
        self.pace = usize::MAX;
    }

    fn read(&mut self, now: Time) {
        let most = match self.reads {
            Reads::Promptly => usize::MAX,
            Reads::Sparsely if self.random.u8(..3) == 0 => self.random.usize(..300),
            Reads::InTurns(until) if until <= now => {
                if self.random.u8(..30) == 0 {
                    let pause = Duration::from_millis(self.random.u64(..8000) >> self.random.u8(..6));
                    self.reads = Reads::InTurns(now + pause);
                }
                usize::MAX
            }
            Reads::Sparsely | Reads::InTurns(_) | Reads::Never => 0,
        };
        if most > 0 {
            self.socket.borrow_mut().take(most);
        }
    }

    /// Answers what it has read.
    fn react(&mut self) {
        let taken = self.socket.borrow().bytes_taken;
        while self.incoming.front().is_some_and(|(end, _)| *end <= taken) {
            let Some((_, sent)) = self.incoming.pop_front() else { return };
            match sent {
                Sent::Answer(101) => self.upgraded = true,
                Sent::Answer(_) => self.finish(),
                Sent::Ping(payload) if self.answers && !self.closing => {
                    let bytes = speech::pong(&mut self.random, &payload);
                    self.say(&bytes, Kind::Control);
                }
                Sent::Close(code, _) => {
                    if !self.closing {
                        let bytes = speech::close(&mut self.random, code);
                        self.say(&bytes, Kind::Control);
                        self.said_goodbye = true;
                    }
                    self.finish();
                }
                Sent::Ping(_) | Sent::Pong(_) | Sent::Message { .. } => {}
            }
        }
    }

    /// The server has said its last: an ordinary client goes, a stubborn one stays, or even talks on.
    fn finish(&mut self) {
        self.closing = true;
        self.silent = !self.stubborn || self.random.bool();
        if !self.stubborn && self.then == Then::Stay {
            self.then = if self.random.bool() { Then::End } else { Then::Close };
        }
    }

    /// Behind the beginning of a message that is never finished nothing else can be said.
    fn say(&mut self, bytes: &[u8], kind: Kind) {
        if self.utterances.back().is_some_and(|last| last.kind == Kind::Unfinished) {
            return;
        }
        let begin = self.composed;
        self.outgoing.extend(bytes);
        self.composed += bytes.len() as u64;
        self.utterances.push_back(Utterance { begin, end: self.composed, kind, begun: None, noticed: None });
    }

    fn speak(&mut self, plan: &Plan) {
        if self.rude && self.random.u8(..25) == 0 {
            let (most, fragments) = plan.bad_message;
            let bytes = speech::bad(&mut self.random, most, fragments);
            self.say(&bytes, Kind::Bad);
            // A rude client may go on as if nothing was.
            self.silent = self.random.bool();
            return;
        }
        match self.random.u16(..1000) {
            0..=649 => self.say_text(plan),
            650..=689 => {
                for _ in 0..self.random.u8(2..50) {
                    self.say_text(plan);
                }
            }
            690..=699 => self.say_message(BINARY, b"binary \xff".to_vec(), plan),
            700..=779 => self.say_fragments(plan),
            780..=859 => {
                self.number += 1;
                let (bytes, payload) = speech::ping(&mut self.random, self.number);
                self.pings.push_back(payload);
                self.say(&bytes, Kind::Control);
            }
            860..=979 => {
                let bytes = speech::pong(&mut self.random, b"unasked");
                self.say(&bytes, Kind::Control);
            }
            _ => self.say_goodbye(),
        }
    }

    fn say_goodbye(&mut self) {
        self.silent = true;
        match self.random.u8(..7) {
            0..=2 => {
                let code = [None, Some(1000), Some(1001), Some(3000), Some(4999), Some(1005)][self.random.usize(..6)];
                let bytes = speech::close(&mut self.random, code);
                self.say(&bytes, Kind::Control);
                self.closing = true;
                self.said_goodbye = true;
            }
            3 => self.then = Then::End,
            4 => self.then = Then::Close,
            5 => self.breaks_at = Some(self.random.u64(self.transmitted..=self.composed)),
            _ => {
                let bytes = speech::unfinished(&mut self.random);
                self.say(&bytes, Kind::Unfinished);
                self.pace = self.pace.min(self.random.usize(1..200));
                self.then = if self.random.u8(..4) == 0 { Then::End } else { Then::Stay };
            }
        }
    }

    fn say_text(&mut self, plan: &Plan) {
        let text = self.text(plan);
        self.say_message(TEXT, text, plan);
    }

    fn say_message(&mut self, opcode: u8, payload: Vec<u8>, plan: &Plan) {
        // Where binary messages are the end, they are rarely sent.
        if opcode == BINARY && plan.is_chat && self.random.bool() {
            return;
        }
        let bytes = speech::message(&mut self.random, opcode, &payload);
        self.say(&bytes, Kind::Message(opcode, payload));
    }

    fn say_fragments(&mut self, plan: &Plan) {
        let most = usize::try_from(plan.good_message.1).unwrap().min(8);
        let count = self.random.usize(1..=most);
        let text = self.text(plan);
        let bytes = speech::fragments(&mut self.random, TEXT, &text, count);
        self.say(&bytes, Kind::Message(TEXT, text));
    }

    fn text(&mut self, plan: &Plan) -> Vec<u8> {
        self.number += 1;
        if plan.is_chat && !self.named {
            let name = match self.random.u8(..12) {
                0 => String::new(),
                1 => "a\u{7}b".to_owned(),
                2 => PINNED.to_owned(),
                3 => "ü".repeat(33),
                _ => format!(" n{} ", self.random.u8(..40)),
            };
            return name.into_bytes();
        }
        let most = plan.good_message.0;
        let length = match self.random.u8(..40) {
            0 => most,
            1..=4 => self.random.usize(..most),
            _ => 0,
        };
        let mut text = format!("{} says {}", self.remote.port(), self.number);
        while text.len() < length {
            text.push_str(" and so on");
        }
        text.truncate(most);
        text.into_bytes()
    }

    fn transmit(&mut self, now: Time) {
        let mut socket = self.socket.borrow_mut();
        let most = self
            .pace
            .min(self.breaks_at.map_or(usize::MAX, |at| usize::try_from(at.saturating_sub(self.transmitted)).unwrap()));
        self.transmitted += socket.arrive(&mut self.outgoing, most) as u64;
        for utterance in self.utterances.iter_mut().filter(|utterance| utterance.begun.is_none()) {
            if utterance.begin >= self.transmitted {
                break;
            }
            utterance.begun = Some(now);
        }
        if self.breaks_at.is_some_and(|at| at <= self.transmitted) {
            socket.break_off();
        } else if self.outgoing.is_empty() {
            match self.then {
                Then::Stay => {}
                Then::End => socket.end(),
                Then::Close => socket.close(),
            }
        }
    }
}
