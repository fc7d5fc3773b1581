//! What Cog servers do when they are not simply ready.

#[path = "../../cog_model/mod.rs"]
mod cog_model;
#[path = "../../scripted_cog/mod.rs"]
mod scripted_cog;

use crate::support::{Home, PATIENCE, wait_until};
use chrono::{DateTime, TimeDelta, Utc};
use scripted_cog::{HEALTH, Line, PREDICT, Server, at_capacity, health, page, raised, says, succeeded};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use warmd::clock;
use warmd::sandbox::cog::{CogFault, Generation};
use warmd::sandbox::{Cog, CogSettings, Sandbox, Spread};

/// The sandbox's servers, or scripted ones, and the threads they run on.
struct Servers<T> {
    servers: Vec<T>,
    runtime: Runtime,
}

impl Servers<Cog> {
    fn start(settings: impl IntoIterator<Item = CogSettings>) -> Self {
        let runtime = Runtime::new().unwrap();
        let start =
            async |settings| Sandbox::cog(TcpListener::bind("127.0.0.1:0").await.unwrap(), settings).unwrap();
        let servers = settings.into_iter().map(|settings| runtime.block_on(start(settings))).collect();
        Self { servers, runtime }
    }

    fn stop(self) {
        for server in self.servers {
            self.runtime.block_on(server.stop());
        }
    }
}

impl Servers<Server> {
    /// Each answers its health check and its predictions by these lines, the last one from then on.
    fn scripted(scripts: Vec<(Vec<Line>, Vec<Line>)>) -> Self {
        let runtime = Runtime::new().unwrap();
        let start =
            |(health, predict)| runtime.block_on(Server::with([(HEALTH, health), (PREDICT, predict)]));
        Self { servers: scripts.into_iter().map(start).collect(), runtime }
    }
}

fn config<'a>(models: impl IntoIterator<Item = (&'a str, String, &'a str)>) -> String {
    let mut text = String::new();
    for (name, url, more) in models {
        write!(text, "[models.{name}]\ncog = \"{url}\"\nactive = [\"always\"]\n{more}\n\n").unwrap();
    }
    text
}

const EACH_SECOND: &str = "interval = \"1s\"";

fn count(model: &Value, outcome: &str) -> u64 {
    model["counts"][outcome].as_u64().unwrap()
}

/// All heartbeats that were sent.
fn sent(model: &Value) -> u64 {
    let counts = model["counts"].as_object().unwrap();
    counts.iter().filter(|(name, _)| *name != "skipped").map(|(_, count)| count.as_u64().unwrap()).sum()
}

fn reason(model: &Value) -> String {
    model["reason"].as_str().unwrap_or_default().to_owned()
}

fn hours_ago(hours: i64) -> String {
    (clock::now() - TimeDelta::hours(hours)).to_rfc3339()
}

#[test]
fn a_setup_that_never_ends_is_one_boot_and_is_asked_ever_more_rarely() {
    let starting = |generation| CogSettings {
        generation,
        boot: Spread::fixed(Duration::from_hours(1)),
        ..CogSettings::default()
    };
    let servers = Servers::<Cog>::start([Generation::Cog023, Generation::Cog016].map(starting));
    let short = "interval = \"1s\"\ntimeout = \"2s\"";
    let names = ["new", "old"];
    let home = Home::at_trace(&config(
        names.iter().zip(&servers.servers).map(|(name, cog)| (*name, cog.url(), short)),
    ));
    let warmd = home.start();
    for name in names {
        home.model_when(name, "booting", |model| model["state"] == "booting");
    }
    for (name, server) in names.iter().zip(&servers.servers) {
        let model = home.model_when(name, "failing", |model| model["state"] == "failing");
        assert_eq!(model["last"]["outcome"], "timed_out");
        assert!(reason(&model).contains("it was not ready within 2 s: its setup is under way"), "{model}");
        assert_eq!((count(&model, "timed_out"), sent(&model)), (3, 3), "{model}");
        let next: DateTime<Utc> = model["next_at"].as_str().unwrap().parse().unwrap();
        let last: DateTime<Utc> = model["last"]["sent_at"].as_str().unwrap().parse().unwrap();
        assert!(next - last >= TimeDelta::milliseconds(4_500), "the third pause ends {} later", next - last);
        assert_eq!(model["boot"]["count"], 1, "{model}");
        assert!(server.truth().predictions.is_empty());
    }
    assert!(warmd.stop().success());
    servers.stop();
}

