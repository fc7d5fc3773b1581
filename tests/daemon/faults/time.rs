//! Clocks that jump, machines that sleep, zones that change.

use crate::cogs::Cogs;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use crate::wall::Wall;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use warmd::clock::Stopwatch;
use warmd::schedule::grid;

/// Starts it by that clock, and waits until it answers.
fn start(home: &Home, wall: &Wall) -> Warmd {
    let warmd = Warmd::spawn(wall.warmd(home));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    warmd
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// How many heartbeats a model has answered; a busy machine may make it skip some besides.
fn counted(model: &Value) -> u64 {
    model["counts"]["warm"].as_u64().unwrap()
}

/// Each model's counts are what its server was asked, once nothing is in flight any more.
fn all_is_counted(home: &Home, cogs: &Cogs, names: &[&str]) {
    assert!(home.ctl(&["pause", "--all"]).status.success());
    for name in names {
        home.model_when(name, "as many counted as its server was asked", |model| {
            model["counts"]["warm"].as_u64() == Some(cogs.asked(name).len() as u64)
        });
    }
}

#[test]
fn a_clock_that_is_set_moves_the_windows_within_two_seconds() {
    let cogs = Cogs::start();
    let window = |open: &str| format!("active = [\"{open}\"]\nlead = \"1s\"\ninterval = \"1s\"");
    let home = Home::at_trace(
        &(cogs.model("steady", "active = [\"always\"]\ninterval = \"2s\"")
            + &cogs.model("early", &window("07:00-08:00"))
            + &cogs.model("late", &window("08:00-09:00"))),
    );
    let wall = Wall::at(&home, "2026-11-23T07:30:00Z");
    let begun = wall.now();
    let warmd = start(&home, &wall);
    home.model_when("early", "warm", |model| model["state"] == "warm");
    assert_eq!(home.model("late")["state"], "idle");
    let running = Stopwatch::start();
    let mut took = Vec::new();
    for (turn, opens, closes) in [(3600, "late", "early"), (-3600, "early", "late")].repeat(2) {
        let before = cogs.asked(opens).len();
        let turned = Stopwatch::start();
        wall.turn(turn);
        wait_until("its window has opened", PATIENCE, || cogs.asked(opens).len() > before);
        took.push(turned.elapsed());
        home.model_when(closes, "idle", |model| model["state"] == "idle");
        home.model_when(opens, "warm", |model| model["state"] == "warm");
    }
    println!("measured: from the clock being set to a heartbeat in the window that it opened: {took:?}");
    // A busy machine may take its time, but not each time.
    let in_time = took.iter().filter(|took| **took < Duration::from_secs(2)).count();
    assert!(in_time > took.len() / 2, "{took:?}");
    let (asked, due) = (cogs.asked("steady").len() as f64, running.elapsed().as_secs_f64() / 2.0);
    assert!(asked < due + 4.0 + 3.0, "one more for each turn, and no burst: {asked} where {due} were due");
    assert!(asked > due / 2.0 - 1.0, "they went on: {asked} where {due} were due");
    // Once more, with one in flight: by the clock that it was sent by, it would end far ahead.
    wall.turn(3600);
    home.model_when("early", "idle", |model| model["state"] == "idle");
    cogs.take(Duration::from_secs(1));
    let asked = cogs.asked("steady").len();
    wait_until("one is in flight", PATIENCE, || cogs.asked("steady").len() > asked);
    wall.turn(-3600);
    cogs.take(Duration::ZERO);
    // The hours of a time that has not come yet are taken back, and go on from now.
    let before = seconds(&home.model("steady")["hours"]["warm"]);
    home.model_when("steady", "its hours go on", |model| seconds(&model["hours"]["warm"]) > before + 2.0);
    let all = ["steady", "early", "late"];
    all_is_counted(&home, &cogs, &all);
    let counts = all.map(|name| home.model(name)["counts"].clone());
    let in_time = |model: &Value| {
        let open = seconds(&model["hours"]["open"]);
        let passed = (wall.now() - begun).as_seconds_f64();
        assert!(open < passed + 1.0, "{open} s open, of {passed} s that have passed");
    };
    in_time(&home.model("steady"));
    assert!(warmd.stop().success());
    let warmd = start(&home, &wall);
    in_time(&home.model("steady"));
    assert_eq!(all.map(|name| home.model(name)["counts"].clone()), counts, "and a restart changes nothing");
    assert!(warmd.stop().success());
}

#[test]
fn a_clock_that_was_days_ahead_at_the_start_costs_neither_hours_nor_counts() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", "active = [\"always\"]\ninterval = \"1s\""));
    let wall = Wall::at(&home, "2026-11-23T10:00:00Z");
    let begun = wall.now();
    let warmd = start(&home, &wall);
    home.model_when("llama", "counted", |model| counted(model) >= 2);
    assert!(warmd.stop().success());
    wall.turn(3 * 86_400);
    let warmd = start(&home, &wall);
    home.model_when("llama", "warm by the wrong clock", |model| {
        model["state"] == "warm" && seconds(&model["hours"]["unknown"]) > 80_000.0
    });
    // Killed: the clock is set right while it is down.
    wait_until("all is saved", PATIENCE, || home.ctl(&["pause", "llama"]).status.success());
    warmd.kill();
    wall.turn(-3 * 86_400);
    let warmd = start(&home, &wall);
    let asked = cogs.asked("llama").len() as u64;
    let model = home.model_when("llama", "the days ahead are taken back", |model| {
        seconds(&model["hours"]["open"]) < (wall.now() - begun).as_seconds_f64() + 1.0
    });
    assert_eq!(counted(&model), asked, "no heartbeat is lost");
    assert!(home.ctl(&["resume", "llama"]).status.success());
    let before = seconds(&model["hours"]["warm"]);
    home.model_when("llama", "its hours go on", |model| seconds(&model["hours"]["warm"]) > before + 1.0);
    all_is_counted(&home, &cogs, &["llama"]);
    assert!(warmd.stop().success());
}

