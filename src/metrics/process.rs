//! What the process takes of the machine, as the kernel tells it.

use crate::clock;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::time::Duration;

/// What the process takes; none where the kernel doesn't tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// User and system time since it started.
    pub(super) cpu: Duration,
    /// Bytes in memory.
    pub(super) resident: Option<u64>,
    /// Bytes of address space.
    pub(super) mapped: Option<u64>,
    /// Open file descriptors.
    pub(super) open_files: Option<u64>,
    /// How many it may have.
    pub(super) most_open_files: Option<u64>,
}

/// Reads it.
pub(super) fn usage() -> Usage {
    let pages: Vec<u64> = fs::read_to_string("/proc/self/statm")
        .map(|statm| statm.split_whitespace().map_while(|pages| pages.parse().ok()).collect())
        .unwrap_or_default();
    let bytes = |pages: &u64| pages * rustix::param::page_size() as u64;
    Usage {
        cpu: clock::cpu(),
        mapped: pages.first().map(bytes),
        resident: pages.get(1).map(bytes),
        // One of them is the folder that is read.
        open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as u64),
        most_open_files: getrlimit(Resource::Nofile).current,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_tells_all_of_it() {
        let usage = super::usage();
        let (resident, mapped) = (usage.resident.unwrap(), usage.mapped.unwrap());
        assert!(resident > 1_000_000 && mapped > resident, "{usage:?}");
        assert!(usage.open_files.unwrap() >= 3 && !usage.cpu.is_zero(), "{usage:?}");
        let file = std::fs::File::open("/proc/self/statm").unwrap();
        assert!(super::usage().open_files.unwrap() > 3, "{file:?}");
    }
}
