//! The step `flush`: the only one that writes to streams. One write per connection and turn, however many messages that is.

use super::desk::Desk;
use super::{Application, Engine};
use crate::connection::phase::Stage;
use crate::connection::stream::Stream;
use crate::connection::{Flushed, Peer};
use crate::time::Now;

impl<S: Stream, A: Application> Engine<S, A> {
    /// Writes to those who have something to get and can take it, up to this turn's budget.
    pub fn flush(&mut self, now: Now) {
        self.hub.now = now;
        let most = self.hub.limits.turn_writes as usize;
        let visited = std::mem::take(&mut self.hub.visited);
        // At least one, so that broadcasts cannot keep private messages waiting for ever. Whoever has more than one write
        // takes comes back to the end of the list, and that is for the next turn.
        for _ in 0..self.hub.unflushed.len().min(most.saturating_sub(visited.len()).max(1)) {
            let Some(peer) = self.hub.unflushed.pop_front() else { break };
            let Some(connection) = self.hub.get_mut(peer) else { continue };
            connection.queued.flush = false;
            if !connection.queued.visited {
                self.flush_one(peer);
            }
        }
        for &peer in &visited {
            if let Some(connection) = self.hub.get_mut(peer) {
                connection.queued.visited = false;
            }
            self.flush_one(peer);
        }
        self.hub.visited = visited;
        self.hub.visited.clear();
        self.settle_passes();
        self.report_flushed();
        self.settle();
    }

    fn flush_one(&mut self, peer: Peer) {
        let Some(connection) = self.hub.connections.get_mut(peer.index as usize).filter(|other| other.peer == peer)
        else {
            return;
        };
        let Some(stream) = self.streams.get_mut(peer.index as usize).and_then(Option::as_mut) else { return };
        let log = self.hub.rooms.log(connection.seat);
        let flushed = match (connection.has_more(log), connection.ready.writable) {
            (false, _) => connection.flush_stream(stream),
            (true, false) => Flushed::Blocked,
            (true, true) => {
                let before = connection.sent;
                let flushed = connection.flush(stream, log);
                self.hub.counters.writes += 1;
                self.hub.counters.bytes_out += connection.sent - before;
                flushed
            }
        };
        match flushed {
            Flushed::All if connection.is_content() => {}
            Flushed::All => {
                self.all_sent(peer);
                self.hear_again(peer);
            }
            Flushed::More => {
                self.note_behind(peer);
                self.hub.queue_flush(peer);
            }
            Flushed::Blocked if self.is_too_far_behind(peer) => self.give_up_reader(peer),
            Flushed::Blocked => {
                self.note_behind(peer);
                self.hub.rearm(peer);
                self.hear_again(peer);
            }
            Flushed::Broken(ending) => self.hub.end(peer, ending),
        }
    }

    /// Its answers are sent, so a peer that was not read from because of them is read from again. There is no other edge.
    fn hear_again(&mut self, peer: Peer) {
        let Some(connection) = self.hub.get(peer) else { return };
        let leftover = connection.inbound.as_ref().is_some_and(|inbound| inbound.has_leftover());
        if connection.outbox.as_ref().is_some_and(|outbox| outbox.bytes() > 0) {
            return;
        }
        if connection.ready.readable || leftover {
            self.hub.queue_receive(peer);
        }
    }

    pub(super) fn note_behind(&mut self, peer: Peer) {
        let Some(connection) = self.hub.get(peer) else { return };
        let behind = connection.unread(self.hub.rooms.log(connection.seat)) > 0;
        self.hub.set_behind(peer, behind);
    }

    /// Everything is with the kernel. For somebody on the way out that was the last: our half is shut down, and what the
    /// peer still sends is read and thrown away until it ends its own.
    fn all_sent(&mut self, peer: Peer) {
        self.hub.set_behind(peer, false);
        let until = self.hub.now.time + self.hub.limits.discard_timeout;
        let Some(connection) = self.hub.get_mut(peer) else { return };
        if std::mem::take(&mut connection.owed.flushed_event) {
            self.hub.flushed.push(peer);
        }
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let hangup = connection.ready.hangup;
        let Some(closing) = connection.closing_mut().filter(|closing| closing.stage == Stage::Sending) else { return };
        closing.stage = Stage::Discarding;
        connection.until = until;
        if hangup && self.is_drained(peer) {
            // The peer's end was read, so closing the socket says all that shutting it down would.
            let stream = self.streams.get_mut(peer.index as usize).and_then(Option::as_mut);
            if let Some(stream) = stream.filter(|stream| stream.says_goodbye()) {
                let _ = stream.shutdown_write();
            }
            self.hub.cut(peer);
            return;
        }
        let stream = self.streams.get_mut(peer.index as usize).and_then(Option::as_mut);
        if stream.is_none_or(|stream| stream.shutdown_write().is_err()) {
            self.hub.cut(peer);
            return;
        }
        if hangup {
            // The end of the stream is behind bytes that nobody has read yet.
            self.hub.queue_receive(peer);
        }
        self.hub.rearm(peer);
    }

    /// The end of the peer's stream was read, so there is nothing to wait for.
    fn is_drained(&self, peer: Peer) -> bool {
        self.hub.get(peer).is_some_and(|connection| !connection.ready.readable)
    }

    fn report_flushed(&mut self) {
        let flushed = std::mem::take(&mut self.hub.flushed);
        for &peer in &flushed {
            if self.hub.get(peer).is_some_and(|connection| connection.is_open()) {
                self.application.flushed(&mut Desk::new(&mut self.hub), peer);
            }
        }
    }
}
