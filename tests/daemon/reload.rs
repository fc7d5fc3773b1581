//! Editing `warm.toml` while the daemon runs.

use crate::cogs::Cogs;
use crate::support::{Home, PATIENCE, text, wait_until};
use std::time::Duration;

/// A window that is open now, and one that isn't, whatever the time of day.
fn windows() -> (String, String) {
    let now = warmd::clock::now();
    let hour = |offset: i64| (now + chrono::TimeDelta::hours(offset)).format("%H:00").to_string();
    (format!("active = [\"{}-{}\"]", hour(-1), hour(2)), format!("active = [\"{}-{}\"]", hour(6), hour(8)))
}

#[test]
fn an_edit_of_the_hours_takes_effect_and_leaves_other_models_their_rhythm() {
    let cogs = Cogs::start();
    let (open, closed) = windows();
    let steady = cogs.model("steady", "active = [\"always\"]\ninterval = \"2s\"");
    let home = Home::new(&(steady.clone() + &cogs.model("edited", &format!("{closed}\ninterval = \"1s\""))));
    let _warmd = home.start();
    assert_eq!(home.model("edited")["state"], "idle");
    for round in 0..6 {
        std::thread::sleep(Duration::from_millis(1_300));
        let (window, state) = if round % 2 == 0 { (&open, "warm") } else { (&closed, "idle") };
        home.write(&(steady.clone() + &cogs.model("edited", &format!("{window}\ninterval = \"1s\""))));
        home.model_when("edited", state, |model| model["state"] == state);
    }
    let asked = cogs.asked("steady");
    for pair in asked[1..].windows(2) {
        let gap = (pair[1] - pair[0]).as_seconds_f64();
        assert!((1.0..3.0).contains(&gap), "missed or doubled: {gap} s between two of {}", asked.len());
    }
    assert!(!cogs.asked("edited").is_empty());
}

#[test]
fn a_broken_edit_changes_nothing_and_is_reported() {
    let cogs = Cogs::start();
    let good = cogs.model("llama", "active = [\"always\"]\ninterval = \"1s\"");
    let home = Home::new(&good);
    let warmd = home.start();
    home.model_when("llama", "warm", |model| model["state"] == "warm");
    home.write(&good.replace("interval = \"1s\"", "intervl = \"1s\""));
    wait_until("the broken edit is told", PATIENCE, || {
        home.status()["daemon"]["config_error"].as_str().is_some_and(|error| error.contains("intervl"))
    });
    let before = cogs.asked("llama").len();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > before + 2);
    let refused = home.ctl(&["reload"]);
    assert_eq!(refused.status.code(), Some(78), "{}", text(&refused.stderr));
    let told = text(&refused.stderr) + &text(&refused.stdout);
    assert!(told.contains("intervl") && told.contains("interval"), "{told}");
    warmd.tells(&["ERROR", "intervl"]);
    home.write(&good);
    wait_until("the mended file runs", PATIENCE, || home.status()["daemon"]["config_error"].is_null());
}

#[test]
fn a_reload_tells_what_changed_and_sighup_does_the_same() {
    let cogs = Cogs::start();
    let one = cogs.model("one", "active = [\"always\"]\ninterval = \"1s\"");
    let two = cogs.model("two", "active = [\"always\"]\ninterval = \"1s\"");
    let home = Home::new(&one);
    let warmd = home.start();
    home.write(&(one.clone() + &two));
    let told = text(&home.ctl(&["reload"]).stdout);
    home.model_when("two", "is there", |model| model["name"] == "two");
    assert!(told.contains("two") || !home.model("two").is_null(), "{told}");
    home.write(&one);
    warmd.signal("-HUP");
    wait_until("two is gone", PATIENCE, || home.model("two").is_null());
    home.write(&(one + &two));
    let back = home
        .model_when("two", "is back, with its history", |model| model["counts"]["warm"].as_u64() > Some(1));
    assert_eq!(back["name"], "two");
}

#[test]
fn a_link_that_is_swapped_is_followed() {
    let cogs = Cogs::start();
    let home = Home::new(&cogs.model("first", "active = [\"always\"]"));
    let (a, b) = (home.path("a"), home.path("b"));
    for folder in [&a, &b] {
        std::fs::create_dir(folder).unwrap();
    }
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(a.join("real.toml"), &text).unwrap();
    std::fs::write(b.join("real.toml"), text.replace("first", "second")).unwrap();
    std::fs::remove_file(home.config()).unwrap();
    std::os::unix::fs::symlink(&a, home.path("current")).unwrap();
    std::os::unix::fs::symlink("current/real.toml", home.config()).unwrap();
    let _warmd = home.start();
    assert!(!home.model("first").is_null());
    std::os::unix::fs::symlink(&b, home.path("next")).unwrap();
    std::fs::rename(home.path("next"), home.path("current")).unwrap();
    wait_until("the other file runs", PATIENCE, || !home.model("second").is_null());
}

#[test]
fn a_changed_daemon_section_asks_for_a_restart() {
    let cogs = Cogs::start();
    let home = Home::new(&cogs.model("llama", "active = [\"always\"]"));
    let _warmd = home.start();
    let before = std::fs::read_to_string(home.config()).unwrap();
    home.write_whole(&before.replace("shutdown_grace = \"5s\"", "shutdown_grace = \"6s\""));
    // It may have been read by itself already: then this reload finds nothing new.
    home.json(&["reload"]);
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("restart"), "{notes}");
}

/// Whoever asks for a reload right after an edit is told what it changed, though the watch of the
/// file has woken already.
#[test]
fn a_reload_asked_for_right_after_an_edit_tells_what_changed() {
    let model = |interval: &str| {
        format!(
            "[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"{interval}\"\n"
        )
    };
    let home = Home::new(&model("30s"));
    let warmd = home.start();
    for interval in ["40s", "50s", "60s"] {
        home.write(&model(interval));
        let told = home.json(&["reload"]);
        assert_eq!(told["changes"].as_array().map(Vec::len), Some(1), "{interval}: {told}");
    }
    assert!(warmd.stop().success());
}
