//! The one place where a clock is read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Now, Time};

/// Counts from when it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a clock is read")]
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// What the clocks say; called once per turn of the loop, at its beginning.
    pub(super) fn now(&self) -> Now {
        Now { time: self.time(), unix_ms: unix_ms() }
    }

    /// What the monotonic clock says. Besides the above this is called at the end of a turn, and only to measure how long
    /// the turn was: everything that happens in a turn happens at the time at which it began.
    pub(super) fn time(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// The kernel's monotonic clock, by which a service manager tells when a reload began.
pub(super) fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// Seconds since 1970-01-01 UTC; zero if the clock stands before that.
pub fn unix_now() -> u64 {
    unix_ms() / 1000
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where a clock is read")]
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
