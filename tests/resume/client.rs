//! A client as PROTOCOL.md wants it: it resumes, and says again what was not acknowledged.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use crate::World;
use crate::link::Link;

/// What a client has heard, and what it knows that it has not.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// By number: who and what.
    pub(crate) heard: BTreeMap<u64, (String, String)>,
    /// The number that comes next.
    pub(crate) next: u64,
    /// The first number that it was promised.
    pub(crate) first: u64,
    /// Numbers that it was told not to get.
    pub(crate) gaps: Vec<Range<u64>>,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    number: usize,
    seed: u64,
    pub(crate) book: Book,
    link: Option<Link>,
    /// Links that are cut, and which the server has not let go of.
    old: Vec<Link>,
    received: Vec<u8>,
    /// True from `hello` on.
    is_in: bool,
    /// The last `hello` was of the same room, and begins where the last connection ended.
    continues: bool,
    epoch: Option<String>,
    session: Option<String>,
    said: u64,
    /// What was said and is not acknowledged, by id.
    unanswered: BTreeMap<u64, String>,
    /// When it may connect again.
    back_at: u64,
}

impl Client {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        Self {
            name: format!("user {number}"),
            number,
            seed,
            book: Book::default(),
            link: None,
            old: Vec::new(),
            received: Vec::new(),
            is_in: false,
            continues: false,
            epoch: None,
            session: None,
            said: 0,
            unanswered: BTreeMap::new(),
            back_at: 0,
        }
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.old.iter().chain(&self.link)
    }

    pub(crate) fn is_satisfied(&self) -> bool {
        self.is_in && self.unanswered.is_empty()
    }

    /// Something that a person or a network does.
    pub(crate) fn act(&mut self, world: &mut World, random: &mut fastrand::Rng, may_leave: bool) {
        match (&self.link, random.u8(..10)) {
            (None, _) => self.connect(world),
            (Some(link), 0..=2) if may_leave => {
                let told = [None, Some(false), Some(true)][random.usize(..3)];
                link.cut(told);
                self.back_at = world.millis() + random.u64(0..30_000);
                self.lose_link();
            }
            (Some(_), _) => self.say(),
        }
    }

    /// Comes back and listens.
    pub(crate) fn calm_down(&mut self, world: &mut World) {
        if self.link.is_none() {
            self.back_at = 0;
            self.connect(world);
        }
    }

    fn lose_link(&mut self) {
        self.old.extend(self.link.take());
        self.received.clear();
        self.is_in = false;
    }

    fn connect(&mut self, world: &mut World) {
        if world.millis() < self.back_at {
            return;
        }
        let link = world.accept(self.number);
        link.send(
            b"GET /ws/room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Protocol: hollerd.json\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        self.link = Some(link);
        let object = match (&self.epoch, &self.session) {
            (Some(epoch), Some(session)) => {
                json!({"type": "resume", "name": self.name, "epoch": epoch, "last": self.book.next - 1, "session": session})
            }
            _ => json!({"type": "name", "name": self.name}),
        };
        self.send(&object);
    }

    fn send(&self, object: &Value) {
        let Some(link) = &self.link else { return };
        let text = object.to_string();
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0xfe);
                frame.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        link.send(&frame);
    }

    fn say(&mut self) {
        self.said += 1;
        let text = format!("{} of {} in {}", self.said, self.name, self.seed);
        if self.is_in {
            self.send(&json!({"type": "say", "id": format!("m{}", self.said), "text": text}));
        }
        self.unanswered.insert(self.said, text);
    }

    /// Reads what has arrived; true if that was something.
    pub(crate) fn listen(&mut self, world: &World) -> bool {
        let Some(link) = &self.link else { return false };
        let bytes = link.take();
        if bytes.is_empty() {
            return false;
        }
        self.received.extend(bytes);
        if self.received.starts_with(b"HTTP/1.1") {
            let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else { return true };
            let head: Vec<u8> = self.received.drain(..end + 4).collect();
            assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        }
        while let Some((opcode, payload)) = self.frame() {
            match opcode {
                1 => {
                    let object: Value = serde_json::from_slice(&payload).expect("JSON");
                    self.hear(&object);
                }
                // Pings, which only the silent get.
                9 => self.link.iter().for_each(|link| link.send(&[0x8a, 0x80, 0, 0, 0, 0])),
                8 => {
                    // Too slow, or no answer to a ping: it comes back like after any other loss.
                    self.link.iter().for_each(|link| link.cut(Some(false)));
                    self.back_at = world.millis();
                    self.lose_link();
                    return true;
                }
                other => panic!("opcode {other}"),
            }
        }
        true
    }

    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &short) = (self.received.first()?, self.received.get(1)?);
        let (header, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes([*self.received.get(2)?, *self.received.get(3)?]))),
            127 => panic!("a very long frame"),
            length => (2, usize::from(length)),
        };
        if self.received.len() < header + length {
            return None;
        }
        let frame: Vec<u8> = self.received.drain(..header + length).collect();
        Some((first & 0x0f, frame[header..].to_vec()))
    }

    fn hear(&mut self, object: &Value) {
        let text = |field: &str| object[field].as_str().unwrap_or_else(|| panic!("{field} in {object}")).to_owned();
        let number = |field: &str| object[field].as_u64().unwrap_or_else(|| panic!("{field} in {object}"));
        match text("type").as_str() {
            "hello" => self.begin(number("from"), &text("epoch"), text("session")),
            "resumed" => {
                let whole = object["whole"].as_bool().expect("true or false");
                assert_eq!(number("from"), self.book.next, "it begins where hello said");
                assert_eq!(whole, self.continues, "{object}");
            }
            "message" => self.note(number("sequence"), text("from"), text("text")),
            "ack" => self.acknowledged(&text("id"), number("sequence"), object["duplicate"] == true),
            "joined" | "left" | "users" | "renamed" => {}
            "error" => panic!("{} was told {object}", self.name),
            other => panic!("{other}"),
        }
    }

    fn begin(&mut self, from: u64, epoch: &str, session: String) {
        self.continues = self.epoch.as_deref() == Some(epoch) && from == self.book.next;
        match &self.epoch {
            // The room is a new one, or this is the first time.
            before if before.as_deref() != Some(epoch) => {
                // A room in which nothing was said is not kept when it is empty.
                let is_new = before.is_none() || self.book.next == 1;
                assert!(is_new, "the history of {} is gone", self.name);
                self.book.first = from;
            }
            _ => {
                assert!(from >= self.book.next, "{} would hear {from} again", self.name);
                if from > self.book.next {
                    self.book.gaps.push(self.book.next..from);
                }
            }
        }
        self.book.next = from;
        self.epoch = Some(epoch.to_owned());
        self.session = Some(session);
        self.is_in = true;
        for (id, text) in &self.unanswered {
            self.send(&json!({"type": "say", "id": format!("m{id}"), "text": text}));
        }
    }

    fn note(&mut self, number: u64, from: String, text: String) {
        assert_eq!(number, self.book.next, "{} hears {text} from {from} out of order", self.name);
        self.book.next += 1;
        self.book.heard.insert(number, (from, text));
    }

    fn acknowledged(&mut self, id: &str, number: u64, duplicate: bool) {
        let id: u64 = id.trim_start_matches('m').parse().expect("one of ours");
        let text = self.unanswered.remove(&id).unwrap_or_else(|| panic!("{id} is acknowledged twice"));
        if duplicate {
            assert!(number < self.book.next, "{number} has not come");
            let heard = self.book.heard.get(&number);
            let in_gap = self.book.gaps.iter().any(|gap| gap.contains(&number));
            assert!(heard.is_some_and(|(_, heard)| *heard == text) || in_gap, "{number} is {heard:?}, not {text}");
        } else {
            self.note(number, self.name.clone(), text);
        }
    }
}
