//! What the kernel says about our process, for those who watch it.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Before Linux 6.2 descriptors can only be counted one by one; that is done up to about so many.
const COUNTED_MAX: usize = 10_000;

/// How many descriptors are open. `connections` says how many there are at least. `None` if they cannot be counted
/// quickly.
pub(super) fn open_descriptors(connections: usize) -> Option<u64> {
    let known = fs::metadata("/proc/self/fd").ok()?.len();
    if known > 0 {
        return Some(known);
    }
    let few = connections <= COUNTED_MAX;
    // The one that lists the others is among them.
    few.then(|| fs::read_dir("/proc/self/fd").ok()).flatten().map(|list| (list.count() as u64).saturating_sub(1))
}

/// How many may be open; `None` for any number.
pub(super) fn descriptors_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Resident memory, in bytes.
pub(super) fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        let descriptors = open_descriptors(0).unwrap();
        let limit = descriptors_limit().unwrap_or(u64::MAX);
        assert!((3..limit).contains(&descriptors), "{descriptors} of {limit}");
        assert!((1 << 20..1 << 40).contains(&resident_memory().unwrap()));
    }
}
