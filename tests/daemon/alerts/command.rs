//! Alerts that are handed to a program.

use super::moody::{Mood, Moody};
use crate::support::{Home, PATIENCE, TOKEN, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program of the home's own, and the alert that runs it.
fn program(home: &Path, script: &str, more: &str) -> (PathBuf, String) {
    let path = home.join("tell");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let alert = format!(
        "[[alerts]]\nname = \"ops\"\ncommand = [\"{}\", \"{}\", \"two words\"]\n{more}\n\n",
        path.display(),
        home.display()
    );
    (path, alert)
}

fn is_alive(process: &str) -> bool {
    // A zombie has no command line.
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_program_gets_the_event_and_nothing_of_the_daemons_environment() {
    let cogs = Moody::start();
    let home = Home::at_trace(&cogs.always("llama"));
    let script = "cat >\"$1/event.new\"; pwd >\"$1/where\"; echo \"$2\" >\"$1/words\"; env >\"$1/env\"; \
                  ls -l /proc/$$/fd >\"$1/files\"; \
                  mv \"$1/event.new\" \"$1/event\"";
    let (_, alert) = program(&home.path(""), script, "when = [\"cold\"]");
    home.write(&(alert + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    let _warmd = home.start();
    wait_until("it was told", PATIENCE, || home.path("event").exists());
    let event: Value = serde_json::from_slice(&fs::read(home.path("event")).unwrap()).unwrap();
    assert_eq!((&event["event"], &event["model"]), (&"cold".into(), &"llama".into()));
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap();
    assert_eq!((read("where").trim(), read("words").trim()), ("/", "two words"));
    let names: Vec<String> =
        read("env").lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    // The shell adds some of its own.
    let known = ["PATH", "HOME", "LANG", "TZ", "PWD", "SHLVL", "_", "OLDPWD"];
    assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
    assert!(names.contains(&"PATH".to_owned()) && !read("env").contains(TOKEN));
    let files = read("files");
    assert!(files.contains("pipe:") && !files.contains("warmd") && !files.contains("socket:"), "{files}");
    wait_until("it counts as sent", PATIENCE, || home.status()["daemon"]["alerts"][0]["sent"] == 1);
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children_and_tried_again() {
    let cogs = Moody::start();
    let home = Home::at_trace(&cogs.always("llama"));
    // Deaf to SIGTERM, with a child that holds its output open.
    let script = "trap '' TERM; sleep 600 & echo $$ $! >\"$1/new\"; mv \"$1/new\" \"$1/pids\"; \
                  [ -e \"$1/well\" ] && { kill $!; cat >\"$1/event\"; exit 0; }; wait";
    let (_, alert) = program(&home.path(""), script, "timeout = \"1s\"\nwhen = [\"cold\"]");
    home.write(&(alert + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    let warmd = home.start();
    warmd.tells(&["alert ops", "did not end within 1 s, and was killed"]);
    let pids = fs::read_to_string(home.path("pids")).unwrap();
    let hung: Vec<&str> = pids.split_whitespace().collect();
    // Those of another attempt may be alive by now.
    let told = |pids: &[&str]| pids.iter().all(|process| !is_alive(process));
    fs::write(home.path("well"), "").unwrap();
    wait_until("it was told in the end", PATIENCE, || home.path("event").exists());
    wait_until("nothing of it is left", PATIENCE, || told(&hung));
    let alert = home.status()["daemon"]["alerts"][0].clone();
    assert!(alert["failed_attempts"].as_u64() >= Some(1), "{alert}");
}

#[test]
fn a_program_that_fails_is_tried_again_and_its_words_are_told() {
    let cogs = Moody::start();
    let home = Home::at_trace(&cogs.always("llama"));
    let script = "[ -e \"$1/well\" ] && { cat >\"$1/event\"; exit 0; }; echo no such pager >&2; exit 3";
    let (path, alert) = program(&home.path(""), script, "when = [\"cold\"]");
    home.write(&(alert + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    let warmd = home.start();
    warmd.tells(&["alert ops", "ended with code 3: no such pager"]);
    wait_until("the status tells it", PATIENCE, || {
        let status = home.status();
        let told = status["daemon"]["notes"].to_string();
        told.contains("1 event waits: ops (it ended with code 3: no such pager)")
    });
    fs::remove_file(&path).unwrap();
    warmd.tells(&["alert ops", "it can't be run"]);
    let (_, _) = program(&home.path(""), script, "");
    fs::write(home.path("well"), "").unwrap();
    wait_until("it was told in the end", PATIENCE, || home.path("event").exists());
}