/// A suspend: the wall clock jumps while the process stands still, and the monotonic clock with it but
/// for the seconds that a test has.
#[test]
fn a_suspend_of_an_hour_is_followed_by_one_heartbeat_each() {
    let cogs = Cogs::start();
    let names: Vec<String> = (0..12).map(|number| format!("model-{number:02}")).collect();
    let mut models = cogs.model("held", "active = [\"always\"]\ninterval = \"10s\"");
    for name in &names {
        models += &cogs.model(name, "active = [\"always\"]\ninterval = \"1h\"");
    }
    let home = Home::at_trace(&models);
    let wall = Wall::at(&home, &quiet_start(&names));
    let warmd = start(&home, &wall);
    wait_until("one at the start each", PATIENCE, || names.iter().all(|name| cogs.asked(name).len() == 1));
    home.model_when("held", "warm", |model| model["state"] == "warm");
    // One is in flight when the machine falls asleep.
    cogs.take(Duration::from_secs(3));
    let asked = cogs.asked("held").len();
    std::thread::scope(|scope| {
        let beat = scope.spawn(|| home.ctl(&["beat", "held"]));
        wait_until("it is in flight", PATIENCE, || cogs.asked("held").len() > asked);
        warmd.signal("-STOP");
        std::thread::sleep(Duration::from_secs(2));
        wall.turn(3600);
        cogs.take(Duration::ZERO);
        warmd.signal("-CONT");
        assert!(beat.join().unwrap().status.success());
    });
    wait_until("one each", PATIENCE, || names.iter().all(|name| cogs.asked(name).len() >= 2));
    // Whatever else would come in a burst has come by then.
    let held =
        home.model_when("held", "its hours go on", |model| seconds(&model["hours"]["unknown"]) > 3400.0);
    assert!(names.iter().all(|name| cogs.asked(name).len() == 2), "no burst");
    assert!(seconds(&held["hours"]["warm"]) < 120.0, "nobody vouches for the sleep: {}", held["hours"]);
    for name in &names {
        let model = home.model_when(name, "counted", |model| counted(model) == 2);
        assert_eq!(model["counts"]["warm"], 2, "{model}");
    }
    assert!(warmd.stop().success());
}

/// A time at which no model with an interval of an hour is due for a minute, nor an hour later.
fn quiet_start(names: &[String]) -> String {
    let hour = Duration::from_hours(1);
    let mut start: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let due_soon = |name: &String, start| {
        grid::after(&name.parse().unwrap(), hour, start) - start < TimeDelta::seconds(60)
    };
    while names.iter().any(|name| due_soon(name, start)) {
        start += TimeDelta::seconds(1);
    }
    start.to_rfc3339()
}

