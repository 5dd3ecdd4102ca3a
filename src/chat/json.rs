//! The JSON protocol, as `PROTOCOL.md` has it: what a client asks for is done in the room, and answered.

use super::hall::NotNamed;
use super::protocol::client::{self, Request};
use super::protocol::server::{self, Hello};
use super::{Chat, Member};
use crate::connection::Peer;
use crate::engine::Desk;
use crate::wire::frame::Message;

impl Chat {
    /// An object from somebody who speaks the JSON protocol.
    pub(super) fn hear_object(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, object: &str) {
        let request = match client::parse(object) {
            Ok(request) => request,
            Err(error) => {
                self.answer(desk, peer, |out| {
                    server::error(out, error.code(), &error.text(), error.field(), error.id())
                });
                return;
            }
        };
        let is_named = matches!(desk.data(peer), Some(Member::Named { .. }));
        match (request, is_named) {
            (Request::Ping { id }, _) => {
                let time = desk.now().unix_ms;
                self.answer(desk, peer, |out| server::pong(out, time, id.as_deref()));
            }
            (Request::Name { name, history }, false) => {
                self.begin(desk, peer, name.trim(), None, Since::Newest(history))
            }
            (Request::Resume { name, epoch, last, session }, false) => {
                let former = session.and_then(|session| self.former(&session));
                self.begin(desk, peer, name.trim(), former, Since::Number { epoch: &epoch, last });
            }
            (Request::Name { .. } | Request::Resume { .. }, true) => {
                self.refuse(desk, peer, "already_named", "you have a name; use rename for another one", None);
            }
            (
                Request::Say { id, .. } | Request::Direct { id, .. } | Request::Who { id } | Request::Rename { id, .. },
                false,
            ) => {
                self.refuse(desk, peer, "not_named", "send name or resume first", id.as_deref());
            }
            (Request::Say { text, id }, true) => self.say_numbered(desk, peer, &text, id.as_deref()),
            (Request::Direct { to, text, id }, true) => {
                if !self.say_to(desk, peer, &to, &text) {
                    let text = format!("nobody here is called \"{to}\"");
                    self.refuse(desk, peer, "no_such_user", &text, id.as_deref());
                } else if let Some(id) = id {
                    self.answer(desk, peer, |out| server::ack(out, &id, None, false));
                }
            }
            (Request::Who { id }, true) => self.tell_users(desk, peer, id.as_deref()),
            (Request::Rename { name, id }, true) => match self.rename(desk, peer, name.trim()) {
                Ok(()) => {
                    if let Some(id) = id {
                        self.answer(desk, peer, |out| server::ack(out, &id, None, false));
                    }
                }
                Err(problem) => self.refuse(desk, peer, code_of(&problem), &problem.text(), id.as_deref()),
            },
        }
    }
}

/// From where on somebody who begins wants to hear what was said.
enum Since<'a> {
    /// So many of the newest messages.
    Newest(u32),
    /// Everything behind this number, if the room is still the same.
    Number { epoch: &'a str, last: u64 },
}

impl Chat {
    /// The first object with a name: from here on the peer hears the room.
    fn begin(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, name: &str, former: Option<Peer>, since: Since<'_>) {
        let former = former.or_else(|| self.pinned_former(desk, peer, name, &since));
        if let Err(problem) = self.enter(desk, peer, name, former) {
            self.refuse(desk, peer, code_of(&problem), &problem.text(), None);
            return;
        }
        let Some(room) = desk.room(peer) else { return };
        desk.set_listening(peer, true);
        let epoch = epoch_text(desk.epoch(room));
        let newest = desk.number(room);
        let oldest = desk.oldest_kept(room);
        let (wanted, resumes) = match since {
            Since::Newest(count) => (newest.saturating_sub(u64::from(count)), None),
            // A number that was never given is of another room of that name, whatever the epoch says.
            Since::Number { epoch: known, last } => {
                let same = known == epoch && last <= newest;
                (if same { last } else { 0 }, Some(same))
            }
        };
        let from = oldest.max(wanted + 1);
        let hello = Hello {
            name,
            room: desk.room_name(room).unwrap_or_default(),
            users: self.names.count(room),
            epoch: &epoch,
            last: newest,
            from,
            session: &self.sessions.sign(peer.index, peer.generation),
            time: desk.now().unix_ms,
        };
        self.line.clear();
        server::hello(&mut self.line, &hello);
        desk.send(peer, Message::Text(&self.line));
        if let Some(same) = resumes {
            let whole = same && from == wanted + 1;
            self.answer(desk, peer, |out| server::resumed(out, whole, from, newest));
        }
        if from <= newest {
            desk.replay(peer, from - 1);
        }
        if resumes.is_some() || from <= newest {
            self.tell_users(desk, peer, None);
        }
    }

    /// The connection that a session is for.
    fn former(&self, session: &str) -> Option<Peer> {
        let (index, generation) = self.sessions.verify(session)?;
        Some(Peer { index, generation })
    }

    /// Whoever has the name of a user who resumes and whose token allows no other name: that is the same user.
    fn pinned_former(&self, desk: &Desk<'_, Member>, peer: Peer, name: &str, since: &Since<'_>) -> Option<Peer> {
        let pinned = matches!(desk.data(peer), Some(Member::Pinned(pinned)) if **pinned == *name);
        let resumes = matches!(since, Since::Number { .. });
        let former = self.holder(desk, desk.room(peer)?, name).filter(|_| pinned && resumes)?;
        let same = matches!(desk.data(former), Some(Member::Named { pinned: true, .. }));
        same.then_some(former)
    }

    fn say_numbered(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, text: &str, id: Option<&str>) {
        let Some(room) = desk.room(peer) else { return };
        let epoch = desk.epoch(room);
        let Some(id) = id else {
            self.say(desk, peer, text);
            return;
        };
        let name: Box<str> = desk.data(peer).and_then(Member::name).unwrap_or_default().into();
        if let Some(number) = self.repeats.find(epoch, &name, id) {
            self.answer(desk, peer, |out| server::ack(out, id, Some(number), true));
            return;
        }
        let number = self.say(desk, peer, text);
        self.repeats.note(epoch, &name, id, number, desk.now().time);
        self.answer(desk, peer, |out| server::ack(out, id, Some(number), false));
    }

    fn tell_users(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, id: Option<&str>) {
        let Some(room) = desk.room(peer) else { return };
        let total = self.names.count(room);
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        server::users(&mut line, Self::names_in(desk, room), total, id);
        desk.send(peer, Message::Text(&line));
        self.line = line;
    }

    fn refuse(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, code: &str, text: &str, id: Option<&str>) {
        self.answer(desk, peer, |out| server::error(out, code, text, None, id));
    }

    fn answer(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, write: impl FnOnce(&mut String)) {
        self.line.clear();
        write(&mut self.line);
        desk.send(peer, Message::Text(&self.line));
    }
}

fn code_of(problem: &NotNamed) -> &'static str {
    match problem {
        NotNamed::Pinned(_) => "name_pinned",
        NotNamed::Impossible(_) => "bad_name",
        NotNamed::InUse(_) => "name_in_use",
    }
}

/// A room's epoch as clients see it.
fn epoch_text(epoch: u64) -> String {
    format!("{epoch:016x}")
}
