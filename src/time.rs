//! Time as an argument: nothing below `server/` reads a clock, it is told what time it is.

use std::ops::Add;
use std::time::Duration;

const MICROS_PER_MILLI: u64 = 1000;

/// A moment, in microseconds since the server started. Monotonic: a change of the wall clock does not move it. Deadlines
/// need no such precision, but a turn of the loop and the round trip of a ping can take less than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The moment at which the server started.
    pub const START: Self = Self(0);
    /// Later than every moment that comes: the deadline of somebody who has none.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(MICROS_PER_MILLI))
    }

    /// The moment `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / MICROS_PER_MILLI
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros_since(earlier))
    }

    /// The same in microseconds.
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// A sum past the end of time is [`Time::NEVER`], so that an absurd setting means "no deadline" and not a wrap.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// What the clocks said when this turn of the loop began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, for deadlines.
    pub time: Time,
    /// Milliseconds since 1970-01-01 UTC, for people.
    pub unix_ms: u64,
}

impl Now {
    /// Seconds since 1970-01-01 UTC, for the `exp` and `nbf` of tokens (RFC 7519 section 2, NumericDate).
    pub const fn unix(self) -> u64 {
        self.unix_ms / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        assert_eq!(Time::from_millis(5) + Duration::from_millis(7), Time::from_millis(12));
        assert_eq!(Time::from_millis(5) + Duration::MAX, Time::NEVER);
        assert_eq!(Time::NEVER + Duration::from_millis(1), Time::NEVER);
    }

    #[test]
    fn a_difference_is_never_negative() {
        assert_eq!(Time::from_millis(9).since(Time::from_millis(4)), Duration::from_millis(5));
        assert_eq!(Time::from_millis(4).since(Time::from_millis(9)), Duration::ZERO);
    }
}