/// Stands before each edge in turn, and sees the window turn there by the daemon's own clock.
#[test]
fn windows_turn_where_civil_time_does_at_summer_time_and_at_the_years_end() {
    let cogs = Cogs::start();
    let model = |name: &str, hours: &str| {
        cogs.model(name, &format!("{hours}\ntimezone = \"Europe/Berlin\"\ninterval = \"1s\"\nlead = \"1s\""))
    };
    let home = Home::at_trace(
        &(model("night", "active = [\"02:30-03:30\"]")
            + &model("gap", "active = [\"02:10-02:50\"]")
            + &model("year", "active = [\"always\"]\nclosed = [\"2027-01-01\"]")),
    );
    let edges = [
        // There is no 02:30 on that day: it opens where the gap ends, at 03:00.
        ("night", "2026-03-29T01:00:00Z", true),
        ("night", "2026-03-29T01:30:00Z", false),
        // There are two on that one: it opens with the first, and closes once, at 03:30.
        ("night", "2026-10-25T00:30:00Z", true),
        ("night", "2026-10-25T02:30:00Z", false),
        // From the first 02:10 to the second 02:50; in spring it lies wholly in the gap.
        ("gap", "2026-10-25T00:10:00Z", true),
        ("gap", "2026-10-25T01:50:00Z", false),
        ("year", "2026-12-31T23:00:00Z", false),
        ("year", "2027-01-01T23:00:00Z", true),
    ];
    let wall = Wall::at(&home, "2026-03-29T00:30:00Z");
    let warmd = start(&home, &wall);
    for (name, edge, opens) in edges {
        let edge: DateTime<Utc> = edge.parse().unwrap();
        let before_it = || wall.set(&(edge - TimeDelta::milliseconds(1500)).to_rfc3339());
        before_it();
        let mut seen = (false, false);
        wait_until("it was seen on both sides of the edge", PATIENCE, || {
            let status = home.json(&["status", name]);
            let (at, open) = (time(&status["at"]), status["models"][0]["window"]["open"].as_bool().unwrap());
            // Of two clocks within one answer, the edge may lie between.
            if (at - edge).abs() > TimeDelta::milliseconds(20) && at > edge - TimeDelta::seconds(2) {
                assert_eq!(open, (at >= edge) == opens, "{name} at {at}");
                seen = (seen.0 || at < edge, seen.1 || at >= edge);
            }
            if seen == (false, true) {
                // The machine was too busy to look in time.
                seen.1 = false;
                before_it();
            }
            seen == (true, true)
        });
        let (asked, state) = (cogs.asked(name).len(), if opens { "warm" } else { "idle" });
        home.model_when(name, state, |model| model["state"] == state);
        if opens {
            wait_until("heartbeats come", PATIENCE, || cogs.asked(name).len() > asked);
        }
    }
    wall.set("2026-03-29T00:59:58Z");
    home.model_when("night", "open", |model| model["window"]["open"] == true);
    assert_eq!(home.model("gap")["state"], "idle", "a window in the gap does not happen that day");
    assert!(warmd.stop().success());
}

/// Puts a zone's file in its place, as a package's update does: beside it, then over it.
fn install(zoneinfo: &Path, zone: &str, contents: &[u8]) {
    let path = zoneinfo.join(zone);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.with_extension("dpkg-new"), contents).unwrap();
    fs::rename(path.with_extension("dpkg-new"), path).unwrap();
}

fn release(zoneinfo: &Path, version: &str) {
    install(zoneinfo, "tzdata.zi", format!("# version {version}\n").as_bytes());
}

