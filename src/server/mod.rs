//! The only place that knows mio, sockets, the clock, signals and the log. It drives the engine: a turn of the loop is
//! wait, accept, receive, broadcast, expire, flush, reap.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use mio::{Events, Poll, Token};

use crate::auth::AccessKeys;
use crate::config::{self, Config, ListenAddress};
use crate::connection::{Peer, Readiness};
use crate::engine::{Application, Departure, Engine, Gate, Settings};
use crate::time::Now;
use crate::wire::close::Ending;

mod admin;
mod clock;
mod descriptors;
mod inherited;
mod journal;
mod listener;
mod listeners;
mod manager;
mod process;
mod proxied;
mod reload;
mod signals;
mod socket;
mod socket_file;
mod tls;
mod tls_session;
mod tls_stream;
mod visitor;

pub use clock::unix_now;
pub use inherited::WrongDescriptor;
pub use journal::level_filter;
pub use reload::{Fresh, Load};
pub use tls::{ReadFile, TlsConfig};

use admin::Admin;
use clock::Clock;
use inherited::{Inheritance, Inherited};
use journal::Warnings;
use listener::SocketOptions;
use listeners::Listeners;
use manager::Manager;
use signals::{Event, Signals};
use socket::Socket;

/// Events taken from the kernel at once. If there are more, the next wait returns with them immediately.
const EVENTS_MAX: usize = 1024;
/// Tokens from here on up are not connections.
const FIRST_OWN_TOKEN: usize = usize::MAX - 1024;
const SIGNALS: Token = Token(usize::MAX);
/// The poll's timeout is capped, far below what the kernel's interface can hold.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The engine over real sockets.
type ServerEngine<A> = Engine<Socket, A>;

/// A server that listens.
pub struct Server<A: Application> {
    poll: Poll,
    events: Events,
    clock: Clock,
    /// What the clocks said when this turn began.
    now: Now,
    listeners: Listeners,
    /// Where administrators ask, if they may.
    admin: Option<Admin>,
    /// A listener for them that nobody has asked for yet.
    inherited_admin: Option<Inherited>,
    engine: ServerEngine<A>,
    /// What is in force.
    config: Config,
    signals: Signals,
    reload_wanted: bool,
    manager: Manager,
    /// How many times we were asked to end; requests that come together are one.
    terminations_seen: u32,
    warnings: Warnings,
    departures: Vec<Departure>,
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// This address cannot be listened on.
    Listen(ListenAddress, io::Error),
    /// A service manager has handed over something that cannot be listened on.
    Inherited(WrongDescriptor),
    /// No address to listen on was given.
    NoListener,
    /// Every program on this machine can reach the admin listener, and there are no keys.
    AdminWithoutKeys,
    /// The inherited admin listener can be reached from other machines.
    AdminInTheOpen(ListenAddress),
    /// There is a TLS listener, but nothing to serve it with; see [`Server::bind_tls`].
    NoCertificate,
    /// The open-file limit does not allow so many connections.
    TooFewFiles {
        /// `limits.connections`.
        wanted: u32,
        /// The hard limit.
        files: u64,
        /// How many of those are for other things than connections.
        reserve: u64,
    },
    /// The kernel refused something that every server needs.
    System(io::Error),
}

