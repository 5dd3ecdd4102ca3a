//! The chat: the first text message of a peer is its name and is answered with a greeting; every later one goes to all
//! others in the room.

use std::time::Duration;

use crate::auth::check_name;
use crate::config::{BinaryPolicy, Chat as Settings, Config};
use crate::connection::Peer;
use crate::engine::{Application, Arrival, Desk, RoomId};
use crate::wire::close::Ending;
use crate::wire::frame::{Message, printable};
use crate::wire::path::room_of;
use crate::wire::request::Request;
use crate::wire::response::{Refusal, Response, Status};
use crate::wire::upgrade::TEXT_PROTOCOL;

mod names;
mod page;

use names::Names;

/// The longest part of a wrong name that an error text repeats, in bytes.
const SHOWN_MAX: usize = 128;

/// The chat of one server.
#[derive(Debug)]
pub struct Chat {
    default_room: String,
    binary: BinaryPolicy,
    name_timeout: Duration,
    names: Names,
    /// The line that is being put together; kept for its memory.
    line: String,
}

/// What the chat knows of a peer.
#[derive(Debug, Default)]
pub enum Member {
    /// It has not said its name, which may be any.
    #[default]
    Nameless,
    /// It has not said its name, and its token allows only this one.
    Pinned(Box<str>),
    /// It is called this.
    Named(Box<str>),
}

impl Member {
    /// Its name, once it has one.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Nameless | Self::Pinned(_) => None,
        }
    }
}

impl Chat {
    /// A chat without anybody in it.
    pub fn new(settings: &Settings) -> Self {
        Self {
            default_room: settings.default_room.clone(),
            binary: settings.binary,
            name_timeout: settings.name_timeout,
            names: Names::default(),
            line: String::new(),
        }
    }

    /// The first message: a name, or a reason why it cannot be one and another try.
    fn name(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, wish: &str) {
        let wish = wish.trim();
        match self.take_name(desk, peer, wish) {
            Ok(()) => {
                desk.set_deadline(peer, None);
                desk.send(peer, Message::Text(&format!("hello {wish}")));
            }
            Err(problem) => desk.send(peer, Message::Text(&format!("error: {problem}"))),
        }
    }

    fn take_name(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, wish: &str) -> Result<(), String> {
        if let Some(Member::Pinned(name)) = desk.data(peer)
            && **name != *wish
        {
            return Err(format!("your token is for \"{name}\""));
        }
        check_name(wish).map_err(|_| name_problem(wish))?;
        let Some(room) = desk.room(peer) else { return Ok(()) };
        if !self.names.take(room, wish, peer, |other| desk.data(other).and_then(Member::name)) {
            return Err(format!("name \"{wish}\" is in use, send another"));
        }
        if let Some(member) = desk.data_mut(peer) {
            *member = Member::Named(wish.into());
        }
        Ok(())
    }

    fn say(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, text: &str) {
        let Some(name) = desk.data(peer).and_then(Member::name) else { return };
        self.line.clear();
        self.line.extend([name, ": ", text]);
        desk.broadcast_others(peer, Message::Text(&self.line));
    }

    fn binary(&self, desk: &mut Desk<'_, Member>, peer: Peer, bytes: &[u8]) {
        match (self.binary, desk.data(peer)) {
            (BinaryPolicy::Refuse, _) => desk.end(peer, Ending::BinaryRefused),
            (BinaryPolicy::Relay, Some(Member::Named(_))) => desk.broadcast_others(peer, Message::Binary(bytes)),
            (BinaryPolicy::Relay, _) => desk.send(peer, Message::Text("error: send your name first, as text")),
        }
    }
}

impl Application for Chat {
    type Data = Member;

    const PROTOCOLS: &'static [&'static str] = &[TEXT_PROTOCOL];

    fn room_for(&self, path: &str) -> Result<String, Refusal> {
        match room_of(path, &self.default_room)? {
            Some(room) => Ok(room.to_owned()),
            None => Err(Refusal::new(Status::NotFound, "nothing is here; the chat is at /ws and /ws/ROOM")),
        }
    }

    fn page(&self, request: &Request<'_>) -> Option<Response> {
        page::find(request.path())
    }

    fn opened(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, arrival: Arrival) {
        desk.set_deadline(peer, Some(self.name_timeout));
        if let (Some(name), Some(member)) = (arrival.identity.name, desk.data_mut(peer)) {
            *member = Member::Pinned(name.into());
        }
    }

    fn message(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, message: Message<'_>) {
        match (message, desk.data(peer)) {
            (Message::Text(text), Some(Member::Named(_))) => self.say(desk, peer, text),
            (Message::Text(wish), _) => self.name(desk, peer, wish),
            (Message::Binary(bytes), _) => self.binary(desk, peer, bytes),
        }
    }

    fn overdue(&mut self, desk: &mut Desk<'_, Member>, peer: Peer) {
        desk.end(peer, Ending::NoNameInTime(self.name_timeout));
    }

    fn closed(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, _ending: &Ending) {
        let (Some(room), Some(Member::Named(name))) = (desk.room(peer), desk.data(peer)) else { return };
        self.names.give_back(room, name, peer);
    }

    fn find(&self, desk: &Desk<'_, Member>, room: RoomId, label: &str) -> Option<Peer> {
        self.names.find(room, label, |other| desk.data(other).and_then(Member::name))
    }

    /// Whoever is looking for a name keeps the time that was given at first.
    fn reconfigure(&mut self, _desk: &mut Desk<'_, Member>, config: &Config) {
        let Settings { default_room, binary, name_timeout } = config.chat.clone();
        (self.default_room, self.binary, self.name_timeout) = (default_room, binary, name_timeout);
    }

    fn label<'d>(&self, member: &'d Member) -> Option<&'d str> {
        member.name()
    }
}

/// What is wrong with a name, for the one who sent it.
fn name_problem(name: &str) -> String {
    let length = name.chars().count();
    if length == 0 {
        return "a name cannot be empty, send another".to_owned();
    }
    if length > crate::auth::NAME_MAX_CHARS {
        return format!(
            "a name has at most {} characters, yours has {length}, send another",
            crate::auth::NAME_MAX_CHARS
        );
    }
    format!("a name cannot hold control characters, as \"{}\" does, send another", printable(name, SHOWN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_rooms() {
        let chat = Chat::new(&Settings::default());
        assert_eq!(chat.room_for("/ws").unwrap(), "lobby");
        assert_eq!(chat.room_for("/ws/dev").unwrap(), "dev");
        assert_eq!(chat.room_for("/").unwrap_err().status(), Status::NotFound);
        assert_eq!(chat.room_for("/ws/..").unwrap_err().status(), Status::BadRequest);
    }

    #[test]
    fn a_wrong_name_is_told_what_is_wrong() {
        assert!(name_problem("").contains("empty"));
        assert!(name_problem(&"x".repeat(33)).contains("yours has 33"));
        assert!(name_problem("a\u{7}b").contains("\\u{7}"));
    }
}
