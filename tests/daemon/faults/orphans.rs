//! What an alert's command leaves behind, where warmd becomes the parent of that: in a container without an init.

use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use std::fs;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

/// How often each command is run, and how many are at a time.
const ROUNDS: usize = 15;
const AT_ONCE: usize = 3;

/// Leaves an orphan, one in a session of its own, and one that ends before the command does. Then ends with the code
/// that it is given.
const SCRIPT: &str = "sleep 0.2 & setsid sleep 0.3 & (true &); echo as it was told >&2; exit $1";

/// Becomes the parent of orphans by the kernel's other way: `PR_SET_CHILD_SUBREAPER`, which an exec keeps.
const SUBREAPER: &str = "import ctypes, os, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])";

/// The children of a process, zombies too.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Behind the name, which may have any characters: the state, and the parent.
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent_of == Some(&parent.to_string())
    };
    let processes = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let processes = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    processes.filter(is_child).collect()
}

fn waits_for_orphans(starter: &str, arguments: &[&str], pid: fn(&Warmd) -> u32) {
    let alert = |code| {
        format!(
            "[[alerts]]\nname = \"code-{code}\"\ncommand = [\"sh\", \"-c\", '{SCRIPT}', \"sh\", \"{code}\"]\n\n"
        )
    };
    let model = "[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1h\"\n";
    let home = Home::at_trace(&((0..AT_ONCE).map(alert).collect::<String>() + model));
    let mut warmd = Warmd::spawn(home.warmd_by(starter, arguments));
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let (warmds, mut most) = (pid(&warmd), 0);
    thread::scope(|scope| {
        let run = |code: usize| {
            let end = match code {
                0 => ": ok in ".to_owned(),
                _ => format!("ended with code {code}: as it was told"),
            };
            for round in 0..ROUNDS {
                let told = text(&home.ctl(&["alert", "test", &format!("code-{code}")]).stdout);
                assert!(told.contains(&end), "round {round}: {told}");
            }
        };
        let runs: Vec<_> = (0..AT_ONCE).map(|code| scope.spawn(move || run(code))).collect();
        while !runs.iter().all(ScopedJoinHandle::is_finished) {
            most = most.max(children(warmds).len());
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(most > 2 * AT_ONCE, "at most {most} children at a time: no orphans");
    wait_until("no orphan is left", PATIENCE, || children(warmds).is_empty());
    assert!(Command::new("kill").arg(warmds.to_string()).status().unwrap().success());
    assert!(warmd.ended().success());
}

#[test]
fn the_first_process_of_a_container_waits_for_orphans_and_reports_how_commands_end() {
    let within = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    waits_for_orphans("unshare", &within, |unshare| children(unshare.id())[0]);
}

#[test]
fn so_does_one_that_a_wrapper_made_a_subreaper() {
    waits_for_orphans("python3", &["-c", SUBREAPER], Warmd::id);
}
