//! What is told, and when.

use super::moody::{Mood, Moody};
use super::receiver::Receiver;
use crate::support::{Home, PATIENCE, wait_until};
use chrono::{Duration, Utc};
use serde_json::Value;

/// What an event tells.
fn told(event: &Value) -> (&str, &str) {
    let text = |key: &str| event[key].as_str().unwrap_or("-");
    (text("event"), text("model"))
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_else(|| panic!("no {key}: {event}"))
}

/// Waits until a model has answered so often more.
fn some_more(home: &Home, name: &str, count: u64) {
    let before = answers(&home.model(name));
    home.model_when(name, "some more answers", |model| answers(model) >= before + count);
}

fn answers(model: &Value) -> u64 {
    ["warm", "cold"].iter().map(|outcome| model["counts"][outcome].as_u64().unwrap()).sum()
}

#[test]
fn cold_within_active_hours_is_told_and_so_is_that_it_is_over() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let home = Home::at_trace(&(receiver.alert("ops", "") + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    let _warmd = home.start();
    let cold = receiver.wait_for(1).remove(0);
    cogs.is("llama", Mood::Warm);
    let events = receiver.wait_for(2);
    assert_eq!(told(&cold), ("cold", "llama"));
    assert_eq!((number(&cold, "version"), number(&cold, "count"), number(&cold, "repeat")), (1, 1, 0));
    assert_eq!((&cold["alert"], &cold["kind"]), (&"ops".into(), &"cog".into()));
    assert_eq!(cold["heartbeat"]["outcome"], "cold");
    assert!(
        cold["text"].as_str().unwrap().contains("llama was found cold within its active hours"),
        "{cold}"
    );
    assert_eq!(told(&events[1]), ("recovered", "llama"));
    assert_eq!(events[1]["recovered_from"], "cold");
    assert_eq!(events[1]["since"], cold["since"]);
    assert_eq!(events[1]["heartbeat"]["outcome"], "warm", "the one that ended it");
    // Once each: the next heartbeats are warm, and nobody needs to know.
    some_more(&home, "llama", 3);
    assert_eq!(receiver.names(), ["cold", "recovered"]);
}

#[test]
fn the_boot_of_the_lead_in_is_no_alert() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    // Its window opens in a good while; its lead-in has begun.
    let opens = warmd::clock::now() + Duration::minutes(20);
    let closes = opens + Duration::minutes(20);
    let window = format!("{}-{}", opens.format("%H:%M"), closes.format("%H:%M"));
    let led = cogs.model("led", &format!("active = [\"{window}\"]\nlead = \"1h\""));
    let home = Home::at_trace(&(receiver.alert("ops", "") + &led + &cogs.always("control")));
    cogs.is("led", Mood::Cold);
    cogs.is("control", Mood::Cold);
    let _warmd = home.start();
    home.model_when("led", "cold ones", |model| model["counts"]["cold"].as_u64() >= Some(3));
    let events = receiver.wait_for(1);
    assert_eq!(told(&events[0]), ("cold", "control"));
    some_more(&home, "control", 2);
    assert!(receiver.events().iter().all(|event| event["model"] == "control"), "{:?}", receiver.events());
    assert_eq!(home.model("led")["hours"]["cold_heartbeats"], 0);
}

#[test]
fn after_so_many_in_a_row_or_after_so_long() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let alerts = receiver.alert("third", "after = 3\nwhen = [\"cold\"]")
        + &receiver.alert("lasting", "after = \"2s\"\nwhen = [\"cold\"]")
        + &receiver.alert("never", "after = 1000000\nrepeat = \"1m\"")
        + &receiver.alert("other", "models = [\"other\"]");
    let home = Home::at_trace(&(alerts + &cogs.always("llama") + &cogs.always("other")));
    cogs.is("llama", Mood::Cold);
    let _warmd = home.start();
    let events = receiver.wait_for(2);
    let of = |name: &str| events.iter().find(|event| event["alert"] == name).cloned().unwrap();
    assert_eq!(number(&of("third"), "count"), 3);
    let lasting = of("lasting");
    let time = |key: &str| lasting[key].as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap();
    assert!(time("at") - time("since") >= Duration::seconds(2), "{lasting}");
    cogs.is("llama", Mood::Warm);
    some_more(&home, "llama", 3);
    assert_eq!(receiver.names(), ["cold", "cold"], "neither asked for `recovered`");
}

