//! A disk that is full, read-only or slow, and a state file that is damaged.

mod counted;
mod first_start;
mod strace;

use crate::sandboxed::Replicate;
use crate::small_disk::SmallDisk;
use crate::support::{Home, PATIENCE, Warmd, text, told_in, wait_until};
use crate::wall::Wall;
use counted::{
    all_are_counted_once, and_all_are_saved, answered, answering, counts, each, longest_gap, noted, notes,
    quick, truly, wait_for_more, wait_for_note,
};
use rusqlite::Connection;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use strace::{LOG_AND_TAIL, let_go, syncs, tampered};
use warmd::clock::{self, Stopwatch};

/// A daemon whose models have all been counted once, on a disk of that size.
fn on_a_small_disk(home: &Home, size: &str) -> (SmallDisk, Warmd) {
    let disk = SmallDisk::of(home, size);
    let warmd = start_on(home, &disk);
    wait_for_more(home, 1);
    (disk, warmd)
}

fn start_on(home: &Home, disk: &SmallDisk) -> Warmd {
    answering(home, disk.sees(&home.warmd()))
}

/// Waits until what can't be saved is told: where the tail has room left in a block of its own, that is once
/// something has to be in the tables.
fn wait_until_it_waits(home: &Home) {
    for verb in ["pause", "resume"] {
        assert!(home.ctl(&[verb, "model-00"]).status.success());
    }
    wait_for_note(home, &WAITS);
}

const WAITS: [&str; 4] =
    ["entries wait in memory", "disk is full", "make room on the disk of", "disk/warmd.db"];

#[test]
fn what_a_full_disk_cant_take_waits_in_memory_and_is_saved_when_there_is_room() {
    let replicate = Replicate::of_models(3, &quick());
    let home = Home::at_trace(&replicate.config(3, "1s"));
    let (disk, warmd) = on_a_small_disk(&home, "2m");
    disk.fill();
    wait_until_it_waits(&home);
    wait_for_more(&home, 4);
    all_are_counted_once(&home, &replicate, 3);
    assert!(noted(&home, &WAITS), "{:?}", notes(&home));
    disk.make_room();
    wait_until("all is saved", PATIENCE, || notes(&home).is_empty());
    and_all_are_saved(&home, &replicate, warmd, || start_on(&home, &disk));
    assert!(told_in(&disk.path("")).is_empty(), "the token is on the disk");
}

#[test]
fn a_stop_on_a_full_disk_says_what_is_lost_and_fails() {
    let replicate = Replicate::of_models(2, &quick());
    let home = Home::at_trace(&replicate.config(2, "1s"));
    let (disk, warmd) = on_a_small_disk(&home, "2m");
    let before = counts(&home.status());
    disk.fill();
    wait_until_it_waits(&home);
    wait_for_more(&home, 2);
    warmd.signal("-TERM");
    let said =
        |line: &String| line.starts_with("warmd: stopped, but") && line.contains("are lost: can't write");
    wait_until("it says what is lost", PATIENCE, || warmd.log().iter().any(said));
    assert_eq!(warmd.wait().code(), Some(1));
    disk.make_room();
    let warmd = start_on(&home, &disk);
    let (kept, truth) = (counts(&home.status()), truly(&replicate, 2));
    assert!(kept.iter().zip(&before).all(|(kept, before)| kept >= before), "{kept:?} of {before:?}");
    assert!(kept.iter().zip(&truth).all(|(kept, truth)| kept <= truth), "{kept:?} of {truth:?}");
    assert!(warmd.stop().success());
}

#[test]
fn a_start_on_a_full_disk_keeps_models_warm_and_saves_later() {
    let replicate = Replicate::of_models(2, &quick());
    let home = Home::at_trace(&replicate.config(2, "1s"));
    let disk = SmallDisk::of(&home, "2m");
    disk.fill();
    let warmd = start_on(&home, &disk);
    wait_for_more(&home, 2);
    wait_for_note(&home, &WAITS);
    disk.make_room();
    wait_until("all is saved", PATIENCE, || notes(&home).is_empty());
    and_all_are_saved(&home, &replicate, warmd, || start_on(&home, &disk));
    assert!(told_in(&disk.path("")).is_empty(), "the token is on the disk");
}

