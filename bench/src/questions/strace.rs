//! strace, attached to a running server for a while, and the counts it leaves behind.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// An attached strace.
#[derive(Debug)]
pub(super) struct Strace {
    child: Child,
    messages: BufReader<std::process::ChildStderr>,
}

impl Strace {
    /// Attaches to all processes and returns when it has.
    pub(super) fn attach(processes: &[u32]) -> Result<Self, String> {
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-U", "calls,name"]);
        for process in processes {
            command.args(["-p", &process.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("strace cannot be started: {error}"))?;
        let Some(stderr) = child.stderr.take() else { return Err("strace has no output".to_owned()) };
        let mut strace = Self { child, messages: BufReader::new(stderr) };
        for _ in processes {
            let mut line = String::new();
            let count = strace.messages.read_line(&mut line).map_err(|error| format!("strace: {error}"))?;
            if count == 0 || !line.contains("attached") {
                return Err(format!("strace cannot attach: {}", line.trim()));
            }
        }
        Ok(strace)
    }

    /// Detaches, and returns the counts by name, the most frequent first.
    pub(super) fn detach(mut self) -> Result<Vec<(String, u64)>, String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or("strace has no process id")?;
        kill_process(pid, Signal::INT).map_err(|error| format!("strace cannot be ended: {error}"))?;
        let mut text = String::new();
        self.messages.read_to_string(&mut text).map_err(|error| format!("strace: {error}"))?;
        Ok(counts(&text))
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It is our own child; if it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the table with the columns `calls` and `syscall`.
fn counts(text: &str) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let count = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), count))
        })
        .filter(|(name, _)| name != "total")
        .collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_understood() {
        let text = "strace: Process 7 detached\n    calls syscall\n--------- ----------\n       20 read\n     1000 \
                    writev\n       20 epoll_wait\n--------- ----------\n     1040 total\n";
        let expected =
            [("writev", 1000), ("epoll_wait", 20), ("read", 20)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(counts(text), expected);
    }
}
