//! The JSON protocol, as `PROTOCOL.md` has it: what a client asks for is done in the room, and answered.

use super::hall::{NotNamed, NotTold};
use super::protocol::Code;
use super::protocol::client::{self, Request};
use super::protocol::server::Object;
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
                let client::Error { code, field, text, id } = &error;
                self.answer(desk, peer, &Object::Error { code: *code, text, field: *field, id: id.as_deref() });
                return;
            }
        };
        let is_named = matches!(desk.data(peer), Some(Member::Named { .. }));
        match (request, is_named) {
            (Request::Ping { id }, _) => {
                let time = desk.now().unix_ms;
                self.answer(desk, peer, &Object::Pong { time, id: id.as_deref() });
            }
            (Request::Name { name, history }, false) => {
                if let Err(problem) = self.begin(desk, peer, name.trim(), None, Since::Newest(history)) {
                    self.refuse_name(desk, peer, &problem, client::id_of(object).as_deref());
                }
            }
            (Request::Resume { name, epoch, last, session }, false) => {
                let former = session.and_then(|session| self.former(&session));
                let since = Since::Number { epoch: &epoch, last };
                if let Err(problem) = self.begin(desk, peer, name.trim(), former, since) {
                    self.refuse_name(desk, peer, &problem, client::id_of(object).as_deref());
                }
            }
            (Request::Name { .. } | Request::Resume { .. }, true) => {
                let id = client::id_of(object);
                let text = "you have a name; use rename for another one";
                self.refuse(desk, peer, Code::AlreadyNamed, text, id.as_deref());
            }
            (
                Request::Say { id, .. } | Request::Direct { id, .. } | Request::Who { id } | Request::Rename { id, .. },
                false,
            ) => {
                self.refuse_nameless(desk, peer, id.as_deref());
            }
            (Request::Say { text, id }, true) => self.say_numbered(desk, peer, &text, id.as_deref()),
            (Request::Direct { to, text, id }, true) => self.direct(desk, peer, &to, &text, id.as_deref()),
            (Request::Who { id }, true) => self.tell_users(desk, peer, id.as_deref()),
            (Request::Rename { name, id }, true) => match self.rename(desk, peer, name.trim()) {
                Ok(()) => self.confirm(desk, peer, id.as_deref()),
                Err(problem) => self.refuse_name(desk, peer, &problem, id.as_deref()),
            },
        }
    }
}

/// From where on somebody who begins wants to hear what was said.
#[derive(Clone, Copy)]
enum Since<'a> {
    /// So many of the newest messages.
    Newest(u64),
    /// Everything behind this number, if the room is still the same.
    Number { epoch: &'a str, last: u64 },
}

impl Chat {
    /// The first object with a name: from here on the peer hears the room.
    fn begin(
        &mut self,
        desk: &mut Desk<'_, Member>,
        peer: Peer,
        name: &str,
        former: Option<Peer>,
        since: Since<'_>,
    ) -> Result<(), NotNamed> {
        let former = former.or_else(|| self.pinned_former(desk, peer, name, &since));
        self.enter(desk, peer, name, former)?;
        let Some(room) = desk.room(peer) else { return Ok(()) };
        desk.set_listening(peer, true);
        let epoch = epoch_text(desk.epoch(room));
        let newest = desk.number(room);
        let oldest = desk.oldest_kept(room);
        let (wanted, resumes) = match since {
            Since::Newest(count) => (newest.saturating_sub(count), None),
            // A number that was never given is of another room of that name, whatever the epoch says.
            Since::Number { epoch: known, last } => {
                let same = known == epoch && last <= newest;
                (if same { last } else { 0 }, Some(same))
            }
        };
        let from = oldest.max(wanted + 1);
        let hello = Object::Hello {
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
        hello.render(&mut self.line);
        desk.send(peer, Message::Text(&self.line));
        if let Some(same) = resumes {
            let whole = same && from == wanted + 1;
            self.answer(desk, peer, &Object::Resumed { whole, from, to: newest });
        }
        if from <= newest {
            let users = self.users(desk, peer, None);
            desk.replay(peer, from - 1, Message::Text(&users));
        } else if resumes.is_some() {
            self.tell_users(desk, peer, None);
        }
        Ok(())
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
            self.answer(desk, peer, &Object::Ack { id, sequence: Some(number), duplicate: true });
            return;
        }
        let number = self.say(desk, peer, text);
        self.repeats.note(epoch, &name, id, number, desk.now().time);
        self.repeats.forget_gone(desk.epochs());
        self.answer(desk, peer, &Object::Ack { id, sequence: Some(number), duplicate: false });
    }

    fn direct(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, to: &str, text: &str, id: Option<&str>) {
        match self.say_to(desk, peer, to, text) {
            Ok(()) => self.confirm(desk, peer, id),
            Err(problem) => {
                let code = if matches!(problem, NotTold::Busy(_)) { Code::Busy } else { Code::NoSuchUser };
                self.refuse(desk, peer, code, &problem.text(), id);
            }
        }
    }

    fn tell_users(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, id: Option<&str>) {
        let users = self.users(desk, peer, id);
        if !desk.offer(peer, Message::Text(&users)) {
            self.refuse(desk, peer, Code::Busy, "read the last list first", id);
        }
    }

    /// Who is in the room of a peer, as an object.
    fn users(&self, desk: &Desk<'_, Member>, peer: Peer, id: Option<&str>) -> String {
        let mut object = String::new();
        if let Some(room) = desk.room(peer) {
            let (users, total) = (Self::names_in(desk, room).collect::<Vec<_>>(), self.names.count(room));
            Object::Users { users: &users, total, id }.render(&mut object);
        }
        object
    }

    /// What was asked has been done, and is nothing that has a number: whoever gave it an id is told.
    fn confirm(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, id: Option<&str>) {
        if let Some(id) = id {
            self.answer(desk, peer, &Object::Ack { id, sequence: None, duplicate: false });
        }
    }

    /// Something was said before the name.
    pub(super) fn refuse_nameless(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, id: Option<&str>) {
        self.refuse(desk, peer, Code::NotNamed, "send name or resume first", id);
    }

    fn refuse_name(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, problem: &NotNamed, id: Option<&str>) {
        self.refuse(desk, peer, code_of(problem), &problem.text(), id);
    }

    fn refuse(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, code: Code, text: &str, id: Option<&str>) {
        self.answer(desk, peer, &Object::Error { code, text, field: None, id });
    }

    fn answer(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, object: &Object<'_>) {
        self.line.clear();
        object.render(&mut self.line);
        desk.send(peer, Message::Text(&self.line));
    }
}

fn code_of(problem: &NotNamed) -> Code {
    match problem {
        NotNamed::Pinned(_) => Code::NamePinned,
        NotNamed::Impossible(_) => Code::BadName,
        NotNamed::InUse(_) => Code::NameInUse,
    }
}

/// A room's epoch as clients see it.
fn epoch_text(epoch: u64) -> String {
    format!("{epoch:016x}")
}
