//! What a process uses, as the kernel counts it.

use std::fs;
use std::time::Duration;

use super::Daemon;

/// Reads the counters of one running daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    process: u32,
}

impl Meter {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        Self { process: daemon.id() }
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line for resident memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// Resident memory in KiB that is not a file's: what it has allocated.
    pub(crate) fn private_kib(self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line for anonymous memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// Processor time used so far, in user space and in the kernel. The kernel counts it in hundredths of a second.
    pub(crate) fn processor_time(self) -> Duration {
        let stat = self.read("stat");
        // The second field is the program's name in parentheses and may hold spaces.
        let (_, fields) = stat.rsplit_once(')').expect("a program name in parentheses");
        let ticks = fields.split_whitespace().skip(USER_TIME_FIELD).take(2);
        ticks.map(|ticks| Duration::from_millis(10 * ticks.parse::<u64>().expect("a number of ticks"))).sum()
    }

    /// The numbers of its open descriptors.
    pub(crate) fn descriptors(self) -> Vec<u64> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.process)).expect("a running process of ours");
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    fn read(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.process)).expect("a running process of ours")
    }
}

/// Field 14 of the line, counted from 1 (proc(5)), is the eleventh behind the name.
const USER_TIME_FIELD: usize = 11;
