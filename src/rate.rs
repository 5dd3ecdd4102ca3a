//! A rate with a burst, by the generic cell rate algorithm (ITU-T I.371 annex A): all that is kept of the past is one
//! moment, and the rate is right in the long run and not only for the first burst.

use std::time::Duration;

use crate::time::Time;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MICRO: u64 = 1000;
/// Everything that comes in one turn of the loop comes at one time, so this much of earliness is always tolerated. Without it
/// what comes in the next turn would be a little late each time, and the rate in the long run too low.
const TURN_NANOS: u64 = 1_000_000;

/// So many per second in the long run, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds from one to the next.
    interval: u64,
    /// How far ahead of its time one may come, in nanoseconds.
    tolerance: u64,
}

impl Rate {
    /// `per_second` in the long run and `burst` at once; `None`, which is no limit, for 0 per second.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        if per_second == 0 {
            return None;
        }
        let interval = NANOS_PER_SECOND.div_ceil(u64::from(per_second));
        let tolerance = interval.saturating_mul(u64::from(burst.saturating_sub(1)));
        Some(Self { interval, tolerance: tolerance.max(TURN_NANOS - 1) })
    }
}

/// What has been counted against a rate. A new one has its whole burst left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    /// When the next one would be exactly on time, in nanoseconds since the start.
    expected: u64,
}

impl Meter {
    /// How long it is until one more is within `rate`; zero if it is now.
    pub fn wait(self, rate: Rate, now: Time) -> Duration {
        let early = self.expected.saturating_sub(nanos(now));
        Duration::from_nanos(early.saturating_sub(rate.tolerance))
    }

    /// Counts one more, whether it is within `rate` or not.
    pub fn count(&mut self, rate: Rate, now: Time) {
        self.expected = self.expected.max(nanos(now)).saturating_add(rate.interval);
    }

    /// Counts one more if it is within `rate` (`None` = no limit). One that is not costs nothing, so whoever knocks all
    /// the time is let in as often as whoever waits.
    pub fn take(&mut self, rate: Option<Rate>, now: Time) -> bool {
        let Some(rate) = rate else { return true };
        let within = self.wait(rate, now).is_zero();
        if within {
            self.count(rate, now);
        }
        within
    }

    /// True when the whole burst is left: then there is nothing to remember.
    pub fn is_full(self, now: Time) -> bool {
        self.expected <= nanos(now)
    }
}

fn nanos(time: Time) -> u64 {
    time.as_micros().saturating_mul(NANOS_PER_MICRO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: Option<Rate>, meter: &mut Meter, millis: impl Iterator<Item = u64>) -> usize {
        millis.filter(|&at| meter.take(rate, Time::from_millis(at))).count()
    }

    #[test]
    fn it_is_right_in_the_long_run() {
        for (per_second, burst) in [(1, 1), (3, 2), (7, 40), (20, 40), (333, 1), (3000, 5), (1_000_000, 1_000_000)] {
            let mut meter = Meter::default();
            // Asked far more often than allowed, 20 times each millisecond, for 10 s.
            let most = 10 * per_second as usize;
            let asked = (0..10_000_u64).flat_map(|at| std::iter::repeat_n(at, 20.max(per_second as usize / 500)));
            let taken = taken(Rate::new(per_second, burst), &mut meter, asked);
            let fair = most..=most + burst as usize;
            assert!(fair.contains(&taken), "{per_second}/s, burst {burst}: {taken} in 10 s");
        }
    }

    #[test]
    fn the_burst_is_all_at_once_and_then_comes_back() {
        let rate = Rate::new(10, 5);
        let mut meter = Meter::default();
        assert_eq!(taken(rate, &mut meter, std::iter::repeat_n(0, 100)), 5);
        assert_eq!(meter.wait(rate.unwrap(), Time::START), Duration::from_millis(100));
        assert!(!meter.is_full(Time::from_millis(499)) && meter.is_full(Time::from_millis(500)));
        assert_eq!(taken(rate, &mut meter, std::iter::repeat_n(60_000, 100)), 5, "silence is not saved up");
    }

    #[test]
    fn none_is_no_limit() {
        assert_eq!(Rate::new(0, 0), None);
        assert_eq!(taken(None, &mut Meter::default(), std::iter::repeat_n(0, 1000)), 1000);
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let rate = Rate::new(1, u32::MAX).unwrap();
        let mut meter = Meter::default();
        meter.count(rate, Time::NEVER);
        assert!(meter.take(Some(rate), Time::NEVER));
    }
}