#[test]
fn a_server_that_flaps_makes_up_no_boots_and_no_burst() {
    let quick = CogSettings { boot: Spread::millis(700, 900), ..CogSettings::default() };
    let servers = Servers::<Cog>::start([quick.clone(), quick]);
    let names = ["flapping", "steady"];
    let home = Home::at_trace(&config(
        names.iter().zip(&servers.servers).map(|(name, cog)| (*name, cog.url(), EACH_SECOND)),
    ));
    let warmd = home.start();
    for name in names {
        home.model_when(name, "warm", |model| model["state"] == "warm");
    }
    let began = clock::now();
    let mut told = Vec::new();
    for _ in 0..6 {
        servers.servers[0].inflict(CogFault::Down { seconds: 2 });
        let mut down = Value::Null;
        wait_until("it is told that it is gone", PATIENCE, || {
            down = home.model("flapping");
            down["last"]["outcome"] == "unreachable" || count(&down, "unreachable") > told.len() as u64
        });
        told.push(reason(&down));
        let warm = count(&down, "warm") + count(&down, "cold");
        home.model_when("flapping", "back", |model| count(model, "warm") + count(model, "cold") > warm);
    }
    let model = home.model_when("flapping", "warm", |model| model["state"] == "warm");
    let truth = servers.servers[0].truth();
    let boots = model["boot"]["count"].as_u64().unwrap();
    assert!((1..=truth.boots.len() as u64).contains(&boots), "{boots} of {}", truth.boots.len());
    let longest = model["boot"]["max"].as_f64().unwrap();
    assert!((0.6..2.0).contains(&longest), "{longest}");
    let intervals = (clock::now() - began).num_seconds() as u64;
    assert!(sent(&model) <= intervals + 8, "{} in {intervals} s", sent(&model));
    let ran = truth.predictions.len() as u64;
    assert!(
        ran <= count(&model, "warm") + count(&model, "cold") + count(&model, "unreachable") + 1,
        "{ran}: {model}"
    );
    let steady = home.model("steady");
    assert_eq!(count(&steady, "unreachable") + count(&steady, "timed_out"), 0, "{steady}");
    assert!(warmd.stop().success());
    servers.stop();
}

#[test]
fn two_replicas_behind_one_address_are_two_setups_and_no_boots() {
    let (first, second) = (hours_ago(2), hours_ago(1));
    let by_turns = (0..400).map(|n| health("READY", if n % 2 == 0 { &first } else { &second })).collect();
    let servers = Servers::scripted(vec![(by_turns, vec![succeeded(0.01)])]);
    let home = Home::at_trace(&config([("pair", servers.servers[0].url.clone(), EACH_SECOND)]));
    let warmd = home.start();
    home.model_when("pair", "eight answers", |model| count(model, "warm") >= 8);
    warmd.kill();
    let warmd = home.start();
    let model = home.model_when("pair", "four more", |model| count(model, "warm") >= 12);
    assert_eq!((count(&model, "cold"), &model["boot"]), (0, &Value::Null), "{model}");
    assert!(warmd.stop().success());
}

