//! The very first start, ended at any moment, and on a disk with hardly any room: it always starts again.

use super::counted::{all_are_counted_once, counts, each, notes, quick, truly, wait_for_more, wait_for_note};
use super::strace::killed_at;
use super::{WAITS, start_on};
use crate::sandboxed::Replicate;
use crate::small_disk::SmallDisk;
use crate::support::{Home, PATIENCE, Warmd};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use warmd::clock::Stopwatch;

/// How many kills, unless `$WARMD_FIRST_KILLS` says otherwise, and how many daemons run at a time.
const KILLS: usize = 1000;
const AT_ONCE: usize = 4;

/// One whose server is not there: the heartbeats do not matter here.
const GONE: &str = "[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n";

/// A daemon that has never run, with its state in a folder that is not there yet.
fn new_home() -> Home {
    let home = Home::new(GONE);
    let text = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text.replace("warmd.db", "state/warmd.db"));
    home
}

/// `warmd`, without the hundreds of certificates that take most of a start.
fn warmd(home: &Home) -> Command {
    let mut warmd = home.warmd();
    warmd.env("SSL_CERT_FILE", "/dev/null");
    warmd
}

fn answers(home: &Home) -> bool {
    let Ok(mut socket) = UnixStream::connect(home.path("warmd.sock")) else { return false };
    let mut answer = String::new();
    let asked = socket.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: warmd\r\nconnection: close\r\n\r\n");
    asked.is_ok() && socket.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// Waits until the daemon answers or ends; returns how long it took to answer.
fn until_it_answers(home: &Home, warmd: &mut Warmd) -> Option<Duration> {
    let watch = Stopwatch::start();
    while warmd.is_running() {
        if answers(home) {
            return Some(watch.elapsed());
        }
        assert!(watch.elapsed() < PATIENCE, "it neither answers nor ends");
        thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Starts it again after a kill: it must answer. Returns how long that took.
fn starts_again(home: &Home, after: &str, then: fn(Warmd)) -> Duration {
    let left = left(home);
    let mut warmd = Warmd::spawn(warmd(home));
    let Some(took) = until_it_answers(home, &mut warmd) else {
        panic!("killed {after}, with {left:?} left, it does not start again: {}", warmd.ended());
    };
    then(warmd);
    took
}

fn stop(warmd: Warmd) {
    assert!(warmd.stop().success(), "it does not stop well");
}

/// What is in the folder of the state.
fn left(home: &Home) -> Vec<String> {
    let files = fs::read_dir(home.path("state")).into_iter().flatten().map_while(Result::ok);
    let size = |file: &fs::DirEntry| file.metadata().map_or(0, |file| file.len());
    let mut left: Vec<String> =
        files.map(|file| format!("{}: {}", file.file_name().display(), size(&file))).collect();
    left.sort();
    left
}

#[test]
fn a_thousand_kills_at_the_first_start() {
    let kills = std::env::var("WARMD_FIRST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<Vec<String>, usize>::new()));
    let some = || {
        let mut usual = starts_again(&new_home(), "never", stop);
        loop {
            let kill = next.fetch_add(1, Ordering::Relaxed);
            if kill >= kills {
                return;
            }
            // From before the first step to after the last, however long those take just now; most of them early.
            let moment = usual.mul_f64(1.2 * (kill as f64 / kills as f64).powi(2));
            let (home, watch) = (new_home(), Stopwatch::start());
            let first = Warmd::spawn(warmd(&home));
            thread::sleep(moment.saturating_sub(watch.elapsed()));
            drop(first);
            *seen.lock().unwrap().entry(left(&home)).or_default() += 1;
            let then = if kill.is_multiple_of(10) { stop } else { drop };
            let took = starts_again(&home, &format!("after {moment:?}"), then);
            usual = (usual * 7 + took) / 8;
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(some))));
    let seen = seen.into_inner().unwrap();
    for (left, times) in &seen {
        println!("measured: {times} kills at the first start left {left:?}");
    }
    let met = |of: &str| seen.keys().any(|left| left.iter().any(|file| file.starts_with(of)));
    assert!(seen.contains_key(&Vec::new()) && met("warmd.db-wal"), "not from the first step to the last");
}

/// The calls that change a file or a folder, or have the disk keep that.
const CALLS: [&str; 10] = [
    "mkdir",
    "openat",
    "pwrite64",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "unlink",
    "rename",
    "fchmod",
];

/// What they change, of the state.
const FILES: [&str; 7] = [
    "state",
    "state/warmd.db",
    "state/warmd.db-journal",
    "state/warmd.db-wal",
    "state/warmd.db-shm",
    "state/warmd.db-tail",
    "state/warmd.db.lock",
];

/// Kills a daemon at the first of these calls, at the second, and so on, each in a home of its own, until it
/// answers before it comes so far. After each, looks at what is left, and starts it again.
fn kill_at_each_call(prepare: fn(&Home), look: fn(&Home)) -> BTreeMap<&'static str, usize> {
    let met = Mutex::new(BTreeMap::new());
    each(&CALLS, |call| {
        for number in 1.. {
            let home = new_home();
            prepare(&home);
            let mut warmd = Warmd::spawn(killed_at(&home, &warmd(&home), call, number, &FILES));
            if until_it_answers(&home, &mut warmd).is_some() {
                break;
            }
            drop(warmd);
            look(&home);
            starts_again(&home, &format!("at {call} {number}"), drop);
            met.lock().unwrap().insert(call, number);
        }
    });
    met.into_inner().unwrap()
}

#[test]
fn a_kill_at_each_call_of_the_first_start_that_changes_a_file() {
    let met = kill_at_each_call(|_| {}, |_| {});
    println!("measured: kills at the first start, by the call: {met:?}");
    let least = [("mkdir", 1), ("openat", 5), ("pwrite64", 12), ("fsync", 4), ("unlink", 1)];
    assert!(least.iter().all(|(call, least)| met.get(call).is_some_and(|met| met >= least)), "{met:?}");
}

#[test]
fn a_kill_at_each_call_of_an_upgrade_that_changes_a_file() {
    let earlier = |home: &Home| {
        fs::create_dir(home.path("state")).unwrap();
        fs::write(home.path("state/warmd.db"), include_bytes!("../../../store/schema-1.db")).unwrap();
    };
    // In a copy: to open it changes it.
    let all_is_there = |home: &Home| {
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(home.path("state")).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let file = Connection::open(copy.path().join("warmd.db")).unwrap();
        let one = |sql| file.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert!((1..=4).contains(&one("PRAGMA user_version")));
        assert_eq!(one("SELECT count(*) FROM checkpoint WHERE model = 1"), 1);
        assert_eq!(one("SELECT count(*) FROM journal WHERE id <= 5"), 5);
    };
    let met = kill_at_each_call(earlier, all_is_there);
    println!("measured: kills at an upgrade, by the call: {met:?}");
    assert!(met["pwrite64"] > 5, "{met:?}");
}

/// How much room there is, in KiB.
const ROOMS: [u64; 7] = [4, 8, 16, 24, 32, 48, 64];

#[test]
fn what_a_first_start_with_hardly_any_room_keeps_in_memory_is_saved_once_there_is_some() {
    each(&ROOMS, |room| {
        let replicate = Replicate::of_models(2, &quick());
        let home = Home::at_trace(&replicate.config(2, "1s"));
        let disk = SmallDisk::of(&home, "2m");
        disk.fill_but(room);
        let warmd = start_on(&home, &disk);
        wait_for_more(&home, 2);
        all_are_counted_once(&home, &replicate, 2);
        if room < 40 {
            wait_for_note(&home, &WAITS);
        }
        disk.make_room();
        assert!(warmd.stop().success(), "with {room} KiB");
        let warmd = start_on(&home, &disk);
        assert_eq!(
            (notes(&home).len(), counts(&home.status())),
            (0, truly(&replicate, 2)),
            "with {room} KiB"
        );
        assert_eq!(home.model("model-00")["state"], "paused");
        assert!(warmd.stop().success());
    });
}

#[test]
fn a_first_start_with_hardly_any_room_that_is_killed_or_stopped_leaves_nothing_in_the_way_of_the_next() {
    each(&ROOMS, |room| {
        let replicate = Replicate::of_models(2, &quick());
        let home = Home::at_trace(&replicate.config(2, "1s"));
        let disk = SmallDisk::of(&home, "2m");
        disk.fill_but(room);
        let warmd = start_on(&home, &disk);
        wait_for_more(&home, 1);
        warmd.kill();
        let mut warmd = start_on(&home, &disk);
        wait_for_more(&home, 1);
        warmd.signal("-TERM");
        let code = warmd.ended().code();
        let lost =
            |line: &String| line.starts_with("warmd: stopped, but") && line.contains("are lost: can't");
        assert_eq!(code, Some(i32::from(warmd.log().iter().any(lost))), "with {room} KiB");
        assert!(room >= 40 || code == Some(1), "with {room} KiB");
        disk.make_room();
        let warmd = start_on(&home, &disk);
        wait_for_more(&home, 1);
        assert_eq!(notes(&home), Vec::<String>::new(), "with {room} KiB");
        assert!(warmd.stop().success());
    });
}
