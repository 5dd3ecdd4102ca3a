//! A run in a process of its own, so that each begins with fresh memory and can be given to valgrind: this program, called
//! with the word below. It answers on standard output with one line per value.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{cases, many};
use crate::clock::SECOND;
use crate::server::wait_readable;

/// The first argument of a child; no question has this name.
pub(crate) const WORD: &str = "inner";
/// The last argument of a child under callgrind.
pub(super) const COUNTING: &str = "counting";
/// What a child says when the counted part comes next.
pub(super) const READY: &str = "ready\n";
/// A run that says nothing for so long is given up.
const PATIENCE: u64 = 600 * SECOND;

/// What a run found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    values: BTreeMap<String, f64>,
    /// What must not happen and did.
    pub(crate) faults: Vec<String>,
}

impl Answer {
    pub(super) fn set(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), value);
    }

    /// Notes what must not happen if it did.
    pub(super) fn check(&mut self, well: bool, fault: &str) {
        if !well {
            self.faults.push(fault.to_owned());
        }
    }

    /// Not a number if the run did not say.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(f64::NAN)
    }

    /// Reads what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Self {
        let mut answer = Self::default();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("fault", what)) => answer.faults.push(what.to_owned()),
                Some((name, value)) => answer.set(name, value.parse().unwrap_or(f64::NAN)),
                None => {}
            }
        }
        answer
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.iter().try_for_each(|(name, value)| writeln!(f, "{name}={value}"))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "fault={fault}"))
    }
}

/// The child's side: does the run that the arguments behind [`WORD`] name, and prints the answer.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (arguments, counting) = match arguments.split_last() {
        Some((&COUNTING, arguments)) => (arguments, true),
        _ => (&arguments[..], false),
    };
    let answer = match arguments {
        [many::WORD, peers] => many::run(peers.parse().map_err(|_| "how many?")?, counting)?,
        [cases::WORD, name] => cases::run(name, counting)?,
        _ => return Err(format!("{WORD} cannot do {arguments:?}")),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(answer.to_string().as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}

/// The child's side: says that the counted part comes next, and waits until callgrind is ready for it.
pub(super) fn wait_for_callgrind() {
    let mut out = std::io::stdout().lock();
    // Whoever is not there to listen does not answer either, and that is found out by reading.
    let _ = out.write_all(READY.as_bytes()).and_then(|()| out.flush());
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

/// The parent's side: does a run in a child, without valgrind.
pub(crate) fn ask(arguments: &[&str]) -> Result<Answer, String> {
    let mut running = Running::start(Command::new(program()?).arg(WORD).args(arguments))?;
    let text = running.read(|_| false)?;
    running.end()?;
    Ok(Answer::parse(&text))
}

/// The path of this program.
pub(super) fn program() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))
}

/// A child that runs. It ends with this value at the latest.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    output: ChildStdout,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|error| format!("{name} cannot be started: {error}"))?;
        let Some(output) = child.stdout.take() else { return Err(format!("{name} has no output")) };
        Ok(Self { child, output })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, until that is `enough` or all.
    pub(super) fn read(&mut self, enough: impl Fn(&str) -> bool) -> Result<String, String> {
        let mut text = String::new();
        let mut piece = [0; 4096];
        loop {
            if !wait_readable(&self.output, PATIENCE) {
                return Err("the run has come to a standstill".to_owned());
            }
            let count = self.output.read(&mut piece).map_err(|error| format!("the run cannot be read: {error}"))?;
            text.push_str(&String::from_utf8_lossy(piece.get(..count).unwrap_or_default()));
            if count == 0 || enough(&text) {
                return Ok(text);
            }
        }
    }

    /// Lets it go on behind [`wait_for_callgrind`].
    pub(super) fn go_on(&mut self) -> Result<(), String> {
        let input = self.child.stdin.as_mut().ok_or("the run has no input")?;
        input.write_all(b"\n").map_err(|error| format!("the run does not listen: {error}"))
    }

    /// Waits for its end, which must be a good one.
    pub(super) fn end(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| format!("the run cannot be waited for: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("the run ended with {status}")) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is our own child; if it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_were_written() {
        let mut answer = Answer::default();
        answer.set("ping ns", 1.5);
        answer.faults.push("3 pings are lost".to_owned());
        let text = answer.to_string();
        assert_eq!(text, "ping ns=1.5\nfault=3 pings are lost\n");
        assert_eq!(Answer::parse(&format!("{READY}{text}")), answer);
        assert!(answer.get("pong ns").is_nan());
    }

    #[test]
    fn a_run_that_fails_or_is_unknown_is_an_error() {
        assert!(run(&["sing".to_owned()]).is_err());
        let failing = Running::start(&mut Command::new("false")).unwrap();
        assert!(failing.end().is_err());
        let mut talking = Running::start(Command::new("echo").arg("pings=3")).unwrap();
        assert_eq!(talking.read(|_| false).unwrap(), "pings=3\n");
        assert!(talking.end().is_ok());
    }
}
