//! The orderly end of the whole server: everybody is told, in batches, so that they do not all come back in the same
//! moment somewhere else; and after a time that is stated nobody is waited for.

use super::{Application, Engine};
use crate::connection::Peer;
use crate::connection::phase::Phase;
use crate::connection::stream::Stream;
use crate::time::{Now, Time};
use crate::wire::close::Ending;
use crate::wire::response::Status;

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Drain {
    /// What everybody is told.
    pub(super) ending: Ending,
    /// When the next batch is told, or when everybody is cut off, whichever is first.
    pub(super) next: Time,
    /// When whoever is left is cut off.
    give_up: Time,
    /// Slab indices below this were told.
    told_below: usize,
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// Begins to end all connections with `ending`. Nobody new may be accepted from here on.
    pub fn begin_shutdown(&mut self, ending: Ending, now: Now) {
        if self.drain.is_none() {
            let give_up = now.time + self.shutdown.timeout;
            self.drain = Some(Drain { ending, next: now.time, give_up, told_below: 0 });
        }
    }

    /// True when a shutdown is under way and nobody is left.
    pub fn is_drained_out(&self) -> bool {
        self.drain.is_some() && self.hub.connections.is_empty()
    }

    /// Tells the next batch, if it is time.
    pub(super) fn drain_step(&mut self) {
        let now = self.hub.now.time;
        let Some(drain) = self.drain.as_mut().filter(|drain| drain.next <= now) else { return };
        if drain.give_up <= now {
            drain.next = Time::NEVER;
            let ending = drain.ending.clone();
            self.cut_everybody(&ending);
            return;
        }
        // Where the configured batches would not come through in time they are made larger: everybody is told.
        let steps_left = drain.give_up.since(now).as_millis() / self.shutdown.interval.as_millis().max(1);
        let needed = self.hub.connections.len() as u128 / steps_left.max(1) + 1;
        let batch = (self.shutdown.batch as usize).max(usize::try_from(needed).unwrap_or(usize::MAX));
        let first = drain.told_below;
        let told: Vec<Peer> = self
            .hub
            .connections
            .iter()
            .skip_while(|(index, _)| *index < first)
            .take(batch)
            .map(|(_, connection)| connection.peer)
            .collect();
        let ending = drain.ending.clone();
        drain.told_below = told.last().map_or(usize::MAX, |peer| peer.index as usize + 1);
        let more = told.len() == batch;
        drain.next = if more { drain.give_up.min(now + self.shutdown.interval) } else { drain.give_up };
        for peer in told {
            self.send_away(peer, &ending);
        }
    }

    fn send_away(&mut self, peer: Peer, ending: &Ending) {
        let handshake = self.hub.get(peer).is_some_and(|connection| matches!(connection.phase, Phase::Handshake(_)));
        if handshake {
            let text = ending.reason().into_owned();
            let refusal = self.try_later(Status::ServiceUnavailable, &text);
            self.hub.refuse(peer, &refusal, false, text);
        } else {
            self.hub.end(peer, ending.clone());
        }
    }

    fn cut_everybody(&mut self, ending: &Ending) {
        let everybody: Vec<Peer> = self.hub.connections.iter().map(|(_, connection)| connection.peer).collect();
        for peer in everybody {
            // Who was not told yet is told now, in the language that it speaks.
            self.send_away(peer, ending);
            self.hub.counters.cut += 1;
            self.hub.cut(peer);
        }
    }
}
