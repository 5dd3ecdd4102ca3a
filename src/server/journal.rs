//! The log lines. Everything below `server/` reports values; here they become text, quietly: one line per ending, and for a
//! limit that strikes again and again one line in a while.

use std::collections::BTreeMap;
use std::time::Duration;

use log::{Level, LevelFilter};

use crate::config::LogLevel;
use crate::engine::{Counters, Departure};
use crate::time::Time;
use crate::wire::close::{Ending, Severity};
use crate::wire::frame::printable;

/// The same warning comes at most this often.
const QUIET: Duration = Duration::from_secs(10);
/// Peers choose their close reasons and paths; a line shows this many bytes of them.
const SHOWN_MAX: usize = 300;

/// What is written at this level, for [`log::set_max_level`].
pub fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::Off,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}

/// One line about an ending.
pub(super) fn log_departure(departure: &Departure) {
    let level = match departure.ending.severity() {
        Severity::Debug => Level::Debug,
        Severity::Info => Level::Info,
        Severity::Error => Level::Error,
    };
    log::log!(level, "{}", line(departure));
}

fn line(departure: &Departure) -> String {
    let Departure { label, remote, ending, lasted, received, sent } = departure;
    let reason = ending.reason();
    let reason = printable(&reason, SHOWN_MAX);
    let seconds = lasted.as_secs_f32();
    let who = match label {
        Some(label) => format!("{} ({remote})", printable(label, SHOWN_MAX)),
        None => remote.to_string(),
    };
    let what = match (ending, ending.code()) {
        (Ending::ClosedByPeer { .. }, Some(code)) => format!("left with {code} \"{reason}\""),
        (Ending::ClosedByPeer { .. }, None) => "left".to_owned(),
        (_, Some(code)) => format!("closed with {code}: {reason}"),
        (_, None) => reason.into_owned(),
    };
    format!("{who} {what} after {seconds:.1} s, {received} bytes in, {sent} bytes out")
}

/// Warnings about limits, each at most once in a while with the number of times it struck since.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// By warning: how often it had struck when it was last logged, and when that was.
    logged: BTreeMap<&'static str, (u64, Time)>,
}

impl Warnings {
    /// Looks whether a limit has struck since the last time and says so if it is time.
    pub(super) fn look_at(&mut self, counters: &Counters, now: Time) {
        let limits = [
            ("limits.connections is reached, new connections are answered with 503", counters.full),
            ("limits.pending is reached, new connections are answered with 503", counters.pending_full),
            (
                "limits.pending_per_address is reached, new connections are answered with 429",
                counters.pending_per_address_full,
            ),
            (
                "limits.connections_per_address is reached, new connections are answered with 429",
                counters.connections_per_address_full,
            ),
            (
                "limits.handshakes_per_second is reached, new connections are answered with 503",
                counters.handshakes_over,
            ),
            (
                "limits.handshakes_per_second_per_address is reached, new connections are answered with 429",
                counters.handshakes_per_address_over,
            ),
            (
                "more addresses come than are remembered, new ones are held to the rate in all alone",
                counters.addresses_full,
            ),
            ("limits.rooms is reached, nobody can make another one", counters.rooms_full),
            ("limits.users_per_room is reached, further users are sent away", counters.users_per_room_full),
            ("limits.room_log is reached, those who talk in that room are held back", counters.held_back),
        ];
        for (text, struck) in limits {
            self.strike(text, struck, now);
        }
    }

    /// As above for one warning, which has struck `struck` times since the start.
    pub(super) fn strike(&mut self, text: &'static str, struck: u64, now: Time) {
        if let Some(times) = self.news(text, struck, now) {
            log::warn!("{text} ({times} times)");
        }
    }

    fn news(&mut self, text: &'static str, struck: u64, now: Time) -> Option<u64> {
        let (before, at) = self.logged.get(text).copied().unwrap_or((0, Time::START));
        let quiet = before > 0 && now < at + QUIET;
        if struck == before || quiet {
            return None;
        }
        self.logged.insert(text, (struck, now));
        Some(struck - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::remote::Remote;

    fn departure(ending: Ending, label: Option<&str>) -> Departure {
        Departure {
            label: label.map(str::to_owned),
            remote: Remote::Inet { ip: [192, 0, 2, 7].into(), port: 4711 },
            ending,
            lasted: Duration::from_millis(1234),
            received: 10,
            sent: 20,
        }
    }

    #[test]
    fn a_line_says_who_why_and_how_much() {
        let left = Ending::ClosedByPeer { code: Some(1000), reason: "bye\n\u{1b}[31m".into() };
        assert_eq!(
            line(&departure(left, Some("yuan"))),
            "yuan (192.0.2.7:4711) left with 1000 \"bye\\n\\u{1b}[31m\" after 1.2 s, 10 bytes in, 20 bytes out"
        );
        assert_eq!(
            line(&departure(Ending::TooBig { most: 16384 }, None)),
            "192.0.2.7:4711 closed with 1009: message too big: 16384 bytes are allowed after 1.2 s, 10 bytes in, 20 bytes out"
        );
    }

    #[test]
    fn a_warning_repeats_only_after_a_while_and_then_counts() {
        let mut warnings = Warnings::default();
        let second = |seconds: u64| Time::from_millis(seconds * 1000);
        assert_eq!(warnings.news("full", 0, second(1)), None);
        assert_eq!(warnings.news("full", 1, second(1)), Some(1));
        assert_eq!(warnings.news("full", 500, second(2)), None);
        assert_eq!(warnings.news("full", 700, second(12)), Some(699));
        assert_eq!(warnings.news("full", 700, second(99)), None);
    }
}
