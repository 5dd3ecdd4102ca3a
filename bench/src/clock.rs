//! The clocks: one that never jumps, this process's own CPU time, and the date for the heads of the results.

use rustix::event::poll;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since some moment in the past.
pub(crate) fn now() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// Microseconds since 1970, the clock that strace stamps its lines with.
pub(crate) fn since_1970() -> u64 {
    nanoseconds(clock_gettime(ClockId::Realtime)) / 1_000
}

/// Lets less than a second pass; a signal makes it shorter.
pub(crate) fn pause(nanoseconds: u32) {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: i64::from(nanoseconds) }));
}

/// Nanoseconds of CPU that this process has used, in user and kernel mode together.
pub(crate) fn own_cpu() -> u64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

/// The date and time in UTC, as `2026-01-31 12:00`.
pub(crate) fn date() -> String {
    let seconds = clock_gettime(ClockId::Realtime).tv_sec;
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let minute = seconds.rem_euclid(86_400) / 60;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / SECOND as f64
}

fn nanoseconds(time: Timespec) -> u64 {
    let whole = u64::try_from(time.tv_sec).unwrap_or(0);
    whole * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Year, month and day of a count of days since 1970, by Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_453, (2025, 12, 31)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }
}
