//! Signals as events of the loop.

use std::io::{self, IsTerminal};

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// SIGTERM, SIGINT: end in an orderly way.
    Terminate,
    /// SIGHUP: read the configuration anew.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP, readable like a socket.
pub(super) struct Signals {
    signals: v1_0::Signals,
    /// It was started by hand, in a terminal.
    by_hand: bool,
}

impl Signals {
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut signals = v1_0::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut signals, token, Interest::READABLE)?;
        Ok(Self { signals, by_hand: is_in_terminal() })
    }

    /// What was asked for since the last call. Everything is taken, because there is no second edge for what is left; the
    /// same signal several times is one event.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let by_hand = self.by_hand;
        let event = |signal| if signal == SIGHUP { hangup(by_hand, is_in_terminal()) } else { Event::Terminate };
        let mut events: Vec<Event> = self.signals.pending().map(event).collect();
        events.dedup();
        events
    }
}

fn is_in_terminal() -> bool {
    io::stderr().is_terminal()
}

/// SIGHUP is also what comes when a terminal is closed: whoever started the server in it expects it to end with it.
fn hangup(was_in_terminal: bool, is_in_terminal: bool) -> Event {
    if was_in_terminal && !is_in_terminal { Event::Terminate } else { Event::Reload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_terminal_is_no_wish_for_a_reload() {
        assert_eq!(hangup(true, false), Event::Terminate);
        assert_eq!(hangup(true, true), Event::Reload);
        assert_eq!(hangup(false, false), Event::Reload, "a service has no terminal");
    }
}
