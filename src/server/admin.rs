//! The admin listener and the few connections that it has. They are beside the engine, which does not know them: they are
//! served when the server is full, and until its last moment.

use std::collections::BTreeMap;
use std::time::Duration;

use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::clock::unix_now;
use super::inherited::Inherited;
use super::journal::Warnings;
use super::listener::{Accepted, Listener, SocketOptions, USER_TIMEOUT_MAX, USER_TIMEOUT_MIN, refuse};
use super::socket_file::is_closed_to_others;
use super::visitor::{Stage, Visitor, Whole};
use super::{ServerEngine, StartError, process};
use crate::admin::{Process, Route, Rules, judge, perform};
use crate::auth::AccessKeys;
use crate::config::{Admin as Settings, ListenAddress};
use crate::engine::Application;
use crate::time::{Now, Time};
use crate::wire::request::HeadLimits;
use crate::wire::response::{Refusal, Response, Status};

/// The listener has this token, the visitors those above it.
pub(super) const FIRST_TOKEN: usize = usize::MAX - 512;

/// So many are accepted, or told that there are too many, in one turn.
const ACCEPTS_MAX: usize = 64;
/// How long accepting pauses when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(250);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Admin {
    listener: Listener,
    /// Somebody else has decided who can reach it.
    inherited: bool,
    keys: Option<AccessKeys>,
    connections_max: usize,
    timeout: Duration,
    visitors: Slab<Visitor>,
    /// An event has come since the last turn.
    woken: bool,
    /// There is more to do at once.
    busy: bool,
    /// Nobody is accepted until then.
    paused_until: Time,
    /// See [`Process::started`].
    started: u64,
    refused: u64,
    answers: BTreeMap<u16, u64>,
}

impl Admin {
    /// Takes the inherited listener, or opens the one of the configuration; `None` if there is neither.
    pub(super) fn open(
        settings: &Settings,
        inherited: Option<Inherited>,
        keys: Option<AccessKeys>,
        registry: &Registry,
    ) -> Result<Option<Self>, StartError> {
        let address = inherited.as_ref().map(|inherited| &inherited.address).or(settings.listen.as_ref()).cloned();
        let Some(address) = address else { return Ok(None) };
        if address.inet().is_some_and(|inet| !inet.ip().is_loopback()) {
            return Err(StartError::AdminInTheOpen(address));
        }
        let from_elsewhere = inherited.is_some();
        if keys.is_none() && is_for_everybody(&address, from_elsewhere) {
            return Err(StartError::AdminWithoutKeys);
        }
        let options = SocketOptions {
            send_buffer: 0,
            user_timeout: settings.timeout.clamp(USER_TIMEOUT_MIN, USER_TIMEOUT_MAX),
            reuse_port: false,
            unix_mode: settings.unix_mode.bits(),
        };
        let opened = match inherited {
            Some(inherited) => Listener::adopt(inherited, options),
            None => Listener::open(&address, options),
        };
        let opened = opened.and_then(|mut listener| {
            listener.register(registry, Token(FIRST_TOKEN))?;
            Ok(listener)
        });
        Ok(Some(Self {
            listener: opened.map_err(|error| StartError::Listen(address, error))?,
            inherited: from_elsewhere,
            keys,
            connections_max: settings.connections as usize,
            timeout: settings.timeout,
            visitors: Slab::new(),
            woken: true,
            busy: false,
            paused_until: Time::START,
            started: unix_now(),
            refused: 0,
            answers: BTreeMap::new(),
        }))
    }

    /// Puts in force what was read anew. What every program can reach never goes without keys, whatever is to become of it
    /// at the next start.
    pub(super) fn reconfigure(&mut self, settings: &Settings, keys: Option<AccessKeys>) {
        self.connections_max = settings.connections as usize;
        self.timeout = settings.timeout;
        if keys.is_some() || !is_for_everybody(&self.listener.address, self.inherited) {
            self.keys = keys;
        }
    }

    pub(super) fn address(&self) -> &ListenAddress {
        &self.listener.address
    }

    /// An event for one of our tokens, `place` above the first.
    pub(super) fn wake(&mut self, place: usize, event: &Event) {
        self.woken = true;
        match place.checked_sub(1) {
            None => self.listener.wake(),
            Some(visitor) => {
                if let Some(visitor) = self.visitors.get_mut(visitor) {
                    let end = event.is_read_closed() || event.is_write_closed() || event.is_error();
                    visitor.ready(event.is_readable() || end, event.is_writable());
                }
            }
        }
    }