#[test]
fn a_slot_that_is_taken_after_the_health_check_is_left_to_who_took_it() {
    let up = hours_ago(1);
    // READY, then a 409, then BUSY: each heartbeat comes a moment too late.
    let raced = (0..400).map(|n| health(if n % 2 == 0 { "READY" } else { "BUSY" }, &up)).collect();
    // Never READY at all.
    let busy = vec![health("BUSY", &up)];
    let servers = Servers::scripted(vec![(raced, vec![at_capacity()]), (busy, vec![succeeded(0.01)])]);
    let names = ["raced", "busy"];
    let urls = servers.servers.iter().map(|server| server.url.clone());
    let home =
        Home::at_trace(&config(names.into_iter().zip(urls).map(|(name, url)| (name, url, EACH_SECOND))));
    let warmd = home.start();
    for name in names {
        home.model_when(name, "busy", |model| count(model, "busy") >= 5);
    }
    assert!(home.ctl(&["pause", "--all"]).status.success());
    let landed = |name| {
        let model = home.model(name);
        (count(&model, "busy") == sent(&model)).then(|| sent(&model) as usize)
    };
    wait_until("what was asked is what was counted", PATIENCE, || {
        landed("raced") == Some(servers.servers[0].count(PREDICT))
    });
    assert_eq!(landed("raced"), Some(servers.servers[0].count(PREDICT)), "one each, and none again");
    assert_eq!(servers.servers[1].count(PREDICT), 0);
    assert!(home.ctl(&["resume", "--all"]).status.success());
    for name in names {
        let model = home.model_when(name, "shown as up", |model| model["state"] == "warm");
        assert_eq!(model["latency"]["warm"], Value::Null, "no latency is made of it: {model}");
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_server_that_calls_itself_sick_is_failing_and_is_sent_nothing() {
    let servers =
        Servers::<Cog>::start([CogSettings { boot: Spread::millis(10, 20), ..CogSettings::default() }]);
    let home = Home::at_trace(&config([("box", servers.servers[0].url(), EACH_SECOND)]));
    let warmd = home.start();
    home.model_when("box", "warm", |model| model["state"] == "warm");
    for (status, word) in [("UNHEALTHY", "restart it"), ("DEFUNCT", "its worker died")] {
        servers.servers[0].inflict(CogFault::Health { status: Some(status.to_owned()) });
        let model = home.model_when("box", "failing", |model| model["state"] == "failing");
        assert!(reason(&model).contains(word), "{model}");
        let ran = servers.servers[0].truth().predictions.len();
        let failed = count(&model, "failed");
        home.model_when("box", "still failing", |model| count(model, "failed") >= failed + 2);
        assert_eq!(servers.servers[0].truth().predictions.len(), ran);
        servers.servers[0].inflict(CogFault::Health { status: None });
        home.model_when("box", "warm again", |model| model["state"] == "warm");
    }
    assert_eq!(home.model("box")["boot"], Value::Null, "it did not boot");
    assert!(warmd.stop().success());
    servers.stop();
}

#[test]
fn what_no_cog_server_says_makes_nothing_up() {
    let ready = |setup: Value| vec![says(200, json!({"status": "READY", "setup": setup}))];
    let good =
        || ready(json!({"started_at": hours_ago(1), "completed_at": hours_ago(1), "status": "succeeded"}));
    let runs = |metrics: Value| {
        vec![says(200, json!({"id": "p", "output": "hi", "status": "succeeded", "metrics": metrics}))]
    };
    let usual = || runs(json!({"predict_time": 0.01}));
    let warm = |evidence: &'static str| ("warm", Some(evidence), "");
    let nothing = |word: &'static str| ("unreachable", None, word);
    let cases = [
        ("new-word", vec![says(200, r#"{"status":"WARMING_UP"}"#)], usual(), nothing("WARMING_UP")),
        ("no-word", vec![says(200, r#"{"setup":{}}"#)], usual(), nothing("not as a Cog server does")),
        ("mistyped", ready(json!({"started_at": 5, "completed_at": {}})), usual(), warm("latency")),
        (
            "backwards",
            ready(json!({"started_at": "2999-01-01T00:00:00Z", "completed_at": "1970-01-01T00:00:00Z"})),
            usual(),
            warm("setup-time"),
        ),
        (
            "ages",
            ready(json!({"started_at": "1970-01-01T00:00:00Z", "completed_at": hours_ago(1)})),
            usual(),
            warm("setup-time"),
        ),
        ("endless", good(), runs(json!({"predict_time": 1e300})), warm("setup-time")),
        ("long", good(), runs(json!({"predict_time": 1e9})), warm("setup-time")),
        ("negative", good(), runs(json!({"predict_time": -5})), warm("setup-time")),
        ("new-end", good(), vec![says(200, r#"{"status":"paused"}"#)], nothing("not as a Cog server does")),
        ("teapot", good(), vec![says(418, "short and stout")], nothing("418")),
    ];
    let scripts = cases.iter().map(|(_, health, predict, _)| (health.clone(), predict.clone())).collect();
    let servers = Servers::scripted(scripts);
    // Far from any wait here, however busy the machine.
    let more = "interval = \"1s\"\ncold_after = \"20s\"";
    let models =
        cases.iter().zip(&servers.servers).map(|((name, ..), server)| (*name, server.url.clone(), more));
    let home = Home::at_trace(&config(models));
    let warmd = home.start();
    for (name, _, _, (outcome, evidence, word)) in &cases {
        let model = home.model_when(name, "three heartbeats", |model| sent(model) >= 3);
        let last = &model["last"];
        assert_eq!(
            (last["outcome"].as_str(), last["evidence"].as_str()),
            (Some(*outcome), *evidence),
            "{model}"
        );
        assert!(last["error"].as_str().unwrap_or_default().contains(word), "{model}");
        assert_eq!((count(&model, "cold"), &model["boot"]), (0, &Value::Null), "{model}");
        let predict = last["predict"].as_f64();
        assert!(predict.is_none_or(|predict| (0.0..60.0).contains(&predict)), "{model}");
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_model_that_runs_and_fails_is_up_and_failing_where_it_only_ever_fails() {
    let up = hours_ago(1);
    let flagged = || raised("Prediction failed: NSFW content detected", 0.01);
    let now_and_then = [vec![succeeded(0.01)], vec![flagged(); 3], vec![succeeded(0.01)]].concat();
    let servers = Servers::scripted(vec![
        (vec![health("READY", &up)], now_and_then),
        (vec![health("READY", &up)], vec![flagged()]),
        (vec![health("SETUP_FAILED", &up)], vec![]),
    ]);
    let names = ["picky", "hopeless", "broken"];
    let urls = servers.servers.iter().map(|server| server.url.clone());
    // Far from any wait here, however busy the machine.
    let more = "interval = \"1s\"\ncold_after = \"20s\"";
    let home = Home::at_trace(&config(names.into_iter().zip(urls).map(|(name, url)| (name, url, more))));
    let warmd = home.start();
    let model = home.model_when("picky", "three failures", |model| count(model, "failed") == 3);
    assert_eq!((&model["state"], &model["last"]["total"]), (&json!("warm"), &Value::Null), "{model}");
    let notes = model["notes"].to_string();
    assert!(notes.contains("3 of the last 4 heartbeats ran and failed"), "{notes}");
    assert!(notes.contains("NSFW content detected"), "{notes}");
    let model = home.model_when("picky", "an answer", |model| count(model, "warm") == 2);
    assert_eq!(count(&model, "failed"), 3);
    assert!(model["hours"]["unknown"].as_f64() < Some(1.5), "the failures' time was warm: {model}");

    let model = home.model_when("broken", "failing", |model| model["state"] == "failing");
    assert!(count(&model, "failed") >= 3 && reason(&model).contains("brought no answer"), "{model}");
    assert_eq!(model["hours"]["warm"], 0.0, "{model}");

    let model = home.model_when("hopeless", "nine failures", |model| count(model, "failed") == 9);
    assert_eq!(model["state"], "warm", "{model}");
    let model = home.model_when("hopeless", "failing", |model| model["state"] == "failing");
    assert_eq!(count(&model, "failed"), 10, "{model}");
    assert!(reason(&model).starts_with("the last 10 all failed; the latest: "), "{model}");
    warmd.kill();
    let warmd = home.start();
    let model = home.model_when("hopeless", "failing after a restart", |model| model["state"] == "failing");
    assert!(reason(&model).contains("all failed"), "{model}");
    assert!(warmd.stop().success());
}

#[test]
fn a_proxy_that_refuses_for_three_seconds_silences_no_model() {
    let up = hours_ago(1);
    let script = || (vec![health("READY", &up)], vec![succeeded(0.01)]);
    let servers = Servers::scripted(vec![script(), script(), script()]);
    let refusals = [("renewed", 404), ("guarded", 403), ("gone", 404)];
    let urls = servers.servers.iter().map(|server| server.url.clone());
    // Far from any wait here, however busy the machine.
    let more = "interval = \"1s\"\ncold_after = \"20s\"";
    let models = refusals.into_iter().zip(urls).map(|((name, _), url)| (name, url, more));
    let alert = "[[alerts]]\nname = \"ops\"\nmodels = [\"renewed\", \"guarded\"]\ncommand = [\"true\"]\n\n";
    let home = Home::at_trace(&(alert.to_owned() + &config(models)));
    let warmd = home.start();
    for (name, _) in refusals {
        home.model_when(name, "warm", |model| count(model, "warm") >= 1);
    }
    for (server, (_, status)) in servers.servers.iter().zip(refusals) {
        server.turns(HEALTH, vec![says(status, "404 page not found")]);
        server.turns(PREDICT, vec![says(status, "404 page not found")]);
    }
    std::thread::sleep(Duration::from_secs(3));
    let booted = clock::now();
    for server in &servers.servers[..2] {
        server.turns(PREDICT, vec![succeeded(0.01)]);
        server.turns(HEALTH, vec![health("READY", &booted.to_rfc3339())]);
    }
    for (name, status) in &refusals[..2] {
        let model = home.model_when(name, "warm again", |model| model["state"] == "warm");
        let answered: DateTime<Utc> = model["last"]["sent_at"].as_str().unwrap().parse().unwrap();
        assert!(answered - booted < TimeDelta::seconds(20), "far from a minute: {model}");
        assert!(count(&model, "rejected") >= 2 && count(&model, "cold") == 0, "{model}");
        assert_eq!(model["boot"]["count"], 1, "the new container's, between two heartbeats: {model}");
        assert_eq!(home.states(name), ["warm", "failing", "warm"], "{status}");
    }
    let told = &home.status()["daemon"]["alerts"][0];
    assert_eq!((&told["sent"], &told["waiting"]), (&json!(0), &json!(0)), "a refusal that passed: {told}");

    // One that lasts: once a minute later, and it is blocked.
    let model = home.model_when("gone", "left alone", |model| {
        let next = model["next_at"].as_str().and_then(|next| next.parse::<DateTime<Utc>>().ok());
        next.is_some_and(|next| next - clock::now() > TimeDelta::seconds(50))
    });
    assert_eq!(model["state"], "failing", "{model}");
    assert!(reason(&model).contains("refused, which may pass: /health-check answers 404"), "{model}");
    assert!(!home.ctl(&["beat", "gone"]).status.success());
    let model = home.model_when("gone", "blocked", |model| model["state"] == "blocked");
    assert!(reason(&model).starts_with("/health-check answers 404"), "{model}");
    assert!(warmd.stop().success());
}

#[test]
fn a_first_refusal_is_a_mistake_in_the_file_and_a_refused_token_is_looked_at_once_more() {
    let refused = |status| (vec![says(status, "")], vec![]);
    let servers = Servers::scripted(vec![refused(404), refused(403), refused(401)]);
    let names = ["nowhere", "forbidden", "tokenless"];
    let urls = servers.servers.iter().map(|server| server.url.clone());
    let home =
        Home::at_trace(&config(names.into_iter().zip(urls).map(|(name, url)| (name, url, EACH_SECOND))));
    let warmd = home.start();
    let next_in = |name| {
        let model = home.model_when(name, "blocked", |model| model["state"] == "blocked");
        let next: DateTime<Utc> = model["next_at"].as_str().unwrap().parse().unwrap();
        (next - clock::now(), reason(&model))
    };
    for name in &names[..2] {
        assert!(next_in(name).0 > TimeDelta::minutes(58));
    }
    assert!(next_in("forbidden").1.contains("token_env"));
    assert!(next_in("tokenless").0 <= TimeDelta::seconds(30));
    assert!(warmd.stop().success());
}

#[test]
fn a_prediction_longer_than_cold_after_is_not_shown_as_a_boot() {
    let up = hours_ago(1);
    let long = || vec![succeeded(2.5).held(2.5)];
    let boots = vec![says(200, json!({"status": "STARTING", "setup": {}})); 4];
    let servers = Servers::scripted(vec![
        (vec![health("READY", &up)], long()),
        ([boots, vec![health("READY", &clock::now().to_rfc3339())]].concat(), long()),
    ]);
    let urls = servers.servers.iter().map(|server| server.url.clone());
    let more = "interval = \"3s\"\ncold_after = \"500ms\"";
    let names = ["slow", "boots"];
    let home = Home::at_trace(&config(names.into_iter().zip(urls).map(|(name, url)| (name, url, more))));
    let warmd = home.start();
    for name in names {
        home.model_when(name, "three answers", |model| count(model, "warm") + count(model, "cold") >= 3);
    }
    assert_eq!(home.states("slow"), ["warm"]);
    assert_eq!(home.states("boots")[0], "booting", "{:?}", home.states("boots"));
    assert_eq!(home.states("boots").iter().filter(|state| *state == "booting").count(), 1);
    assert!(warmd.stop().success());
}

#[test]
fn a_boot_behind_a_waiting_page_or_cloudflare_is_a_boot() {
    let up = hours_ago(1);
    let script = || (vec![health("READY", &up)], vec![succeeded(0.01)]);
    let servers = Servers::scripted(vec![script(), script(), script()]);
    let waiting = [("sablier", page()), ("tunnel", says(530, "<html>")), ("scaler", says(202, ""))];
    let urls = servers.servers.iter().map(|server| server.url.clone());
    let more = "interval = \"1s\"\ncold_after = \"500ms\"";
    let models = waiting.iter().zip(urls).map(|((name, _), url)| (*name, url, more));
    let home = Home::at_trace(&config(models));
    let warmd = home.start();
    for (name, _) in &waiting {
        home.model_when(name, "warm", |model| count(model, "warm") >= 1);
    }
    for (server, (_, line)) in servers.servers.iter().zip(&waiting) {
        server.turns(HEALTH, vec![line.clone()]);
        server.turns(PREDICT, vec![line.clone()]);
    }
    for (name, _) in &waiting {
        let model = home.model_when(name, "booting", |model| model["state"] == "booting");
        assert!(reason(&model).contains("waiting for its boot"), "{model}");
    }
    for server in &servers.servers {
        server.turns(PREDICT, vec![succeeded(0.01)]);
        server.turns(HEALTH, vec![health("READY", &clock::now().to_rfc3339())]);
    }
    for (name, _) in &waiting {
        let model = home.model_when(name, "warm again", |model| {
            count(model, "cold") >= 1 && model["last"]["outcome"] == "warm"
        });
        assert_eq!((count(&model, "cold"), count(&model, "unreachable")), (1, 0), "{model}");
        assert_eq!(model["boot"]["count"], 1, "{model}");
    }
    assert!(warmd.stop().success());
}