#[test]
fn failing_and_blocked_are_told_and_so_is_that_they_are_over() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let home = Home::at_trace(&(receiver.alert("ops", "") + &cogs.always("llama") + &cogs.always("whisper")));
    cogs.is("llama", Mood::Broken);
    cogs.is("whisper", Mood::Closed);
    let _warmd = home.start();
    let events = receiver.wait_for(2);
    let of = |name: &str| events.iter().find(|event| event["model"] == name).cloned().unwrap();
    let (failing, blocked) = (of("llama"), of("whisper"));
    assert_eq!((&failing["event"], &failing["state"]), (&"failing".into(), &"failing".into()));
    assert!(number(&failing, "count") >= 3, "{failing}");
    assert!(failing["reason"].as_str().unwrap().contains("500"), "{failing}");
    assert_eq!((&blocked["event"], &blocked["state"]), (&"blocked".into(), &"blocked".into()));
    assert!(blocked["text"].as_str().unwrap().contains("401"), "{blocked}");
    cogs.is("llama", Mood::Warm);
    cogs.is("whisper", Mood::Warm);
    // A blocked model looks again at a beat.
    assert!(home.ctl(&["beat", "whisper"]).status.success());
    let events = receiver.wait_for(4);
    for (model, from) in [("llama", "failing"), ("whisper", "blocked")] {
        let over = events.iter().find(|event| event["model"] == model && event["event"] == "recovered");
        assert_eq!(over.unwrap()["recovered_from"], from);
    }
}

#[test]
fn a_refused_configuration_is_told_and_so_is_that_it_is_accepted() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let file = receiver.alert("ops", "") + &cogs.always("llama");
    let home = Home::at_trace(&file);
    let _warmd = home.start();
    home.write(&format!("{file}[models.broken"));
    let refused = receiver.wait_for(1).remove(0);
    assert_eq!(told(&refused), ("config_error", "-"));
    assert!(refused["reason"].is_string() && refused["heartbeat"].is_null(), "{refused}");
    home.write(&file);
    let events = receiver.wait_for(2);
    assert_eq!((told(&events[1]).0, &events[1]["recovered_from"]), ("recovered", &"config_error".into()));
    assert!(events[1]["heartbeat"].is_null(), "{}", events[1]);
}

#[test]
fn a_reload_changes_whom_to_tell_without_a_restart() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let models = cogs.always("llama") + &cogs.always("whisper");
    let home = Home::at_trace(&models);
    cogs.is("llama", Mood::Cold);
    let _warmd = home.start();
    some_more(&home, "llama", 2);
    assert_eq!(home.status()["daemon"]["alerts"], serde_json::json!([]));
    home.write(&(receiver.alert("ops", "") + &models));
    let told = String::from_utf8(home.ctl(&["reload"]).stdout).unwrap();
    // The file's own change may have come first.
    assert!(told.contains("alert ops: added") || told.contains("nothing changed"), "{told}");
    receiver.wait_for(1);
    // Taken out, a model's incident ends, and nobody is told.
    home.write(&(receiver.alert("ops", "") + &cogs.always("whisper")));
    wait_until("it is gone", PATIENCE, || home.model("llama").is_null());
    some_more(&home, "whisper", 2);
    assert_eq!(receiver.names(), ["cold"]);
    home.write(&cogs.always("whisper"));
    wait_until("nobody is told any more", PATIENCE, || {
        home.status()["daemon"]["alerts"].as_array().unwrap().is_empty()
    });
}