    /// True when the next wait must not sleep.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// When somebody has to be finished.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let resume = Some(self.paused_until).filter(|_| self.listener.is_waiting());
        self.visitors.iter().map(|(_, visitor)| visitor.until).chain(resume).min()
    }

    /// Accepts, reads, answers; a turn in which there is nothing of that to do costs a comparison or two. `exhausted` is
    /// what the other listeners have counted.
    pub(super) fn serve<A: Application>(
        &mut self,
        engine: &mut ServerEngine<A>,
        registry: &Registry,
        exhausted: u64,
        now: Now,
    ) {
        let due = self.next_wake().is_some_and(|at| at <= now.time);
        if !self.woken && !self.busy && !due {
            return;
        }
        (self.woken, self.busy) = (false, false);
        self.accept(registry, now.time);
        for place in 0..self.visitors.capacity() {
            if let Some(whole) = self.hear(place, engine, now) {
                let response = self.respond(place, whole, engine, exhausted, now);
                self.answer(place, response, now.time);
            }
            self.finish(place, engine, now.time);
        }
        self.visitors.retain(|_, visitor| !matches!(visitor.stage, Stage::Over));
        self.busy = self.visitors.iter().any(|(_, visitor)| visitor.has_more());
    }

    fn accept(&mut self, registry: &Registry, now: Time) {
        for _ in 0..ACCEPTS_MAX {
            if !self.listener.is_waiting() || self.paused_until > now {
                return;
            }
            match self.listener.accept() {
                Accepted::Connection(socket, _) if self.visitors.len() >= self.connections_max => {
                    self.refused += 1;
                    let text = "too many admin connections (admin.connections), try again later";
                    refuse(socket, &Refusal::new(Status::ServiceUnavailable, text).retry_after(1).render());
                }
                Accepted::Connection(socket, remote) => {
                    let entry = self.visitors.vacant_entry();
                    let token = Token(FIRST_TOKEN + 1 + entry.key());
                    let mut visitor = Visitor::new(socket, remote, now + self.timeout);
                    let both = Interest::READABLE | Interest::WRITABLE;
                    if registry.register(visitor.socket_mut(), token, both).is_ok() {
                        entry.insert(visitor);
                    }
                }
                Accepted::Exhausted(error) => {
                    log::debug!("cannot accept an administrator: {error}");
                    self.paused_until = now + PAUSE;
                }
                Accepted::Nobody | Accepted::Failed => {}
            }
        }
    }

    /// Reads on; gives the request back when it is whole.
    fn hear<A: Application>(&mut self, place: usize, engine: &ServerEngine<A>, now: Now) -> Option<Whole> {
        let limits = engine.limits();
        let head = HeadLimits { bytes: limits.request_head, headers: limits.request_headers as usize };
        let tcp = self.listener.address.inet().is_some();
        let rules = Rules { keys: self.keys.as_ref(), tcp };
        let visitor = self.visitors.get_mut(place)?;
        visitor.hear(head, |request| judge(request, &rules, limits.message, now.unix()))
    }

    fn respond<A: Application>(
        &self,
        place: usize,
        whole: Whole,
        engine: &mut ServerEngine<A>,
        exhausted: u64,
        now: Now,
    ) -> (Response, bool) {
        let (task, body) = match whole {
            Ok(whole) => whole,
            Err(problem) => return (problem.response(), false),
        };
        // Nobody but the metrics looks at this.
        let process = if matches!(task.route, Route::Metrics(_)) {
            self.process(engine.connections(), exhausted)
        } else {
            Process::default()
        };
        let response = perform(&task, &body, engine, &process, now);
        if let (Some(deed), Some(visitor)) = (task.route.deed(), self.visitors.get(place)) {
            let name = task.bearer.as_ref().and_then(|bearer| bearer.name.as_deref()).unwrap_or("somebody");
            // Many things may be said in a second, and who says them knows it.
            let level = if matches!(task.route, Route::Say { .. }) { log::Level::Debug } else { log::Level::Info };
            log::log!(level, "administrator {name} ({}) {deed}: {}", visitor.remote, response.status());
        }
        (response, task.head_only)
    }

    fn answer(&mut self, place: usize, (response, head_only): (Response, bool), now: Time) {
        *self.answers.entry(response.status().code()).or_default() += 1;
        let bytes = if head_only { response.render_head() } else { response.render() };
        if let Some(visitor) = self.visitors.get_mut(place) {
            visitor.answer(bytes, now + self.timeout);
        }
    }

    /// What there is to do behind a request: the answer, the goodbye, and the deadline of each.
    fn finish<A: Application>(&mut self, place: usize, engine: &ServerEngine<A>, now: Time) {
        let limits = engine.limits();
        let Some(visitor) = self.visitors.get_mut(place) else { return };
        if visitor.until <= now {
            if matches!(visitor.stage, Stage::Head { .. } | Stage::Body { .. }) {
                let text = format!("no whole request within {:?}", self.timeout);
                self.answer(place, (Refusal::new(Status::RequestTimeout, text).response(), false), now);
            } else {
                visitor.stage = Stage::Over;
            }
        }
        let Some(visitor) = self.visitors.get_mut(place) else { return };
        if visitor.speak() {
            visitor.hang_up(limits.discard, now + limits.discard_timeout);
        }
        visitor.discard();
    }

    fn process(&self, connections: usize, exhausted: u64) -> Process {
        Process {
            started: self.started,
            descriptors: process::open_descriptors(connections),
            descriptors_limit: process::descriptors_limit(),
            memory: process::resident_memory(),
            exhausted,
            admin_connections: self.visitors.len(),
            admin_refused: self.refused,
            admin_answers: self.answers.clone(),
        }
    }

    /// Says what has struck again and again.
    pub(super) fn warn(&self, warnings: &mut Warnings, now: Time) {
        warnings.strike("admin.connections is reached, administrators are answered with 503", self.refused, now);
        let keyless = self.answers.get(&401).copied().unwrap_or(0);
        warnings.strike("a request to the admin listener had no good key", keyless, now);
    }
}

/// True if every program on this machine can reach the listener. The file of an inherited Unix socket has the mode that
/// somebody else has chosen, and a service manager makes it 0666 unless it is told otherwise.
fn is_for_everybody(address: &ListenAddress, inherited: bool) -> bool {
    match address {
        ListenAddress::Tcp(_) | ListenAddress::Tls(_) => true,
        ListenAddress::Unix(path) => inherited && !is_closed_to_others(path),
    }
}
