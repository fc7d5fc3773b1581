//! What could not be sent yet: tried again, kept over restarts and kills, given up after a day.

use super::moody::{Mood, Moody};
use super::receiver::{Conduct, Receiver};
use crate::port::Port;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use crate::wall::Wall;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;

fn alert_at(address: SocketAddr, more: &str) -> String {
    format!("[[alerts]]\nname = \"ops\"\nwebhook = \"http://{address}/hook\"\n{more}\n\n")
}

/// What the status says of the first alert.
fn alert(home: &Home) -> Value {
    home.status()["daemon"]["alerts"][0].clone()
}

fn alert_when(home: &Home, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_until(what, PATIENCE, || {
        last = alert(home);
        is(&last)
    });
    last
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

/// Both wait while nobody listens: that it is cold, and that it is not any more.
fn cold_and_over(cogs: &Moody, home: &Home) {
    cogs.is("llama", Mood::Cold);
    alert_when(home, "one waits", |alert| alert["waiting"] == 1);
    cogs.is("llama", Mood::Warm);
    alert_when(home, "two wait", |alert| alert["waiting"] == 2);
}

#[test]
fn a_receiver_that_is_down_at_first_gets_all_of_it_in_its_order() {
    let (cogs, port) = (Moody::start(), Port::reserve());
    let home = Home::at_trace(&(alert_at(port.address, "") + &cogs.always("llama")));
    let warmd = home.start();
    cold_and_over(&cogs, &home);
    let refused = alert_when(&home, "it says why", |alert| alert["last_error"].is_string());
    assert!(refused["last_error"].as_str().unwrap().contains("refused"), "{refused}");
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("alerts: what they tell can't be delivered, 2 events wait: ops ("), "{notes}");
    let receiver = Receiver::at(port.address);
    receiver.wait_for(2);
    assert_eq!(receiver.names(), ["cold", "recovered"]);
    let well = alert_when(&home, "all is sent", |alert| alert["sent"] == 2);
    assert_eq!((&well["waiting"], &well["last_error"]), (&0.into(), &Value::Null));
    assert!(well["last_sent_at"].is_string());
    assert!(warmd.stop().success());
}

#[test]
fn what_waits_survives_a_kill_and_is_sent_once_by_its_id() {
    let (cogs, port) = (Moody::start(), Port::reserve());
    let home = Home::at_trace(&(alert_at(port.address, "") + &cogs.always("llama")));
    let warmd = home.start();
    cold_and_over(&cogs, &home);
    // In the file within a second; a pause is answered when it is.
    assert!(home.ctl(&["pause", "whisper"]).status.code() == Some(1));
    assert!(home.ctl(&["pause", "llama"]).status.success());
    warmd.kill();
    let warmd = home.start();
    assert_eq!(alert(&home)["waiting"], 2, "a kill costs nothing");
    assert!(warmd.stop().success());
    let receiver = Receiver::at(port.address);
    let warmd = home.start();
    let events = receiver.wait_for(2);
    assert_eq!(receiver.names(), ["cold", "recovered"]);
    assert_eq!(ids(&events).into_iter().collect::<BTreeSet<_>>().len(), 2);
    alert_when(&home, "all is sent", |alert| alert["sent"] == 2);
    assert!(warmd.stop().success());
    // What was delivered is not delivered again, nor is it told again that the model is warm.
    let warmd = home.start();
    assert!(home.ctl(&["resume", "llama"]).status.success());
    home.model_when("llama", "warm", |model| model["state"] == "warm");
    assert_eq!(receiver.names(), ["cold", "recovered"]);
    assert!(warmd.stop().success());
}

#[test]
fn a_trouble_that_lasts_over_a_restart_is_told_once_and_its_end_too() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let home = Home::at_trace(&(receiver.alert("ops", "") + &cogs.always("llama")));
    cogs.is("llama", Mood::Broken);
    let warmd = home.start();
    receiver.wait_for(1);
    alert_when(&home, "it is sent", |alert| alert["sent"] == 1);
    assert!(warmd.stop().success());
    let warmd = home.start();
    home.model_when("llama", "failing still", |model| model["state"] == "failing");
    cogs.is("llama", Mood::Warm);
    receiver.wait_for(2);
    assert_eq!(receiver.names(), ["failing", "recovered"]);
    assert!(warmd.stop().success());
}

