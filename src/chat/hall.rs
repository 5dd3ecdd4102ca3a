//! What can be done in a room, whatever protocol it is said in: take a name or another one, say something to all or to one,
//! ask who is there. Each is written down once per encoding that somebody reads.

use super::protocol::server::Object;
use super::{Chat, JSON, Member, TEXT};
use crate::auth::{NAME_MAX_CHARS, NameProblem, PRIVATE_MARK, check_name};
use crate::connection::Peer;
use crate::engine::{Desk, RoomId};
use crate::wire::close::Ending;
use crate::wire::frame::{Message, printable};

/// The longest part of a wrong name that an error text repeats, in bytes.
pub(super) const SHOWN_MAX: usize = 128;
/// So many names are listed at the most.
pub(super) const LISTED_MAX: usize = 1000;

/// Why somebody did not get a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotNamed {
    /// Its token allows only this one.
    Pinned(Box<str>),
    /// Nobody can be called that; the text says why.
    Impossible(String),
    /// Somebody in the room is called that.
    InUse(Box<str>),
}

/// Why something was not said to one user. Names are as they can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotTold {
    /// Nobody in the room is called that.
    Nobody(String),
    /// Too much waits for that user already.
    Busy(String),
}

/// What happens in a room besides messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event<'a> {
    Joined(&'a str),
    Left(&'a str),
    Renamed { from: &'a str, to: &'a str },
}

impl Chat {
    /// Gives a peer its first name. A `former` connection of the same user is closed, and its name goes over.
    pub(super) fn enter(
        &mut self,
        desk: &mut Desk<'_, Member>,
        peer: Peer,
        wish: &str,
        former: Option<Peer>,
    ) -> Result<(), NotNamed> {
        let pinned = may_be_called(desk, peer, wish)?;
        let Some(room) = desk.room(peer) else { return Ok(()) };
        let former = former.filter(|&former| self.holder(desk, room, wish) == Some(former));
        if let Some(former) = former {
            self.replace(desk, room, former);
        }
        self.take_name(desk, peer, wish, pinned)?;
        desk.set_deadline(peer, None);
        if former.is_none() {
            self.announce(desk, room, Some(peer), Event::Joined(wish));
        }
        Ok(())
    }

    /// Gives a peer that has a name another one.
    pub(super) fn rename(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, wish: &str) -> Result<(), NotNamed> {
        let Some(Member::Named { name, pinned }) = desk.data(peer) else { return Ok(()) };
        let (old, pinned) = (name.clone(), *pinned);
        if *old == *wish {
            return Ok(());
        }
        if pinned {
            return Err(NotNamed::Pinned(old));
        }
        may_be_called(desk, peer, wish)?;
        let Some(room) = desk.room(peer) else { return Ok(()) };
        if self.holder(desk, room, wish).is_some() {
            return Err(NotNamed::InUse(wish.into()));
        }
        // In this order: names are found by who has them, and for a moment it must not be two.
        self.names.give_back(room, &old, peer);
        self.take_name(desk, peer, wish, pinned)?;
        self.announce(desk, room, None, Event::Renamed { from: &old, to: wish });
        Ok(())
    }

    fn take_name(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, wish: &str, pinned: bool) -> Result<(), NotNamed> {
        let Some(room) = desk.room(peer) else { return Ok(()) };
        if !self.names.take(room, wish, peer, |other| desk.data(other).and_then(Member::name)) {
            return Err(NotNamed::InUse(wish.into()));
        }
        if let Some(member) = desk.data_mut(peer) {
            *member = Member::Named { name: wish.into(), pinned };
        }
        Ok(())
    }

    /// Ends the former connection of a user who has come back. In the room nobody has left.
    fn replace(&mut self, desk: &mut Desk<'_, Member>, room: RoomId, former: Peer) {
        let Some(Member::Named { name, .. }) = desk.data(former) else { return };
        let name = name.clone();
        self.names.give_back(room, &name, former);
        if let Some(member) = desk.data_mut(former) {
            *member = Member::Former(name);
        }
        desk.end(former, Ending::Replaced);
    }

    /// Who is called `name` in a room.
    pub(super) fn holder(&self, desk: &Desk<'_, Member>, room: RoomId, name: &str) -> Option<Peer> {
        self.names.find(room, name, |other| desk.data(other).and_then(Member::name))
    }

    /// Says something to all others in the room of a peer, and returns its number.
    pub(super) fn say(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, text: &str) -> u64 {
        let (Some(room), Some(name)) = (desk.room(peer), desk.data(peer).and_then(Member::name)) else { return 0 };
        // A name is short, and copying it is cheaper than to look it up once per encoding.
        let name: Box<str> = name.into();
        self.say_as(desk, room, Some(peer), Some(&name), text)
    }

    /// Says something to all in a room but `except`; `from` is absent when it is the server's own word.
    pub(super) fn say_as(
        &mut self,
        desk: &mut Desk<'_, Member>,
        room: RoomId,
        except: Option<Peer>,
        from: Option<&str>,
        text: &str,
    ) -> u64 {
        // A log that this message makes has to be there before the message has its number, or it begins behind it.
        let (in_text, in_json) = (desk.is_read(room, TEXT), desk.is_read(room, JSON));
        let number = desk.next_number(room);
        let time = desk.now().unix_ms;
        if in_text {
            self.line.clear();
            if let Some(name) = from {
                self.line.extend([name, ": "]);
            }
            self.line.push_str(text);
            desk.broadcast_encoded(room, TEXT, except, Message::Text(&self.line));
        }
        if in_json {
            self.line.clear();
            Object::Message { sequence: number, from, text, time }.render(&mut self.line);
            desk.broadcast_encoded(room, JSON, except, Message::Text(&self.line));
        }
        number
    }

    /// Says something to one in the room of a peer.
    pub(super) fn say_to(
        &mut self,
        desk: &mut Desk<'_, Member>,
        peer: Peer,
        to: &str,
        text: &str,
    ) -> Result<(), NotTold> {
        let shown = || printable(to, SHOWN_MAX).into_owned();
        let nobody = || NotTold::Nobody(shown());
        let receiver = desk.room(peer).and_then(|room| self.holder(desk, room, to)).ok_or_else(nobody)?;
        let name = desk.data(peer).and_then(Member::name).ok_or_else(nobody)?;
        self.line.clear();
        if desk.encoding(receiver) == Some(JSON) {
            Object::Direct { from: name, text, time: desk.now().unix_ms }.render(&mut self.line);
        } else {
            self.line.extend([name, PRIVATE_MARK, ": ", text]);
        }
        if desk.offer(receiver, Message::Text(&self.line)) { Ok(()) } else { Err(NotTold::Busy(shown())) }
    }

    /// Tells those in a room who want to know. A crowd is not told: each name would go to each other.
    pub(super) fn announce(
        &mut self,
        desk: &mut Desk<'_, Member>,
        room: RoomId,
        except: Option<Peer>,
        event: Event<'_>,
    ) {
        let users = self.names.count(room);
        if users > self.announce_users {
            return;
        }
        if self.announce_text && desk.is_heard(room, TEXT) {
            self.line.clear();
            match event {
                Event::Joined(name) => self.line.extend(["* ", name, " has joined"]),
                Event::Left(name) => self.line.extend(["* ", name, " has left"]),
                Event::Renamed { from, to } => self.line.extend(["* ", from, " is now ", to]),
            }
            desk.broadcast_encoded(room, TEXT, except, Message::Text(&self.line));
        }
        if desk.is_heard(room, JSON) {
            let time = desk.now().unix_ms;
            self.line.clear();
            let object = match event {
                Event::Joined(name) => Object::Joined { name, users, time },
                Event::Left(name) => Object::Left { name, users, time },
                Event::Renamed { from, to } => Object::Renamed { from, to, time },
            };
            object.render(&mut self.line);
            desk.broadcast_encoded(room, JSON, except, Message::Text(&self.line));
        }
    }

    /// The names in the room of a peer, as many as are listed.
    pub(super) fn names_in<'d>(desk: &'d Desk<'_, Member>, room: RoomId) -> impl Iterator<Item = &'d str> + use<'d> {
        desk.peers_in(room).filter_map(|other| desk.data(other).and_then(Member::name)).take(LISTED_MAX)
    }
}

