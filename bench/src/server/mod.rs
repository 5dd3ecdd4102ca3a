//! A server under test: started as a child, found by the line it prints, and ended by its own handle.

pub(crate) mod catalog;
pub(crate) mod tree;
pub(crate) mod watch;

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::clock;
use catalog::Role;

/// A server that does not listen by then does not start.
const START_TIMEOUT: u64 = 10 * clock::SECOND;
/// How long to wait for lines behind the one with the address.
const QUIET: u64 = clock::SECOND / 20;
/// How long a server may take to end when it is asked to; after that it is killed.
const END_TIMEOUT: u64 = clock::SECOND;

/// How to get in, and what is particular about a server.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
    /// The first message is a name and is answered with a greeting.
    pub(crate) greets: bool,
    /// The sender hears itself too.
    pub(crate) echoes_own: bool,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Kept open: a server that prints more must not find its reader gone.
    _output: ChildStdout,
    pub(crate) door: Door,
    /// Nanoseconds from the start of the process to the line that says it listens.
    pub(crate) started_in: u64,
}

impl Server {
    pub(crate) fn start(name: &str, role: Role, extra: &[(&str, &str)]) -> Result<Self, String> {
        Self::launch(catalog::command(name, role, extra)?, role)
    }

    /// Starts it under strace, which writes when it enters and leaves its poll into `file`, and nothing else.
    pub(crate) fn start_traced(name: &str, role: Role, file: &Path) -> Result<Self, String> {
        Self::launch(catalog::traced(&catalog::command(name, role, &[])?, file), role)
    }

    fn launch(mut command: Command, role: Role) -> Result<Self, String> {
        let began = clock::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot be started: {error}"))?;
        let Some(mut output) = child.stdout.take() else { return Err("has no output".to_owned()) };
        match listen_lines(&mut output, began) {
            Ok((text, listening)) => match door(&text, role) {
                Some(door) => Ok(Self { child, _output: output, door, started_in: listening - began }),
                None => Err(give_up(&mut child, format!("printed no address: {}", text.trim()))),
            },
            Err(reason) => Err(give_up(&mut child, reason)),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a child to end, so that it ends its own children, and kills it if it does not.
fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Ok(handle) = pidfd_open(pid, PidfdFlags::empty())
        && kill_process(pid, Signal::TERM).is_ok()
    {
        wait_readable(&handle, END_TIMEOUT);
    }
    // Neither can fail in a way that matters: it is our own child and nobody else has waited for it.
    let _ = child.kill();
    let _ = child.wait();
}

fn give_up(child: &mut Child, reason: String) -> String {
    end(child);
    reason
}

/// Reads until the line with the address and what comes right behind it. Returns the text and when the line was seen.
fn listen_lines(output: &mut ChildStdout, began: u64) -> Result<(String, u64), String> {
    let mut text = String::new();
    let mut listening = None;
    let mut piece = [0; 4096];
    loop {
        let patience = if listening.is_some() { QUIET } else { (began + START_TIMEOUT).saturating_sub(clock::now()) };
        if !wait_readable(output, patience) {
            return listening.map(|at| (text, at)).ok_or_else(|| "did not listen in time".to_owned());
        }
        let count = output.read(&mut piece).map_err(|error| format!("cannot be read: {error}"))?;
        if count == 0 {
            return Err(format!("ended at once {}", text.trim()).trim_end().to_owned());
        }
        text.push_str(&String::from_utf8_lossy(piece.get(..count).unwrap_or_default()));
        if listening.is_none() && text.contains("listening on ") {
            listening = Some(clock::now());
        }
    }
}

/// False if nothing came in time.
pub(crate) fn wait_readable(file: &impl AsFd, nanoseconds: u64) -> bool {
    let [seconds, rest] = [nanoseconds / clock::SECOND, nanoseconds % clock::SECOND].map(i64::try_from);
    let timeout = Timespec { tv_sec: seconds.unwrap_or(i64::MAX), tv_nsec: rest.unwrap_or(0) };
    poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)).is_ok_and(|ready| ready > 0)
}

fn door(text: &str, role: Role) -> Option<Door> {
    let address = word_after(text, "listening on ")?.parse().ok()?;
    let token = word_after(text, "Bearer ").filter(|_| role == Role::Chat);
    let quirk = |name: &str| text.lines().any(|line| line.starts_with("quirks:") && line.contains(name));
    let greets = role != Role::Echo && !quirk("no-hello");
    Some(Door { address, token: token.map(str::to_owned), greets, echoes_own: quirk("echoes-own") })
}

fn word_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split(|char: char| char.is_whitespace() || char == '\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_greeting_is_understood() {
        let text = "hollerd 0.1.0 listening on 127.0.0.1:4711\n  open   http://127.0.0.1:4711/#token=a.b\n  \
                    try    websocat 'ws://127.0.0.1:4711/ws' -H 'Authorization: Bearer a.b'\n";
        let found = door(text, Role::Chat).unwrap();
        assert_eq!((found.address.port(), found.token.as_deref()), (4711, Some("a.b")));
        assert!(found.greets && !found.echoes_own);
    }

    #[test]
    fn quirks_are_understood() {
        let found = door("listening on 127.0.0.1:80\nquirks: echoes-own,no-hello\n", Role::Chat).unwrap();
        assert!(found.token.is_none() && !found.greets && found.echoes_own);
        assert!(!door("listening on 127.0.0.1:80\n", Role::Echo).unwrap().greets);
        assert!(door("listening", Role::Chat).is_none());
    }
}
