//! What is told, and when.

use super::moody::{Mood, Moody};
use super::receiver::Receiver;
use crate::support::Home;
use serde_json::Value;

/// What an event tells.
fn told(event: &Value) -> (String, String) {
    let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    (text("event"), text("model"))
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
    assert_eq!(told(&cold), ("cold".to_owned(), "llama".to_owned()));
    assert_eq!(cold["version"], 1);
    assert_eq!(cold["alert"], "ops");
    assert_eq!((&cold["kind"], &cold["heartbeat"]["outcome"]), (&"cog".into(), &"cold".into()));
    assert_eq!((&cold["count"], &cold["repeat"]), (&1.into(), &0.into()));
    assert!(cold["text"].as_str().unwrap().contains("llama is cold within its active hours"), "{cold}");
    assert_eq!(told(&events[1]), ("recovered".to_owned(), "llama".to_owned()));
    assert_eq!(events[1]["recovered_from"], "cold");
    assert_eq!(events[1]["since"], cold["since"]);
    // Once each: the next heartbeats are warm, and nobody needs to know.
    home.model_when("llama", "some more", |model| model["counts"]["warm"].as_u64() >= Some(3));
    assert_eq!(receiver.names(), ["cold", "recovered"]);
}
