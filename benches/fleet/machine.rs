//! Where and when figures were taken, without which they say nothing.

use crate::process::has_two_cores;
use anyhow::Result;
use std::fs;
use warmd::clock;

/// A line for people.
pub(crate) fn told() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(format!(
        "{}; Linux {}; {} cores of {}; load before: {}\n{}\n",
        clock::now().format("%Y-%m-%d %H:%M UTC"),
        fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        std::thread::available_parallelism()?,
        cpu.trim_start_matches(['\t', ' ', ':']),
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        if has_two_cores() {
            "What is measured has a core of its own, the sandbox another."
        } else {
            "There is one core alone: what is measured shares it with the sandbox."
        }
    ))
}
