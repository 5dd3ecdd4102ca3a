//! What must hold after every turn: each byte that was sent and each message that was heard is held against the ledger,
//! and each ending against its reason.

use std::time::Duration;

use hollerd::config::BinaryPolicy;
use hollerd::connection::Peer;
use hollerd::engine::Departure;
use hollerd::time::{Now, Time};
use hollerd::wire::close::Ending;

use crate::layer::Layer;
use crate::ledger::{Guest, Item, Witness};
use crate::plan::Plan;
use crate::speech::Kind;
use crate::tap::Sent;
use crate::world::{Place, World};

/// What is known about one connection besides what the application knows.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) accepted: Time,
    /// When the server last read something.
    pub(crate) heard: Time,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    /// When the server must have asked for a sign of life at the latest.
    pub(crate) ping_by: Option<Time>,
    /// When it was found that a deadline had passed.
    pub(crate) overdue: Option<Time>,
    /// When it was found that its end takes longer than it should.
    pub(crate) lingering: Option<Time>,
    /// When the oldest was said that was not sent when the last turn ended.
    pub(crate) oldest: Option<Time>,
    /// Messages that were sent.
    pub(crate) sent: u64,
    /// The most that may wait for it. If a limit was lowered since, then less and less.
    allowed: u64,
    pub(crate) ok: bool,
    status: Option<u16>,
    close: Option<Option<u16>>,
    /// When its end was known to be decided, and how many bytes had been read by then.
    pub(crate) ended: Option<(Time, u64)>,
    /// Its ending was held against its reason.
    judged: bool,
}

impl Account {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            accepted: now,
            heard: now,
            bytes_read: 0,
            bytes_written: 0,
            ping_by: None,
            overdue: None,
            lingering: None,
            oldest: None,
            sent: 0,
            allowed: 0,
            ok: false,
            status: None,
            close: None,
            ended: None,
            judged: false,
        }
    }
}

impl<W: Witness> World<W> {
    pub(crate) fn audit_places(&mut self) {
        let (application, _) = self.engine.application_mut(self.now);
        let ledger = application.ledger_mut();
        for (peer, place) in &mut self.places {
            let mut guest = ledger.guests.get_mut(peer);
            note_reading(place, self.now.time);
            audit_sent(*peer, place, guest.as_deref_mut(), self.now);
            let Some(guest) = guest else { continue };
            audit_heard(*peer, place, guest);
            audit_outbox(*peer, place, guest, &self.plan);
            if let Some(told) = guest.flush_told.take() {
                assert!(place.account.sent >= told, "{peer:?} is flushed, but {told} messages were to be sent before");
            }
            if guest.closed.as_ref().is_some_and(|(_, at)| *at == self.now) && !place.account.judged {
                audit_ending(*peer, place, guest, &self.plan, self.draining, self.now);
                place.account.judged = true;
                place.account.ended.get_or_insert((self.now.time, place.account.bytes_read));
            }
            let socket = place.client.socket.borrow();
            let first = guest.coming.front().map(|item| item.said);
            let begun = place.account.sent == 0 && socket.starved;
            place.account.oldest = if begun { Some(place.account.accepted) } else { first };
            place.account.bytes_written = socket.bytes_written;
        }
    }

    /// No ping may be made for somebody who was heard of a short while ago.
    pub(crate) fn audit_pings(&mut self) {
        let pings = self.engine.counters().pings
            - std::mem::replace(&mut self.totals.pings_before, self.engine.counters().pings);
        let earliest = self.plan.settings.heartbeat.ping_interval * 9 / 10;
        let guests = &self.engine.application().ledger().guests;
        let silent = self
            .places
            .iter()
            .filter(|(peer, place)| guests.contains_key(peer) && place.account.heard + earliest <= self.now.time);
        assert!(pings == 0 || pings <= silent.count() as u64, "somebody was pinged too early");
    }

    /// Whatever clients do, what waits for one of them is bounded by the configuration.
    pub(crate) fn audit_memory(&mut self) {
        let limits = self.plan.settings.limits.clone();
        let message = limits.message as u64 + 64;
        let callbacks = 512 * (self.places.len() as u64 + 8);
        let most = (limits.room_log + limits.outbox + 2 * limits.unread) as u64
            + u64::from(limits.turn_messages) * message * 4
            + callbacks;
        let (_, desk) = self.engine.application_mut(self.now);
        for (&peer, place) in &mut self.places {
            let unread = desk.unread(peer) as u64;
            let allowed = most.max(place.account.allowed);
            assert!(unread <= allowed, "{unread} bytes wait for {peer:?}, {allowed} are the bound");
            place.account.allowed = most.max(unread);
        }
    }

