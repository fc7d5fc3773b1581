//! What Replicate refuses, loses, leaves hanging, and says that nobody has heard before.

#[path = "../../api_shape/mod.rs"]
mod api_shape;
#[path = "../../fake_replicate/mod.rs"]
mod fake_replicate;
mod stand_in;

use crate::sandboxed::{Replicate, brisk};
use crate::support::{Home, PATIENCE, TOKEN, text, wait_until};
use chrono::{DateTime, TimeDelta, Utc};
use fake_replicate::{lost, raw, reply};
use serde_json::{Value, json};
use stand_in::{Seen, StandIn, What, at_once, ended, meanwhile, under_way, with};
use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use warmd::clock;
use warmd::sandbox::{
    AccountSettings, Cog, CogSettings, Conduct, Credit, Fault, FaultOrder, On, Sandbox, Spread,
};

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("no time: {value}")).parse().unwrap()
}

fn count(model: &Value, outcome: &str) -> u64 {
    model["counts"][outcome].as_u64().unwrap()
}

fn reason(model: &Value) -> String {
    model["reason"].as_str().unwrap_or_default().to_owned()
}

/// How long until a model's next heartbeat.
fn next_in(model: &Value) -> TimeDelta {
    time(&model["next_at"]) - clock::now()
}

/// A Cog server that is up.
fn cog(runtime: &Runtime) -> Cog {
    let settings = CogSettings { boot: Spread::millis(10, 20), ..CogSettings::default() };
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Sandbox::cog(listener, settings).unwrap()
    })
}

/// Three models of an account that is refused, beside one of another account and a Cog server.
fn an_account_that_is_refused(status: u16, refused_call: fn(What) -> bool, advice: &str) {
    let refusing = Arc::new(AtomicBool::new(true));
    let refuses = refusing.clone();
    let said = json!({"title": "Refused", "detail": format!("nothing for {TOKEN}"), "status": status});
    let stand_in = StandIn::start(move |seen| {
        let refuse = refuses.load(Ordering::SeqCst) && seen.token == TOKEN && refused_call(seen.what);
        refuse.then(|| reply(status, &said))
    });
    let runtime = Runtime::new().unwrap();
    let cog = cog(&runtime);
    let held = ["dog", "cat", "cow"];
    let refusals = || {
        held.iter()
            .flat_map(|model| [What::LookUp, What::Create].map(|what| stand_in.seen(what, model)))
            .flatten()
            .filter(|seen| refused_call(seen.what))
            .count()
    };
    let home = Home::at_trace("");
    let key = home.path("token-of-another");
    fs::write(&key, "r8_of_another_account\n").unwrap();
    let mut config = stand_in.config(&[
        ("dog", ""),
        ("cat", ""),
        ("cow", ""),
        ("pig", &format!("token_file = \"{}\"", key.display())),
    ]);
    write!(config, "\n[models.box]\ncog = \"{}\"\nactive = [\"always\"]\ninterval = \"1s\"\n", cog.url())
        .unwrap();
    home.write(&config);
    let mut warmd = home.start();
    let states =
        |state: &str| held.map(|model| home.model(model)).iter().all(|model| model["state"] == state);
    wait_until("the account is blocked", PATIENCE, || states("blocked"));
    for model in held.map(|model| home.model(model)) {
        assert!(next_in(&model) <= TimeDelta::seconds(30), "it is looked at once more: {model}");
    }
    assert!(home.ctl(&["reload"]).status.success());
    // Those that were sent before the first refusal came back, and the one that looked.
    wait_until("all have landed", PATIENCE, || {
        held.map(|model| home.model(model)).iter().all(|model| next_in(model) > TimeDelta::minutes(14))
    });
    let at_first = refusals();
    assert!((2..=4).contains(&at_first), "{at_first}");

    let boxed = || count(&home.model("box"), "warm");
    let until_others_went_on = || {
        let before = boxed();
        meanwhile(&stand_in, &["pig"], 4);
        wait_until("the Cog server is kept warm", PATIENCE, || boxed() >= before + 3);
    };
    until_others_went_on();
    assert_eq!(refusals(), at_first, "nothing is sent while the account is blocked");
    for model in held.map(|model| home.model(model)) {
        let told = reason(&model);
        assert!(told.contains(&status.to_string()) && told.contains(advice), "{told}");
        assert!((TimeDelta::minutes(13)..=TimeDelta::minutes(15)).contains(&next_in(&model)), "{model}");
    }

    for again in 1..=2 {
        assert!(home.ctl(&["reload"]).status.success());
        wait_until("one looks again", PATIENCE, || refusals() == at_first + again);
        until_others_went_on();
        assert_eq!(refusals(), at_first + again, "one at a reload, not one a model");
        assert!(states("blocked"));
    }
    warmd.kill();
    warmd = home.start();
    until_others_went_on();
    assert_eq!(refusals(), at_first + 3, "one at a start, not one a model");

    refusing.store(false, Ordering::SeqCst);
    assert!(home.ctl(&["resume", "cow"]).status.success());
    wait_until("one answer frees all", PATIENCE, || states("warm"));
    assert_eq!(count(&home.model("pig"), "rejected") + count(&home.model("box"), "rejected"), 0);
    assert!(warmd.stop().success());
    runtime.block_on(cog.stop());
}

