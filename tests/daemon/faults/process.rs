//! Panics, signals and limits of the process.

use crate::cogs::Cogs;
use crate::sandboxed::{Replicate, brisk};
use crate::support::{Home, PATIENCE, Warmd, copy_program, wait_until};
use crate::wall::Wall;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use warmd::clock::Stopwatch;
use warmd::sandbox::{Conduct, Spread};
use warmd::schedule::grid;

/// Where a debug build panics: two seconds after it has started, in the place that this names.
const PANIC_IN: &str = "WARMD_PANIC_IN";

const EVERY_SECOND: &str = "active = [\"always\"]\ninterval = \"1s\"";

fn panicking(home: &Home, place: &str) -> Warmd {
    let mut command = home.warmd();
    command.env(PANIC_IN, place);
    Warmd::spawn(command)
}

/// Its log, from which nothing is missing that is no event: a panic's own words would be such.
fn events(warmd: &Warmd) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("not an event: {line}"));
    warmd.log().iter().map(parse).collect()
}

fn errors(warmd: &Warmd) -> Vec<String> {
    let errors = events(warmd).into_iter().filter(|event| event["level"] == "ERROR");
    errors.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn counted(model: &Value) -> u64 {
    model["counts"]["warm"].as_u64().unwrap()
}

/// The tasks, as the daemon starts them.
fn tasks() -> BTreeSet<String> {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon.rs")).unwrap();
    let starts = source.split("tasks.start").skip(1);
    starts.map(|rest| rest.split('"').nth(1).unwrap().to_owned()).collect()
}

/// One panics in that place: the daemon ends for it, and says so; started again, it goes on where it was.
fn ends_by_a_panic(place: &str, task: &str, lost: usize) {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text.replace("listen = \"off\"", &format!("listen = \"{free}\"")));
    let mut warmd = panicking(&home, place);
    wait_until("a heartbeat was sent", PATIENCE, || !cogs.asked("llama").is_empty());
    let status = warmd.ended();
    assert_eq!(status.code(), Some(1), "{place}");
    let errors = errors(&warmd);
    let told = |what: &str| errors.iter().filter(|error| error.contains(what)).count();
    assert_eq!(told("panicked at src/drill.rs:"), 1, "{place}: {errors:#?}");
    assert_eq!(told(&format!("the task `{task}` died: ")), 1, "{place}: {errors:#?}");
    let asked = cogs.asked("llama").len();
    let warmd = home.start();
    assert!(home.ctl(&["pause", "llama"]).status.success());
    let model = home.model_when("llama", "nothing is in flight", |model| {
        counted(model) + lost as u64 >= cogs.asked("llama").len() as u64
    });
    let now = cogs.asked("llama").len() as u64;
    assert!(counted(&model) <= now, "{place}: none is counted twice: {model}");
    assert!(asked >= 2 && counted(&model) + lost as u64 >= now, "{place}: {} of {now}", counted(&model));
    assert!(warmd.stop().success());
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build never panics on purpose")]
fn a_panic_in_any_task_ends_the_daemon_which_says_where_and_goes_on_when_started_again() {
    let tasks = tasks();
    assert!(tasks.contains("engine") && tasks.len() >= 7, "{tasks:?}");
    std::thread::scope(|scope| {
        for task in &tasks {
            // A heartbeat in flight goes down with the engine.
            scope.spawn(move || ends_by_a_panic(task, task, usize::from(task == "engine")));
        }
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build never panics on purpose")]
fn a_panic_in_a_thread_ends_the_task_that_stands_on_it() {
    std::thread::scope(|scope| {
        // What it held, and what came meanwhile: of the last second.
        scope.spawn(|| ends_by_a_panic("store's thread", "store", 4));
        scope.spawn(|| ends_by_a_panic("looks' thread", "looks", 0));
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build never panics on purpose")]
fn a_panic_in_one_heartbeat_is_its_own_failure_and_the_others_go_on() {
    let cogs = Cogs::start();
    let models: String = ["one", "llama", "two"].map(|name| cogs.model(name, EVERY_SECOND)).concat();
    let home = Home::at_trace(&models);
    let warmd = panicking(&home, "llama");
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let failing = home.model_when("llama", "failing", |model| model["state"] == "failing");
    let reason = failing["reason"].as_str().unwrap();
    assert!(reason.contains("a fault of warmd's") && reason.contains(PANIC_IN), "{reason}");
    assert_eq!(failing["last"]["outcome"], "unreachable");
    let asked = ["one", "two"].map(|name| cogs.asked(name).len());
    wait_until("the others go on", PATIENCE, || {
        cogs.asked("one").len() > asked[0] + 2 && cogs.asked("two").len() > asked[1] + 2
    });
    assert_eq!(home.model("one")["state"], "warm");
    let by_hand = home.ctl(&["beat", "llama"]);
    assert_eq!(by_hand.status.code(), Some(1), "whoever asks for one is told");
    warmd.tells(&["ERROR", "panicked at src/drill.rs:"]);
    assert!(warmd.stop().success());
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build never panics on purpose")]
fn a_panic_over_a_file_or_a_request_or_a_chore_is_told_and_heartbeats_go_on() {
    let cogs = Cogs::start();
    let more = |warmd: &Warmd| {
        warmd.tells(&["ERROR", "panicked at src/drill.rs:"]);
        let asked = cogs.asked("llama").len();
        wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 2);
    };
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let answers = || home.ctl(&["status"]).status.success();
    // Reading a changed file: it is refused.
    let warmd = panicking(&home, "reading");
    wait_until("the daemon answers", PATIENCE, answers);
    wait_until("the file is refused", PATIENCE, || {
        home.ctl(&["reload"]);
        let error = home.status()["daemon"]["config_error"].clone();
        error.as_str().is_some_and(|error| error.contains("a fault of warmd's") && error.contains(PANIC_IN))
    });
    more(&warmd);
    assert!(warmd.stop().success());
    // Answering a request: that one alone goes unanswered.
    let warmd = panicking(&home, "snapshot");
    wait_until("a request is not answered", PATIENCE, || !answers() && !errors(&warmd).is_empty());
    more(&warmd);
    assert!(home.ctl(&["pause", "llama"]).status.success(), "others are answered");
    assert!(home.ctl(&["resume", "llama"]).status.success());
    assert!(warmd.stop().success());
    // A chore of the engine's: it is tried again.
    let wall = Wall::at(&home, "2026-11-23T10:00:00Z");
    let mut command = wall.warmd(&home);
    command.env(PANIC_IN, "chore");
    let warmd = Warmd::spawn(command);
    home.ctl(&["status"]);
    std::thread::sleep(Duration::from_millis(2_500));
    wall.turn(-60);
    wait_until("it is tried again", PATIENCE, || errors(&warmd).len() >= 4);
    more(&warmd);
    assert!(warmd.stop().success());
}

#[test]
fn a_log_that_nobody_takes_does_not_stop_it() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = home.warmd().stdin(Stdio::null()).stderr(full).spawn().unwrap();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() >= 3);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// Twenty models that boot for a minute, all met cold.
fn booting(grace: &str) -> (Replicate, Home, Warmd) {
    let conduct = Conduct { boot: Spread::millis(60_000, 60_000), ..brisk() };
    let replicate = Replicate::of_models(20, &conduct);
    let home = Home::at_trace(&replicate.config(20, "30s"));
    let text = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text.replace("shutdown_grace = \"5s\"", &format!("shutdown_grace = \"{grace}\"")));
    let warmd = home.start();
    wait_until("every model is booting", PATIENCE, || {
        let status = home.status();
        status["models"].as_array().unwrap().iter().all(|model| model["state"] == "booting")
    });
    (replicate, home, warmd)
}

#[test]
fn a_stop_while_every_model_boots_takes_the_grace_and_leaves_the_boots_to_go_on() {
    // What an exit takes on this machine now, with nothing in flight.
    let idle = Home::at_trace("[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n");
    let warmd = idle.start();
    let control = Stopwatch::start();
    assert!(warmd.stop().success());
    let control = control.elapsed();

    let (replicate, home, warmd) = booting("2s");
    let stopping = Stopwatch::start();
    warmd.signal("-TERM");
    let mut warmd = warmd;
    assert!(warmd.ended().success());
    let took = stopping.elapsed();
    println!(
        "measured: SIGTERM while all boot: out after {took:?} of a grace of 2 s; {control:?} with nothing in flight"
    );
    assert!(took > Duration::from_millis(1_900), "they had their grace: {took:?}");
    assert!(took < Duration::from_secs(5) + 5 * control, "{took:?}, {control:?} with nothing in flight");
    warmd.tells(&["left in flight, to end by themselves: "]);
    let truth = replicate.truth();
    assert!(truth.predictions.is_empty(), "none was canceled: {truth:?}");
    // It goes on where it was: the boots are under way, and nothing is counted that has not ended.
    let warmd = home.start();
    assert_eq!(counted(&home.model("model-07")), 0);
    warmd.signal("-TERM");
    assert!(warmd.wait().success());
}

#[test]
fn a_second_signal_ends_the_grace_and_its_echo_does_not() {
    let (_replicate, home, warmd) = booting("1m");
    let mut warmd = warmd;
    // Each is due again while it boots.
    let skipped = || {
        let status = home.status();
        let skipped = |model: &Value| model["counts"]["skipped"].as_u64().unwrap();
        status["models"].as_array().unwrap().iter().map(skipped).sum::<u64>()
    };
    wait_until("some dues were skipped", PATIENCE, || skipped() > 2);
    let before = skipped();
    warmd.signal("-INT");
    warmd.signal("-INT");
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(warmd.is_running(), "the echo of the first is no second one");
    let stopping = Stopwatch::start();
    warmd.signal("-INT");
    assert!(warmd.ended().success());
    assert!(stopping.elapsed() < Duration::from_secs(25), "{:?}", stopping.elapsed());
    warmd.tells(&["SIGINT again"]);
    let kept = home.start();
    assert!(skipped() >= before, "what was counted is kept");
    kept.signal("-TERM");
    kept.kill();
}

/// What a process takes: its memory in bytes, its file descriptors, and the processor's time.
pub(super) fn taken(warmd: &Warmd) -> (u64, usize, Duration) {
    let proc = format!("/proc/{}", warmd.id());
    let status = fs::read_to_string(format!("{proc}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.split_whitespace().next().unwrap().parse().unwrap();
    let stat = fs::read_to_string(format!("{proc}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    // utime and stime, the 14th and 15th field, in hundredths of a second.
    let times = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    (kilobytes * 1024, descriptors(warmd, &status), Duration::from_millis(times.sum::<u64>() * 10))
}

/// Of a process that nobody may trace, only root sees how many it has; others, how many there is room for.
fn descriptors(warmd: &Warmd, status: &str) -> usize {
    let room = || status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap().trim().parse();
    fs::read_dir(format!("/proc/{}/fd", warmd.id())).map_or_else(|_| room().unwrap(), Iterator::count)
}

fn hups() -> usize {
    std::env::var("WARMD_HUPS").map_or(50, |hups| hups.parse().unwrap())
}

/// `WARMD_HUPS` says how many; prints its figures.
#[test]
fn heartbeats_go_on_through_reloads_without_end() {
    const MODELS: usize = 10;
    let interval = Duration::from_secs(3);
    let replicate = Replicate::of_models(MODELS, &brisk());
    // A heartbeat each due, and none beside them.
    let config = replicate.config(MODELS, "3s").replace("interval", "calibrate = false\ninterval");
    let home = Home::at_trace(&config);
    let warmd = home.start();
    wait_until("every model is warm", PATIENCE, || {
        let status = home.status();
        status["models"].as_array().unwrap().iter().all(|model| model["state"] == "warm")
    });
    let reloads = || warmd.log().iter().filter(|line| line.contains("reloaded: 0 changes")).count();
    let hang_up = |times: usize| {
        for _ in 0..times {
            let before = reloads();
            warmd.signal("-HUP");
            wait_until("it has reloaded", PATIENCE, || reloads() > before);
        }
    };
    // What the first reloads take for good is not what each of them takes.
    hang_up(10);
    let begun = (warmd::clock::now(), taken(&warmd));
    let running = Stopwatch::start();
    hang_up(hups());
    // As many again as fast as they can be sent: they are answered together.
    for _ in 0..hups() {
        warmd.signal("-HUP");
    }
    while running.elapsed() < 4 * interval {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (ended, after) = (warmd::clock::now(), taken(&warmd));

    let mut slots: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut latest = 0.0_f64;
    for prediction in replicate.truth().predictions {
        if prediction.created_at < begun.0 || prediction.created_at > ended {
            continue;
        }
        let name = prediction.model.rsplit('/').next().unwrap();
        let due = grid::at_or_before(&name.parse().unwrap(), interval, prediction.created_at);
        latest = latest.max((prediction.created_at - due).as_seconds_f64());
        let slot = due.timestamp_millis().div_euclid(3_000);
        slots.entry(name.to_owned()).or_default().push(slot);
    }
    let sent: usize = slots.values().map(Vec::len).sum();
    println!(
        "measured: SIGHUP: {} reloads one by one and {} at once in {:.0} s: {sent} heartbeats of {MODELS} models, at most {latest:.3} s \
         behind their due; memory {:.1} → {:.1} MB, descriptors {} → {}",
        hups(),
        hups(),
        running.elapsed().as_secs_f64(),
        begun.1.0 as f64 / 1e6,
        after.0 as f64 / 1e6,
        begun.1.1,
        after.1,
    );
    assert_eq!(slots.len(), MODELS);
    for (name, slots) in &slots {
        // A heartbeat each due: none is missing, none is there twice, none off the grid.
        assert!(slots.windows(2).all(|pair| pair[1] == pair[0] + 1), "{name}: {slots:?}");
    }
    assert!(after.0 < begun.1.0 + 16_000_000, "memory: {} → {}", begun.1.0, after.0);
    assert!(after.1 <= begun.1.1 + 2 * MODELS, "descriptors: {} → {}", begun.1.1, after.1);
    assert!(warmd.stop().success());
}

/// Lowers or raises how many files a running process may open.
fn allow(warmd: &Warmd, descriptors: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", warmd.id())).arg(format!("--nofile={descriptors}:"));
    assert!(prlimit.status().unwrap().success());
}

/// How many files a process may open: now, and at most.
fn allowed(warmd: &Warmd) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", warmd.id())).unwrap();
    let mut limit =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap().split_whitespace();
    (limit.next().unwrap().to_owned(), limit.next().unwrap().to_owned())
}

#[test]
fn a_low_limit_of_descriptors_is_raised_as_far_as_may_be() {
    let home = Home::at_trace("[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n");
    let warmd = Warmd::spawn(home.warmd_by("prlimit", &["--nofile=64:2000"]));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    assert_eq!(allowed(&warmd), ("2000".to_owned(), "2000".to_owned()));
    assert!(warmd.stop().success());
}

#[test]
fn without_descriptors_it_says_so_and_all_goes_on_when_there_are_some_again() {
    let cogs = Cogs::start();
    let name = |number: usize| format!("model-{number:02}");
    let model = |number: usize| cogs.model(&name(number), "active = [\"always\"]\ninterval = \"5s\"");
    let models: String = (0..64).map(model).collect();
    let home = Home::at_trace(&models);
    let warmd = home.start();
    wait_until("every model is warm", PATIENCE, || {
        let status = home.status();
        status["models"].as_array().unwrap().iter().all(|model| model["state"] == "warm")
    });
    let spent = |seconds: u64| {
        let before = taken(&warmd).2;
        std::thread::sleep(Duration::from_secs(seconds));
        taken(&warmd).2.saturating_sub(before)
    };
    let control = spent(4);
    let (before, _) = allowed(&warmd);

    // Fewer than it has: not one more can be opened, and those at hand are not enough.
    cogs.take(Duration::from_secs(2));
    allow(&warmd, "5");
    // Somebody asks, and can't be let in; somebody edits the file, and it can't be read.
    let asking = UnixStream::connect(home.path("warmd.sock")).unwrap();
    home.write(&(models.clone() + &model(64)));
    let told = |line: &String| line.contains("unreachable") && line.contains("warmd may open no more files");
    wait_until("heartbeats are told to have found none", PATIENCE, || {
        warmd.log().iter().filter(|line| told(line)).count() > 30
    });
    let starved = spent(4);
    println!(
        "measured: no descriptors: processor time in 4 s: {control:?} before, {starved:?} without descriptors"
    );
    assert!(starved < 4 * control + Duration::from_secs(1), "it spins: {starved:?}, {control:?} before");

    cogs.take(Duration::ZERO);
    allow(&warmd, &before);
    let again = Stopwatch::start();
    drop(asking);
    wait_until("all of them are warm again, and the edit is taken up", 2 * PATIENCE, || {
        let status = home.status();
        let models = status["models"].as_array().unwrap();
        models.len() == 65 && models.iter().all(|model| model["state"] == "warm")
    });
    println!("measured: no descriptors: all were warm {:.1} s after", again.elapsed().as_secs_f64());
    assert!(home.ctl(&["pause", "--all"]).status.success());
    for number in 0..65 {
        home.model_when(&name(number), "as many counted as its server was asked", |model| {
            model["counts"]["warm"].as_u64() == Some(cogs.asked(&name(number)).len() as u64)
        });
    }
    assert!(!warmd.log().iter().any(|line| line.contains("the journal can't be written")));
    assert!(warmd.stop().success());
}

#[test]
fn signals_that_mean_nothing_change_nothing() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let warmd = home.start();
    for name in ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXFSZ"] {
        let asked = cogs.asked("llama").len();
        warmd.signal(&format!("-{}", &name["SIG".len()..]));
        warmd.tells(&[&format!("{name}: it means nothing to warmd")]);
        wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 1);
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_state_file_that_may_grow_no_further_is_as_a_full_disk() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let warmd = Warmd::spawn(home.warmd_by("prlimit", &["--fsize=40960:"]));
    let noted = || home.status()["daemon"]["notes"].to_string().contains("the state file can't be written");
    wait_until("it is told", 3 * PATIENCE, || home.ctl(&["status"]).status.success() && noted());
    let asked = cogs.asked("llama").len();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 2);
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", warmd.id())).arg("--fsize=unlimited:");
    assert!(prlimit.status().unwrap().success());
    wait_until("all is saved", 2 * PATIENCE, || !noted());
    assert!(home.ctl(&["pause", "llama"]).status.success());
    home.model_when("llama", "as many counted as its server was asked", |model| {
        counted(model) == cogs.asked("llama").len() as u64
    });
    assert!(warmd.stop().success());
}

/// The kernel bounds them for other users than root alone.
#[test]
fn too_few_threads_are_told_at_the_start() {
    let home = Home::at_trace("");
    let warmd = home.path("warmd");
    copy_program(env!("CARGO_BIN_EXE_warmd"), &warmd);
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.program("timeout");
    command.args(["--kill-after=5", "30"]);
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]);
    }
    command.args(["prlimit", "--nproc=4:4"]).arg(warmd).args(["--config", "/nowhere/warm.toml"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't start 6 threads: ") && said.contains("ulimit -u"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