    /// The one departure of a connection: nothing is known of it afterwards.
    pub(crate) fn audit_departure(&mut self, departure: &Departure) {
        let (peer, place) = self.bury(departure.remote);
        if self.trace {
            println!("  {peer:?} {}: {}", departure.remote, departure.ending.reason());
        }
        let Place { client, account } = place;
        let socket = client.socket.borrow();
        self.totals.departed += 1;
        self.totals.bytes_in += socket.bytes_read;
        self.totals.bytes_out += socket.bytes_written;
        assert!(socket.dropped, "{peer:?} departs and its stream is still there");
        assert_eq!((departure.received, departure.sent), (socket.bytes_read, socket.bytes_written));
        assert_eq!(departure.lasted, self.now.time.since(account.accepted));
        // Which of those who depart in one turn was cut off is not known.
        let was_cut = self.engine.counters().cut > self.totals.cut_before;
        let ending = &departure.ending;
        let broken = socket.reset || ending.is_broken();
        let (application, desk) = self.engine.application_mut(self.now);
        let guest = application.ledger_mut().guests.remove(&peer);
        assert!(desk.data(peer).is_none() && desk.room(peer).is_none(), "something is left of {peer:?}");
        if let Some(guest) = &guest {
            let told = guest.closed.as_ref().map(|(ending, _)| ending);
            assert_eq!(told, Some(ending), "{peer:?} departs with another ending than the application was told");
            let owed = guest.coming.iter().filter(|item| !item.own).count();
            let whole = account.close.is_some() && !ending.gives_up_unread();
            assert!(!whole || owed == 0, "{peer:?} was closed with {ending:?} and {owed} messages are missing");
        }
        if let (Some(code), Some(sent)) = (ending.code(), account.close) {
            let echo = matches!(ending, Ending::ClosedByPeer { .. });
            assert!(echo || sent == Some(code), "{ending:?} was closed with {sent:?}");
        }
        let silent = ending.code().is_some() && account.close.is_none();
        assert!(!silent || broken || socket.was_starved || was_cut, "{peer:?} never heard of {ending:?}");
        if let Ending::Answered { status, .. } = ending {
            let answered = account.status == Some(*status) || broken || socket.was_starved || was_cut;
            assert!(answered, "{peer:?} got {:?} instead of {status}", account.status);
        }
        // A socket that is closed while something is unread answers with a reset, and that eats our last bytes.
        let crowded = matches!(ending, Ending::Answered { status: 429 | 503, .. });
        let unread = socket.unread_by_server() > 0 && !broken && !was_cut && !crowded;
        if let Some((ended, read)) = account.ended.filter(|_| unread) {
            let limits = || self.plan.since(ended).iter().map(|era| &era.settings.limits);
            let patience = limits().map(|limits| limits.discard_timeout.min(limits.close_timeout / 8)).min().unwrap();
            let discard = limits().map(|limits| limits.discard as u64).min().unwrap();
            let patient = self.now.time.since(ended) >= patience || socket.bytes_read - read > discard;
            let left = socket.unread_by_server();
            assert!(
                patient,
                "{peer:?} was closed with {left} bytes unread at {:?}, after {ending:?} at {ended:?}",
                self.now
            );
        }
    }

    /// When everybody is gone nothing is left.
    pub(crate) fn check_the_end(&mut self) {
        assert!(self.places.is_empty() && self.engine.open() == 0 && !self.engine.is_busy());
        // Of some rooms the history is still kept, and nothing but that is waited for.
        for _ in 0..10_000 {
            let Some(wake) = self.engine.next_wake().filter(|_| !self.draining) else { break };
            assert!(self.engine.totals().rooms > 0, "nobody is there and somebody is waited for");
            self.now.time = wake;
            self.engine.expire(self.now);
        }
        let wake = self.engine.next_wake().filter(|_| !self.draining);
        assert_eq!(wake, None, "nobody is there and somebody is waited for");
        assert_eq!(self.engine.is_drained_out(), self.draining);
        let counters = self.engine.counters().clone();
        let draining = self.draining;
        let (application, desk) = self.engine.application_mut(self.now);
        assert!(desk.is_empty() && (draining || desk.rooms().next().is_none()), "a room is left");
        let ledger = application.ledger();
        assert!(ledger.guests.is_empty(), "{:?} were never closed", ledger.guests.keys());
        assert_eq!((ledger.opened, ledger.closed), (counters.admitted, counters.admitted));
        assert_eq!(ledger.broadcasts, counters.broadcasts);
        assert_eq!((self.totals.departed, counters.endings.values().sum()), (counters.accepted, counters.accepted));
        let answers: u64 = counters.answers.values().sum();
        assert_eq!(Some(&answers).filter(|answers| **answers > 0), counters.endings.get("answered"));
        assert_eq!((self.totals.bytes_in, self.totals.bytes_out), (counters.bytes_in, counters.bytes_out));
    }
}

