//! The set of listeners: they are opened together, accepted from in turn, and closed together.

use std::io;
use std::sync::Arc;

use mio::{Interest, Registry, Token};

use super::inherited::Inherited;
use super::listener::{Accepted, Listener, SocketOptions, Spare};
use super::socket::{Plain, Socket};
use super::tls::TlsConfig;
use super::tls_stream::TlsStream;
use super::{ServerEngine, StartError, token_of};
use crate::config::ListenAddress;
use crate::engine::Application;
use crate::time::{Now, Time};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<Listener>,
    /// A service manager has opened them and keeps them.
    inherited: bool,
    spare: Spare,
    /// What those who come from now on to a TLS listener are served with.
    tls: Option<TlsConfig>,
    /// How often descriptors ran out.
    pub(super) exhausted: u64,
}

impl Listeners {
    /// Takes the inherited sockets, or opens a listener for each address if there are none; the first one is registered with
    /// `first_token`, the others with those above it.
    pub(super) fn open(
        addresses: &[ListenAddress],
        inherited: Vec<Inherited>,
        options: SocketOptions,
        registry: &Registry,
        first_token: usize,
        tls: Option<TlsConfig>,
    ) -> Result<Self, StartError> {
        let are_inherited = !inherited.is_empty();
        let addresses = addresses.iter().filter(|_| !are_inherited);
        let taken = inherited.into_iter().map(|socket| (socket.address.clone(), Listener::adopt(socket, options)));
        let opened = addresses.map(|address| (address.clone(), Listener::open(address, options)));
        let mut all = Vec::new();
        for (place, (address, listener)) in taken.chain(opened).enumerate() {
            let registered = listener.and_then(|mut listener| {
                listener.register(registry, Token(first_token + place))?;
                Ok(listener)
            });
            all.push(registered.map_err(|error| StartError::Listen(address, error))?);
        }
        if all.is_empty() {
            return Err(StartError::NoListener);
        }
        let new = Self { all, inherited: are_inherited, spare: Spare::new(), tls, exhausted: 0 };
        if new.tls.is_none() && new.speak_tls() { Err(StartError::NoCertificate) } else { Ok(new) }
    }

    /// True if there is something to serve with certificates.
    pub(super) fn speak_tls(&self) -> bool {
        self.all.iter().any(Listener::is_tls)
    }

    /// Connections that are accepted from now on get these.
    pub(super) fn set_options(&mut self, options: SocketOptions) -> io::Result<()> {
        self.all.iter_mut().try_for_each(|listener| listener.set_options(options))
    }

    pub(super) fn addresses(&self) -> Vec<ListenAddress> {
        self.all.iter().map(|listener| listener.address.clone()).collect()
    }

    /// True if somebody else has opened them and keeps them open.
    pub(super) fn are_inherited(&self) -> bool {
        self.inherited
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// An event said that somebody is waiting at the listener in this place.
    pub(super) fn wake(&mut self, place: usize) {
        if let Some(listener) = self.all.get_mut(place) {
            listener.wake();
        }
    }

    /// True when somebody can be accepted at once, as far as the listeners are concerned.
    pub(super) fn can_accept(&self) -> bool {
        self.spare.paused_until.is_none() && self.somebody_waits()
    }

    /// When accepting goes on after a pause, if somebody waits for that.
    pub(super) fn resume_at(&self) -> Option<Time> {
        self.spare.paused_until.filter(|_| self.somebody_waits())
    }

    fn somebody_waits(&self) -> bool {
        self.all.iter().any(Listener::is_waiting)
    }

    /// Accepts those who wait, up to the turn's budget and while there is room. Whoever is left is remembered.
    pub(super) fn accept<A: Application>(&mut self, engine: &mut ServerEngine<A>, registry: &Registry, now: Now) {
        // Each listener has its share, so that a flood on one does not silence another.
        let share = engine.limits().turn_accepts.div_ceil(u32::try_from(self.all.len()).unwrap_or(1).max(1));
        for listener in &mut self.all {
            let mut budget = share;
            while listener.is_waiting() && budget > 0 && engine.has_room() && self.spare.may_accept(now.time) {
                budget -= 1;
                match listener.accept() {
                    Accepted::Connection(socket, remote) => {
                        let tls = self.tls.as_ref().filter(|_| listener.is_tls());
                        let Ok(socket) = on_top_of(socket, tls) else { continue };
                        let socket = if engine.expects_introduction(remote) { socket.behind_proxy() } else { socket };
                        let peer = engine.accept(socket, remote, now);
                        let Some(Ok(socket)) = engine.stream_mut(peer).map(Socket::plain_mut) else { continue };
                        let both = Interest::READABLE | Interest::WRITABLE;
                        if registry.register(socket, token_of(peer), both).is_err() {
                            engine.abandon(peer);
                        }
                    }
                    Accepted::Nobody | Accepted::Failed => {}
                    Accepted::Exhausted(error) => {
                        self.exhausted += 1;
                        log::debug!("cannot accept: {error}");
                        self.spare.refuse_one(listener, now.time);
                    }
                }
            }
        }
    }

    /// Whoever comes to a TLS listener from now on is served with this.
    pub(super) fn set_tls(&mut self, tls: TlsConfig) {
        self.tls = Some(tls);
    }

    /// Somebody left, so there is a descriptor again.
    pub(super) fn resume(&mut self) {
        self.spare.resume();
    }

    /// Closes the listeners. Those whom the kernel has let in already are accepted first: they get an answer instead of
    /// a reset. Where the sockets stay open they wait for the next process instead.
    pub(super) fn close<A: Application>(&mut self, engine: &mut ServerEngine<A>, registry: &Registry, now: Now) {
        if !self.inherited {
            self.all.iter_mut().for_each(Listener::wake);
            self.accept(engine, registry, now);
        }
        for mut listener in self.all.drain(..) {
            // Closing it would do as well, but the poll's documentation asks for this.
            let _ = listener.deregister(registry);
        }
    }
}

fn on_top_of(socket: Plain, tls: Option<&TlsConfig>) -> io::Result<Socket> {
    Ok(match tls {
        None => Socket::Plain(socket),
        Some(TlsConfig(config)) => Socket::Tls(Box::new(TlsStream::new(socket, Arc::clone(config))?)),
    })
}
