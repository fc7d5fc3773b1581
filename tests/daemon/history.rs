//! What happened, as `warmctl history` tells it of a real daemon.

use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, text, wait_until};
use serde_json::Value;
use std::time::Duration;
use warmd::sandbox::{Conduct, Spread};

fn events(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let history = home.json(&[&["history"], arguments].concat());
    assert_eq!(history["version"], 1);
    history["events"].as_array().unwrap().clone()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn the_history_tells_what_the_report_counts_and_outlives_the_model() {
    let conduct = Conduct { boot: Spread::fixed(Duration::from_secs(3)), ..Conduct::default() };
    let replicate = Replicate::of_models(2, &conduct);
    let config = replicate.config(2, "1s")
        + "\n[models.nobody]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n";
    let home = Home::new(&config);
    let warmd = home.start();
    let model = home.model_when("model-00", "a cold one and a warm one", |model| {
        model["counts"]["cold"].as_u64() >= Some(1) && model["counts"]["warm"].as_u64() >= Some(1)
    });
    home.model_when("nobody", "failing", |model| model["state"] == "failing");
    let told = events(&home, &["model-00"]);
    assert!(told.iter().all(|event| event["model"] == "model-00"), "{told:?}");
    assert_eq!(of(&told, "cold").len() as u64, model["counts"]["cold"].as_u64().unwrap());
    assert_eq!(of(&told, "boot").len() as u64, model["boot"]["count"].as_u64().unwrap());
    assert!(of(&told, "cold")[0]["wait"].as_f64().unwrap() > 2.0, "{told:?}");
    assert_eq!(of(&told, "aimed")[0]["target"], "replicate acme/model-00");
    let times: Vec<&str> = told.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    // A row of failures is one event, and one change of state.
    let failing = events(&home, &["nobody"]);
    assert_eq!(of(&failing, "failure").len(), 1, "{failing:?}");
    assert!(of(&failing, "failure")[0]["error"].as_str().unwrap().contains("connection refused"));
    assert!(of(&failing, "state").iter().any(|event| event["to"] == "failing"), "{failing:?}");
    // All of them, in lines.
    let all = text(&home.ctl(&["history"]).stdout);
    assert!(
        all.contains("  model-00  cold, waited 3.") && all.contains("  nobody    unreachable: "),
        "{all}"
    );
    let latest = events(&home, &["--limit", "2"]);
    assert_eq!(latest.len(), 2);
    assert_eq!(home.json(&["history", "--limit", "2"])["more"], true);
    assert_eq!(home.json(&["history", "--since", "2020-01-01T00:00:00Z"])["more"], false);
    // A wrong name, one without events, and one that is gone from the file.
    let wrong = home.ctl(&["history", "model-0"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("did you mean `model-00`?"), "{}", text(&wrong.stderr));
    home.write(&replicate.config(1, "1s"));
    wait_until("it is gone", PATIENCE, || home.status()["models"].as_array().unwrap().len() == 1);
    assert!(!events(&home, &["nobody"]).is_empty(), "its history is kept");
    assert!(warmd.stop().success());
    let warmd = home.start();
    assert_eq!(of(&events(&home, &["model-01"]), "aimed").len(), 1, "and outlives the process");
    assert!(warmd.stop().success());
}