#[test]
fn a_tzdata_update_under_the_daemon_moves_the_windows() {
    let system = |zone: &str| fs::read(Path::new("/usr/share/zoneinfo").join(zone)).unwrap();
    let cogs = Cogs::start();
    let model = |name: &str, zone: &str| {
        let hours = format!("active = [\"09:00-10:00\"]\ntimezone = \"{zone}\"\ninterval = \"1s\"");
        cogs.model(name, &hours)
    };
    let home = Home::at_trace(&model("first", "Europe/Berlin"));
    let zoneinfo = home.path("zoneinfo");
    for zone in ["UTC", "Europe/Berlin", "Europe/Vienna"] {
        install(&zoneinfo, zone, &system(zone));
    }
    release(&zoneinfo, "2026x");
    // 09:30 in Berlin; the zones are looked at half past each minute.
    let wall = Wall::at(&home, "2026-11-23T08:30:27Z");
    let mut command = wall.warmd(&home);
    command.env("TZDIR", &zoneinfo);
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let tzdata = |version: &str| home.status()["daemon"]["tzdata"] == version;
    assert!(tzdata("system 2026x"));
    home.model_when("first", "open", |model| model["window"]["open"] == true);

    install(&zoneinfo, "Europe/Berlin", &system("Asia/Tokyo"));
    release(&zoneinfo, "2026y");
    wait_until("the update is noticed", PATIENCE, || tzdata("system 2026y"));
    let moved = home.model("first");
    assert_eq!(moved["window"]["open"], false);
    assert_eq!(moved["window"]["opens_at"], "2026-11-24T00:00:00.000Z");
    warmd.tells(&["the time zones are now system 2026y"]);

    // A zone that came with a reload, changed alone; and the clock was set back since.
    home.write(&(model("first", "Europe/Berlin") + &model("second", "Europe/Vienna")));
    home.model_when("second", "open", |model| model["window"]["open"] == true);
    wall.set("2026-11-23T08:10:27Z");
    install(&zoneinfo, "Europe/Vienna", &system("Asia/Tokyo"));
    home.model_when("second", "moved", |model| model["window"]["open"] == false);

    // Half a file is none: the copy built in serves, and it is told.
    wall.set("2026-11-23T08:11:27Z");
    install(&zoneinfo, "Europe/Vienna", &system("Europe/Vienna")[..200]);
    home.model_when("second", "open by the copy built in", |model| model["window"]["open"] == true);
    warmd.tells(&["Europe/Vienna", "the copy built in serves"]);
    assert!(warmd.stop().success());
}

#[test]
fn a_clock_that_is_years_ahead_for_a_while_costs_no_history() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", "active = [\"always\"]\ninterval = \"1s\""));
    let wall = Wall::at(&home, "2026-11-23T10:20:00Z");
    let warmd = start(&home, &wall);
    home.model_when("llama", "counted", |model| counted(model) >= 3);
    // The journal is folded two minutes past the hour, and what is older than the retention dropped.
    wall.set("2036-11-23T10:01:57Z");
    warmd.tells(&["the journal is not folded"]);
    wall.set("2026-11-23T10:21:00Z");
    home.model_when("llama", "warm", |model| model["state"] == "warm");
    all_is_counted(&home, &cogs, &["llama"]);
    assert!(warmd.stop().success());
}

#[test]
fn a_machine_without_a_clock_of_its_own_starts_in_1970() {
    let cogs = Cogs::start();
    let hours = "active = [\"Mon-Fri 09:00-10:00\", \"Mon-Fri 11:00-12:00\"]\ninterval = \"1s\"";
    let many: String = (0..20).map(|number| cogs.model(&format!("other-{number}"), hours)).collect();
    let home = Home::at_trace(&(cogs.model("llama", "active = [\"always\"]\ninterval = \"1s\"") + &many));
    let wall = Wall::at(&home, "1970-01-01T00:00:10Z");
    let warmd = start(&home, &wall);
    home.model_when("llama", "counted", |model| counted(model) >= 2);
    wall.set("2026-11-23T09:30:00Z");
    let set = Stopwatch::start();
    home.model_when("other-19", "warm", |model| model["state"] == "warm");
    println!("measured: 56 years were taken in within {:.1} s", set.elapsed().as_secs_f64());
    let status = home.json(&["status", "--since", "1h"]);
    assert!(status["daemon"]["notes"].to_string().find("dropped").is_none(), "{}", status["daemon"]);
    assert!(home.ctl(&["pause", "--all"]).status.success());
    home.model_when("other-7", "as many counted as its server was asked", |model| {
        counted(model) == cogs.asked("other-7").len() as u64
    });
    assert!(warmd.stop().success());
}