/// Stops a daemon that has paused its two models, cleanly or not, spoils the disk, and starts one anew,
/// which has to know of it, and beats the one that is freed.
fn knows_the_state_although(stop: fn(Warmd), spoil: fn(&SmallDisk), words: &[&str], mend: fn(&SmallDisk)) {
    let replicate = Replicate::of_models(2, &quick());
    let home = Home::at_trace(&replicate.config(2, "1s"));
    let (disk, warmd) = on_a_small_disk(&home, "2m");
    all_are_counted_once(&home, &replicate, 2);
    stop(warmd);
    spoil(&disk);
    let before = truly(&replicate, 2);
    let warmd = start_on(&home, &disk);
    assert_eq!(counts(&home.status()), before);
    assert!(home.ctl(&["resume", "model-01"]).status.success());
    home.model_when("model-01", "is beaten and counted on", |model| answered(model) >= before[1] + 2);
    let paused = home.model("model-00");
    assert_eq!((&paused["state"], answered(&paused)), (&Value::from("paused"), before[0]));
    wait_for_note(&home, words);
    mend(&disk);
    wait_until("all is saved", PATIENCE, || notes(&home).is_empty());
    let paused = home.model("model-00");
    assert_eq!((&paused["state"], answered(&paused)), (&Value::from("paused"), before[0]));
    and_all_are_saved(&home, &replicate, warmd, || start_on(&home, &disk));
    assert!(told_in(&disk.path("")).is_empty(), "the token is on the disk");
}

#[test]
fn a_start_on_a_full_disk_goes_on_from_the_state_before() {
    let stop = |warmd: Warmd| assert!(warmd.stop().success());
    knows_the_state_although(stop, SmallDisk::fill, &WAITS, SmallDisk::make_room);
}

#[test]
fn a_start_on_a_read_only_disk_goes_on_from_the_state_before() {
    let words = ["entries wait in memory", "Read-only file system", "disk/warmd.db.lock"];
    let (spoil, mend) = (|disk: &SmallDisk| disk.remount("ro"), |disk: &SmallDisk| disk.remount("rw"));
    // With the log left behind that a kill leaves, and without.
    let stop = |warmd: Warmd| assert!(warmd.stop().success());
    each(&[Warmd::kill as fn(Warmd), stop], |stop| knows_the_state_although(stop, spoil, &words, mend));
}

#[test]
fn a_disk_that_turns_read_only_or_breaks_under_the_daemon_loses_nothing() {
    each(&["EROFS", "EIO"], |error| {
        let replicate = Replicate::of_models(2, &quick());
        let home = Home::at_trace(&replicate.config(2, "1s"));
        // From some writes after the start on, for some tries.
        let what = format!("pwrite64:error={error}:when=30..40");
        let warmd = tampered(&home, &what, &LOG_AND_TAIL);
        wait_for_note(
            &home,
            &["entries wait in memory", "disk I/O error", "look after the disk of", "warmd.db"],
        );
        wait_for_more(&home, 2);
        wait_until("all is saved", PATIENCE, || notes(&home).is_empty());
        and_all_are_saved(&home, &replicate, warmd, || home.start());
    });
}

