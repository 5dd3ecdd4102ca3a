//! The real chat, and beside it what it should have said.

use std::collections::BTreeMap;

use hollerd::auth::{SessionKey, check_name};
use hollerd::chat::{Chat, Member};
use hollerd::config::{self, BinaryPolicy, Config};
use hollerd::connection::Peer;
use hollerd::engine::{Application, Arrival, Desk};
use hollerd::room::Encoding;
use hollerd::time::Time;
use hollerd::wire::close::Ending;
use hollerd::wire::frame::Message;
use hollerd::wire::request::Request;
use hollerd::wire::response::{Refusal, Response};

use crate::ledger::{Ledger, Text, Witness};

/// The chat with a ledger.
#[derive(Debug)]
pub(crate) struct WatchedChat {
    chat: Chat,
    settings: config::Chat,
    ledger: Ledger,
    /// By room and name.
    names: BTreeMap<(String, String), Peer>,
}

impl WatchedChat {
    pub(crate) fn new(settings: &config::Chat, history: &config::History) -> Self {
        Self {
            chat: Chat::new(settings, history, SessionKey::new(b"simulation")),
            settings: settings.clone(),
            ledger: Ledger::default(),
            names: BTreeMap::new(),
        }
    }

    fn name(&self, peer: Peer) -> Option<&str> {
        self.names.iter().find(|(_, other)| **other == peer).map(|((_, name), _)| name.as_str())
    }

    /// A first message: what has to come of it.
    fn expect_greeting(&mut self, desk: &Desk<'_, Member>, peer: Peer, wish: &str) {
        let wish = wish.trim();
        let pinned = matches!(desk.data(peer), Some(Member::Pinned(name)) if **name != *wish);
        let place = (self.ledger.present(peer).room.clone(), wish.to_owned());
        if pinned || check_name(wish).is_err() || self.names.contains_key(&place) {
            self.ledger.tell(desk, peer, Text::Begins("error: "));
        } else {
            self.ledger.send(desk, peer, Message::Text(&format!("hello {wish}")));
            self.names.insert(place, peer);
            self.ledger.present(peer).appointment = None;
        }
    }
}

impl Witness for WatchedChat {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

impl Application for WatchedChat {
    type Data = Member;

    const PROTOCOLS: &'static [&'static str] = Chat::PROTOCOLS;

    const HISTORY: Option<Encoding> = Chat::HISTORY;

    fn room_for(&self, path: &str) -> Result<String, Refusal> {
        self.chat.room_for(path)
    }

    fn admit(&mut self, request: &Request<'_>, room: &str) -> Result<Member, Refusal> {
        self.chat.admit(request, room)
    }

    fn page(&self, request: &Request<'_>) -> Option<Response> {
        self.chat.page(request)
    }

    fn opened(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, arrival: Arrival) {
        self.ledger.open(desk, peer, arrival.room);
        let deadline: Time = desk.now().time + self.settings.name_timeout;
        self.ledger.present(peer).appointment = Some(deadline);
        self.chat.opened(desk, peer, arrival);
    }

    fn message(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, message: Message<'_>) {
        self.ledger.hear(peer, message);
        let room = self.ledger.present(peer).room.clone();
        let name = self.name(peer).map(str::to_owned);
        match (message, &name) {
            (Message::Text(text), Some(name)) => {
                self.ledger.broadcast(desk, &room, Some(peer), Message::Text(&format!("{name}: {text}")));
            }
            (Message::Text(wish), None) => self.expect_greeting(desk, peer, wish),
            (Message::Binary(_), _) if self.settings.binary == BinaryPolicy::Refuse => {}
            (Message::Binary(_), Some(_)) => self.ledger.broadcast(desk, &room, Some(peer), message),
            (Message::Binary(_), None) => self.ledger.tell(desk, peer, Text::Begins("error: ")),
        }
        self.chat.message(desk, peer, message);
    }

    fn pong(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, payload: &[u8]) {
        self.ledger.present(peer);
        self.chat.pong(desk, peer, payload);
    }

    fn overdue(&mut self, desk: &mut Desk<'_, Member>, peer: Peer) {
        let due = self.ledger.present(peer).appointment.take();
        let now = desk.now().time;
        assert!(due.is_some_and(|due| due <= now), "{peer:?} is overdue at {now:?}, but was due at {due:?}");
        self.chat.overdue(desk, peer);
    }

    fn closed(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, ending: &Ending) {
        self.ledger.close(desk, peer, ending);
        self.names.retain(|_, other| *other != peer);
        self.chat.closed(desk, peer, ending);
    }

    fn reconfigure(&mut self, desk: &mut Desk<'_, Member>, config: &Config) {
        self.settings = config.chat.clone();
        self.chat.reconfigure(desk, config);
    }

    fn label<'d>(&self, member: &'d Member) -> Option<&'d str> {
        self.chat.label(member)
    }
}