#[test]
fn a_token_that_is_refused_holds_its_whole_account_and_no_other() {
    an_account_that_is_refused(401, |_| true, "check the token");
}

#[test]
fn a_model_that_its_account_held_is_free_on_a_server_of_its_own() {
    let said = json!({"title": "Unauthenticated", "detail": "no such token", "status": 401});
    let stand_in = StandIn::start(move |_| Some(reply(401, &said)));
    let runtime = Runtime::new().unwrap();
    let cog = cog(&runtime);
    let home = Home::at_trace(&stand_in.config(&[("dog", ""), ("cat", "")]));
    let warmd = home.start();
    wait_until("the account is blocked", PATIENCE, || {
        ["dog", "cat"].iter().all(|model| home.model(model)["state"] == "blocked")
    });
    let of_cog = |name| {
        format!("[models.{name}]\ncog = \"{}\"\nactive = [\"always\"]\ninterval = \"1s\"\n", cog.url())
    };
    home.write(&["dog", "cat"].map(of_cog).concat());
    for model in ["dog", "cat"] {
        home.model_when(model, "warm", |model| model["state"] == "warm");
    }
    assert!(warmd.stop().success());
    runtime.block_on(cog.stop());
}

#[test]
fn an_account_without_credit_is_held_whole_and_no_other() {
    an_account_that_is_refused(402, |what| what == What::Create, "add credit");
}

#[test]
fn a_name_a_version_or_an_input_that_is_refused_blocks_its_model_alone() {
    let input =
        json!({"title": "Input validation failed", "detail": "- input: cat is required", "status": 422});
    let version = json!({"title": "Invalid version or not permitted", "status": 422,
        "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)"});
    let missing = json!({"detail": "The requested resource could not be found.", "status": 404});
    let stand_in = StandIn::start(move |seen| match (seen.what, seen.model.as_str()) {
        (What::LookUp, "nowhere") | (What::Create, "gone") => Some(reply(404, &missing)),
        (What::Create, "old") => Some(reply(422, &version)),
        (What::Create, "odd") => Some(reply(422, &input)),
        _ => None,
    });
    let blocked = [
        ("nowhere", What::LookUp, "404", "check the name in warm.toml"),
        ("gone", What::Create, "404", "check the name in warm.toml"),
        ("old", What::Create, "422", "check the model and its version in warm.toml"),
        ("odd", What::Create, "cat is required", "set input of this model in warm.toml"),
    ];
    let home = Home::at_trace(&stand_in.config(&[
        ("nowhere", ""),
        ("gone", ""),
        ("good", ""),
        ("old", ""),
        ("odd", ""),
    ]));
    let warmd = home.start();
    for (name, _, status, advice) in blocked {
        let model = home.model_when(name, "blocked", |model| model["state"] == "blocked");
        let told = reason(&model);
        assert!(told.contains(status) && told.contains(advice), "{name}: {told}");
        assert!((TimeDelta::minutes(59)..=TimeDelta::minutes(61)).contains(&next_in(&model)), "{model}");
    }
    meanwhile(&stand_in, &["good"], 5);
    for (name, asked, ..) in blocked {
        assert_eq!(stand_in.count(asked, name), 1, "{name} is left alone");
    }
    assert_eq!(home.model("good")["state"], "warm");
    // By hand it is looked at again at once, and at a reload.
    let told = home.ctl(&["beat", "gone"]);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told.stderr));
    assert_eq!(stand_in.count(What::Create, "gone"), 2);
    assert!(home.ctl(&["reload"]).status.success());
    wait_until("each is looked at again", PATIENCE, || {
        blocked
            .iter()
            .all(|(name, asked, ..)| stand_in.count(*asked, name) >= if *name == "gone" { 3 } else { 2 })
    });
    meanwhile(&stand_in, &["good"], 3);
    assert_eq!(stand_in.count(What::Create, "odd"), 2, "once");
    assert!(warmd.stop().success());
}

