//! What must hold when the server sleeps: nobody is owed anything that could be given, and no deadline was missed.

use std::time::Duration;

use hollerd::config::Limits;
use hollerd::connection::Peer;
use hollerd::time::Time;

use crate::layer::Layer;
use crate::ledger::{Guest, Witness};
use crate::plan::Plan;
use crate::speech::Kind;
use crate::world::{Place, World};

/// The wheel rounds up to a tick of 64 ms, and of two deadlines that are due together one is handled a tick later.
const LATE: Duration = Duration::from_millis(2 * 64);

impl<W: Witness> World<W> {
    pub(crate) fn audit_rest(&mut self) {
        let now = self.now;
        let (application, desk) = self.engine.application_mut(self.now);
        application.ledger().compare(&desk);
        let ledger = application.ledger_mut();
        for (&peer, place) in &mut self.places {
            let guest = ledger.guests.get_mut(&peer);
            let unread = desk.unread(peer);
            let writable = place.client.socket.borrow().is_writable();
            assert!(!writable || unread == 0, "{peer:?} could take {unread} bytes and nobody sends them");
            let waiting = place.client.socket.borrow().layer.as_ref().map_or(0, Layer::waiting);
            assert!(!writable || waiting == 0, "{waiting} bytes wait in the stream of {peer:?} and nobody knows");
            // Who does not take its answers is not heard.
            let ok_waits = place.client.visit.awaits_token && !place.account.ok;
            let answers_wait = |guest: &Guest| ok_waits || guest.coming.iter().any(|item| item.private);
            let held_back =
                !writable && guest.as_deref().is_some_and(|guest| guest.closed.is_some() || answers_wait(guest));
            let heard = place.client.socket.borrow().is_read_up();
            assert!(heard || held_back, "{peer:?} said something and nobody reads it");
            match guest {
                Some(guest) if guest.closed.is_none() => {
                    audit_debts(peer, place, guest);
                    if !held_back {
                        audit_hearing(peer, place);
                    }
                    audit_deadlines(peer, place, guest, &self.plan, (now.time, held_back));
                    let expires = place.client.visit.expires.unwrap_or(u64::MAX);
                    assert!(now.unix() <= expires.saturating_add(2), "the token of {peer:?} has expired and it is in");
                }
                _ => audit_departing(peer, place, &self.plan, now.time),
            }
        }
    }
}

/// An open connection that the server could write to is owed nothing.
fn audit_debts(peer: Peer, place: &Place, guest: &Guest) {
    let socket = place.client.socket.borrow();
    if socket.is_writable() {
        let owed = guest.coming.iter().find(|item| !item.own);
        assert!(owed.is_none(), "{peer:?} could take {owed:?} and nobody sends it");
        assert!(!socket.tap.is_inside(), "{peer:?} waits for the rest of a frame");
        assert!(place.account.ok || !place.client.visit.awaits_token, "{peer:?} waits for its ok");
        assert_eq!(guest.flush_asked, None, "everything is sent to {peer:?} and nobody says so");
    }
}

/// What has arrived has come to something.
fn audit_hearing(peer: Peer, place: &Place) {
    for utterance in place.client.utterances.iter().take_while(|utterance| utterance.end <= place.client.transmitted) {
        let heard = !matches!(utterance.kind, Kind::Message(..) | Kind::Bad);
        assert!(heard, "{peer:?} said {utterance:?} and it has come to nothing");
    }
}

/// No deadline of an open connection has passed. One that was due when the peer was heard, or took something, may come
/// up a little later.
fn audit_deadlines(peer: Peer, place: &mut Place, guest: &Guest, plan: &Plan, (now, held_back): (Time, bool)) {
    let missed = first_missed(place, guest, plan, (now, held_back));
    let Some((what, due)) = missed else {
        place.account.overdue = None;
        return;
    };
    let since = *place.account.overdue.get_or_insert(now);
    assert!(
        since + LATE >= now,
        "{what} of {peer:?} was due at {due:?}, was still due at {since:?}, and it is {now:?}"
    );
}

