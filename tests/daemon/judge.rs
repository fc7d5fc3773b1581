//! The judge of cold and warm through real sockets, against what truly happened. `benches/judge.rs` has the same
//! worlds and more on a simulated clock.

use crate::cogs::Cogs;
use crate::sandboxed::Replicate;
use crate::support::{Home, Warmd, text};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::json;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use warmd::clock::Stopwatch;
use warmd::sandbox::{Conduct, ModelSettings, Rate, Settings, Spread, Truth};

struct World {
    name: &'static str,
    interval: &'static str,
    conduct: Conduct,
    models: usize,
    /// The share of verdicts that must be right, as judged at once.
    at_least: f64,
}

/// Evicted before 4 of 100 heartbeats.
fn conduct(wait: Spread, boot: Spread) -> Conduct {
    let predict = Spread::millis(20, 60);
    Conduct { wait, boot, predict, evicted_per_mille: 40, ..Conduct::default() }
}

fn log_normal(median: u64, p99: u64) -> Spread {
    Spread::log_normal(Duration::from_millis(median), Duration::from_millis(p99))
}

fn worlds() -> [World; 6] {
    let quick = log_normal(50, 160);
    let world = |name, conduct| World { name, interval: "1s", conduct, models: 8, at_least: 0.975 };
    [
        world("quick", conduct(quick, Spread::millis(2_000, 5_000))),
        world("short", conduct(quick, Spread::millis(1_000, 2_400))),
        world("slow", conduct(log_normal(370, 2_300), Spread::millis(5_000, 12_000))),
        world("restored", Conduct { evicted_per_mille: 10, ..conduct(quick, Spread::millis(1_500, 2_000)) }),
        World {
            name: "cold",
            interval: "3s",
            conduct: Conduct {
                idle_timeout: Duration::from_millis(500),
                evicted_per_mille: 0,
                ..conduct(quick, Spread::millis(1_000, 2_000))
            },
            models: 8,
            at_least: 0.8,
        },
        World {
            // The verdicts of its first minute are the least certain of all: of more models, the share wanders less.
            models: 16,
            // As few heartbeats as a busy machine lets through in that time; on a simulated clock it is 0.99.
            at_least: 0.965,
            ..world(
                "busy",
                Conduct {
                    evicted_per_mille: 0,
                    ..conduct(log_normal(1_000, 5_000), Spread::millis(5_000, 6_000))
                },
            )
        },
    ]
}

fn model(world: &World, number: usize) -> String {
    format!("{}-{number}", world.name)
}

#[test]
fn short_boots_slow_queues_and_models_that_are_always_cold_are_judged_as_they_were() {
    let worlds = worlds();
    let each =
        || worlds.iter().flat_map(|world| (0..world.models).map(move |number| (world, model(world, number))));
    let rate = Rate::per_minute(100_000);
    let replicate = Replicate::start(Settings {
        models: each()
            .map(|(world, name)| ModelSettings::new("acme", &name, world.conduct.clone()))
            .collect(),
        creates: rate,
        calls: rate,
        ..Settings::default()
    });
    let base_url = replicate.sandbox().base_url();
    let mut config = format!("[replicate]\nbase_url = \"{base_url}\"\ncreates_per_minute = 100000\n");
    for (world, name) in each() {
        let interval = world.interval;
        write!(
            config,
            "\n[models.{name}]\nreplicate = \"acme/{name}\"\nactive = [\"always\"]\ninterval = \"{interval}\"\n"
        )
        .unwrap();
    }
    let home = Home::new(&config);
    let warmd = home.start();
    std::thread::sleep(Duration::from_secs(100));
    let truth = replicate.truth();
    for world in &worlds {
        let (mut right, mut all, mut calibrations) = (0, 0, 0);
        for number in 0..world.models {
            let name = model(world, number);
            for (cold, outcome) in verdicts(&truth, &warmd, &name) {
                if outcome == "calibration" {
                    calibrations += 1;
                    continue;
                }
                all += 1;
                right += usize::from((outcome == "cold") == cold);
            }
        }
        let share = right as f64 / all as f64;
        println!("{}: {right} of {all} right ({share:.4}), {calibrations} calibrations", world.name);
        assert!(
            all >= world.models * 15 && calibrations >= 2 * world.models,
            "{}: {all}, {calibrations}",
            world.name
        );
        assert!(share >= world.at_least, "{}: {share}", world.name);
    }
}

/// Of each prediction of a model: whether it was truly cold, and its outcome.
fn verdicts(truth: &Truth, warmd: &Warmd, model: &str) -> Vec<(bool, String)> {
    let of_model = truth.predictions.iter().filter(|one| one.model == format!("acme/{model}"));
    of_model.map(|one| one.cold).zip(warmd.outcomes(model)).collect()
}

/// Waits for ten answers, of which none may be a calibration.
fn is_never_calibrated(home: &Home, warmd: &Warmd, name: &str) {
    home.model_when(name, "ten answers", |model| model["counts"]["warm"].as_u64() >= Some(10));
    assert!(warmd.outcomes(name).iter().all(|outcome| outcome != "calibration"), "{name}");
    assert_eq!(home.model(name)["counts"]["calibration"], 0, "{name}");
}