#[test]
fn what_fails_is_tried_again_and_what_is_refused_for_what_it_is_is_not() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let home = Home::at_trace(&(receiver.alert("ops", "") + &cogs.always("llama")));
    let answers = |status, headers| Conduct::Answers(status, headers, "no_service".to_owned());
    receiver.does(answers(500, Vec::new()));
    let warmd = home.start();
    cogs.is("llama", Mood::Cold);
    warmd.tells(&["alert ops: not sent", r#": 500 Internal Server Error: \"no_service\""#]);
    receiver.does(answers(404, Vec::new()));
    warmd.tells(&["alert ops: not sent", "404 Not Found"]);
    receiver.does(answers(302, vec![("location", "http://127.0.0.1:1/elsewhere".to_owned())]));
    warmd.tells(&["alert ops: not sent", "302 Found, which is not followed"]);
    receiver.does(answers(429, vec![("retry-after", "1".to_owned())]));
    warmd.tells(&["alert ops: not sent", "429 Too Many Requests"]);
    receiver.does(Conduct::Takes);
    receiver.wait_for(1);
    receiver.does(answers(400, Vec::new()));
    cogs.is("llama", Mood::Warm);
    let refused = alert_when(&home, "it is given up", |alert| alert["dropped"] == 1);
    assert_eq!((&refused["waiting"], &refused["sent"]), (&0.into(), &1.into()));
    warmd.tells(&["alert ops: given up", "400 Bad Request", "llama is warm again"]);
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("1 event was given up: ops (400 Bad Request"), "{notes}");
    // It is news until something arrives; the counter stays.
    receiver.does(Conduct::Takes);
    cogs.is("llama", Mood::Cold);
    let well = alert_when(&home, "the next arrives", |alert| alert["sent"] == 2);
    assert_eq!((&well["dropped"], &well["dropped_since_sent"]), (&1.into(), &0.into()));
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(!notes.contains("alerts:"), "{notes}");
    // A test that arrives says so, too.
    receiver.does(answers(400, Vec::new()));
    cogs.is("llama", Mood::Warm);
    alert_when(&home, "another is given up", |alert| alert["dropped_since_sent"] == 1);
    receiver.does(Conduct::Takes);
    assert!(home.ctl(&["alert", "test"]).status.success());
    let well = alert(&home);
    assert_eq!((&well["dropped"], &well["dropped_since_sent"]), (&2.into(), &0.into()));
    let first = &receiver.heard()[0].body["id"];
    let same = receiver.heard().iter().filter(|heard| heard.body["id"] == *first).count();
    assert!(same >= 5, "the same event each time: {same}");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build never panics on purpose")]
fn a_panic_in_one_attempt_is_its_own_failure() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let home = Home::at_trace(&(receiver.alert("ops", "") + &cogs.always("llama")));
    let mut command = home.warmd();
    command.env("WARMD_PANIC_IN", "alert");
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    // It panics from two seconds after the first attempt on.
    home.ctl(&["alert", "test"]);
    wait_until("it panics", PATIENCE, || !home.ctl(&["alert", "test"]).status.success());
    cogs.is("llama", Mood::Cold);
    warmd.tells(&["alert ops: not sent", "a fault of warmd's, to be reported"]);
    let failed = alert(&home);
    assert_eq!((&failed["waiting"], &failed["sent"]), (&1.into(), &0.into()));
    let before = home.model("llama")["counts"]["cold"].as_u64();
    home.model_when("llama", "heartbeats go on", |model| model["counts"]["cold"].as_u64() > before);
    assert!(warmd.stop().success());
}

/// Starts it by that clock, and waits until it answers.
fn start(home: &Home, wall: &Wall) -> Warmd {
    let warmd = Warmd::spawn(wall.warmd(home));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    warmd
}

#[test]
fn what_nobody_takes_for_a_day_is_given_up_and_counted() {
    let (cogs, port) = (Moody::start(), Port::reserve());
    let home = Home::at_trace(&(alert_at(port.address, "when = [\"cold\"]") + &cogs.always("llama")));
    let wall = Wall::at(&home, "2026-11-23T10:00:00Z");
    cogs.is("llama", Mood::Cold);
    let warmd = start(&home, &wall);
    alert_when(&home, "one waits", |alert| alert["waiting"] == 1);
    // A clock that is set while it runs costs nothing its day.
    wall.turn(2 * 86_400);
    warmd.tells(&["the wall clock was set forward"]);
    assert_eq!(alert(&home)["waiting"], 1);
    wall.turn(-2 * 86_400);
    assert!(warmd.stop().success());
    wall.turn(23 * 3600);
    let warmd = start(&home, &wall);
    assert_eq!(alert(&home)["waiting"], 1, "not yet");
    assert!(warmd.stop().success());
    wall.turn(2 * 3600);
    let warmd = start(&home, &wall);
    alert_when(&home, "it is given up", |alert| alert["dropped"] == 1 && alert["waiting"] == 0);
    warmd.tells(&["alert ops: given up", "for a day"]);
    assert!(warmd.stop().success());
}

#[test]
fn a_receiver_that_hangs_holds_up_neither_the_others_nor_a_heartbeat_nor_the_end() {
    let (cogs, hangs, well) = (Moody::start(), Receiver::start(), Receiver::start());
    let alerts = hangs.alert("hangs", "timeout = \"5m\"") + &well.alert("well", "");
    let home = Home::at_trace(&(alerts + &cogs.always("llama") + &cogs.always("whisper")));
    hangs.does(Conduct::Hangs);
    let mut warmd = home.start();
    cogs.is("llama", Mood::Cold);
    wait_until("it hangs", PATIENCE, || !hangs.heard().is_empty());
    well.wait_for(1);
    let before = home.model("whisper")["counts"]["warm"].as_u64();
    home.model_when("whisper", "heartbeats go on", |model| {
        model["counts"]["warm"].as_u64() >= before.map(|before| before + 5)
    });
    cogs.is("llama", Mood::Warm);
    assert_eq!(well.wait_for(2)[1]["event"], "recovered");
    assert_eq!(hangs.heard().len(), 1, "one at a time");
    // Cut off at the end, and sent at the next start.
    warmd.signal("-TERM");
    assert!(warmd.ended().success());
    hangs.does(Conduct::Takes);
    let warmd = home.start();
    hangs.wait_for(2);
    assert_eq!(hangs.names(), ["cold", "recovered"]);
    assert!(warmd.stop().success());
}