fn note_reading(place: &mut Place, now: Time) {
    let read = place.client.socket.borrow().bytes_read;
    if read > place.account.bytes_read {
        place.account.bytes_read = read;
        place.account.heard = now;
        place.account.ping_by = None;
    }
}

/// Holds what was sent against what had to be sent.
fn audit_sent(peer: Peer, place: &mut Place, mut guest: Option<&mut Guest>, now: Now) {
    let Place { client, account } = place;
    let sent = std::mem::take(&mut client.socket.borrow_mut().tap.sent);
    for (end, sent) in sent {
        match &sent {
            Sent::Answer(status) => {
                let expected = client.visit.status;
                let fine = *status == expected || matches!(status, 408 | 429 | 503);
                // Whoever was to say nothing more may have ended instead.
                let ended = expected == 408 && *status == 400;
                let expired = *status == 401 && client.visit.expires.is_some_and(|expires| expires <= now.unix());
                assert!(fine || ended || expired, "{peer:?} got {status} instead of {expected}");
                account.status = Some(*status);
                if *status != 101 {
                    account.ended.get_or_insert((now.time, account.bytes_read));
                }
            }
            Sent::Message { opcode, payload } => {
                if client.visit.awaits_token && !std::mem::replace(&mut account.ok, true) {
                    assert_eq!((*opcode, &payload[..]), (1, &b"ok"[..]), "{peer:?} has sent its token");
                    continue;
                }
                let guest =
                    guest.as_deref_mut().unwrap_or_else(|| panic!("{peer:?} is not in, and is sent {payload:?}"));
                let item = std::iter::from_fn(|| guest.coming.pop_front()).find(|item| !item.own);
                let expected = item.as_ref().is_some_and(|item| item.matches(*opcode, payload));
                let shown = String::from_utf8_lossy(payload);
                assert!(expected, "{peer:?} is sent {opcode} {shown:?} and had to be sent {item:?}");
                account.sent += 1;
                client.named |= payload.starts_with(b"hello ");
            }
            Sent::Pong(payload) => {
                // One pong may answer several pings, and then it answers the newest.
                let asked = std::iter::from_fn(|| client.pings.pop_front()).any(|ping| ping == *payload);
                assert!(asked, "{peer:?} is sent a pong that it did not ask for: {payload:x?}");
            }
            Sent::Ping(payload) => assert!(payload.is_empty()),
            Sent::Close(code, _) => {
                account.close = Some(*code);
                account.ended.get_or_insert((now.time, account.bytes_read));
            }
        }
        if !matches!(sent, Sent::Message { .. } | Sent::Pong(_)) {
            client.incoming.push_back((end, sent));
        }
    }
}

/// Holds what the application heard against what the client said, and forgets what the server has dealt with.
fn audit_heard(peer: Peer, place: &mut Place, guest: &mut Guest) {
    let Place { client, account } = place;
    loop {
        while client
            .utterances
            .front()
            .is_some_and(|front| front.end <= account.bytes_read && matches!(front.kind, Kind::Token | Kind::Control))
        {
            client.utterances.pop_front();
        }
        let Some((opcode, payload)) = guest.heard.pop_front() else { return };
        let said = client.utterances.pop_front();
        let kind = said.as_ref().map(|utterance| &utterance.kind);
        let shown = String::from_utf8_lossy(&payload).into_owned();
        let same = kind == Some(&Kind::Message(opcode, payload));
        assert!(same, "{peer:?} was heard to say {shown:?}, but it said {said:?}");
    }
}

