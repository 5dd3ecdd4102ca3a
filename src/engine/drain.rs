//! The orderly end of the whole server: everybody is told, in batches, so that they do not all come back in the same
//! moment somewhere else; and after a time that is stated nobody is waited for.
//!
//! In a restart nobody is turned away who has connected already: their requests are waited for, a moment, and an upgrade
//! is answered with 101 and a close frame. A browser tells its page the code of a close frame, and nothing of a 503.

use std::time::Duration;

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
    /// Until when requests that are still on their way are waited for.
    patient_until: Time,
    /// Some may have been passed over because of that.
    passed_over: bool,
}

/// So long the requests of those who have connected are waited for in a restart: a round trip, and a lost packet that is
/// sent again. While they are, those who come now wait in the kernel for the next process.
const REQUEST_PATIENCE: Duration = Duration::from_secs(1);

impl<S: Stream, A: Application> Engine<S, A> {
    /// Begins to end all connections with `ending`. Nobody new may be accepted from here on.
    pub fn begin_shutdown(&mut self, ending: Ending, now: Now) {
        if self.drain.is_none() {
            let give_up = now.time + self.shutdown.timeout;
            let patience = if ending == Ending::Restarting { REQUEST_PATIENCE } else { Duration::ZERO };
            self.drain = Some(Drain {
                ending,
                next: now.time,
                give_up,
                told_below: 0,
                patient_until: give_up.min(now.time + patience),
                passed_over: false,
            });
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
        let patient = now < drain.patient_until;
        drain.passed_over |= patient;
        let is_told = |phase: &Phase| match phase {
            Phase::Handshake(_) => !patient,
            Phase::TokenCheck(_) | Phase::Open => true,
            Phase::Closing(_) => false,
        };
        let told: Vec<Peer> = self
            .hub
            .connections
            .iter()
            .skip_while(|(index, _)| *index < first)
            .filter(|(_, connection)| is_told(&connection.phase))
            .take(batch)
            .map(|(_, connection)| connection.peer)
            .collect();
        let ending = drain.ending.clone();
        if told.len() == batch {
            drain.told_below = told.last().map_or(0, |peer| peer.index as usize + 1);
            drain.next = drain.give_up.min(now + self.shutdown.interval);
        } else {
            // Those whose requests were waited for can be anywhere.
            let again = std::mem::take(&mut drain.passed_over);
            drain.told_below = if again { 0 } else { usize::MAX };
            drain.next = if again { drain.patient_until.max(now) } else { drain.give_up };
        }
        for peer in told {
            self.send_away(peer, &ending);
        }
    }

    /// What whoever asks for a WebSocket now is told instead of being let in, if a shutdown is under way.
    pub(super) fn farewell(&self) -> Option<Ending> {
        self.drain.as_ref().map(|drain| drain.ending.clone())
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