impl NotTold {
    /// The text for a person.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nobody(name) => format!("nobody here is called \"{name}\""),
            Self::Busy(name) => format!("too much waits for \"{name}\" already, say it again later"),
        }
    }
}

impl NotNamed {
    /// The text for a person.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Pinned(name) => format!("your token is for \"{name}\""),
            Self::Impossible(why) => why.clone(),
            Self::InUse(name) => format!("name \"{name}\" is in use, send another"),
        }
    }
}

/// Whether a peer may have a name, somebody else's or not, and if so, whether it is the only one.
fn may_be_called(desk: &Desk<'_, Member>, peer: Peer, wish: &str) -> Result<bool, NotNamed> {
    let pinned = match desk.data(peer) {
        Some(Member::Pinned(name)) if **name != *wish => return Err(NotNamed::Pinned(name.clone())),
        Some(Member::Pinned(_)) => true,
        _ => false,
    };
    check_name(wish).map_err(|problem| NotNamed::Impossible(name_problem(wish, problem)))?;
    Ok(pinned)
}

/// What is wrong with a name, for the one who sent it.
fn name_problem(name: &str, problem: NameProblem) -> String {
    let shown = printable(name, SHOWN_MAX);
    let why = match problem {
        NameProblem::Empty => "a name cannot be empty".to_owned(),
        NameProblem::TooLong => {
            let length = name.chars().count();
            format!("a name has at most {NAME_MAX_CHARS} characters, yours has {length}")
        }
        NameProblem::ControlCharacter => format!("a name cannot hold control characters, as \"{shown}\" does"),
        NameProblem::HiddenCharacter => "a name cannot hold characters that are not seen, as yours does".to_owned(),
        NameProblem::PrivateMark => "a name cannot end like the mark of private messages".to_owned(),
        NameProblem::OuterSpace => "a name cannot begin or end with white space".to_owned(),
    };
    format!("{why}, send another")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_what_is_wrong() {
        let told = |name: &str| name_problem(name, check_name(name).unwrap_err());
        assert!(told("").contains("empty"));
        assert!(told(&"x".repeat(33)).contains("yours has 33"));
        assert!(told("a\u{7}b").contains("\\u{7}"));
        assert!(told("a\u{200b}b").contains("not seen"));
        assert!(told("alex (private)").contains("private messages"));
    }
}
