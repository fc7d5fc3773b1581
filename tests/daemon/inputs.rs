//! Models that are not tidy, on real Cog servers: they want something of their input that their schema does not say,
//! return much, or refuse what they made.

use crate::faults::network::peer::{Peer, say, schema};
use crate::real_cog::{COG_0_9, COG_0_16, COG_0_23, Release, Server, Setup};
use crate::support::{Home, PATIENCE, TOKEN, told_in, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const MODELS: [&str; 8] =
    ["Transcriber", "Remover", "Painter", "Writer", "Fussy", "Slow", "Filer", "Refuser"];

/// How many heartbeats it may take at the most, the one that works among them.
const HEARTBEATS: usize = 5;

fn config(servers: &[Server]) -> String {
    let model = |(name, server): (&&str, &Server)| {
        format!("[models.{name}]\ncog = \"{}\"\nactive = [\"always\"]\ninterval = \"1s\"\n", server.url())
    };
    MODELS.iter().zip(servers).map(model).collect()
}

fn start(release: Release) -> Vec<Server> {
    std::thread::scope(|scope| {
        let starting = MODELS.map(|model| scope.spawn(move || Setup::serving(release, model).start_ready()));
        starting.into_iter().map(|server| server.join().expect("it starts")).collect()
    })
}

/// What a model was sent at last.
fn last(server: &Server) -> Value {
    server.inputs().pop().expect("it predicted")
}

/// Each is warm within five heartbeats, and after a restart at once, with what worked.
fn each_is_warm_within_five_heartbeats_and_remembers(release: Release) {
    let servers = start(release);
    let home = Home::new(&config(&servers));
    let warmd = home.start();
    for name in MODELS {
        let warm = || warmd.outcomes(name).iter().position(|outcome| outcome == "warm");
        wait_until(&format!("{name} is warm"), PATIENCE, || warm().is_some());
        let outcomes = warmd.outcomes(name);
        assert!(warm().unwrap() < HEARTBEATS, "{name}: {outcomes:?}");
        // Another one, so that it was not by chance.
        let model = home.model_when(name, "warm again", |model| model["counts"]["warm"].as_u64() >= Some(2));
        assert_eq!((&model["state"], &model["counts"]["unreachable"]), (&json!("warm"), &json!(0)), "{name}");
    }
    // What it refused ran: the model was up all the while.
    assert!(home.model("Refuser")["counts"]["failed"].as_u64() >= Some(1));
    assert!(!home.states("Refuser").contains(&"failing".to_owned()));
    assert!(warmd.stop().success());
    let worked: Vec<Value> = servers.iter().map(last).collect();
    let worked_of = |name: &str| &worked[MODELS.iter().position(|model| *model == name).unwrap()];
    assert_eq!(worked_of("Transcriber"), &json!({"audio": "RIFF$}\0\0WAVE", "batch_size": 1}));
    assert!(worked_of("Remover")["image"].is_string() && worked_of("Remover")["video"].is_null());
    assert_eq!(worked_of("Painter")["num_inference_steps"], 2, "two of them make one at a strength of 0.8");
    assert_eq!(worked_of("Writer"), &json!({"prompt": "hi", "max_length": 64, "num_beams": 1}));
    assert_eq!(worked_of("Slow"), &json!({"text": "hi", "diffusion_steps": 1, "length_in_seconds": 1}));

    let before: Vec<usize> = servers.iter().map(Server::predictions).collect();
    let warmd = home.start();
    for name in MODELS {
        wait_until(&format!("{name} has another"), PATIENCE, || !warmd.outcomes(name).is_empty());
        let first = &warmd.outcomes(name)[0];
        assert!(first == "warm" || name == "Refuser", "{name}: {first}");
    }
    assert!(warmd.stop().success());
    for ((name, server), (ran, worked)) in MODELS.iter().zip(&servers).zip(before.into_iter().zip(&worked)) {
        assert_eq!(&server.inputs()[ran], worked, "{name}: the first one is what worked before");
    }
}

#[test]
fn on_cog_0_9() {
    each_is_warm_within_five_heartbeats_and_remembers(COG_0_9);
}

#[test]
fn on_cog_0_16() {
    each_is_warm_within_five_heartbeats_and_remembers(COG_0_16);
}

#[test]
fn on_cog_0_23() {
    each_is_warm_within_five_heartbeats_and_remembers(COG_0_23);
}

/// A reload keeps what was learned, unless the user's own input or the server is another.
#[test]
fn a_reload_goes_on_from_what_worked_and_another_input_or_server_begins_with_the_smallest() {
    let [one, two] = [(); 2].map(|()| Setup::serving(COG_0_23, "Writer").start_ready());
    let model = |server: &Server, more: &str| {
        let url = server.url();
        format!("[models.box]\ncog = \"{url}\"\nactive = [\"always\"]\ninterval = \"1s\"\n{more}\n")
    };
    let home = Home::new(&model(&one, ""));
    let warmd = home.start();
    home.model_when("box", "warm", |model| model["counts"]["warm"].as_u64() >= Some(1));
    // The first two inputs after a reload.
    let reload = |server: &Server, more: &str| {
        assert!(home.ctl(&["pause", "box"]).status.success());
        // What was in flight has landed.
        std::thread::sleep(Duration::from_secs(1));
        let ran = server.predictions();
        home.write(&model(server, more));
        assert!(home.ctl(&["reload"]).status.success());
        assert!(home.ctl(&["resume", "box"]).status.success());
        wait_until("it is sent another", PATIENCE, || server.predictions() > ran + 1);
        let inputs = server.inputs();
        [inputs[ran].clone(), inputs[ran + 1].clone()]
    };
    let with = |max_length: u64, num_beams: u64| json!({"prompt": "hi", "max_length": max_length, "num_beams": num_beams});
    assert_eq!(reload(&one, "timeout = \"1m\""), [with(64, 1), with(64, 1)], "what worked");
    assert_eq!(reload(&one, "input = { num_beams = 2 }"), [with(1, 2), with(64, 2)], "from the smallest");
    assert_eq!(
        reload(&two, "input = { num_beams = 2 }"),
        [with(1, 2), with(64, 2)],
        "of another server, too"
    );
    assert!(warmd.stop().success());
}

/// The names of inputs are a server's words: what is kept of them has no secret.
#[test]
fn a_knob_that_is_named_after_the_token_is_kept_without_it() {
    let peer = Peer::start();
    peer.does(|connection, heard| {
        let knob = json!({"type": "integer", "default": 50});
        let (status, body) = match heard.what.as_str() {
            "GET /openapi.json" => (200, schema(&json!({format!("{TOKEN}_steps"): knob, "num_steps": knob}))),
            "POST /predictions" => {
                (200, json!({"status": "failed", "error": "no", "metrics": {"predict_time": 0.1}}))
            }
            _ => heard.well(),
        };
        say(connection, status, "", body.to_string().as_bytes())
    });
    let home = Home::new(&format!(
        "[models.box]\ncog = \"{}\"\nactive = [\"always\"]\ninterval = \"1s\"\ntoken_env = \"REPLICATE_API_TOKEN\"\n",
        peer.url()
    ));
    let warmd = home.start();
    home.model_when("box", "it has failed", |model| model["counts"]["failed"].as_u64() >= Some(3));
    let sent: Vec<Value> = peer
        .heard()
        .into_iter()
        .filter(|heard| heard.what == "POST /predictions")
        .map(|heard| heard.body["input"].clone())
        .collect();
    assert_eq!((sent[0].as_object().unwrap().len(), &sent[1]), (2, &json!({})), "it was learned: {sent:?}");
    assert!(warmd.stop().success());
    assert!(told_in(&home.path("")).is_empty());
}
