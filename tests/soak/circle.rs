//! A room whose members read all the time. After each round everybody must have heard exactly what was said in it.

use std::time::Duration;

use crate::support::{Client, Frame, Received, opcode};
use crate::{Account, World};

/// How many there are, more or less.
const MEMBERS: usize = 8;
/// Most messages that one says in a round.
const BURST: u64 = 12;
/// Longest message.
const LENGTH: usize = 3000;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(5);

struct Circle<'a> {
    world: &'a World,
    room: &'a str,
    members: Vec<Member>,
    /// Names given so far; nobody comes back under an old one.
    arrivals: u64,
    account: Account,
}

/// Somebody who has been greeted.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) client: Client,
}

/// Talks until the end.
pub(crate) fn talk(world: &World, room: &str) -> Account {
    let mut circle = Circle { world, room, members: Vec::new(), arrivals: 0, account: Account::default() };
    while !world.stop.within(PAUSE) {
        while circle.members.len() < MEMBERS {
            circle.arrive();
        }
        match fastrand::u8(..10) {
            0 => circle.everybody_speaks(),
            1 => circle.somebody_leaves(),
            _ => circle.one_speaks(),
        }
    }
    while !circle.members.is_empty() {
        circle.somebody_leaves();
    }
    circle.account
}

impl Circle<'_> {
    fn arrive(&mut self) {
        self.arrivals += 1;
        self.members.push(Member::enter(self.world, self.room, &format!("m{}", self.arrivals)));
    }

    fn somebody_leaves(&mut self) {
        let leaver = self.members.swap_remove(fastrand::usize(..self.members.len()));
        leaver.leave();
        self.account.visits += 1;
    }

    /// Some messages of one member, in one piece or in fragments: all the others hear them, in this order.
    fn one_speaks(&mut self) {
        let speaker = fastrand::usize(..self.members.len());
        let texts: Vec<String> = (0..fastrand::u64(1..=BURST)).map(|_| self.something()).collect();
        for text in &texts {
            self.members[speaker].say(text);
        }
        let name = self.members[speaker].name.clone();
        for (_, listener) in self.members.iter_mut().enumerate().filter(|(place, _)| *place != speaker) {
            for text in &texts {
                assert_eq!(listener.hear(), format!("{name}: {text}"), "heard by {} in {}", listener.name, self.room);
                self.account.heard += 1;
            }
        }
    }

    /// All speak at once: everybody hears all the others, and all hear them in one order.
    fn everybody_speaks(&mut self) {
        for place in 0..self.members.len() {
            let text = self.something();
            self.members[place].say(&text);
        }
        let others = self.members.len() - 1;
        let heard: Vec<Vec<String>> =
            self.members.iter_mut().map(|member| (0..others).map(|_| member.hear()).collect()).collect();
        self.account.heard += (heard.len() * others) as u64;
        // The one order is that of the first, with its own message, which it does not hear, where the second has it.
        for (member, lines) in self.members.iter().zip(&heard).skip(1) {
            let without = |lines: &[String], name: &str| {
                lines.iter().filter(|line| !line.starts_with(&format!("{name}: "))).cloned().collect::<Vec<_>>()
            };
            assert_eq!(without(&heard[0], &member.name), without(lines, &self.members[0].name), "in {}", self.room);
            let own = format!("{}: ", member.name);
            assert!(lines.iter().all(|line| !line.starts_with(&own)), "{} heard itself", member.name);
        }
    }

    /// A message with a number that no other one of this room has.
    fn something(&mut self) -> String {
        self.account.said += 1;
        let length = if fastrand::u8(..4) == 0 { fastrand::usize(..LENGTH) } else { fastrand::usize(..40) };
        format!("{} {}", self.account.said, "x".repeat(length))
    }
}

impl Member {
    pub(crate) fn enter(world: &World, room: &str, name: &str) -> Self {
        let bearer = format!("Bearer {}", world.token);
        let mut client = world.connect();
        let response = client.upgrade(&format!("/ws/{room}"), &[("Authorization", &bearer)]);
        assert_eq!(response.status, 101, "{response:?}");
        let mut member = Self { name: name.to_owned(), client };
        member.client.text(name);
        assert_eq!(member.hear(), format!("hello {name}"));
        member
    }

    pub(crate) fn say(&mut self, text: &str) {
        if fastrand::u8(..5) == 0 {
            for frame in Frame::fragments(opcode::TEXT, text.as_bytes(), 1 + text.len() / 3) {
                self.client.send_frame(&frame);
            }
        } else {
            self.client.text(text);
        }
    }

    pub(crate) fn hear(&mut self) -> String {
        let frame = self.next();
        assert_eq!(frame.opcode, opcode::TEXT, "{} wanted a text and got {frame:?}", self.name);
        String::from_utf8(frame.payload).unwrap()
    }

    /// Waits until the daemon has taken everything that was said, and heard nothing else.
    pub(crate) fn settle(&mut self) {
        self.client.send_frame(&Frame::ping("settled?"));
        assert_eq!(self.next(), Frame::pong("settled?").unmasked(), "said to {}", self.name);
    }

    /// The next frame that is no ping; pings are answered.
    fn next(&mut self) -> Frame {
        loop {
            match self.client.read_frame() {
                Received::Frame(frame) if frame.opcode == opcode::PING => {
                    self.client.send_frame(&Frame::pong(frame.payload));
                }
                Received::Frame(frame) => return frame,
                other => panic!("{} wanted a frame and got {other:?}", self.name),
            }
        }
    }

    /// Nothing is left to hear but our own close frame, answered.
    fn leave(mut self) {
        self.client.send_frame(&Frame::close(1000, ""));
        loop {
            match self.client.read_frame() {
                Received::Frame(frame) if frame.opcode == opcode::PING => {}
                Received::Frame(frame) if frame == Frame::close(1000, "").unmasked() => {
                    return self.client.expect_eof();
                }
                other => panic!("{} wanted to leave and got {other:?}", self.name),
            }
        }
    }
}
