//! A daemon under `strace`, which slows or breaks its calls of the system.

use super::counted::answering;
use crate::support::{Home, Warmd};
use std::fs;
use std::process::Command;

/// What the state is written to first.
pub(super) const LOG_AND_TAIL: [&str; 2] = ["warmd.db-wal", "warmd.db-tail"];

/// A daemon under `strace`, which does something to its calls of the system on those files. It stays this
/// process's child; in a user namespace, as nobody else may trace a process that holds tokens.
pub(super) fn tampered(home: &Home, what: &str, files: &[&str]) -> Warmd {
    let warmd = home.warmd();
    let mut strace = Command::new("unshare");
    strace.args(["--user", "--map-root-user", "strace"]);
    strace.args(["-D", "-f", "--seccomp-bpf", "-o"]).arg(home.path("strace"));
    for file in files {
        strace.arg("-P").arg(home.path(file));
    }
    strace.args(["-e", "trace=pwrite64,fdatasync,fsync", "-e", &format!("inject={what}")]);
    strace.arg(warmd.get_program()).args(warmd.get_args()).current_dir(warmd.get_current_dir().unwrap());
    for (name, value) in warmd.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    answering(home, strace)
}

/// Ends `strace`: a call that it delays would delay the end of the process, too.
pub(super) fn let_go(warmd: &Warmd) {
    let status = fs::read_to_string(format!("/proc/{}/status", warmd.id())).unwrap();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap();
    assert!(Command::new("kill").args(["-KILL", tracer.trim()]).status().unwrap().success());
}

/// How often those files were synced, under `strace`.
pub(super) fn syncs(home: &Home) -> usize {
    let calls = fs::read_to_string(home.path("strace")).unwrap_or_default();
    calls.matches("fdatasync(").count() + calls.matches("fsync(").count()
}
