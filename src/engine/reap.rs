//! The step `reap`: the only one that removes connections, at the end of the turn, so that no event of a turn can mean
//! somebody who took the place of the one it was for.

use std::time::Duration;

use super::{Application, Engine};
use crate::connection::Peer;
use crate::connection::phase::Phase;
use crate::connection::remote::Remote;
use crate::connection::stream::Stream;
use crate::time::Now;
use crate::wire::close::Ending;

/// All that is left of a connection: what its one log line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Whom the application called it, if it called it anything.
    pub label: Option<String>,
    /// Who was at the other end.
    pub remote: Remote,
    /// Why it ended.
    pub ending: Ending,
    /// From accept to now.
    pub lasted: Duration,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// Removes those whose end is over and appends what is to be said about each to `departures`.
    pub fn reap(&mut self, now: Now, departures: &mut Vec<Departure>) {
        self.hub.now = now;
        let over = std::mem::take(&mut self.hub.over);
        for peer in over {
            departures.extend(self.remove(peer));
        }
    }

    fn remove(&mut self, peer: Peer) -> Option<Departure> {
        self.hub.get(peer)?;
        self.hub.stand_up(peer);
        self.hub.leave_pending(peer);
        self.hub.leave_address(peer);
        self.hub.leave_refused(peer);
        self.hub.wheel.disarm(peer.index);
        if let Some(place) = self.streams.get_mut(peer.index as usize) {
            // Closing the descriptor also takes it out of the poll: it was never duplicated.
            *place = None;
        }
        let connection = self.hub.connections.remove(peer.index as usize);
        let remote = connection.remote;
        let Phase::Closing(closing) = connection.phase else { return None };
        self.hub.closing -= 1;
        Some(Departure {
            label: self.application.label(&connection.data).map(str::to_owned),
            remote,
            ending: closing.ending,
            lasted: self.hub.now.time.since(connection.accepted),
            received: connection.received,
            sent: connection.sent,
        })
    }
}
