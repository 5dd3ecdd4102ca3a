//! The machine: what it is, for the heads of the results, and what its kernel holds for sockets.

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where `steal` stands in the first line of /proc/stat: behind the word `cpu` and seven other numbers.
const STEAL_FIELD: usize = 8;

/// Bytes the kernel has in use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KernelMemory {
    /// Kernel objects of every kind (`Slab` in /proc/meminfo).
    pub(crate) slab: u64,
    /// Buffers of TCP sockets (`mem` in /proc/net/sockstat).
    pub(crate) buffers: u64,
}

/// Raises the open-file limit to what the system allows, and returns it.
pub(crate) fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(1 << 20),
        Err(_) => current.unwrap_or(1 << 20),
    }
}

/// Keeps this process, and all that it starts from now on, on one core.
pub(crate) fn use_one_core() -> Result<(), String> {
    let mut cores = CpuSet::new();
    cores.set(0);
    sched_setaffinity(None, &cores).map_err(|error| format!("cannot stay on one core: {error}"))
}

/// One core for the server and the others for the generator, so that neither waits for the other. Until it is dropped, the
/// thread that made it and all that it starts are on the generator's cores.
#[derive(Debug)]
pub(crate) struct Apart {
    all: CpuSet,
    server: CpuSet,
    generator: CpuSet,
}

impl Apart {
    /// `None` if there is only one core.
    pub(crate) fn begin() -> Option<Self> {
        let all = sched_getaffinity(None).ok()?;
        let first = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core))?;
        let (mut server, mut generator) = (CpuSet::new(), all);
        server.set(first);
        generator.unset(first);
        if generator.count() == 0 {
            return None;
        }
        sched_setaffinity(None, &generator).ok()?;
        Some(Self { all, server, generator })
    }

    /// What is started in between, the server, stays on the server's core.
    pub(crate) fn on_server_core<R>(&self, start: impl FnOnce() -> R) -> R {
        let moved = sched_setaffinity(None, &self.server);
        debug_assert!(moved.is_ok());
        let result = start();
        let moved = sched_setaffinity(None, &self.generator);
        debug_assert!(moved.is_ok());
        result
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let moved = sched_setaffinity(None, &self.all);
        debug_assert!(moved.is_ok());
    }
}

/// Nanoseconds that the machine below us took from all cores together, in clock ticks of 10 ms.
pub(crate) fn stolen() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = stat.split_whitespace().nth(STEAL_FIELD).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
    ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second()
}

/// Nanoseconds for which the calling thread could have run and had no core.
pub(crate) fn own_wait() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|wait| wait.parse().ok()).unwrap_or(0)
}

/// What the kernel holds now, for the whole machine.
pub(crate) fn kernel_memory() -> KernelMemory {
    let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let pages = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).and_then(|line| after(line, "mem"));
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    KernelMemory { slab: kilobytes(&meminfo, "Slab:"), buffers: pages.unwrap_or(0) * rustix::param::page_size() as u64 }
}

/// The bytes behind a key of a `Key:  123 kB` file of /proc.
pub(crate) fn kilobytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// One line about processor, kernel and commit.
pub(crate) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).map_or("unknown processor", trim_key);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}, commit {}", kernel.trim(), commit())
}

fn trim_key(rest: &str) -> &str {
    rest.trim_start_matches([' ', '\t', ':']).trim_end()
}

/// The commit that was built: a guest machine has no repository, and is told by `BENCH_COMMIT`.
fn commit() -> String {
    if let Ok(commit) = std::env::var("BENCH_COMMIT") {
        return commit;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "--short", "HEAD"]), git(&["status", "--porcelain", "--untracked-files=no"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with changes"),
        (None, _) => "unknown".to_owned(),
    }
}

fn after(line: &str, word: &str) -> Option<u64> {
    line.split_whitespace().skip_while(|&other| other != word).nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_generator_are_kept_apart_and_let_go_again() {
        let all = sched_getaffinity(None).unwrap();
        match Apart::begin() {
            None => assert_eq!(all.count(), 1),
            Some(apart) => {
                let ours = sched_getaffinity(None).unwrap();
                let servers = apart.on_server_core(|| sched_getaffinity(None).unwrap());
                assert_eq!((servers.count(), ours.count()), (1, all.count() - 1));
                assert!((0..CpuSet::MAX_CPU).all(|core| !(servers.is_set(core) && ours.is_set(core))));
                assert_eq!(sched_getaffinity(None).unwrap(), ours);
            }
        }
        assert_eq!(sched_getaffinity(None).unwrap(), all);
    }

    #[test]
    fn proc_files_are_understood() {
        let text = "MemFree:  12 kB\nSlab:            3 kB\n";
        assert_eq!((kilobytes(text, "Slab:"), kilobytes(text, "None:")), (3_072, 0));
        assert_eq!(after("TCP: inuse 8 orphan 0 tw 1 alloc 8 mem 42", "mem"), Some(42));
        assert_eq!(trim_key("\t: AMD EPYC "), "AMD EPYC");
    }
}
