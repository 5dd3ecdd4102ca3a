//! A child process with its output gathered while it runs.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, now};

/// A running program. It is killed, by its own handle, when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

impl Process {
    /// Starts `command` without an input. Two threads drain its outputs, so it never blocks on a full pipe.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    /// As [`Process::spawn`], for a program that is typed to with [`Process::type_line`].
    pub(crate) fn spawn_with_input(command: &mut Command) -> Self {
        Self::spawn_with(command, Stdio::piped())
    }

    fn spawn_with(command: &mut Command, input: Stdio) -> Self {
        Self::spawn_with_streams(command, input, None)
    }

    /// As [`Process::spawn`], with this input and, if there is one, with this output instead of one that is gathered.
    pub(crate) fn spawn_with_streams(command: &mut Command, input: Stdio, output: Option<Stdio>) -> Self {
        command.stdin(input).stdout(output.unwrap_or_else(Stdio::piped)).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{command:?} did not start: {error}"),
        };
        let stdout = child.stdout.take().map_or_else(Output::nothing, Output::drain);
        let stderr = Output::drain(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a process with an input");
        input.write_all(format!("{line}\n").as_bytes()).expect("a process that reads its input");
    }

    /// Nothing more will be typed.
    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until it has printed this line.
    pub(crate) fn expect_line(&self, line: &str) {
        let found = self.await_stdout(PATIENCE, |text| text.lines().any(|one| one == line).then_some(()));
        assert!(found.is_some(), "wanted {line:?}, got:\n{}\n{}", self.stdout(), self.stderr());
    }

    /// All whole lines printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// All whole lines logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `find` finds what it wants in the standard output; `None` when the time is up or the output ended.
    pub(crate) fn await_stdout<T>(&self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.stdout.wait(patience, find)
    }

    /// As [`Process::await_stdout`], in the standard error.
    pub(crate) fn await_stderr<T>(&self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.stderr.wait(patience, find)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our own child takes signals");
    }

    /// Waits for the end. A process that ends closes its pipes, so this waits for those rather than asking again and
    /// again.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = now() + patience;
        for output in [&self.stdout, &self.stderr] {
            output.wait::<()>(deadline.saturating_duration_since(now()), |_| None);
        }
        while now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                return status;
            }
            thread::yield_now();
        }
        panic!("process {} still runs after {patience:?}; it logged:\n{}", self.id(), self.stderr());
    }

    /// It is still there and no thread of it has panicked.
    pub(crate) fn assert_healthy(&mut self) {
        let status = self.child.try_wait().expect("a child to ask");
        let log = self.stderr();
        assert!(status.is_none(), "the process ended with {status:?}; it logged:\n{log}");
        assert!(!log.contains("panicked"), "the process panicked:\n{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the child has been waited for already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The lines of one pipe, and whether it has ended.
struct Output {
    lines: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Output {
    fn nothing() -> Arc<Self> {
        Self::drain(std::io::empty())
    }

    fn drain(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let output = Arc::new(Self { lines: Mutex::default(), changed: Condvar::new() });
        let filled = Arc::clone(&output);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                filled.change(|(text, _)| text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            filled.change(|(_, ended)| *ended = true);
        });
        output
    }

    fn change(&self, change: impl FnOnce(&mut (String, bool))) {
        change(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn wait<T>(&self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = now() + patience;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found = find(&lines.0);
            let left = deadline.saturating_duration_since(now());
            if found.is_some() || lines.1 || left.is_zero() {
                return found;
            }
            lines = self.changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