#[test]
fn a_slow_disk_delays_no_heartbeat() {
    let replicate = Replicate::of_models(3, &quick());
    let home = Home::at_trace(&replicate.config(3, "1s"));
    let control = home.start();
    wait_for_more(&home, 1);
    let began = clock::now();
    thread::sleep(Duration::from_secs(4));
    let usual = longest_gap(&replicate, 3, began);
    assert!(control.stop().success());
    let slow = "pwrite64,fdatasync,fsync:delay_enter=1000000";
    // The first status waits for the first write, as it counts what that saves.
    let warmd = tampered(&home, slow, &LOG_AND_TAIL);
    let began = clock::now();
    // So does a person's decision, for the disk to keep it.
    let watch = Stopwatch::start();
    assert!(home.ctl(&["pause", "model-02", "--for", "1s"]).status.success());
    let (stall, gap) = (watch.elapsed().as_secs_f64(), longest_gap(&replicate, 2, began));
    println!(
        "measured: a slow disk: a write took {stall:.1} s, the longest gap was {gap:.2} s; with a quick disk {usual:.2} s"
    );
    assert!(stall > 3.0 && syncs(&home) > 0, "the disk was not slow");
    // The shortest write makes four calls, of a second each.
    assert!(gap < usual + 2.5, "{gap} s, with a quick disk {usual} s");
    warmd.tells(&["its disk is slow; heartbeats don't wait for it"]);
    warmd.kill();
}

#[test]
fn a_disk_that_hangs_holds_up_no_heartbeat_and_is_told() {
    let replicate = Replicate::of_models(2, &quick());
    let home = Home::at_trace(&replicate.config(2, "1s"));
    // From some writes after the start on.
    let warmd = tampered(&home, "pwrite64:delay_enter=600000000:when=30+", &LOG_AND_TAIL);
    let began = clock::now();
    let told = "the disk of the state file gives no answer: look after it; heartbeats go on meanwhile";
    wait_until("it is told", PATIENCE * 2, || text(&home.ctl(&["status"]).stderr).contains(told));
    let before = truly(&replicate, 2);
    assert!(home.ctl(&["pause", "model-01"]).status.success());
    wait_until("heartbeats go on", PATIENCE, || truly(&replicate, 2)[0] > before[0] + 2);
    assert!(longest_gap(&replicate, 1, began) < 3.5);
    warmd.tells(&["it holds, but only until warmd ends"]);
    let_go(&warmd);
    warmd.kill();
}

#[test]
fn what_a_person_decides_is_on_the_disk_before_it_is_answered() {
    let replicate = Replicate::of_models(1, &quick());
    let home = Home::at_trace(&replicate.config(1, "1s"));
    let warmd = tampered(&home, "fsync:delay_enter=1", &["warmd.db-wal"]);
    wait_for_more(&home, 1);
    for verb in ["pause", "resume", "pause"] {
        let before = syncs(&home);
        assert!(home.ctl(&[verb, "model-00"]).status.success());
        assert!(syncs(&home) > before, "{verb}");
    }
    warmd.kill();
}

#[test]
fn all_else_is_on_the_disk_within_seconds() {
    let replicate = Replicate::of_models(1, &quick());
    let home = Home::at_trace(&replicate.config(1, "1s"));
    let warmd = tampered(&home, "fsync:delay_enter=1", &["warmd.db-tail"]);
    wait_for_more(&home, 2);
    for _ in 0..2 {
        let before = syncs(&home);
        wait_until("it is synced by itself", PATIENCE, || syncs(&home) > before);
    }
    warmd.kill();
}

/// The damaged file that was set aside.
fn set_aside(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().path());
    let mut aside = files.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("warmd.db.damaged-20") && name.ends_with('Z')
    });
    let one = aside.next().expect("one was set aside");
    assert_eq!(aside.next(), None);
    one
}

