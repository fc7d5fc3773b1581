//! What is made to cost much: schemas, and numbers far from any that is meant.

use crate::faults::network::peer::{Peer, say, schema};
use crate::faults::network::trial::memory;
use crate::support::{Home, PATIENCE, text, wait_until};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use warmd::clock::Stopwatch;

/// A document whose Input requires all its properties.
fn requires(properties: &Value, others: &Value) -> Value {
    let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
    let names = json!(names);
    let mut document = schema(properties);
    document["components"]["schemas"]["Input"]["required"] = names;
    for (name, other) in others.as_object().unwrap() {
        document["components"]["schemas"][name] = other.clone();
    }
    document
}

/// As many properties, all by one reference.
fn refer(count: usize, to: &Value) -> Value {
    let properties: Map<String, Value> =
        (0..count).map(|n| (format!("f{n}"), json!({"$ref": "#/components/schemas/To"}))).collect();
    requires(&Value::Object(properties), &json!({"To": to}))
}

/// Lists in lists.
fn lists(depth: usize, count: u32) -> Value {
    (0..depth).fold(
        json!({"type": "string"}),
        |inner, _| json!({"type": "array", "minItems": count, "items": inner}),
    )
}

/// Documents that cost much to read, or whose inputs would be large, and what comes of each.
fn schemas() -> Vec<(&'static str, String, &'static str)> {
    let circle = json!({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/To"}}, "required": ["a"]});
    let fans = json!({"allOf": [{"$ref": "#/components/schemas/To"}, {"$ref": "#/components/schemas/To"}]});
    let keys: Map<String, Value> = (0..50_000).map(|n| (format!("k{n}"), json!(1))).collect();
    let choices: Vec<String> = (0..90_000).map(|n| format!("choice {n}")).collect();
    let patterns: Map<String, Value> = (0..3_000)
        .map(|n| (format!("f{n}"), json!({"type": "string", "pattern": "(hi)+.{0,250}"})))
        .collect();
    let in_a_circle = "too large, nested too deeply, or in a circle";
    let deep = format!("{}1{}", r#"{"items":"#.repeat(100_000), "}".repeat(100_000));
    let deep = requires(&json!({"a": "here"}), &json!({})).to_string().replace("\"here\"", &deep);
    vec![
        ("circle", refer(1, &circle).to_string(), "an object with members of its own"),
        ("fans-out", refer(20, &fans).to_string(), in_a_circle),
        (
            "long-text",
            refer(9_000, &json!({"type": "string", "title": "x".repeat(8 << 20)})).to_string(),
            "warm",
        ),
        ("many-keys", refer(9_000, &Value::Object(keys)).to_string(), in_a_circle),
        ("lists", requires(&json!({"a": lists(12, 64)}), &json!({})).to_string(), "would be too large"),
        ("deep", deep, "warm"),
        ("choices", requires(&json!({"a": {"enum": choices}}), &json!({})).to_string(), "warm"),
        (
            "large",
            requires(&json!({"a": {"default": "x".repeat(8 << 20)}}), &json!({})).to_string(),
            "would be too large",
        ),
        ("patterns", requires(&Value::Object(patterns), &json!({})).to_string(), "would be too large"),
    ]
}

#[test]
fn schemas_made_to_cost() {
    let well = Peer::start();
    let mut config = format!(
        "[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n[models.well]\ncog = \"{}\"\n",
        well.url()
    );
    let mut peers = Vec::new();
    let schemas = schemas();
    for (name, schema, _) in &schemas {
        let (peer, schema) = (Peer::start(), schema.clone());
        peer.does(move |connection, heard| match heard.what.as_str() {
            "GET /openapi.json" => say(connection, 200, "", schema.as_bytes()),
            _ => crate::faults::network::peer::well(connection, heard),
        });
        writeln!(config, "[models.{name}]\ncog = \"{}\"", peer.url()).unwrap();
        peers.push(peer);
    }
    let home = Home::at_trace(&config);
    let since = Stopwatch::start();
    let warmd = home.start();
    for (name, _, comes) in &schemas {
        // While this machine is at it, a health check may take so long that the server looks busy.
        let asked = |model: &Value| !model["last"].is_null() && model["last"]["outcome"] != "busy";
        let model = home.model_when(name, "is asked", asked);
        println!(
            "{name}: {} after {:.1} s: {}",
            model["last"]["outcome"],
            since.elapsed().as_secs_f64(),
            model["last"]["error"]
        );
        let last = &model["last"];
        assert!(last["outcome"] == *comes || last["error"].to_string().contains(comes), "{name}: {last}");
    }
    let warm = || home.model("well")["counts"]["warm"].as_u64().unwrap();
    let before = warm();
    wait_until("the other goes on", PATIENCE, || warm() >= before + 3);
    println!("measured: schemas made to cost: {} MiB", memory(&warmd) / 1024);
    assert!(memory(&warmd) < 384 * 1024, "{} KiB", memory(&warmd));
    assert!(warmd.stop().success());
}

const TIMES: [&str; 4] = [
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "+262142-12-31T23:59:59Z",
    "2026-13-41T99:99:99Z",
];

/// Numbers and times that no clock has, in all places that have any.
#[test]
fn numbers_out_of_all_bounds() {
    let waits = ["99999999999999999999999", "1e300", "-5", "NaN", "Fri, 31 Dec 9999 23:59:59 GMT", "\u{663}"];
    let mut config =
        String::from("[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\ntimeout = \"20s\"\n");
    let mut peers: Vec<Peer> = Vec::new();
    for (number, wait) in waits.iter().enumerate() {
        let peer = Peer::start();
        let headers = format!("retry-after: {wait}\r\n");
        peer.does(move |connection, _| say(connection, 429, &headers, b"{}"));
        writeln!(config, "[models.cog-wait-{number}]\ncog = \"{}\"", peer.url()).unwrap();
        peers.push(peer);
    }
    for (number, (from, to)) in
        TIMES.iter().flat_map(|from| TIMES.iter().map(move |to| (from, to))).enumerate()
    {
        let seconds = [json!(1e300), json!(-1e300), json!(1e18), json!("1")][number % 4].clone();
        let peer = Peer::start();
        peer.does(move |connection, heard| {
            let body = match heard.what.as_str() {
                "GET /health-check" => {
                    json!({"status": "READY", "setup": {"started_at": from, "completed_at": to}})
                }
                "POST /predictions" => json!({"status": "succeeded", "started_at": from, "completed_at": to,
                    "metrics": {"predict_time": seconds}}),
                _ => heard.well().1,
            };
            say(connection, 200, "", body.to_string().as_bytes())
        });
        writeln!(config, "[models.cog-time-{number}]\ncog = \"{}\"", peer.url()).unwrap();
        peers.push(peer);
    }
    let api = Peer::start();
    api.does(move |connection, heard| {
        let (status, mut body) = heard.well();
        if heard.what.contains("/predictions") {
            body["created_at"] = json!(TIMES[0]);
            body["started_at"] = json!(TIMES[1]);
            body["completed_at"] = json!(TIMES[1]);
            body["metrics"] = json!({"predict_time": 1e18, "total_time": 1e300});
        }
        let headers = "ratelimit-remaining: 1e308\r\nratelimit-reset: 1e308\r\nretry-after: 1e308\r\n";
        say(connection, status, headers, body.to_string().as_bytes())
    });
    writeln!(
        config,
        "[models.replicate]\nreplicate = \"acme/m\"\n[replicate]\nbase_url = \"{}/v1\"",
        api.url()
    )
    .unwrap();
    let home = Home::at_trace(&config);
    let asked_twice = |more: u64| {
        let status = home.status();
        status["models"].as_array().unwrap().iter().all(|model| {
            let counts = model["counts"].as_object().unwrap().values();
            counts.filter_map(Value::as_u64).sum::<u64>() >= more
        })
    };
    let warmd = home.start();
    wait_until("each was asked twice", PATIENCE, || asked_twice(2));
    let status = home.status();
    for model in status["models"].as_array().unwrap() {
        let last = &model["last"];
        let outcome = if model["name"].as_str().unwrap().contains("wait") { "rate_limited" } else { "warm" };
        assert_eq!(last["outcome"], outcome, "{model}");
        // No longer than the test has run: what can't be is not told on.
        for told in [&last["wait"], &last["predict"], &last["total"]] {
            assert!(told.as_f64() < Some(60.0), "{model}");
        }
    }
    warmd.kill();
    // What was kept of them can be read again.
    let warmd = home.start();
    wait_until("each is asked again", PATIENCE, || asked_twice(3));
    for arguments in
        [&["status"][..], &["status", "replicate"], &["status", "cog-time-2"], &["beat", "cog-time-1"]]
    {
        let output = home.ctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        println!("{}", text(&output.stdout));
    }
    assert!(!warmd.log().concat().contains("panicked"));
    assert!(warmd.stop().success());
}