fn first_missed(
    place: &mut Place,
    guest: &Guest,
    plan: &Plan,
    (now, held_back): (Time, bool),
) -> Option<(&'static str, Time)> {
    let (limits, heartbeat) = (&plan.settings.limits, &plan.settings.heartbeat);
    let Place { client, account } = place;
    let mut deadlines = vec![("an appointment", guest.appointment)];
    if plan.is_chat {
        // Elsewhere a peer that is moved takes what it has not read along as if it was said then.
        let leaving = client.socket.borrow().layer.as_ref().map_or(0, Layer::leaving);
        let oldest = oldest_unsent(guest, leaving as u64);
        deadlines.push(("the oldest unread message", oldest.map(|oldest| oldest + limits.unread_age)));
    }
    for utterance in &mut client.utterances {
        let under_way = utterance.begin < client.transmitted && client.transmitted < utterance.end;
        // Of somebody who is not heard nobody knows yet that something is begun.
        let is_known = utterance.noticed.is_some() || !held_back;
        if is_known && (under_way || (utterance.kind == Kind::Unfinished && utterance.begun.is_some())) {
            let noticed = *utterance.noticed.get_or_insert(now);
            deadlines.push(("the end of a message", Some(noticed + limits.message_timeout)));
        }
    }
    // Those who were not asked at all before a reload may be asked since then.
    let latest = (account.heard + heartbeat.ping_interval * 11 / 10).max(plan.reloaded()) + LATE;
    if !heartbeat.ping_interval.is_zero() && latest <= now {
        let asked = *account.ping_by.get_or_insert(now);
        deadlines.push(("a sign of life", Some(asked + heartbeat.pong_timeout)));
    }
    // What a reload has made due is due since then.
    let reloaded = plan.reloaded();
    let deadlines = deadlines.into_iter().filter_map(|(what, due)| due.map(|due| (what, due.max(reloaded))));
    deadlines.into_iter().find(|(_, due)| *due + LATE < now)
}

/// When the oldest message was said of those that come behind `leaving` bytes that the stream took: it has told the server
/// that these are sent, and like those in a socket's buffer they have no age.
fn oldest_unsent(guest: &Guest, leaving: u64) -> Option<Time> {
    let mut items = guest.coming.iter().filter(|item| !item.own);
    if leaving > 0 {
        // A part of the first one may have gone on already.
        items.next();
    }
    let mut begin = 0;
    let mut behind = items.skip_while(|item| {
        let taken = begin < leaving;
        begin += item.least_bytes();
        taken
    });
    behind.next().map(|item| item.said)
}

/// A connection that is not admitted, or on its way out, does not stay.
fn audit_departing(peer: Peer, place: &mut Place, plan: &Plan, now: Time) {
    let account = &mut place.account;
    let longest = |since: Time, pick: fn(&Limits) -> Duration| {
        plan.since(since).iter().map(|era| pick(&era.settings.limits)).max().unwrap_or_default()
    };
    if now >= account.accepted + longest(account.accepted, |limits| limits.admit_timeout) + LATE {
        account.ended.get_or_insert((now, account.bytes_read));
    }
    // Its end may have been decided before it shows, and under the limits of that time.
    let begun = account.ended.map_or(now, |(ended, _)| ended);
    let patience = longest(account.accepted, |limits| limits.close_timeout + limits.discard_timeout);
    if now > begun + patience + 2 * LATE {
        // The last bytes may have gone out in the very moment in which the time was up.
        let noticed = *account.lingering.get_or_insert(now);
        let late = now > noticed + longest(noticed, |limits| limits.discard_timeout) + 2 * LATE;
        assert!(!late, "{peer:?} was to go at {begun:?}, was still there at {noticed:?}, and it is {now:?}");
    }
    let socket = place.client.socket.borrow();
    let whole = socket.tap.closed && socket.is_writable();
    assert!(!whole || socket.shut, "{peer:?} was sent its close frame and the stream is not ended");
}
