//! Models that want something of their input that their schema does not say, on real Cog servers.

use crate::real_cog::{COG_0_9, COG_0_16, COG_0_23, Release, Server, Setup};
use crate::support::{Home, PATIENCE, wait_until};
use serde_json::{Value, json};

const MODELS: [&str; 6] = ["Transcriber", "Remover", "Painter", "Writer", "Fussy", "Slow"];

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
        home.model_when(name, "warm again", |model| model["counts"]["warm"].as_u64() >= Some(2));
    }
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
        assert_eq!(warmd.outcomes(name)[0], "warm", "{name}");
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
