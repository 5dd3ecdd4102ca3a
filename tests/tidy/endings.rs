//! The table of endings in README against the one in `src/wire/close.rs`: code, text and whether to come back, with the
//! texts as they are under the default limits.

use std::collections::BTreeSet;

use hollerd::config::Config;
use hollerd::wire::close::{ComeBack, Ending};

/// One row: code, text, come back.
pub(crate) type Row = (u16, String, &'static str);

/// Everything in which the two tables differ.
pub(crate) fn differences(readme: &str, endings: &[Ending]) -> Vec<String> {
    let ours: BTreeSet<(u16, String, String)> =
        endings.iter().filter_map(row).map(|(code, text, back)| (code, text, back.to_owned())).collect();
    let theirs: BTreeSet<(u16, String, String)> = readme.lines().filter_map(written).collect();
    let show = |(code, text, back): &(u16, String, String)| format!("| {code} | {text} | {back} |");
    let lacking = ours.difference(&theirs).map(|row| format!("README.md: lacks the row {}; add it", show(row)));
    let stale = theirs
        .difference(&ours)
        .map(|row| format!("README.md: has the row {}, the code has not; remove it", show(row)));
    lacking.chain(stale).collect()
}

/// Every ending, with the default limits in it and an ellipsis for what is different each time. `next` is the list: it
/// does not compile while an ending is missing in it.
pub(crate) fn all() -> Vec<Ending> {
    let config = Config::default();
    std::iter::successors(Some(Ending::Gone), |ending| next(ending, &config)).collect()
}

fn next(ending: &Ending, config: &Config) -> Option<Ending> {
    let limits = &config.limits;
    let any = || "…".to_owned();
    let next = match ending {
        Ending::Gone => Ending::Reset,
        Ending::Reset => Ending::Transport(any()),
        Ending::Transport(_) => Ending::ClosedByPeer { code: None, reason: any() },
        Ending::ClosedByPeer { .. } => Ending::Answered { status: 400, detail: any() },
        Ending::Answered { .. } => Ending::Application { code: 4000, reason: any() },
        Ending::Application { .. } => Ending::Protocol("…"),
        Ending::Protocol(_) => Ending::BinaryRefused,
        Ending::BinaryRefused => Ending::NotUtf8,
        Ending::NotUtf8 => Ending::TooManyMessages { per_second: limits.messages_per_second },
        Ending::TooManyMessages { .. } => Ending::TooManyFragments { most: limits.fragments },
        Ending::TooManyFragments { .. } => Ending::MessageTimeout(limits.message_timeout),
        Ending::MessageTimeout(_) => Ending::TooBig { most: limits.message },
        Ending::TooBig { .. } => Ending::NoPong(config.heartbeat.pong_timeout),
        Ending::NoPong(_) => Ending::Fault("…"),
        Ending::Fault(_) => Ending::TooFarBehind { most: limits.unread },
        Ending::TooFarBehind { .. } => Ending::OutboxFull { most: limits.outbox },
        Ending::OutboxFull { .. } => Ending::TooLongBehind(limits.unread_age),
        // Off by default, so README shows a number that somebody may choose.
        Ending::TooLongBehind(_) => Ending::RoomFull { most: 1000 },
        Ending::RoomFull { .. } => Ending::TooManyRooms { most: limits.rooms },
        Ending::TooManyRooms { .. } => Ending::TokenRefused(any()),
        Ending::TokenRefused(_) => Ending::TokenExpired,
        Ending::TokenExpired => Ending::RoomForbidden,
        Ending::RoomForbidden => Ending::NoTokenInTime(limits.admit_timeout),
        Ending::NoTokenInTime(_) => Ending::NoNameInTime(config.chat.name_timeout),
        Ending::NoNameInTime(_) => Ending::Replaced,
        Ending::Replaced => Ending::ShuttingDown,
        Ending::ShuttingDown => Ending::Restarting,
        Ending::Restarting => return None,
    };
    Some(next)
}

/// The row that README should have. None for an ending without a code, or with one that others choose.
pub(crate) fn row(ending: &Ending) -> Option<Row> {
    if matches!(ending, Ending::ClosedByPeer { .. } | Ending::Application { .. }) {
        return None;
    }
    Some((ending.code()?, ending.reason().into_owned(), in_words(ending.come_back())))
}

/// A row of README that begins with a close code.
fn written(line: &str) -> Option<(u16, String, String)> {
    let cells: Vec<&str> = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [code, text, back] = cells.as_slice() else { return None };
    Some((code.parse().ok()?, (*text).to_owned(), (*back).to_owned()))
}

fn in_words(back: ComeBack) -> &'static str {
    match back {
        ComeBack::AsItLikes => "as you like",
        ComeBack::No => "no",
        ComeBack::WithJitter => "with jitter",
        ComeBack::AfterAPause => "after a pause",
        ComeBack::Yes => "yes",
        ComeBack::WithNewToken => "with a new token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_must_have_every_row() {
        let endings = [Ending::BinaryRefused, Ending::TokenExpired, Ending::Gone];
        let binary = "| 1003 | binary messages are not taken here, send text | no |";
        let token = "| 4401 | token expired, get a new one | with a new token |";
        assert_eq!(differences(&format!("{binary}\n{token}\n| GET | 426 | x |"), &endings), Vec::<String>::new());
        assert_eq!(differences(binary, &endings).len(), 1);
        for (from, to) in [("1003", "1002"), ("here", "there"), ("| no |", "| yes |")] {
            let findings = differences(&format!("{}\n{token}", binary.replace(from, to)), &endings);
            assert_eq!(findings.len(), 2, "{from}: {findings:?}");
        }
    }

    #[test]
    fn no_ending_is_left_out() {
        let names: BTreeSet<&str> = all().iter().map(Ending::name).collect();
        assert_eq!(names.len(), 28);
    }
}
