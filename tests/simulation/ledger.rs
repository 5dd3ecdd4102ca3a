//! The shadow model of what was said: for every peer, what it has to receive, in order.
//!
//! It is kept by the applications, at the moment in which they say something, and knows nothing of logs, cursors and
//! outboxes. A peer receives a beginning of its list, and all of it unless its connection ends badly.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use hollerd::connection::Peer;
use hollerd::engine::{Application, Desk, RoomId};
use hollerd::time::{Now, Time};
use hollerd::wire::close::Ending;
use hollerd::wire::frame::Message;

/// An application that keeps a ledger.
pub(crate) trait Witness: Application {
    fn ledger(&self) -> &Ledger;
    fn ledger_mut(&mut self) -> &mut Ledger;
    /// Something happens that no peer began.
    fn remark(&mut self, _desk: &mut Desk<'_, Self::Data>) {}
}

/// One message that a peer has to receive.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) text: Text,
    pub(crate) said: Time,
    /// It was said by this peer itself to its room: it takes place in the log, and never comes.
    pub(crate) own: bool,
    /// It is for this peer alone.
    pub(crate) private: bool,
}

/// What a message says.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Exactly(u8, Rc<[u8]>),
    /// A text that begins so.
    Begins(&'static str),
}

/// One peer, from `opened` on.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) room: String,
    pub(crate) opened: Now,
    /// Why and when `closed` was called.
    pub(crate) closed: Option<(Ending, Now)>,
    /// What it has not received yet.
    pub(crate) coming: VecDeque<Item>,
    /// What it said, as the application heard it.
    pub(crate) heard: VecDeque<(u8, Vec<u8>)>,
    /// How many messages that were.
    pub(crate) heard_count: u64,
    /// When the application expects `overdue`.
    pub(crate) appointment: Option<Time>,
    /// How many messages were to come when it asked to be told that they are sent, and those of which it was told.
    pub(crate) flush_asked: Option<u64>,
    pub(crate) flush_told: Option<u64>,
    pub(crate) said: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) guests: BTreeMap<Peer, Guest>,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) broadcasts: u64,
    /// How often each method of the desk was used.
    pub(crate) used: BTreeMap<&'static str, u64>,
}

impl Ledger {
    pub(crate) fn open<D>(&mut self, desk: &Desk<'_, D>, peer: Peer, room: RoomId) {
        self.opened += 1;
        let guest = Guest {
            room: desk.room_name(room).expect("the room that a peer is in exists").to_owned(),
            opened: desk.now(),
            closed: None,
            coming: VecDeque::new(),
            heard: VecDeque::new(),
            heard_count: 0,
            appointment: None,
            flush_asked: None,
            flush_told: None,
            said: 0,
        };
        assert!(self.guests.insert(peer, guest).is_none(), "{peer:?} was opened twice");
        assert!(desk.is_open(peer) && desk.room(peer) == Some(room), "{peer:?} is opened and not there");
    }

    pub(crate) fn close<D>(&mut self, desk: &Desk<'_, D>, peer: Peer, ending: &Ending) {
        self.closed += 1;
        assert!(!desk.is_open(peer), "{peer:?} is closed and still there");
        let guest = self.guests.get_mut(&peer).expect("nobody is closed who was not opened");
        let before = guest.closed.replace((ending.clone(), desk.now()));
        assert!(before.is_none(), "{peer:?} was closed twice");
    }

    pub(crate) fn hear(&mut self, peer: Peer, message: Message<'_>) {
        let guest = self.present(peer);
        guest.heard_count += 1;
        guest.heard.push_back((message.opcode() as u8, message.payload().to_vec()));
    }

    /// Somebody who is opened and not closed: events of others are wrong.
    pub(crate) fn present(&mut self, peer: Peer) -> &mut Guest {
        let guest = self.guests.get_mut(&peer).filter(|guest| guest.closed.is_none());
        guest.unwrap_or_else(|| panic!("an event of {peer:?}, who is not there"))
    }

    /// To be called before it is really said, as all of these.
    pub(crate) fn send<D>(&mut self, desk: &Desk<'_, D>, peer: Peer, message: Message<'_>) {
        self.tell(desk, peer, exactly(message));
    }

    pub(crate) fn tell<D>(&mut self, desk: &Desk<'_, D>, peer: Peer, text: Text) {
        if !desk.is_open(peer) {
            return;
        }
        if let Some(guest) = self.guests.get_mut(&peer) {
            guest.said += 1;
            guest.coming.push_back(Item { text, said: desk.now().time, own: false, private: true });
        }
    }

    pub(crate) fn broadcast<D>(&mut self, desk: &Desk<'_, D>, room: &str, except: Option<Peer>, message: Message<'_>) {
        self.broadcasts += 1;
        let text = exactly(message);
        for (&peer, guest) in &mut self.guests {
            if guest.closed.is_none() && guest.room == room && desk.is_open(peer) {
                let own = except == Some(peer);
                guest.said += u64::from(!own);
                guest.coming.push_back(Item { text: text.clone(), said: desk.now().time, own, private: false });
            }
        }
    }

    /// What the desk says about who is where must be what the ledger says.
    pub(crate) fn compare<D>(&self, desk: &Desk<'_, D>) {
        let present = || self.guests.iter().filter(|(_, guest)| guest.closed.is_none());
        let mut peers: Vec<Peer> = desk.peers().collect();
        peers.sort_unstable();
        assert_eq!(peers, present().map(|(&peer, _)| peer).collect::<Vec<_>>(), "who is there");
        assert_eq!((desk.len(), desk.is_empty()), (peers.len(), peers.is_empty()));
        let mut sum = 0;
        for room in desk.rooms() {
            let name = desk.room_name(room).expect("a room has a name");
            let mut members: Vec<Peer> = desk.peers_in(room).collect();
            members.sort_unstable();
            let expected: Vec<Peer> =
                present().filter(|(_, guest)| guest.room == name).map(|(&peer, _)| peer).collect();
            assert_eq!(members, expected, "who is in {name}");
            assert_eq!((desk.count(room), desk.find_room(name)), (members.len(), Some(room)));
            sum += members.len();
        }
        assert_eq!(sum, peers.len(), "everybody is in one room");
    }

    pub(crate) fn count(&mut self, method: &'static str) {
        *self.used.entry(method).or_default() += 1;
    }
}

pub(crate) fn exactly(message: Message<'_>) -> Text {
    Text::Exactly(message.opcode() as u8, message.payload().into())
}

fn frame_bytes(length: usize) -> u64 {
    length as u64 + if length > 125 { 4 } else { 2 }
}

impl Item {
    /// How many bytes its frame has at the most.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.text {
            Text::Exactly(_, payload) => frame_bytes(payload.len()),
            // These texts are short.
            Text::Begins(_) => frame_bytes(400),
        }
    }

    /// And at the least.
    pub(crate) fn least_bytes(&self) -> u64 {
        match &self.text {
            Text::Exactly(_, payload) => frame_bytes(payload.len()),
            Text::Begins(beginning) => frame_bytes(beginning.len()),
        }
    }

    pub(crate) fn matches(&self, opcode: u8, payload: &[u8]) -> bool {
        match &self.text {
            Text::Exactly(kind, expected) => (*kind, &**expected) == (opcode, payload),
            Text::Begins(beginning) => opcode == 1 && payload.starts_with(beginning.as_bytes()),
        }
    }
}
