//! A run under callgrind: the same program, and the instructions of its counted parts. They are the same on every machine
//! and at every hour, as long as compiler and libraries are the same.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::{Answer, COUNTING, READY, Running, WORD, program};

/// The function [`super::counted`], as callgrind calls it.
const COUNTED: &str = "hollerd_bench::inner::counted";

/// What a run under callgrind found out.
#[derive(Debug)]
pub(crate) struct Count {
    pub(crate) answer: Answer,
    /// Instructions of each call of [`super::counted`], in order.
    pub(crate) parts: Vec<u64>,
}

/// Does a run whose counted parts are so many. What comes before the run says that it is ready is neither counted nor
/// slowed down much.
pub(crate) fn count(arguments: &[&str], parts: usize) -> Result<Count, String> {
    let folder = Folder::new()?;
    let file = folder.0.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--instr-atstart=no"]);
    command.args([format!("--toggle-collect={COUNTED}"), format!("--dump-after={COUNTED}")]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(program()?).arg(WORD).args(arguments).arg(COUNTING);
    let mut running = Running::start(&mut command)?;
    running.read(|text| text.ends_with(READY))?;
    instrument(running.pid())?;
    running.go_on()?;
    let text = running.read(|_| false)?;
    running.end()?;
    let found: Vec<u64> = (1..)
        .map_while(|part| fs::read_to_string(part_file(&file, part)).ok())
        .map_while(|text| summary(&text))
        .collect();
    if found.len() != parts {
        return Err(format!("callgrind counted {} parts, not {parts}; does it know {COUNTED}?", found.len()));
    }
    Ok(Count { answer: Answer::parse(&text), parts: found })
}

/// The version of valgrind, or `None` where there is none.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes callgrind look at every instruction from here on.
fn instrument(pid: u32) -> Result<(), String> {
    let output = Command::new("callgrind_control").args(["-i", "on", &pid.to_string()]).output();
    let output = output.map_err(|error| format!("callgrind_control cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains("OK") {
        return Ok(());
    }
    Err(format!(
        "callgrind_control cannot reach the run: {} {}",
        text.trim(),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

fn part_file(file: &Path, part: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{part}"));
    name.into()
}

/// The sum of all instructions in one part.
fn summary(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    // More than one kind of event would be a caller's mistake; the first one is the instructions.
    lines.find_map(|line| line.strip_prefix("events:")).filter(|events| events.trim().starts_with("Ir"))?;
    let sum = text.lines().find_map(|line| line.strip_prefix("summary:"))?;
    sum.split_whitespace().next()?.parse().ok()
}

/// A folder for callgrind's files that goes when they are read.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        for number in 0..u32::MAX {
            let path = std::env::temp_dir().join(format!("hollerd-bench-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        Err("no name for a folder is left".to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the system's folder for what may be left behind.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str = "# callgrind format\nversion: 1\npid: 7\npart: 1\n\ndesc: Trigger: --dump-after=x\n\n\
                        positions: line\nevents: Ir\nsummary: 464521\n\nfn=(1) x\n0 5\n\ntotals: 464521\n";

    #[test]
    fn the_sum_of_a_part_is_found() {
        assert_eq!(summary(PART), Some(464_521));
        assert_eq!(summary(&PART.replace("events: Ir", "events: Ir Dr")), Some(464_521));
    }

    #[test]
    fn anything_else_is_no_sum() {
        for (from, to) in [("events: Ir", "events: Dr"), ("summary: 464521", ""), ("464521", "many")] {
            assert_eq!(summary(&PART.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn folders_have_names_of_their_own_and_go_again() {
        let (one, other) = (Folder::new().unwrap(), Folder::new().unwrap());
        let path = one.0.clone();
        assert!(path != other.0 && path.is_dir());
        drop(one);
        assert!(!path.exists());
    }
}
