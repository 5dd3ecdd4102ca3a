//! What a server and all processes below it have used, from /proc. Some servers are several processes (nginx), some many
//! threads (Go), so everything is a sum.

use std::fs;

use crate::machine::kilobytes;

/// CPU time in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) total: u64,
    /// In clock ticks of 10 ms, so only the ratio of the two is of use.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            user_ticks: self.user_ticks + other.user_ticks,
            system_ticks: self.system_ticks + other.system_ticks,
        }
    }

    /// The share of user mode in percent; not a number if it was too short to tell.
    pub(crate) fn user_share(self) -> f64 {
        100.0 * self.user_ticks as f64 / (self.user_ticks + self.system_ticks) as f64
    }
}

/// Bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// What only this server has (`Private_Clean` and `Private_Dirty`).
    pub(crate) private: u64,
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    /// The most that only this server ever had. What is resident and shared is read from files, so it is taken to be the
    /// same all the time.
    pub(crate) fn private_peak(self) -> u64 {
        self.peak.saturating_sub(self.resident.saturating_sub(self.private))
    }
}

/// The process and everything below it.
pub(crate) fn processes(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = numbers("/proc").filter_map(|pid| Some((pid, stat_field(pid, 1)?))).collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(all.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

pub(crate) fn cpu(processes: &[u32]) -> Cpu {
    let mut sum = Cpu::default();
    for &pid in processes {
        sum.user_ticks += stat_field::<u64>(pid, 11).unwrap_or(0);
        sum.system_ticks += stat_field::<u64>(pid, 12).unwrap_or(0);
        sum.total += threads(pid).filter_map(|thread| schedstat(pid, thread, 0)).sum::<u64>();
    }
    if sum.total == 0 {
        // A kernel without schedstat: ticks have to do.
        sum.total = (sum.user_ticks + sum.system_ticks) * 1_000_000_000 / rustix::param::clock_ticks_per_second();
    }
    sum
}

pub(crate) fn memory(processes: &[u32]) -> Memory {
    let mut sum = Memory::default();
    for pid in processes {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        sum.private += kilobytes(&rollup, "Private_Clean:") + kilobytes(&rollup, "Private_Dirty:");
        sum.resident += kilobytes(&rollup, "Rss:");
        sum.peak += kilobytes(&status, "VmHWM:");
    }
    sum
}

/// Nanoseconds for which their threads could have run and had no core.
pub(crate) fn waited(processes: &[u32]) -> u64 {
    let threads = processes.iter().flat_map(|&pid| threads(pid).map(move |thread| (pid, thread)));
    threads.filter_map(|(pid, thread)| schedstat(pid, thread, 1)).sum()
}

/// From now on [`Memory::peak`] is the peak since now.
pub(crate) fn forget_peak(processes: &[u32]) -> Result<(), String> {
    for pid in processes {
        let path = format!("/proc/{pid}/clear_refs");
        fs::write(&path, "5").map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

/// How often the threads have gone to sleep, which is how often they were woken.
pub(crate) fn wake_ups(processes: &[u32]) -> u64 {
    let threads = processes.iter().flat_map(|&pid| threads(pid).map(move |thread| (pid, thread)));
    let count = |(pid, thread)| {
        let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    threads.filter_map(count).sum()
}

/// Bytes of the program file.
pub(crate) fn program_size(pid: u32) -> u64 {
    fs::metadata(format!("/proc/{pid}/exe")).map_or(0, |metadata| metadata.len())
}

fn threads(pid: u32) -> impl Iterator<Item = u32> {
    numbers(&format!("/proc/{pid}/task"))
}

fn numbers(folder: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Nanoseconds on a core (0) or waiting for one (1).
fn schedstat(pid: u32, thread: u32, index: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().nth(index)?.parse().ok()
}

/// A field of /proc/PID/stat, counted from 0 behind the name, which is in brackets and may hold anything.
fn stat_field<N: std::str::FromStr>(pid: u32, index: usize) -> Option<N> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    field(&text, index)
}

fn field<N: std::str::FromStr>(stat: &str, index: usize) -> Option<N> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "42 (a ) b) S 7 42 1 0 -1 4194560 100 0 0 0 31 32 0 0";
        assert_eq!(field::<u32>(stat, 1), Some(7));
        assert_eq!((field::<u64>(stat, 11), field::<u64>(stat, 12)), (Some(31), Some(32)));
    }

    #[test]
    fn a_peak_lasts_until_it_is_forgotten() {
        let own = [std::process::id()];
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let with = memory(&own);
        assert!(with.private_peak() >= 64 << 20, "{with:?}");
        drop(block);
        assert!(memory(&own).private_peak() >= 64 << 20);
        forget_peak(&own).unwrap();
        let without = memory(&own);
        assert!(without.private_peak() + (32 << 20) < with.private_peak(), "{without:?} after {with:?}");
    }

    #[test]
    fn this_process_is_its_own_family() {
        let own = std::process::id();
        assert_eq!(processes(own).first(), Some(&own));
        assert!(memory(&[own]).resident > 0);
        assert!(program_size(own) > 0);
    }
}
