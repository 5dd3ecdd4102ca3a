//! What can be done in a room, whatever protocol it is said in: take a name or another one, say something to all or to one,
//! ask who is there. Each is written down once per encoding that somebody reads.

use super::protocol::server::Object;
use super::{Chat, JSON, Member, TEXT};
use crate::auth::check_name;
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
        self.take_name(desk, peer, wish, pinned)?;
        if let Some(room) = desk.room(peer) {
            self.names.give_back(room, &old, peer);
            self.announce(desk, room, None, Event::Renamed { from: &old, to: wish });
        }
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
        let number = desk.next_number(room);
        let time = desk.now().unix_ms;
        if desk.is_read(room, TEXT) {
            self.line.clear();
            if let Some(name) = from {
                self.line.extend([name, ": "]);
            }
            self.line.push_str(text);
            desk.broadcast_encoded(room, TEXT, except, Message::Text(&self.line));
        }
        if desk.is_read(room, JSON) {
            self.line.clear();
            Object::Message { sequence: number, from, text, time }.render(&mut self.line);
            desk.broadcast_encoded(room, JSON, except, Message::Text(&self.line));
        }
        number
    }

    /// Says something to one in the room of a peer; false if nobody there is called `to`.
    pub(super) fn say_to(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, to: &str, text: &str) -> bool {
        let Some(room) = desk.room(peer) else { return false };
        let Some(receiver) = self.holder(desk, room, to) else { return false };
        let Some(name) = desk.data(peer).and_then(Member::name) else { return false };
        self.line.clear();
        if desk.encoding(receiver) == Some(JSON) {
            Object::Direct { from: name, text, time: desk.now().unix_ms }.render(&mut self.line);
        } else {
            self.line.extend([name, " (private): ", text]);
        }
        desk.send(receiver, Message::Text(&self.line));
        true
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
        if self.announce_text && desk.has_readers(room, TEXT) {
            self.line.clear();
            match event {
                Event::Joined(name) => self.line.extend(["* ", name, " has joined"]),
                Event::Left(name) => self.line.extend(["* ", name, " has left"]),
                Event::Renamed { from, to } => self.line.extend(["* ", from, " is now ", to]),
            }
            desk.broadcast_encoded(room, TEXT, except, Message::Text(&self.line));
        }
        if desk.has_readers(room, JSON) {
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
    check_name(wish).map_err(|_| NotNamed::Impossible(name_problem(wish)))?;
    Ok(pinned)
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
    fn a_wrong_name_is_told_what_is_wrong() {
        assert!(name_problem("").contains("empty"));
        assert!(name_problem(&"x".repeat(33)).contains("yours has 33"));
        assert!(name_problem("a\u{7}b").contains("\\u{7}"));
    }
}
