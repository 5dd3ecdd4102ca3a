//! How long the turns of a server's loop are, seen from outside: from the return of one poll to the call of the next, as
//! strace wrote it down.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::{self, SECOND};
use crate::server::Server;
use crate::server::catalog::Role;

/// The end of the server is on file within this time.
const END_TIMEOUT: u64 = 5 * SECOND;
/// Nanoseconds after which it is looked for again.
const LOOK_AGAIN: u32 = 20_000_000;

/// The file that strace writes; it is removed with this.
#[derive(Debug)]
pub(super) struct Trace {
    path: PathBuf,
}

impl Trace {
    /// Starts a server that is traced from its first moment.
    pub(super) fn start(server: &str) -> Result<(Server, Self), String> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("hollerd-bench-{}-{serial}.strace", std::process::id());
        let trace = Self { path: std::env::temp_dir().join(name) };
        let process =
            Server::start_traced(server, Role::Chat, &trace.path).map_err(|reason| format!("strace: {reason}"))?;
        Ok((process, trace))
    }

    /// The lengths in microseconds of the turns that began and ended between two moments, also in microseconds since 1970.
    /// The server must have ended.
    pub(super) fn lengths(&self, from: u64, until: u64) -> Result<Vec<u64>, String> {
        let began = clock::now();
        loop {
            let text = fs::read_to_string(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
            if text.trim_end().ends_with("+++") {
                return Ok(lengths(&text, from, until));
            }
            if clock::now() - began > END_TIMEOUT {
                return Err("strace did not write down the end of the server".to_owned());
            }
            clock::pause(LOOK_AGAIN);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // A file that was never made needs no removing.
        let _ = fs::remove_file(&self.path);
    }
}

/// What a line says of one thread's poll, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It was called then, and has returned then.
    Whole { called: u64, returned: u64 },
    /// It was called then; another thread's line comes in between.
    Called(u64),
    /// The call that was cut short has returned after so many microseconds.
    Resumed(u64),
}

fn lengths(text: &str, from: u64, until: u64) -> Vec<u64> {
    let (mut called_at, mut returned_at) = (HashMap::new(), HashMap::new());
    let mut lengths = Vec::new();
    for (thread, mark) in text.lines().filter_map(mark) {
        if let Mark::Whole { called, .. } | Mark::Called(called) = mark
            && let Some(began) = returned_at.remove(thread).filter(|&began| began >= from && called <= until)
        {
            lengths.push(called.saturating_sub(began));
        }
        match mark {
            Mark::Whole { returned, .. } => {
                returned_at.insert(thread, returned);
            }
            Mark::Called(called) => {
                called_at.insert(thread, called);
            }
            Mark::Resumed(took) => {
                if let Some(called) = called_at.remove(thread) {
                    returned_at.insert(thread, called + took);
                }
            }
        }
    }
    lengths
}

/// Thread and mark of a line such as `71 1700000000.000012 epoll_wait(3, 0x7f, 1024, 0) = 2 <0.000005>`.
fn mark(line: &str) -> Option<(&str, Mark)> {
    let (thread, rest) = line.trim_start().split_once(' ')?;
    let (at, call) = rest.trim_start().split_once(' ')?;
    let at = micros(at)?;
    if !call.trim_start().trim_start_matches("<... ").starts_with("epoll_") {
        return None;
    }
    if call.ends_with("<unfinished ...>") {
        return Some((thread, Mark::Called(at)));
    }
    let took = micros(call.rsplit_once('<')?.1.strip_suffix('>')?)?;
    let resumed = call.starts_with("<... ");
    Some((thread, if resumed { Mark::Resumed(took) } else { Mark::Whole { called: at, returned: at + took } }))
}

/// Seconds with six decimals as microseconds.
fn micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').filter(|(_, fraction)| fraction.len() == 6)?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: std::ops::Range<u64> = 0..u64::MAX;

    fn all(text: &str) -> Vec<u64> {
        lengths(text, AGES.start, AGES.end)
    }

    #[test]
    fn a_turn_is_from_the_return_of_a_poll_to_the_next_call() {
        let text = "71 1795367070.011445 epoll_wait(3, 0x7f12, 1023, 10) = 0 <0.010134>\n\
                    71 1795367070.021764 epoll_wait(3, 0x7f12, 1023, 0) = 17 <0.000021>\n\
                    71 1795367071.000000 epoll_pwait(3, 0x7f12, 1023, -1, NULL, 8) = -1 EINTR (Interrupted system call) \
                    <0.500000>\n71 1795367072.000000 epoll_wait(3, 0x7f12, 1023, 0) = ?\n\
                    71 1795367072.100000 +++ exited with 0 +++\n";
        assert_eq!(all(text), [185, 978_215]);
        // Whether the last call returned is not known, but when the turn before it ended is.
        let cut = text.replace("= ?", "<unfinished ...>");
        assert_eq!(all(&cut), [185, 978_215, 500_000]);
    }

    #[test]
    fn threads_have_turns_of_their_own() {
        let text = "7  10.000000 epoll_wait(3,  <unfinished ...>\n\
                    8  10.000100 epoll_wait(5, 0x7f12, 1023, 10) = 0 <0.000100>\n\
                    7  10.000500 <... epoll_wait resumed>0x7f12, 1023, 10) = 1 <0.000400>\n\
                    8  10.000700 epoll_wait(5, 0x7f12, 1023, 10) = 0 <0.000100>\n\
                    7  10.001400 epoll_wait(3, 0x7f12, 1023, 10) = 1 <0.000001>\n";
        assert_eq!(all(text), [500, 1_000]);
    }

    #[test]
    fn only_turns_within_the_stretch_count() {
        let line = |second: u64| format!("7 {second}.000000 epoll_wait(3, 0x7f12, 1023, 10) = 1 <0.400000>\n");
        let text: String = (1..=6).map(line).collect();
        assert_eq!(all(&text).len(), 5);
        assert_eq!(lengths(&text, 2_000_000, 5_000_000), [600_000; 3]);
        assert_eq!(lengths(&text, 2_400_001, 4_999_999), [600_000; 1]);
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "7",
            "7 10.000000",
            "7 10.000000 +++ exited with 0 +++",
            "7 10.000000 --- SIGTERM {si_signo=SIGTERM} ---",
            "7 10.000000 write(3, \"epoll_wait\", 9) = 9 <0.000001>",
            "7 10.0 epoll_wait(3, 0x7f12, 1023, 10) = 1 <0.000001>",
            "7 10.000000 epoll_wait(3, 0x7f12, 1023, 10) = 1 <unavailable>",
        ] {
            assert_eq!(mark(line), None, "{line}");
        }
    }
}
