//! The daemon against real Cog servers.

use crate::real_cog::{COG_0_9, COG_0_16, COG_0_23, Server, Setup};
use crate::support::{Home, PATIENCE, wait_until};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::time::Duration;

fn config(url: &str, more: &str) -> String {
    format!("[models.box]\ncog = \"{url}\"\nactive = [\"always\"]\ninterval = \"1s\"\n{more}\n")
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn count(model: &Value, outcome: &str) -> u64 {
    model["counts"][outcome].as_u64().unwrap()
}

#[test]
fn met_while_starting_it_is_cold_then_warm_then_gone_then_back() {
    // Long enough for the daemon to come up meanwhile on a busy machine.
    let mut server = Setup::of(COG_0_23).taking(6.0).start();
    let home = Home::new(&config(&server.url(), ""));
    let warmd = home.start();
    home.model_when("box", "booting", |model| model["state"] == "booting");
    let first = home.model_when("box", "the first answer", |model| !model["last"].is_null());
    // The next one may have been sent by the time that this was asked.
    wait_until("it is logged", PATIENCE, || !warmd.outcomes("box").is_empty());
    assert_eq!(warmd.outcomes("box")[0], "cold", "{first}");
    assert_eq!((count(&first, "cold"), &first["last"]["evidence"]), (1, &"setup-time".into()));
    let boot = first["boot"]["max"].as_f64().unwrap();
    let setup = server.health()["setup"].clone();
    let own = (time(&setup["completed_at"]) - time(&setup["started_at"])).as_seconds_f64();
    assert!((boot / own - 1.0).abs() < 0.1, "boot {boot} s, the server's own figure {own} s");
    home.model_when("box", "warm, and again", |model| count(model, "warm") >= 3);

    server.kill();
    let gone = home.model_when("box", "failing", |model| model["state"] == "failing");
    assert_eq!(gone["last"]["outcome"], "unreachable");
    assert!(gone["reason"].as_str().unwrap().contains("refused"), "{gone}");
    server.start();
    let back = home.model_when("box", "back", |model| model["state"] == "warm");
    let two = home.model_when("box", "its boot is counted", |model| model["boot"]["count"] == 2);
    assert!(two["boot"]["count"] == 2, "{back}");
    assert!(warmd.stop().success());
}

#[test]
fn a_restart_between_two_heartbeats_is_a_boot_that_nobody_waited_for() {
    let mut server = Setup::of(COG_0_16).start_ready();
    let home = Home::new(&config(&server.url(), "").replace("1s", "10m"));
    let _warmd = home.start();
    home.model_when("box", "warm", |model| count(model, "warm") == 1);
    server.kill();
    server.start();
    server.wait_for("READY");
    // By hand, since a start may take longer than any interval to wait for.
    assert!(home.ctl(&["beat", "box"]).status.success());
    let model = home.model_when("box", "the second answer", |model| count(model, "warm") == 2);
    assert_eq!(model["boot"]["count"], 1, "{model}");
    assert_eq!(count(&model, "cold"), 0);
}

#[test]
fn another_clients_request_is_not_disturbed() {
    for release in [COG_0_23, COG_0_16, COG_0_9] {
        let server = Setup::of(release).start_ready();
        let home = Home::new(&config(&server.url(), "timeout = \"20s\""));
        let warmd = home.start();
        home.model_when("box", "warm", |model| count(model, "warm") >= 1);
        // Between two heartbeats, so that it finds the slot free.
        assert!(home.ctl(&["pause", "box"]).status.success());
        std::thread::sleep(Duration::from_millis(1_500));
        let ran = server.predictions();
        let answer = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| server.predict_for(6.0));
            crate::support::wait_until("their prediction runs", crate::support::PATIENCE, || {
                server.predictions() > ran
            });
            assert!(home.ctl(&["resume", "box"]).status.success());
            theirs.join().unwrap()
        });
        assert!(answer.contains(" 200 ") && answer.contains("succeeded"), "{release:?}: {answer}");
        let model = home.model_when("box", "busy", |model| count(model, "busy") >= 1);
        assert!(matches!(model["state"].as_str(), Some("warm" | "booting")), "{release:?}: {model}");
        assert_eq!(count(&model, "failed") + count(&model, "unreachable"), 0, "{release:?}: {model}");
        assert!(server.predictions() > ran);
        assert!(warmd.stop().success());
    }
}

#[test]
fn a_setup_that_fails_is_failed_with_its_reason() {
    let server = Setup::of(COG_0_23).failing_with("no weights on this disk").start();
    let home = Home::new(&config(&server.url(), ""));
    let _warmd = home.start();
    let model = home.model_when("box", "failing", |model| model["state"] == "failing");
    assert!(model["reason"].as_str().unwrap().contains("no weights on this disk"), "{model}");
}

#[test]
fn a_health_probe_takes_no_slot() {
    let server = Setup::of(COG_0_23).start_ready();
    let ran = server.predictions();
    let home = Home::new(&config(&server.url(), "probe = \"health\""));
    let _warmd = home.start();
    let model = home.model_when("box", "watched", |model| count(model, "warm") >= 3);
    assert_eq!(model["state"], "warm");
    assert_eq!(server.predictions(), ran);
    assert_eq!(model["latency"]["warm"], Value::Null);
}

/// A ready server of each release whose models differ, and a model with this input on each.
fn one_of_each(input: &str) -> (Vec<Server>, String) {
    let servers: Vec<_> =
        [COG_0_9, COG_0_16, COG_0_23].map(|release| Setup::of(release).start_ready()).into();
    let models = servers.iter().zip(NAMES).map(|(server, name)| {
        config(&server.url(), &format!("cold_after = \"500ms\"\ninput = {input}\n")).replace("box", name)
    });
    let config = models.collect();
    (servers, config)
}

const NAMES: [&str; 3] = ["old", "middle", "new"];

#[test]
fn a_heartbeat_that_takes_long_is_noted_and_is_no_boot() {
    let (_servers, config) = one_of_each("{ seconds = 1.2 }");
    let home = Home::new(&config);
    let warmd = home.start();
    for name in NAMES {
        let model = home.model_when(name, "five answers", |model| count(model, "warm") >= 5);
        let notes = model["notes"].to_string();
        assert!(
            notes.contains("a heartbeat typically takes ") && notes.contains(" % of its interval"),
            "{notes}"
        );
        assert_eq!(home.states(name), ["warm"], "{model}");
        assert_eq!((count(&model, "cold"), &model["boot"]), (0, &Value::Null), "{model}");
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_model_that_raises_is_up() {
    let (_servers, config) = one_of_each("{ fails = true }");
    let home = Home::new(&config);
    let warmd = home.start();
    for name in NAMES {
        let model = home.model_when(name, "four failures", |model| count(model, "failed") >= 4);
        let notes = model["notes"].to_string();
        assert!(model["state"] != "warm" || notes.contains("the weights are of clay"), "{model}");
        assert!(model["last"]["predict"].is_number() && model["last"]["outcome"] == "failed", "{model}");
        assert!(model["hours"]["unknown"].as_f64() < model["hours"]["warm"].as_f64(), "{model}");
    }
    for name in NAMES {
        let model = home.model_when(name, "failing", |model| model["state"] == "failing");
        assert!(count(&model, "failed") >= 10, "{model}");
        assert!(model["reason"].as_str().unwrap().contains("all failed; the latest: "), "{model}");
        assert_eq!(home.states(name), ["warm", "failing"]);
    }
    assert!(warmd.stop().success());
}