/// A 429 that allows the next create after four seconds, in each of the three forms.
fn throttled(form: &str) -> fake_replicate::Reply {
    match form {
        "header" => reply(429, &json!({"detail": "Request was throttled."})).header("retry-after", "4"),
        "body" => reply(429, &json!({"detail": "Request was throttled.", "status": 429, "retry_after": 4})),
        "words" => reply(429, &json!({"detail": "Request was throttled. Your rate limit resets in ~4s."})),
        other => panic!("no such form: {other}"),
    }
}

#[test]
fn a_429_is_obeyed_in_each_of_its_forms_by_the_whole_account() {
    let hold = Duration::from_secs(4);
    let forms = ["header", "body", "words"];
    let stand_in = StandIn::start(move |seen: &Seen| {
        let refuse = seen.what == What::Create && seen.nth == 2 && forms.contains(&seen.model.as_str());
        refuse.then(|| throttled(&seen.model))
    });
    let home = Home::at_trace("");
    // An account each, the first one's with two models.
    let of_account = |name: &str| {
        let key = home.path(&format!("token-of-{name}"));
        fs::write(&key, format!("r8_of_{name}\n")).unwrap();
        format!("token_file = \"{}\"", key.display())
    };
    let tokens = forms.map(of_account);
    let mut models: Vec<(&str, &str)> =
        forms.iter().zip(&tokens).map(|(form, token)| (*form, token.as_str())).collect();
    models.extend([("beside", tokens[0].as_str()), ("free", "")]);
    home.write(&stand_in.config(&models));
    let warmd = home.start();
    let creates = |model: &str| stand_in.seen(What::Create, model);
    wait_until("they go on afterwards", PATIENCE, || forms.iter().all(|form| creates(form).len() >= 5));
    for form in forms {
        let creates = creates(form);
        let pause = creates[3].at - creates[2].at;
        assert!(pause >= hold, "{form}: the next create came {pause:?} after the refusal");
        assert!(creates[1].at - creates[0].at < hold, "without it, they come by the second");
        let model = home.model_when(form, "warm again", |model| model["state"] == "warm");
        assert!(count(&model, "rate_limited") >= 1, "{model}");
    }
    // One that was on its way when the refusal came is none that followed it.
    let refused = creates("header")[2].at;
    let told_at_last = refused + hold / 2;
    let held: Vec<_> = creates("beside")
        .into_iter()
        .filter(|seen| seen.at > told_at_last && seen.at < refused + hold)
        .collect();
    assert!(held.is_empty(), "another model of the account: {held:?}");
    let free =
        creates("free").into_iter().filter(|seen| seen.at > refused && seen.at < refused + hold).count();
    assert!(free >= 2, "another account is not held: {free}");
    assert!(warmd.stop().success());
}