#[test]
fn a_damaged_file_is_set_aside_at_the_start() {
    let spoils: [fn(&mut Vec<u8>); 2] = [|bytes| bytes[..8192].fill(0xa5), |bytes| bytes.truncate(9000)];
    each(&spoils, |spoil| {
        let replicate = Replicate::of_models(2, &quick());
        let home = Home::at_trace(&replicate.config(2, "1s"));
        let warmd = home.start();
        wait_for_more(&home, 1);
        assert!(warmd.stop().success());
        let before = truly(&replicate, 2);
        let mut bytes = fs::read(home.path("warmd.db")).unwrap();
        spoil(&mut bytes);
        fs::write(home.path("warmd.db"), &bytes).unwrap();
        let warmd = home.start();
        let aside = set_aside(&home);
        let words = ["warmd.db was damaged", "a new one begun", aside.to_str().unwrap()];
        assert!(noted(&home, &words), "{:?}", notes(&home));
        warmd.tells(&["ERROR", words[0]]);
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        wait_for_more(&home, 2);
        assert!(home.ctl(&["pause", "--all"]).status.success());
        let since =
            |now: Vec<u64>| now.iter().zip(&before).map(|(now, before)| now - before).collect::<Vec<_>>();
        wait_until("each heartbeat since is counted once", PATIENCE, || {
            counts(&home.status()) == since(truly(&replicate, 2))
        });
        assert!(noted(&home, &words), "it stays as long as the process");
        warmd.kill();
        let warmd = home.start();
        assert_eq!((notes(&home).len(), counts(&home.status())), (0, since(truly(&replicate, 2))));
        assert!(warmd.stop().success());
    });
}

/// Fills a table's first page with what is no page.
fn spoil_table(file: &Path, table: &str) {
    let (page, size): (u32, u32) = {
        let file = Connection::open(file).unwrap();
        let size = file.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        let page = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        (file.query_row(page, [table], |row| row.get(0)).unwrap(), size)
    };
    let open = OpenOptions::new().write(true).open(file).unwrap();
    open.write_all_at(&vec![0xa5; size as usize], u64::from(page - 1) * u64::from(size)).unwrap();
}

#[test]
fn a_page_that_turns_out_damaged_while_it_runs_costs_neither_pauses_nor_heartbeats() {
    // A table that a write comes upon, one that only a report reads, and a file cut off at once.
    each(&["event", "interval", "all"], |table| {
        let replicate = Replicate::of_models(2, &quick());
        let home = Home::at_trace(&replicate.config(2, "1s"));
        let warmd = home.start();
        wait_for_more(&home, 1);
        assert!(home.ctl(&["pause", "model-01"]).status.success());
        assert!(warmd.stop().success());
        if table != "all" {
            spoil_table(&home.path("warmd.db"), table);
        }
        let warmd = home.start();
        if table == "all" {
            OpenOptions::new().write(true).truncate(true).open(home.path("warmd.db")).unwrap();
        }
        // An event, where one is needed to come upon it.
        assert!(home.ctl(&["pause", "model-00"]).status.success());
        assert!(home.ctl(&["resume", "model-00"]).status.success());
        wait_for_note(&home, &["warmd.db was damaged", "a new one begun"]);
        assert!(noted(&home, &[set_aside(&home).to_str().unwrap()]));
        let before = answered(&home.model("model-00"));
        home.model_when("model-00", "is counted on", |model| answered(model) >= before + 2);
        let saved = Connection::open(home.path("warmd.db")).unwrap();
        wait_until("what is known is in the new file", PATIENCE, || {
            saved.query_row("SELECT count(*) FROM checkpoint", [], |row| row.get::<_, u32>(0)).unwrap() == 2
        });
        drop(saved);
        warmd.kill();
        let warmd = home.start();
        assert_eq!(home.model("model-01")["state"], "paused", "{table}");
        assert!(answered(&home.model("model-00")) >= 2 && notes(&home).is_empty());
        assert!(warmd.stop().success());
    });
}

/// Its daemon's state in a folder of its own.
fn with_a_state_folder(replicate: &Replicate, models: usize) -> Home {
    let home = Home::at_trace(&replicate.config(models, "1s"));
    let text = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text.replace("warmd.db", "state/warmd.db"));
    home
}

#[test]
fn a_state_file_or_its_folder_deleted_under_the_daemon_is_made_again_with_all_that_it_held() {
    each(&["state", "state/warmd.db"], |deleted| {
        let replicate = Replicate::of_models(2, &quick());
        let home = with_a_state_folder(&replicate, 2);
        let warmd = home.start();
        wait_for_more(&home, 2);
        if deleted == "state" {
            fs::remove_dir_all(home.path(deleted)).unwrap();
        } else {
            fs::remove_file(home.path(deleted)).unwrap();
        }
        wait_for_note(&home, &["state/warmd.db was deleted while warmd runs", "made again"]);
        wait_for_more(&home, 1);
        all_are_counted_once(&home, &replicate, 2);
        let second = home.warmd().output().unwrap();
        assert!(text(&second.stderr).contains("another warmd runs on this state file"), "the lock holds");
        and_all_are_saved(&home, &replicate, warmd, || home.start());
    });
}

