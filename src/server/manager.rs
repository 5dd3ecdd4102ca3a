//! What a service manager is told (`sd_notify(3)`): that the server is ready, reads its configuration anew or stops, how many
//! connections there are, and that the loop turns. Without `NOTIFY_SOCKET` nothing happens at all.
//!
//! The watchdog is fed from the turn of the loop and from nowhere else: a loop that is stuck is not fed, and the manager
//! starts the server anew. A few lines over a datagram socket do it, because the usual library blocks while the manager is
//! busy, and knows no abstract addresses.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::clock::monotonic_micros;
use crate::time::Time;

/// The status line changes at most this often.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
/// What the manager had no room for is tried again so soon.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// So many messages about our state may wait for room; the oldest of more are out of date.
const OWED_MAX: usize = 8;
/// What stopping may take beyond `shutdown.timeout`.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// Half of what the manager waits for a sign of life.
    feed_interval: Option<Duration>,
    next_feed: Time,
    /// How many connections the status line shows.
    shown: Option<usize>,
    /// When that may change.
    next_status: Time,
    reload_failed: bool,
    /// What the manager must hear, in this order, and had no room for: it waits for a READY=1 until it gives us up.
    owed: VecDeque<String>,
    next_try: Time,
}

impl Manager {
    /// The manager that the environment names, if any.
    pub(super) fn from_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // The watchdog may be meant for somebody else, whose environment was handed on.
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| for_us).map(Duration::from_micros);
        match connect(&address) {
            Ok(socket) => Self::new(socket, watchdog),
            Err(error) => {
                log::warn!("NOTIFY_SOCKET={} cannot be used: {error}", address.display());
                Self::default()
            }
        }
    }

    fn new(socket: UnixDatagram, watchdog: Option<Duration>) -> Self {
        let feed_interval = watchdog.map(|watchdog| watchdog / 2).filter(|interval| !interval.is_zero());
        Self { socket: Some(socket), feed_interval, ..Self::default() }
    }

    /// Clients can connect, or what was to be reloaded is.
    pub(super) fn ready(&mut self, connections: usize, now: Time) {
        self.tell(format!("READY=1\n{}", self.status(connections)), now);
        self.shown = Some(connections);
        self.next_status = now + STATUS_INTERVAL;
    }

    /// The configuration is being read anew; [`Manager::reloaded`] follows.
    pub(super) fn reloading(&mut self, now: Time) {
        self.tell(format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_micros()), now);
    }

    pub(super) fn reloaded(&mut self, succeeded: bool, connections: usize, now: Time) {
        self.reload_failed = !succeeded;
        self.ready(connections, now);
    }

    /// Everybody is being sent away, which takes up to `timeout`.
    pub(super) fn stopping(&mut self, timeout: Duration, now: Time) {
        let extend = timeout.saturating_add(STOP_MARGIN).as_micros();
        self.tell(format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={extend}\n"), now);
    }

    /// To be called in each turn of the loop.
    pub(super) fn turn(&mut self, connections: usize, now: Time) {
        if self.feed_interval.is_some() && self.next_feed <= now {
            let fed = self.send("WATCHDOG=1\n");
            let interval = self.feed_interval.unwrap_or_default();
            // When the manager is busy there is time for another try.
            self.next_feed = now + if fed { interval } else { interval / 4 };
        }
        if self.next_try <= now {
            self.pay(now);
        }
        // A status that is owed is an older one, and must not come later.
        if self.owed.is_empty() && self.is_outdated(connections) && self.next_status <= now {
            if self.send(&self.status(connections)) {
                self.shown = Some(connections);
            }
            self.next_status = now + STATUS_INTERVAL;
        }
    }

    /// When there must be a turn even if nothing happens; never while nothing is to be said.
    pub(super) fn next_wake(&self, connections: usize) -> Option<Time> {
        let feed = self.feed_interval.map(|_| self.next_feed);
        let other = if self.owed.is_empty() {
            self.is_outdated(connections).then_some(self.next_status)
        } else {
            Some(self.next_try)
        };
        feed.into_iter().chain(other).min()
    }

    fn is_outdated(&self, connections: usize) -> bool {
        self.socket.is_some() && self.shown != Some(connections)
    }

    fn status(&self, connections: usize) -> String {
        let failed = if self.reload_failed { "; the last reload failed, the log says why" } else { "" };
        format!("STATUS={connections} connections{failed}\n")
    }

    /// Says what must not be lost, behind all of that kind that was said before.
    fn tell(&mut self, message: String, now: Time) {
        if self.owed.len() == OWED_MAX {
            self.owed.pop_front();
        }
        self.owed.push_back(message);
        self.pay(now);
    }

    fn pay(&mut self, now: Time) {
        while let Some(message) = self.owed.front() {
            match self.try_send(message) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.next_try = now + RETRY_INTERVAL;
                    return;
                }
                // Where nobody listens, trying again would be no use.
                Ok(()) | Err(_) => drop(self.owed.pop_front()),
            }
        }
    }

    /// False if the manager did not take it.
    fn send(&self, message: &str) -> bool {
        self.try_send(message).is_ok()
    }

    fn try_send(&self, message: &str) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let sent = socket.send(message.as_bytes()).map(drop);
        sent.inspect_err(|error| log::debug!("the service manager does not listen: {error}"))
    }
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match address.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        [b'/', ..] => socket.connect(address)?,
        _ => return Err(io::Error::other("it is neither an absolute path nor an abstract name")),
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn pair(watchdog: Option<Duration>) -> (Manager, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Manager::new(ours, watchdog), theirs)
    }

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        let mut next = || {
            let length = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn the_watchdog_is_fed_by_turns_and_by_nothing_else() {
        let (mut manager, socket) = pair(Some(Duration::from_secs(10)));
        manager.ready(0, at(0));
        manager.turn(0, at(0));
        assert_eq!(heard(&socket), ["READY=1\nSTATUS=0 connections\n", "WATCHDOG=1\n"]);
        assert_eq!(manager.next_wake(0), Some(at(5000)));
        manager.turn(0, at(4999));
        manager.reloading(at(60_000));
        manager.reloaded(true, 0, at(60_000));
        manager.stopping(Duration::from_secs(1), at(60_000));
        let said = heard(&socket).concat();
        assert!(!said.contains("WATCHDOG"), "a minute without a turn, and it is fed: {said}");
        manager.turn(0, at(60_000));
        assert_eq!(heard(&socket), ["WATCHDOG=1\n"]);
        assert_eq!(manager.next_wake(0), Some(at(65_000)));
    }

    #[test]
    fn a_manager_that_is_busy_is_tried_again_without_spinning() {
        let (mut manager, socket) = pair(Some(Duration::from_secs(10)));
        while manager.send("WATCHDOG=1\n") {}
        manager.turn(0, at(0));
        let again = manager.next_wake(0).unwrap();
        assert!(again > at(0) && again < at(5000), "{again:?}");
        heard(&socket);
        manager.turn(0, again);
        assert!(heard(&socket).contains(&"WATCHDOG=1\n".to_owned()));
    }

    #[test]
    fn what_the_manager_must_hear_waits_for_room_and_keeps_its_order() {
        let (mut manager, socket) = pair(None);
        while manager.send("STATUS=full\n") {}
        manager.ready(0, at(0));
        manager.reloading(at(10));
        manager.reloaded(true, 3, at(20));
        manager.stopping(Duration::from_secs(1), at(30));
        assert_eq!(manager.next_wake(7), Some(at(80)));
        manager.turn(7, at(80));
        assert_eq!(manager.next_wake(7), Some(at(130)), "it is not tried again without a pause");
        heard(&socket);
        manager.turn(7, at(130));
        let said = heard(&socket);
        let firsts: Vec<_> = said.iter().filter_map(|message| message.lines().next()).collect();
        assert_eq!(firsts, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
        manager.turn(7, at(6000));
        assert_eq!(heard(&socket), ["STATUS=7 connections\n"]);
        assert_eq!(manager.next_wake(7), None);
    }

    #[test]
    fn what_is_owed_is_bounded_and_nothing_is_owed_to_nobody() {
        let (mut manager, socket) = pair(None);
        while manager.send("STATUS=full\n") {}
        (0..100).for_each(|_| manager.ready(0, at(0)));
        assert_eq!(manager.owed.len(), OWED_MAX);
        drop(socket);
        manager.turn(0, at(50));
        assert_eq!(manager.next_wake(0), None);
    }

    #[test]
    fn the_status_changes_only_with_the_connections_and_not_often() {
        let (mut manager, socket) = pair(None);
        manager.ready(0, at(0));
        assert_eq!(manager.next_wake(0), None, "nobody is there, nothing is to be said");
        manager.turn(7, at(1000));
        manager.turn(8, at(4999));
        assert_eq!(manager.next_wake(8), Some(at(5000)));
        manager.turn(8, at(5000));
        assert_eq!(heard(&socket), ["READY=1\nSTATUS=0 connections\n", "STATUS=8 connections\n"]);
        manager.turn(8, at(90_000));
        assert!(heard(&socket).is_empty());
        assert_eq!(manager.next_wake(8), None);
    }

    #[test]
    fn a_reload_that_failed_is_in_the_status_until_one_succeeds() {
        let (mut manager, socket) = pair(None);
        manager.reloading(at(0));
        manager.reloaded(false, 1, at(0));
        let said = heard(&socket);
        assert!(said[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{said:?}");
        assert_eq!(said[1], "READY=1\nSTATUS=1 connections; the last reload failed, the log says why\n");
        manager.reloaded(true, 1, at(0));
        assert_eq!(heard(&socket), ["READY=1\nSTATUS=1 connections\n"]);
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_nobody_is_woken() {
        let mut manager = Manager::default();
        manager.ready(1, at(0));
        manager.turn(2, at(100_000));
        assert_eq!(manager.next_wake(3), None);
        assert!(connect(OsStr::new("relative/path")).is_err() && connect(OsStr::new("vsock:2:1234")).is_err());
    }
}