#[test]
fn a_heartbeat_by_hand_keeps_to_the_pace_of_its_account() {
    let stand_in = StandIn::start(|seen| match (seen.what, seen.model.as_str(), seen.nth) {
        (What::Create, "dog", 0) => Some(throttled("header")),
        (What::Create, "dog", 1) => Some(reply(429, &json!({"retry_after": 600}))),
        _ => None,
    });
    let home = Home::at_trace(&stand_in.config(&[("dog", "interval = \"1d\"")]));
    let warmd = home.start();
    home.model_when("dog", "throttled", |model| count(model, "rate_limited") == 1);
    let told = home.ctl(&["beat", "dog"]);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told.stderr));
    let creates = stand_in.seen(What::Create, "dog");
    assert!(creates[1].at - creates[0].at >= Duration::from_secs(4), "it waited for its turn");
    let told = home.ctl(&["beat", "dog", "--json"]);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(stand_in.count(What::Create, "dog"), 2, "nobody waits for ten minutes");
    assert_eq!(told["heartbeat"]["outcome"], "rate_limited");
    let why = told["heartbeat"]["error"].as_str().unwrap();
    assert!(why.contains("not sent") && (why.contains(" 10m") || why.contains(" 9m")), "{why}");
    assert!(warmd.stop().success());
}