#[test]
fn one_deleted_under_a_daemon_that_has_nothing_to_write_is_missed_by_a_look_and_at_the_end() {
    let model = "\n[models.a]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1h\"\n";
    each(&[true, false], |waits| {
        let home = Home::at_trace("");
        let text = fs::read_to_string(home.config()).unwrap();
        let moved = text.replace("warmd.db", "state/warmd.db");
        assert_ne!(moved, text);
        home.write_whole(&(moved + model));
        let warmd = home.start();
        assert!(home.ctl(&["pause", "a"]).status.success());
        // What there was to write is written by then.
        std::thread::sleep(Duration::from_secs(3));
        fs::remove_dir_all(home.path("state")).unwrap();
        if waits {
            wait_for_note(&home, &["state/warmd.db was deleted while warmd runs", "made again"]);
        }
        assert!(warmd.stop().success());
        let warmd = home.start();
        assert_eq!(home.model("a")["state"], "paused");
        assert!(warmd.stop().success());
    });
}

#[test]
fn a_state_file_that_is_deleted_for_good_or_replaced_is_told_and_a_stop_fails() {
    each(&[false, true], |replaced| {
        let replicate = Replicate::of_models(1, &quick());
        let home = with_a_state_folder(&replicate, 1);
        let warmd = home.start();
        wait_for_more(&home, 1);
        warmd.signal("-STOP");
        let (folder, words) =
            (home.path("state"), if replaced { "another file was put" } else { "was deleted" });
        if replaced {
            fs::write(folder.join("new"), "of somebody else").unwrap();
            fs::rename(folder.join("new"), folder.join("warmd.db")).unwrap();
        } else {
            fs::remove_dir_all(&folder).unwrap();
            fs::write(&folder, "in its way").unwrap();
        }
        warmd.signal("-CONT");
        wait_for_note(&home, &[words, "state/warmd.db", "lost when it stops"]);
        wait_for_more(&home, 2);
        assert_eq!(warmd.stop().code(), Some(1));
        if replaced {
            assert_eq!(fs::read_to_string(folder.join("warmd.db")).unwrap(), "of somebody else");
        }
    });
}

#[test]
fn a_full_disk_puts_folding_off_to_the_next_hour() {
    let replicate = Replicate::of_models(2, &quick());
    let home = Home::at_trace(&replicate.config(2, "1s"));
    let disk = SmallDisk::of(&home, "2m");
    let wall = Wall::at(&home, "2026-11-21T10:10:00Z");
    let start = || answering(&home, disk.sees(wall.warmd(&home).env("WARMD_BELIEVE_CLOCK", "yes")));
    let warmd = start();
    wait_for_more(&home, 3);
    disk.fill();
    wait_until_it_waits(&home);
    let told = |words: &[&str]| {
        warmd.log().iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    };
    let (put_off, folded) = (["the journal can't be folded now"], ["journal folded", "Folded { folded: "]);
    wall.set("2026-11-21T14:01:58Z");
    wait_until("it can't be folded", PATIENCE, || told(&put_off) > 0);
    wait_for_more(&home, 4);
    // By the jump, and at its minute: not again and again.
    assert!(told(&put_off) <= 2 && told(&folded) == 0);
    disk.make_room();
    wait_until("all is saved", PATIENCE, || notes(&home).is_empty());
    wall.set("2026-11-21T18:01:58Z");
    wait_until("it is folded", PATIENCE, || told(&folded) > told(&["Folded { folded: 0,"]));
    and_all_are_saved(&home, &replicate, warmd, start);
}
