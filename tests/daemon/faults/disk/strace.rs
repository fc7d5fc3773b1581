//! A daemon under `strace`, which slows or breaks its calls of the system.

use super::counted::answering;
use crate::support::{Home, Warmd};
use std::fs;
use std::process::Command;

/// What the state is written to first.
pub(super) const LOG_AND_TAIL: [&str; 2] = ["warmd.db-wal", "warmd.db-tail"];

/// A daemon under `strace`, which does something to its calls of the system on those files.
pub(super) fn tampered(home: &Home, what: &str, files: &[&str]) -> Warmd {
    let inject = format!("inject={what}");
    let options = ["--seccomp-bpf", "-e", "trace=pwrite64,fdatasync,fsync", "-e", &inject];
    answering(home, under_strace(home, &home.warmd(), &options, files))
}

/// A daemon under `strace`, which kills it at the call of that number of that kind on those files.
pub(super) fn killed_at(home: &Home, warmd: &Command, call: &str, number: usize, files: &[&str]) -> Command {
    let kill = format!("inject={call}:signal=KILL:when={number}");
    // Without a filter in the kernel: at one, no signal is delivered.
    under_strace(home, warmd, &["-e", &format!("trace={call}"), "-e", &kill], files)
}

/// A command for `strace` to watch, at those files. It stays this process's child; in a user namespace, as nobody
/// else may trace a process that holds tokens.
fn under_strace(home: &Home, warmd: &Command, options: &[&str], files: &[&str]) -> Command {
    let mut strace = Command::new("unshare");
    strace.args(["--user", "--map-root-user", "strace"]);
    strace.args(["-D", "-f", "-o"]).arg(home.path("strace")).args(options);
    for file in files {
        strace.arg("-P").arg(home.path(file));
    }
    strace.arg(warmd.get_program()).args(warmd.get_args()).current_dir(warmd.get_current_dir().unwrap());
    for (name, value) in warmd.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
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