impl<A: Application> Server<A> {
    /// Opens the listeners of `config`, or takes those that a service manager has opened (`LISTEN_FDS`); then `listen` is not
    /// looked at. From here on clients can connect; they are served once [`Server::run`] runs.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(config: &Config, gate: Gate, application: A) -> Result<Self, StartError> {
        Self::bind_tls(config, None, gate, application)
    }

    /// As [`Server::bind`], with what TLS listeners serve with.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind_tls(config: &Config, tls: Option<TlsConfig>, gate: Gate, application: A) -> Result<Self, StartError> {
        let Inheritance { for_everybody, for_administrators } = inherited::take()?;
        let administered = config.admin.listen.is_some() || for_administrators.is_some();
        let limits = descriptors::settle_limits(&config.limits, administered.then_some(&config.admin))?;
        let poll = Poll::new().map_err(StartError::System)?;
        let signals = Signals::register(poll.registry(), SIGNALS).map_err(StartError::System)?;
        let options = SocketOptions::new(config);
        let listeners = Listeners::open(&config.listen, for_everybody, options, poll.registry(), FIRST_OWN_TOKEN, tls)?;
        let settings = Settings::new(config, limits);
        let clock = Clock::start();
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            clock,
            now: clock.now(),
            listeners,
            admin: None,
            inherited_admin: for_administrators,
            engine: Engine::new(application, gate, settings, fastrand::u64(..)),
            config: config.clone(),
            signals,
            reload_wanted: false,
            manager: Manager::from_environment(),
            terminations_seen: 0,
            warnings: Warnings::default(),
            departures: Vec::new(),
        })
    }

    /// The addresses that are listened on, with their real ports.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.listeners.addresses()
    }

    /// Opens the admin listener, or takes the one that a service manager has opened; its address, with the real port, is
    /// returned if there is one. Without `keys` everybody who reaches the socket may ask, so a TCP port needs them.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn administer(
        &mut self,
        settings: &config::Admin,
        keys: Option<AccessKeys>,
    ) -> Result<Option<ListenAddress>, StartError> {
        self.admin = Admin::open(settings, self.inherited_admin.take(), keys, self.poll.registry())?;
        Ok(self.admin.as_ref().map(|admin| admin.address().clone()))
    }

    /// Serves until SIGTERM or SIGINT has been obeyed.
    ///
    /// # Errors
    /// If the kernel's poll fails, which nothing that a peer does can cause.
    pub fn run(&mut self) -> io::Result<()> {
        self.run_reloading(&mut || Err(vec!["SIGHUP: this server has nothing to read anew".to_owned()]))
    }

    /// As [`Server::run`]; whenever SIGHUP comes, `load` is called, and what it returns is put in force while everybody
    /// stays connected. The loop stands still while it reads.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_reloading(&mut self, load: &mut Load<'_>) -> io::Result<()> {
        self.manager.ready(self.engine.connections(), self.now.time);
        while self.goes_on() {
            self.turn()?;
            if std::mem::take(&mut self.reload_wanted) {
                self.reload(load);
            }
        }
        Ok(())
    }

    /// One turn of the loop.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.wait()?;
        self.accept(now);
        self.serve_administrators(now);
        self.engine.receive(now);
        self.engine.broadcast(now);
        self.engine.expire(now);
        self.engine.flush(now);
        self.reap(now);
        self.engine.end_turn(self.clock.time());
        Ok(())
    }

    /// Sleeps until something happens or is due, and takes note of what is ready.
    fn wait(&mut self) -> io::Result<Now> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            // A signal: it is among the next events.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        let now = self.clock.now();
        self.now = now;
        let mut signalled = false;
        for event in &self.events {
            match event.token() {
                SIGNALS => signalled = true,
                Token(own) if own >= admin::FIRST_TOKEN => {
                    if let Some(admin) = &mut self.admin {
                        admin.wake(own - admin::FIRST_TOKEN, event);
                    }
                }
                Token(own) if own >= FIRST_OWN_TOKEN => {
                    self.listeners.wake(own - FIRST_OWN_TOKEN);
                    // Who came together with a signal belongs to the next process, but the poll may have collected its
                    // events before the signal was noted.
                    signalled |= self.listeners.are_inherited();
                }
                Token(token) => {
                    let hangup = event.is_read_closed() || event.is_write_closed() || event.is_error();
                    let readiness = Readiness { readable: event.is_readable(), writable: event.is_writable(), hangup };
                    self.engine.ready(peer_of(token), readiness);
                }
            }
        }
        if signalled {
            self.take_signals();
        }
        if self.terminations_seen > 0 {
            self.stop_accepting(now);
        }
        Ok(now)
    }

    fn take_signals(&mut self) {
        for event in self.signals.take() {
            match event {
                Event::Terminate => self.terminations_seen += 1,
                Event::Reload => self.reload_wanted = true,
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let admin = self.admin.as_ref();
        let can_accept = self.engine.has_room() && self.listeners.can_accept();
        if self.engine.is_busy() || can_accept || admin.is_some_and(Admin::is_busy) {
            return Some(Duration::ZERO);
        }
        let others = [self.listeners.resume_at(), self.manager.next_wake(self.engine.connections())];
        let others = others.into_iter().flatten().chain(admin.and_then(Admin::next_wake));
        let wake = self.engine.next_wake().into_iter().chain(others).min()?;
        // The turn that just ended took a little of this time; that is how late a deadline may be.
        Some(wake.since(self.now.time).min(WAIT_MAX))
    }

    /// Accepts those who wait, up to the turn's budget and while there is room. Whoever is left is remembered.
    fn accept(&mut self, now: Now) {
        self.listeners.accept(&mut self.engine, self.poll.registry(), now);
        let text = "out of file descriptors or memory, new connections are answered with 503 or wait";
        self.warnings.strike(text, self.listeners.exhausted, now.time);
    }

    /// What an administrator says is said in this turn, like what peers say.
    fn serve_administrators(&mut self, now: Now) {
        if let Some(admin) = &mut self.admin {
            admin.serve(&mut self.engine, self.poll.registry(), self.listeners.exhausted, now);
            admin.warn(&mut self.warnings, now.time);
        }
    }

    fn reap(&mut self, now: Now) {
        self.engine.reap(now, &mut self.departures);
        if !self.departures.is_empty() {
            self.listeners.resume();
        }
        for departure in self.departures.drain(..) {
            journal::log_departure(&departure);
        }
        self.warnings.look_at(self.engine.counters(), now.time);
        self.manager.turn(self.engine.connections(), now.time);
        #[cfg(debug_assertions)]
        self.engine.check_invariants();
    }

    /// The first signal ends the listeners and begins to send everybody away.
    fn stop_accepting(&mut self, now: Now) {
        if !self.listeners.is_empty() {
            log::info!("shutting down: {} connections", self.engine.connections());
            self.manager.stopping(self.config.shutdown.timeout, now.time);
        }
        // Sockets that stay are served by the next process: it is a restart, as far as we can know.
        let ending = if self.listeners.are_inherited() { Ending::Restarting } else { Ending::ShuttingDown };
        self.engine.begin_shutdown(ending, now);
        self.listeners.close(&mut self.engine, self.poll.registry(), now);
    }

    /// False when everybody is gone after a first signal, or at once after a second one.
    fn goes_on(&self) -> bool {
        if self.terminations_seen > 1 {
            log::warn!("second signal: ending at once with {} connections open", self.engine.connections());
            return false;
        }
        !self.engine.is_drained_out()
    }
}

/// A peer's name as the poll's token. Both halves are kept, so that an event can never mean a later peer in the same place.
fn token_of(peer: Peer) -> Token {
    Token((peer.generation as usize) << 32 | peer.index as usize)
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are cut apart on purpose")]
fn peer_of(token: usize) -> Peer {
    Peer { index: token as u32, generation: (token >> 32) as u32 }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Inherited(wrong) => write!(f, "{wrong}"),
            Self::NoCertificate => write!(f, "a tls:// listener needs [tls] certificate and key"),
            Self::NoListener => write!(f, "there is no address to listen on: set listen = [\"127.0.0.1:8080\"]"),
            Self::AdminInTheOpen(address) => write!(f, "{}", config::Rule::AdminListen(address.clone())),
            Self::AdminWithoutKeys => write!(
                f,
                "every program on this machine can reach the admin listener, so it needs [admin] keys_file (\"hollerd token \
                 key\" makes its first line); an inherited Unix socket may have SocketMode=0600 instead"
            ),
            Self::TooFewFiles { wanted, files, reserve } => write!(
                f,
                "limits.connections = {wanted} cannot be met: the open-file limit is {files}, of which {reserve} are kept back; \
                 lower it, or raise the limit (ulimit -Hn, or LimitNOFILE= in the systemd unit)"
            ),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_place_and_generation() {
        for peer in [Peer { index: 0, generation: 0 }, Peer { index: 7, generation: u32::MAX - 1 }] {
            assert_eq!(peer_of(token_of(peer).0), peer);
        }
    }
}