#[test]
fn calibration_heartbeats_are_sent_only_where_they_are_wanted_and_in_nobodys_way() {
    let quick =
        Conduct { evicted_per_mille: 0, ..conduct(log_normal(50, 160), Spread::millis(1_000, 1_500)) };
    // A prediction that runs for a third of its interval is not sent twice in a row.
    let long = Conduct { predict: Spread::millis(330, 340), ..quick.clone() };
    let models = [("unwanted", &quick), ("fixed", &quick), ("long", &long), ("wanted", &quick)];
    let replicate = Replicate::start(Settings {
        models: models.map(|(name, conduct)| ModelSettings::new("acme", name, conduct.clone())).into(),
        ..Settings::default()
    });
    let cogs = Cogs::start();
    let base_url = replicate.sandbox().base_url();
    let home = Home::new(&format!(
        "[replicate]\nbase_url = \"{base_url}\"\n[defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n\
         [models.unwanted]\nreplicate = \"acme/unwanted\"\ncalibrate = false\n\
         [models.fixed]\nreplicate = \"acme/fixed\"\ncold_after = \"500ms\"\n\
         [models.long]\nreplicate = \"acme/long\"\n\
         {}\
         [models.wanted]\nreplicate = \"acme/wanted\"\n",
        cogs.model("cog", "")
    ));
    let warmd = home.start();
    for name in ["unwanted", "fixed", "long", "cog"] {
        is_never_calibrated(&home, &warmd, name);
    }
    let wanted = home.model("wanted");
    assert!(wanted["counts"]["calibration"].as_u64() >= Some(3), "{wanted}");
    assert_ne!(wanted["last"]["outcome"], "calibration", "the last one shown is a heartbeat");
    assert!(wanted["counts"]["skipped"].as_u64() <= Some(2), "no due is lost but to the boot: {wanted}");
}

#[test]
fn an_account_without_creates_to_spare_sends_no_calibration_heartbeat() {
    let replicate = Replicate::of_models(1, &conduct(log_normal(50, 160), Spread::millis(10, 20)));
    // As many as the model needs.
    let config = replicate.config(1, "5s").replace("[replicate]\n", "[replicate]\ncreates_per_minute = 12\n");
    let home = Home::new(&config);
    let warmd = home.start();
    home.model_when("model-00", "three answers", |model| model["counts"]["warm"].as_u64() >= Some(3));
    assert!(warmd.outcomes("model-00").iter().all(|outcome| outcome == "warm"));
}

#[test]
fn a_heartbeat_by_hand_says_that_a_calibration_heartbeat_follows() {
    let replicate = Replicate::of_models(1, &conduct(log_normal(50, 160), Spread::millis(1_000, 2_000)));
    let config = replicate.config(1, "1h");
    let home = Home::new(&config);
    let warmd = home.start();
    home.model_when("model-00", "a calibration", |model| model["counts"]["calibration"] == 1);
    let told = home.json(&["beat", "model-00"]);
    assert_eq!((&told["heartbeat"]["outcome"], &told["calibration"]), (&"warm".into(), &true.into()));
    assert!(told["heartbeat"]["certainty"].as_f64() > Some(0.9), "{told}");
    home.model_when("model-00", "its calibration", |model| model["counts"]["calibration"] == 2);
    let said = home.ctl(&["beat", "model-00"]);
    assert!(text(&said.stdout).contains("a calibration heartbeat follows"), "{}", text(&said.stdout));
    home.model_when("model-00", "the third", |model| model["counts"]["calibration"] == 3);
    assert_eq!(home.json(&["beat", "model-00"])["calibration"], false);
    assert!(warmd.stop().success());
}

/// A Cog server that reports no setup, and does not answer the second request of two in a row.
fn hangs_on_each_second(runtime: &Runtime) -> String {
    let asked = Arc::new(AtomicU32::new(0));
    let predict = move || {
        let is_second = asked.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        async move {
            if is_second {
                std::future::pending::<()>().await;
            }
            axum::Json(json!({"status": "succeeded", "output": "hi", "metrics": {"predict_time": 0.01}}))
        }
    };
    let routes = Router::new()
        .route("/health-check", get(|| async { axum::Json(json!({"status": "READY"})) }))
        .route("/openapi.json", get(|| async { StatusCode::NOT_FOUND }))
        .route("/predictions", post(predict));
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

#[test]
fn a_calibration_heartbeat_that_hangs_stands_back() {
    let runtime = Runtime::new().unwrap();
    let url = hangs_on_each_second(&runtime);
    let home = Home::new(&format!(
        "[models.box]\ncog = \"{url}\"\nactive = [\"always\"]\ninterval = \"3s\"\ninput = {{ prompt = \"hi\" }}\n"
    ));
    let warmd = home.start();
    home.model_when("box", "a heartbeat after one that hangs", |model| {
        model["counts"]["warm"].as_u64() >= Some(2)
    });
    let model = home.model("box");
    assert_eq!((&model["state"], &model["last"]["outcome"]), (&"warm".into(), &"warm".into()), "{model}");
    let counts = &model["counts"];
    let [calibrations, timed_out, skipped] =
        ["calibration", "timed_out", "skipped"].map(|outcome| counts[outcome].as_u64().unwrap());
    assert!(calibrations >= 1 && timed_out == 0 && skipped <= 1, "{counts}");
    // One by hand and the end wait for it as little.
    let told = home.json(&["beat", "box"]);
    assert_eq!(told["heartbeat"]["outcome"], "warm");
    let ending = Stopwatch::start();
    assert!(warmd.stop().success());
    assert!(ending.elapsed() < Duration::from_secs(4), "{:?}", ending.elapsed());
}