/// What waits for one peer alone is bounded: whoever has more than the limit is told nothing more, but closed.
fn audit_outbox(peer: Peer, place: &Place, guest: &Guest, plan: &Plan) {
    let private = || guest.coming.iter().filter(|item| item.private && !item.own);
    // The last one may go over the limit, and the first may be half sent. What the stream took is out of our hands.
    let eras = plan.since(private().map(|item| item.said).min().unwrap_or(Time::NEVER));
    let limits = eras.iter().map(|era| &era.settings.limits);
    let most = limits.map(|limits| limits.outbox + 2 * limits.message.max(500) + 16).max().unwrap();
    let leaving = place.client.socket.borrow().layer.as_ref().map_or(0, Layer::leaving) as u64;
    let waiting = private().map(Item::least_bytes).sum::<u64>().saturating_sub(leaving);
    assert!(
        guest.closed.is_some() || waiting <= most as u64,
        "{waiting} bytes wait for {peer:?}, {most} are the bound"
    );
}

/// An ending needs its reason, and none may come before its time.
fn audit_ending(peer: Peer, place: &Place, guest: &Guest, plan: &Plan, draining: bool, now: Now) {
    let Some((ending, _)) = &guest.closed else { return };
    let Place { client, account } = place;
    let limits = &plan.settings.limits;
    let intervals = plan.since(account.heard).iter().map(|era| era.settings.heartbeat.ping_interval);
    let ping_interval = intervals.filter(|interval| !interval.is_zero()).min().unwrap_or(Duration::MAX);
    let name_timeout = plan.since(guest.opened.time).iter().map(|era| era.chat.name_timeout).min().unwrap();
    let socket = client.socket.borrow();
    let since = |begin: Option<Time>, limit: Duration| begin.is_some_and(|begin| begin + limit <= now.time);
    let next = client.utterances.front();
    let bad = client.utterances.iter().any(|utterance| utterance.kind == Kind::Bad && utterance.begun.is_some());
    let waiting: u64 = guest.coming.iter().map(|item| item.bytes()).sum();
    let waiting = waiting + socket.bytes_written - account.bytes_written;
    let fine = match ending {
        Ending::ClosedByPeer { .. } => client.said_goodbye,
        Ending::Gone => socket.fin,
        Ending::Reset => socket.reset,
        Ending::Transport(_) => socket.garbled,
        Ending::Protocol(_) | Ending::NotUtf8 | Ending::TooManyFragments { .. } | Ending::TooBig { .. } => bad,
        // The one that was refused has been heard, and is forgotten already.
        Ending::BinaryRefused => plan.is_chat && plan.chat.binary == BinaryPolicy::Refuse,
        Ending::TooManyMessages { .. } => {
            let eras = plan.since(guest.opened.time).iter().map(|era| &era.settings.limits);
            let burst = eras.filter(|limits| limits.messages_per_second > 0).map(|limits| limits.message_burst).min();
            limits.messages_per_second > 0 && burst.is_some_and(|burst| guest.heard_count >= u64::from(burst))
        }
        Ending::MessageTimeout(limit) => since(next.and_then(|next| next.begun), *limit),
        Ending::NoPong(limit) => since(Some(account.heard), ping_interval.saturating_mul(9) / 10 + *limit),
        Ending::TooFarBehind { most } => {
            // Of very short messages the log's own list of them is the larger part.
            let crowded = waiting + 24 * guest.coming.len() as u64 > limits.room_log as u64 / 2;
            socket.was_starved && (waiting > *most as u64 || crowded)
        }
        Ending::OutboxFull { most } => waiting + 256 > *most as u64,
        Ending::TooLongBehind(limit) => socket.was_starved && since(account.oldest, *limit),
        Ending::TokenExpired => client.visit.expires.is_some_and(|expires| expires <= now.unix()),
        Ending::ShuttingDown | Ending::Restarting => draining,
        Ending::Fault(_) | Ending::RoomForbidden | Ending::Application { .. } => !plan.is_chat,
        Ending::RoomFull { .. } | Ending::TooManyRooms { .. } => !plan.is_chat,
        Ending::NoNameInTime(_) => !plan.is_chat || since(Some(guest.opened.time), name_timeout),
        Ending::Replaced | Ending::TokenRefused(_) | Ending::NoTokenInTime(_) | Ending::Answered { .. } => false,
    };
    let (starved, oldest, heard) = (socket.was_starved, account.oldest, account.heard);
    assert!(
        fine,
        "{peer:?} is closed at {now:?} with {ending:?} without reason: starved {starved}, {waiting} bytes waiting, the \
         oldest said at {oldest:?}, heard at {heard:?}, in the middle of {next:?}"
    );
}
