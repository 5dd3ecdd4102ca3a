//! Signals as events of the loop.

use std::io;

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

/// SIGTERM and SIGINT, readable like a socket.
pub(super) struct Terminations {
    signals: Signals,
}

impl Terminations {
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        registry.register(&mut signals, token, Interest::READABLE)?;
        Ok(Self { signals })
    }

    /// Did one come since the last call? They are all taken: there is no second edge for one that is left.
    pub(super) fn take(&mut self) -> bool {
        self.signals.pending().count() > 0
    }
}
