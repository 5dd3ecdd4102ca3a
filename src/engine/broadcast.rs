//! The step `broadcast`: moves the passes on through the rooms in which something was said, as far as this turn's budget of
//! writes goes. It only chooses who is written to; `flush` writes.

use super::{Application, Engine};
use crate::connection::Peer;
use crate::connection::stream::Stream;
use crate::time::Now;
use crate::wire::close::Ending;

/// Members that need no write are cheap to visit; so many are visited for each write that is allowed.
const VISITS_PER_WRITE: usize = 8;
/// A pass is moved on by so many members at a time, so that two busy rooms take turns.
const SLICE: usize = 256;
/// The passes get this part of the turn's writes even when answers to single peers take up all of them.
const PASS_SHARE: usize = 4;

impl<S: Stream, A: Application> Engine<S, A> {
    /// Visits members of audiences with news until the budget of this turn is used up or everybody was visited.
    pub fn broadcast(&mut self, now: Now) {
        self.hub.now = now;
        let most = self.hub.limits.turn_writes as usize;
        let mut visits = most.saturating_mul(VISITS_PER_WRITE);
        let share = most.saturating_sub(self.hub.unflushed.len()).max(most.div_ceil(PASS_SHARE));
        let mut finished = 0;
        while finished < self.hub.rooms.passing.len() && visits > 0 && self.hub.visited.len() < share {
            let Some(audience) = self.hub.rooms.passing.pop_front() else { break };
            let slice = SLICE.min(visits).min(share - self.hub.visited.len());
            let visited = self.visit_slice(audience, slice);
            visits -= visited.min(visits);
            finished = if visited < slice { finished + 1 } else { 0 };
            self.hub.rooms.passing.push_back(audience);
        }
        self.settle();
    }

    /// Visits up to `most` members and returns how many that were.
    fn visit_slice(&mut self, audience: u32, most: usize) -> usize {
        let Some(entry) = self.hub.rooms.audience_mut(audience) else { return 0 };
        entry.begin_pass();
        let places = entry.advance_pass(most);
        let visited = places.len();
        for place in places {
            let member = self.hub.rooms.audience(audience).and_then(|entry| entry.members().get(place)).copied();
            if let Some(peer) = member.and_then(|member| self.hub.peer_at(member)) {
                self.visit(peer);
            }
        }
        visited
    }

    fn visit(&mut self, peer: Peer) {
        let Some(connection) = self.hub.connections.get_mut(peer.index as usize) else { return };
        let log = self.hub.rooms.log(connection.seat);
        if !connection.has_more(log) {
            let cursor = connection.walk.cursor;
            self.hub.set_behind(peer, false);
            self.note_cursor(peer, cursor);
            return;
        }
        let cursor = connection.walk.cursor;
        if connection.ready.writable {
            // However much it is, it may take all of it: `flush` finds out.
            connection.queued.visited = true;
            self.hub.visited.push(peer);
        } else if self.is_too_far_behind(peer) {
            self.give_up_reader(peer);
            return;
        } else {
            self.note_behind(peer);
            self.hub.rearm(peer);
        }
        self.note_cursor(peer, cursor);
    }

    /// True when more is unread than the limit, or when so many very short messages are that they take half of what the
    /// room's log may take: a log at its limit must always have somebody to give up, or nobody in the room would be heard.
    pub(super) fn is_too_far_behind(&self, peer: Peer) -> bool {
        let Some(connection) = self.hub.get(peer) else { return false };
        let log = self.hub.rooms.log(connection.seat);
        let (unread, limits) = (connection.unread(log), &self.hub.limits);
        let held = if unread > 0 { log.memory_from(connection.walk.cursor) } else { 0 };
        unread > limits.unread as u64 || held > limits.room_log as u64 / 2
    }

    /// A reader has more unread than the limit. If it was on its way out already there is nothing left to wait for.
    pub(super) fn give_up_reader(&mut self, peer: Peer) {
        let most = self.hub.limits.unread;
        let open = self.hub.get(peer).is_some_and(|connection| connection.is_open());
        if open {
            self.hub.end(peer, Ending::TooFarBehind { most });
            self.note_behind(peer);
        } else {
            self.hub.counters.cut += 1;
            self.hub.cut(peer);
        }
    }

    /// Takes note of where a member is that was visited; one that reads no further does not hold the log, even if its last
    /// bytes are not sent yet.
    fn note_cursor(&mut self, peer: Peer, cursor: u64) {
        let Some(connection) = self.hub.get(peer) else { return };
        if !connection.is_open() && connection.unread(self.hub.rooms.log(connection.seat)) == 0 {
            return;
        }
        if let Some(audience) = connection.seat.and_then(|seat| self.hub.rooms.audience_mut(seat.audience)) {
            audience.note_cursor(cursor);
        }
    }

    /// After the writes of this turn: ends the passes that came through, and forgets what everybody has.
    pub(super) fn settle_passes(&mut self) {
        let now = self.hub.now.time;
        for _ in 0..self.hub.rooms.passing.len() {
            let Some(audience) = self.hub.rooms.passing.pop_front() else { break };
            if self.hub.rooms.settle_pass(audience, now) {
                self.hub.rooms.passing.push_back(audience);
            }
        }
    }
}