/// Who is held: to whom nothing is to come.
fn held(home: &Home) -> Vec<String> {
    let status = home.status();
    let models = status["models"].as_array().unwrap();
    let held = models.iter().filter(|model| model["next_at"].is_null());
    held.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

const NO_ROOM: &str =
    "held: `creates_per_minute` allows 6 creates a minute, which the models before it in the file use up";

#[test]
fn a_share_that_can_not_carry_all_carries_the_first_of_the_file() {
    let stand_in = StandIn::start(|_| None);
    let slow = "interval = \"30s\"";
    let config = |names: [&str; 5]| {
        let models = names.map(|name| (name, slow));
        stand_in.config(&models).replace("[replicate]\n", "[replicate]\ncreates_per_minute = 6\n")
    };
    let home = Home::at_trace(&config(["one", "two", "three", "four", "five"]));
    let warmd = home.start();
    for name in ["one", "two", "three"] {
        home.model_when(name, "warm", |model| model["state"] == "warm");
    }
    assert_eq!(held(&home), ["four", "five"]);
    for name in ["four", "five"] {
        assert!(reason(&home.model(name)).starts_with(NO_ROOM), "{}", home.model(name));
        assert_eq!(stand_in.count(What::LookUp, name) + stand_in.count(What::Create, name), 0);
    }
    home.write(&config(["five", "four", "three", "two", "one"]));
    wait_until("the others are held", PATIENCE, || held(&home) == ["two", "one"]);
    assert!(warmd.stop().success());
}

#[test]
fn an_account_low_on_credit_keeps_as_many_warm_as_fit_and_says_who_is_held() {
    // Six creates a minute, one at a time: what Replicate allows near zero credit.
    let (models, quick) = (5, Conduct { boot: Spread::millis(0, 50), ..brisk() });
    let low = AccountSettings { token: TOKEN.to_owned(), credit: Credit::Low };
    let replicate = Replicate::of_account(models, &quick, vec![low]);
    let home = Home::at_trace(&replicate.config(models, "30s"));
    let warmd = home.start();
    wait_until("what the account allows is learned", Duration::from_mins(3), || {
        held(&home) == ["model-03", "model-04"]
    });
    for name in ["model-00", "model-01", "model-02"] {
        // Its turn comes within an interval, and a look at more room may take one more.
        wait_until(&format!("{name} is kept warm"), 3 * PATIENCE, || home.model(name)["state"] == "warm");
    }
    for model in ["model-03", "model-04"].map(|name| home.model(name)) {
        // One that was warm a moment ago is shown as that for two intervals more. What was learned is good
        // to one or two, and three models ask for six.
        let says = |limit: u32| format!("held: the account lets about {limit} creates a minute through");
        let why = reason(&model);
        assert!(
            model["state"] == "warm" || [6, 7].iter().any(|limit| why.starts_with(&says(*limit))),
            "{model}"
        );
    }
    assert!(warmd.stop().success());
}

#[test]
fn what_is_no_answer_is_told_and_tried_again_ever_more_rarely() {
    let quick = Conduct { boot: Spread::millis(0, 50), ..brisk() };
    let faults = [
        (Fault::ServerError, "500"),
        (Fault::BadGateway, "502"),
        (Fault::Garbage, "no JSON"),
        (Fault::Reset, "no whole answer"),
    ];
    let replicate = Replicate::of_models(faults.len() + 1, &quick);
    for (number, (fault, _)) in faults.iter().enumerate() {
        let order = FaultOrder {
            fault: *fault,
            model: Some(format!("acme/model-{number:02}")),
            token: None,
            on: On::Create,
            times: None,
        };
        assert!(replicate.sandbox().set_fault(order));
    }
    let home = Home::at_trace(&replicate.config(faults.len() + 1, "1s"));
    let warmd = home.start();
    for (number, (fault, word)) in faults.iter().enumerate() {
        let name = format!("model-{number:02}");
        let model = home.model_when(&name, "failing", |model| model["state"] == "failing");
        assert!(reason(&model).contains(word), "{fault:?}: {model}");
        assert_eq!(model["last"]["outcome"], "unreachable", "{fault:?}");
        let pause = time(&model["next_at"]) - time(&model["last"]["sent_at"]);
        assert!(pause >= TimeDelta::milliseconds(2_500), "{fault:?}: the third pause is {pause}");
    }
    let good = home.model_when("model-04", "warm", |model| count(model, "warm") >= 3);
    assert_eq!(count(&good, "unreachable"), 0, "{good}");
    replicate.sandbox().clear_faults();
    for number in 0..faults.len() {
        let name = format!("model-{number:02}");
        let model = home.model_when(&name, "warm again", |model| model["state"] == "warm");
        assert!(count(&model, "unreachable") < 10, "{model}");
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_prediction_that_never_starts_is_cancelled_at_the_timeout() {
    let stand_in = StandIn::start(|seen| match seen.what {
        What::Create => Some(reply(201, &under_way(&seen.model))),
        What::Read => Some(reply(200, &under_way(&seen.model))),
        What::LookUp | What::Cancel => None,
    });
    let home = Home::at_trace(&stand_in.config(&[("stuck", "timeout = \"3s\"")]));
    let warmd = home.start();
    home.model_when("stuck", "booting", |model| model["state"] == "booting");
    let model = home.model_when("stuck", "failing", |model| model["state"] == "failing");
    assert_eq!(model["last"]["outcome"], "timed_out");
    assert!(reason(&model).contains("did not end within 3s: it was still starting"), "{model}");
    let pause = time(&model["next_at"]) - time(&model["last"]["sent_at"]) - TimeDelta::seconds(3);
    assert!(pause >= TimeDelta::milliseconds(2_500), "the third pause is {pause}");
    let (creates, cancels) = (stand_in.seen(What::Create, "stuck"), stand_in.seen(What::Cancel, "stuck"));
    for (create, cancel) in creates.iter().zip(&cancels) {
        let ran = cancel.at - create.at;
        assert!((2_900..8_000).contains(&ran.as_millis()), "cancelled after {ran:?}");
        assert_eq!(create.cancel_after.as_deref(), Some("5s"), "Replicate takes no less");
    }
    for pair in creates.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_secs(3), "one at a time");
    }
    wait_until("each was cancelled", PATIENCE, || {
        stand_in.count(What::Cancel, "stuck") >= stand_in.count(What::Create, "stuck").max(4) - 1
    });
    assert_eq!(home.model("stuck")["boot"]["count"], 1, "a wait that goes on is one boot");
    assert!(warmd.stop().success());
}

/// The predictions that the sandbox has of a model, the newest first.
fn predictions(replicate: &Replicate, model: &str) -> Vec<Value> {
    let request = warmd::provider::http::Request {
        method: reqwest::Method::GET,
        url: format!("{}/predictions", replicate.sandbox().base_url()).parse().unwrap(),
        token: None,
        headers: vec![(reqwest::header::AUTHORIZATION, "Bearer r8_of_the_test".parse().unwrap())],
        json: None,
        wanted: None,
    };
    let client = warmd::provider::http::Client::new();
    let answer = Runtime::new().unwrap().block_on(client.send(request, clock::instant() + PATIENCE)).unwrap();
    let list = answer.json().unwrap()["results"].as_array().unwrap().clone();
    list.into_iter().filter(|prediction| prediction["model"] == model).collect()
}

#[test]
fn a_reply_that_is_lost_after_the_create_piles_up_nothing() {
    // So long a boot that whatever is created is there for as long as Replicate lets it.
    let slow = Conduct { boot: Spread::fixed(Duration::from_hours(1)), ..Conduct::default() };
    let replicate = Replicate::of_models(2, &slow);
    assert!(replicate.sandbox().set_fault(FaultOrder::creates(Fault::LostReply, 1_000)));
    let config = replicate.config(2, "1s");
    let entry = "[models.model-01]\n";
    let home = Home::at_trace(&config.replace(entry, &format!("{entry}timeout = \"7s\"\n")));
    let warmd = home.start();
    let (began, expected) = (clock::now(), [("model-00", 600), ("model-01", 7)]);
    for (name, _) in expected {
        home.model_when(name, "has lost four replies", |model| count(model, "unreachable") >= 4);
    }
    for (name, seconds) in expected {
        let before = home.model(name);
        let created = predictions(&replicate, &format!("acme/{name}"));
        let after = home.model(name);
        // One a heartbeat: not one was sent again.
        let heartbeats = count(&before, "unreachable")..=count(&after, "unreachable") + 1;
        assert!(heartbeats.contains(&(created.len() as u64)), "{} in {heartbeats:?}", created.len());
        let intervals = (clock::now() - began).num_seconds();
        assert!(
            created.len() < 7 && intervals >= 5,
            "{} in {intervals} intervals: it backs off",
            created.len()
        );
        for prediction in &created {
            let allowed = time(&prediction["deadline"]) - time(&prediction["created_at"]);
            assert!((allowed - TimeDelta::seconds(seconds)).num_milliseconds().abs() <= 50, "{prediction}");
        }
        assert!(reason(&after).contains("no whole answer"), "{after}");
    }
    // What was created unseen ends by itself.
    wait_until("the oldest has met its deadline", PATIENCE, || {
        predictions(&replicate, "acme/model-01").last().unwrap()["status"] == "aborted"
    });
    assert!(warmd.stop().success());
}

#[test]
fn words_and_times_that_nobody_has_seen_before_make_nothing_up() {
    let an_hour_ago = || (clock::now() - TimeDelta::hours(1)).to_rfc3339();
    let answer = move |seen: &Seen| -> Option<Value> {
        let (model, whole) = (seen.model.as_str(), ended(&seen.model));
        Some(match model {
            "waking" if seen.nth < 2 => with(under_way(model), json!({"status": "hibernating"})),
            "expired" => with(whole, json!({"status": "expired", "output": null})),
            "renamed" => with(whole, json!({"status": "completed"})),
            "numbered" => with(whole, json!({"status": 7, "error": []})),
            "bare" => json!({"id": model, "status": "succeeded"}),
            "mistyped" => with(
                whole,
                json!({"created_at": 5, "started_at": {}, "completed_at": [], "metrics": "many",
                "output": 7, "error": null, "urls": null, "input": []}),
            ),
            "endless" => with(whole, json!({"metrics": {"predict_time": 1e308, "total_time": 1e308}})),
            "backwards" => with(whole, json!({"started_at": an_hour_ago(), "metrics": null})),
            "early" => with(whole, json!({"created_at": "1970-01-01T00:00:00Z", "metrics": null})),
            "late" => with(
                whole,
                json!({"started_at": "2999-01-01T00:00:00Z", "completed_at": "9999-12-31T23:59:59Z",
                "metrics": {"predict_time": 4e9, "total_time": 4e9}}),
            ),
            "richer" => with(
                whole,
                json!({"tier": {"name": ["x", {"y": [null]}]}, "queue": {"position": -1}, "metrics":
                {"predict_time": 0.2, "total_time": 0.22, "cold": "maybe", "tokens": {"in": 1e300}}}),
            ),
            _ => return None,
        })
    };
    let stand_in = StandIn::start(move |seen| match (seen.what, seen.model.as_str()) {
        (What::Create, "listed") => Some(reply(201, &json!([at_once("listed")]))),
        (What::Create, "nameless") => Some(reply(201, &json!({"status": "starting"}))),
        (What::Create, "cut") => Some(lost()),
        (What::Create, "empty") => Some(raw(202, "")),
        (What::Create, "waking") => Some(reply(201, &with(under_way("waking"), json!({"status": "asleep"})))),
        (What::Read, _) => answer(seen).map(|body| reply(200, &body)),
        _ => None,
    });
    let warm = |evidence: &'static str| ("warm", Some(evidence), "");
    let nothing = |word: &'static str| ("unreachable", None, word);
    let expected = [
        ("waking", warm("queue-wait")),
        ("expired", ("failed", None, "ended as `expired`")),
        ("renamed", warm("queue-wait")),
        ("numbered", warm("queue-wait")),
        ("bare", warm("latency")),
        ("mistyped", warm("latency")),
        ("endless", warm("queue-wait")),
        ("backwards", warm("latency")),
        ("early", warm("latency")),
        ("late", warm("latency")),
        ("richer", warm("queue-wait")),
        ("listed", nothing("no prediction")),
        ("nameless", nothing("no prediction")),
        ("cut", nothing("no whole answer")),
        ("empty", nothing("no JSON")),
    ];
    // Far from any wait here, however busy the machine.
    let once = "interval = \"1d\"\ncold_after = \"20s\"";
    let models: Vec<(&str, &str)> =
        expected.iter().map(|(name, _)| (*name, once)).chain([("good", "")]).collect();
    let home = Home::at_trace(&stand_in.config(&models));
    let warmd = home.start();
    for (name, (outcome, evidence, word)) in expected {
        let model = home.model_when(name, "has ended", |model| !model["last"].is_null());
        let last = &model["last"];
        assert_eq!(
            (last["outcome"].as_str(), last["evidence"].as_str()),
            (Some(outcome), evidence),
            "{model}"
        );
        assert!(last["error"].as_str().unwrap_or_default().contains(word), "{model}");
        assert_eq!(model["boot"], Value::Null, "{model}");
        let within_the_day = |key: &str| last[key].as_f64().is_none_or(|seconds| seconds < 60.0);
        assert!(["total", "wait", "predict"].iter().all(|key| within_the_day(key)), "{model}");
    }
    let good = home.model_when("good", "warm", |model| count(model, "warm") >= 3);
    assert_eq!(good["state"], "warm");
    assert!(warmd.stop().success());
}

#[test]
fn a_prediction_that_ran_and_failed_shows_a_model_that_is_up() {
    let failed = |model: &str, ran: bool| {
        let body = with(
            ended(model),
            json!({"status": "failed", "output": null, "error": "please retry (code: PA)"}),
        );
        if ran { body } else { with(body, json!({"started_at": null, "metrics": null})) }
    };
    let stand_in = StandIn::start(move |seen| match seen.what {
        What::Create => Some(reply(201, &under_way(&seen.model))),
        What::Read => Some(reply(200, &failed(&seen.model, seen.model == "ran"))),
        What::LookUp | What::Cancel => None,
    });
    let home = Home::at_trace(&stand_in.config(&[("ran", ""), ("waited", "")]));
    let warmd = home.start();
    let model = home.model_when("ran", "three failures", |model| count(model, "failed") >= 3);
    assert_eq!((&model["state"], &model["last"]["outcome"]), (&json!("warm"), &json!("failed")), "{model}");
    assert_eq!(model["last"]["evidence"], "queue-wait");
    assert!(model["notes"].to_string().contains("please retry (code: PA)"), "{model}");
    assert!(model["hours"]["warm"].as_f64() > Some(1.0), "{model}");
    let model = home.model_when("waited", "failing", |model| model["state"] == "failing");
    assert_eq!((&model["last"]["predict"], &model["hours"]["warm"]), (&Value::Null, &json!(0.0)), "{model}");
    assert!(warmd.stop().success());
}

#[test]
fn a_refusal_that_passes_silences_no_model() {
    // Each is refused three times once it has answered, in one of three ways; one stays refused.
    let missing = json!({"detail": "The requested resource could not be found.", "status": 404});
    let version = json!({"title": "Invalid version or not permitted", "status": 422,
        "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)"});
    let refusal = move |model: &str| match model {
        "forbidden" => reply(403, &json!({"detail": "no right to it", "status": 403})),
        "moved" => reply(422, &version),
        _ => reply(404, &missing),
    };
    let stand_in = StandIn::start(move |seen| {
        let passing = (3..6).contains(&seen.nth);
        let refuse = seen.what == What::Create && (passing || (seen.nth >= 3 && seen.model == "gone"));
        refuse.then(|| refusal(&seen.model))
    });
    let names = ["missing", "forbidden", "moved", "gone"];
    let home = Home::at_trace(&stand_in.config(&names.map(|name| (name, "calibrate = false"))));
    let warmd = home.start();
    for name in &names[..3] {
        let model = home.model_when(name, "warm again", |model| count(model, "warm") >= 5);
        assert_eq!((&model["state"], count(&model, "rejected")), (&json!("warm"), 3), "{model}");
        assert_eq!(home.states(name), ["warm", "failing", "warm"]);
    }
    let model =
        home.model_when("gone", "left alone for a minute", |model| next_in(model) > TimeDelta::seconds(50));
    assert_eq!(model["state"], "failing", "{model}");
    assert!(
        reason(&model).starts_with("refused, which may pass: POST /predictions was answered with 404"),
        "{model}"
    );
    // Killed and started again, it looks at once, and that is the third refusal.
    warmd.kill();
    let warmd = home.start();
    let model = home.model_when("gone", "blocked", |model| model["state"] == "blocked");
    assert!(next_in(&model) > TimeDelta::seconds(100), "{model}");
    assert!(warmd.stop().success());
}

#[test]
fn a_prediction_longer_than_cold_after_is_not_shown_as_a_boot() {
    // The reply to each create is held for a second, and says `starting` then, whatever is so.
    let stand_in = StandIn::start(|seen| match seen.what {
        What::Create => Some(reply(201, &under_way(&seen.model)).after(Duration::from_secs(1))),
        What::Read if seen.nth % 4 == 3 => None,
        What::Read => {
            let status = if seen.model == "boots" && seen.nth < 2 { "starting" } else { "processing" };
            Some(reply(200, &with(under_way(&seen.model), json!({"status": status}))))
        }
        What::LookUp | What::Cancel => None,
    });
    let more = "interval = \"5s\"\ncold_after = \"500ms\"";
    let home = Home::at_trace(&stand_in.config(&[("slow", more), ("boots", more)]));
    let warmd = home.start();
    let model = home.model_when("boots", "booting", |model| model["state"] == "booting");
    assert!(reason(&model).contains("waiting for its boot"), "{model}");
    for name in ["slow", "boots"] {
        home.model_when(name, "two answers", |model| count(model, "warm") >= 2);
    }
    assert_eq!(home.states("slow"), ["warm"]);
    assert_eq!(home.states("boots").iter().filter(|state| *state == "booting").count(), 1);
    assert!(warmd.stop().success());
}
