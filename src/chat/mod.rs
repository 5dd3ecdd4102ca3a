//! The chat: rooms in which people hear each other, in lines of text or in JSON. Who comes first says a name and is greeted;
//! what it says after that goes to all others in the room.

use std::time::Duration;

use crate::auth::SessionKey;
use crate::config::{self, BinaryPolicy, Config};
use crate::connection::Peer;
use crate::engine::{Application, Arrival, Desk, RoomId};
use crate::room::Encoding;
use crate::wire::close::Ending;
use crate::wire::frame::Message;
use crate::wire::path::room_of;
use crate::wire::request::Request;
use crate::wire::response::{Refusal, Response, Status};
use crate::wire::upgrade::TEXT_PROTOCOL;

mod command;
mod hall;
mod json;
mod names;
mod page;
pub mod protocol;
mod repeats;
mod text;

use hall::Event;
use names::Names;
use page::Page;
use repeats::Repeats;

/// What those read who speak the text protocol.
const TEXT: Encoding = Encoding(0);
/// What those read who speak the JSON protocol; also what is kept as history.
const JSON: Encoding = Encoding(1);
/// The subprotocol of `PROTOCOL.md`.
pub const JSON_PROTOCOL: &str = "hollerd.json";

/// The chat of one server.
#[derive(Debug)]
pub struct Chat {
    default_room: String,
    binary: BinaryPolicy,
    name_timeout: Duration,
    announce_text: bool,
    announce_users: usize,
    names: Names,
    page: Page,
    repeats: Repeats,
    sessions: SessionKey,
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
    Named {
        /// The name.
        name: Box<str>,
        /// Its token allows no other one.
        pinned: bool,
    },
    /// It was called this, until the same user came back on another connection.
    Former(Box<str>),
}

impl Member {
    /// Its name, once it has one.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Named { name, .. } => Some(name),
            Self::Nameless | Self::Pinned(_) | Self::Former(_) => None,
        }
    }
}

impl Chat {
    /// A chat without anybody in it. `sessions` signs what people prove themselves with when they come back.
    pub fn new(settings: &config::Chat, history: &config::History, sessions: SessionKey) -> Self {
        Self {
            default_room: settings.default_room.clone(),
            binary: settings.binary,
            name_timeout: settings.name_timeout,
            announce_text: settings.announce_text,
            announce_users: settings.announce_users as usize,
            names: Names::default(),
            page: Page::new(),
            repeats: Repeats::new(history.messages as usize, history.age),
            sessions,
            line: String::new(),
        }
    }

    fn binary(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, bytes: &[u8]) {
        match (self.binary, desk.data(peer)) {
            (BinaryPolicy::Refuse, _) => desk.end(peer, Ending::BinaryRefused),
            (BinaryPolicy::Relay, Some(Member::Named { .. })) => desk.relay_others(peer, Message::Binary(bytes)),
            (BinaryPolicy::Relay, _) if desk.encoding(peer) == Some(JSON) => self.refuse_nameless(desk, peer, None),
            (BinaryPolicy::Relay, _) => desk.send(peer, Message::Text("error: send your name first, as text")),
        }
    }
}

impl Application for Chat {
    type Data = Member;

    const PROTOCOLS: &'static [&'static str] = &[TEXT_PROTOCOL, JSON_PROTOCOL];

    const HISTORY: Option<Encoding> = Some(JSON);

    fn encoding(protocol: Option<&str>) -> Encoding {
        if protocol == Some(JSON_PROTOCOL) { JSON } else { TEXT }
    }

    fn token_accepted(protocol: Option<&str>) -> &'static str {
        if protocol == Some(JSON_PROTOCOL) { r#"{"type":"ok"}"# } else { "ok" }
    }

    fn room_for(&self, path: &str) -> Result<String, Refusal> {
        match room_of(path, &self.default_room)? {
            Some(room) => Ok(room.to_owned()),
            None => Err(Refusal::new(Status::NotFound, "nothing is here; the chat is at /ws and /ws/ROOM")),
        }
    }

    fn page(&self, request: &Request<'_>) -> Option<Response> {
        (request.path() == "/").then(|| self.page.answer(request))
    }

    fn opened(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, arrival: Arrival) {
        desk.set_deadline(peer, Some(self.name_timeout));
        if let (Some(name), Some(member)) = (arrival.identity.name, desk.data_mut(peer)) {
            *member = Member::Pinned(name.into());
        }
        if Self::encoding(arrival.protocol) == JSON {
            // What is said before its name would come again when it resumes.
            desk.set_listening(peer, false);
        }
    }

    fn message(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, message: Message<'_>) {
        match message {
            Message::Text(object) if desk.encoding(peer) == Some(JSON) => self.hear_object(desk, peer, object),
            Message::Text(line) => self.hear_line(desk, peer, line),
            Message::Binary(bytes) => self.binary(desk, peer, bytes),
        }
    }

    fn overdue(&mut self, desk: &mut Desk<'_, Member>, peer: Peer) {
        desk.end(peer, Ending::NoNameInTime(self.name_timeout));
    }

    fn closed(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, _ending: &Ending) {
        let (Some(room), Some(Member::Named { name, .. })) = (desk.room(peer), desk.data(peer)) else { return };
        let name = name.clone();
        self.names.give_back(room, &name, peer);
        self.announce(desk, room, Some(peer), Event::Left(&name));
    }

    fn speak(&mut self, desk: &mut Desk<'_, Member>, room: RoomId, from: Option<&str>, text: &str) -> u64 {
        self.say_as(desk, room, None, from, text)
    }

    fn find(&self, desk: &Desk<'_, Member>, room: RoomId, label: &str) -> Option<Peer> {
        self.holder(desk, room, label)
    }

    /// Whoever is looking for a name keeps the time that was given at first.
    fn reconfigure(&mut self, _desk: &mut Desk<'_, Member>, config: &Config) {
        let config::Chat { default_room, binary, name_timeout, announce_text, announce_users } = config.chat.clone();
        (self.default_room, self.binary, self.name_timeout) = (default_room, binary, name_timeout);
        (self.announce_text, self.announce_users) = (announce_text, announce_users as usize);
        self.repeats.set_bounds(config.history.messages as usize, config.history.age);
    }

    fn label<'d>(&self, member: &'d Member) -> Option<&'d str> {
        match member {
            Member::Named { name, .. } | Member::Former(name) => Some(name),
            Member::Nameless | Member::Pinned(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_rooms() {
        let chat = Chat::new(&config::Chat::default(), &config::History::default(), SessionKey::new(b"test"));
        assert_eq!(chat.room_for("/ws").unwrap(), "lobby");
        assert_eq!(chat.room_for("/ws/dev").unwrap(), "dev");
        assert_eq!(chat.room_for("/").unwrap_err().status(), Status::NotFound);
        assert_eq!(chat.room_for("/ws/..").unwrap_err().status(), Status::BadRequest);
    }
}
