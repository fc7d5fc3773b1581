//! The daemon against the sandbox as Replicate: warm and cold told apart as they truly were.

use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use warmd::sandbox::{AccountSettings, Conduct, ModelSettings, Sandbox, Settings, Spread, Truth};

/// A sandbox and the threads it runs on.
pub(crate) struct Replicate {
    runtime: Runtime,
    sandbox: Option<Sandbox>,
}

impl Replicate {
    pub(crate) fn start(settings: Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let sandbox = runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            Sandbox::start(listener, settings).unwrap()
        });
        Self { runtime, sandbox: Some(sandbox) }
    }

    /// `count` models that all behave so, asked for by their name alone.
    pub(crate) fn of_models(count: usize, conduct: &Conduct) -> Self {
        Self::of_account(count, conduct, Vec::new())
    }

    /// The same, for these accounts alone.
    pub(crate) fn of_account(count: usize, conduct: &Conduct, accounts: Vec<AccountSettings>) -> Self {
        let models = (0..count).map(|number| ModelSettings::new("acme", &name(number), conduct.clone()));
        Self::start(Settings { models: models.collect(), accounts, ..Settings::default() })
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }

    pub(crate) fn truth(&self) -> Truth {
        self.sandbox().truth()
    }

    /// What a `warm.toml` that keeps these models warm says.
    pub(crate) fn config(&self, count: usize, interval: &str) -> String {
        let mut text = format!("[replicate]\nbase_url = \"{}\"\n", self.sandbox().base_url());
        for number in 0..count {
            let name = name(number);
            write!(
                text,
                "\n[models.{name}]\nreplicate = \"acme/{name}\"\nactive = [\"always\"]\ninterval = \"{interval}\"\n"
            )
            .unwrap();
        }
        text
    }
}

impl Drop for Replicate {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}

fn name(number: usize) -> String {
    format!("model-{number:02}")
}

/// Of all heartbeats that both saw, how many were judged as they truly were, and how many weren't.
fn agreement(truth: &Truth, warmd: &Warmd, count: usize) -> (usize, usize) {
    let mut of_model: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for prediction in &truth.predictions {
        of_model.entry(&prediction.model).or_default().push(prediction.cold);
    }
    let (mut right, mut wrong) = (0, 0);
    for number in 0..count {
        let truly = of_model.get(format!("acme/{}", name(number)).as_str()).cloned().unwrap_or_default();
        let judged = warmd.outcomes(&name(number));
        for (truly, judged) in truly.iter().zip(&judged) {
            match judged.as_str() {
                "warm" if !truly => right += 1,
                "cold" if *truly => right += 1,
                // That is no verdict.
                "calibration" => {}
                other => {
                    wrong += 1;
                    eprintln!("{}: truly cold: {truly}, judged {other}", name(number));
                }
            }
        }
    }
    (right, wrong)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Boots of 2.6–4 s, and an idle time-out of 6 s: what is asked for every 3 s stays warm.
pub(crate) fn brisk() -> Conduct {
    Conduct {
        idle_timeout: Duration::from_secs(6),
        boot: Spread::millis(2_600, 4_000),
        predict: Spread::millis(50, 150),
        ..Conduct::default()
    }
}

#[test]
fn models_stay_warm_and_the_hours_say_so() {
    let replicate = Replicate::of_models(6, &brisk());
    let home = Home::new(&replicate.config(6, "3s"));
    let warmd = home.start();
    std::thread::sleep(Duration::from_secs(25));
    let status = home.status();
    for model in status["models"].as_array().unwrap() {
        let (hours, counts) = (&model["hours"], &model["counts"]);
        assert_eq!(counts["cold"], 1, "{model}");
        assert!(counts["warm"].as_u64().unwrap() >= 5, "{model}");
        assert_eq!(hours["cold_heartbeats"], 1);
        assert_eq!(model["boot"]["count"], 1);
        assert_eq!(model["state"], "warm");
        assert_eq!(model["last"]["evidence"], "queue-wait");
        let sum = number(&hours["warm"]) + number(&hours["cold"]) + number(&hours["unknown"]);
        assert!((sum - number(&hours["open"])).abs() < 0.01, "{hours}");
        assert!((2.5..5.5).contains(&number(&hours["cold"])), "{hours}");
        assert!(number(&hours["unknown"]) < 4.5, "{hours}");
        assert!(number(&hours["warm"]) > 12.0, "{hours}");
    }
    let (right, wrong) = agreement(&replicate.truth(), &warmd, 6);
    assert!(wrong == 0 && right >= 36, "{right} right, {wrong} wrong");
    assert!(warmd.stop().success());
}

#[test]
fn models_that_go_cold_between_heartbeats_are_reported_cold() {
    let conduct = Conduct { idle_timeout: Duration::from_secs(2), ..brisk() };
    let replicate = Replicate::of_models(4, &conduct);
    let home = Home::new(&replicate.config(4, "9s"));
    let warmd = home.start();
    std::thread::sleep(Duration::from_secs(33));
    let status = home.status();
    for model in status["models"].as_array().unwrap() {
        assert!(model["counts"]["cold"].as_u64().unwrap() >= 3, "{model}");
        assert!(number(&model["hours"]["cold"]) > 15.0, "{model}");
        // The grid may bring the second one right after the first one's boot, and truly warm.
        let warm = model["counts"]["warm"].as_u64().unwrap();
        assert!(warm <= 1 && number(&model["hours"]["warm"]) < 3.0, "{model}");
        assert_eq!(model["latency"]["warm"].is_null(), warm == 0);
    }
    let (right, wrong) = agreement(&replicate.truth(), &warmd, 4);
    assert!(wrong == 0 && right >= 12, "{right} right, {wrong} wrong");
}

#[test]
fn percentiles_agree_with_the_raw_times() {
    let conduct = Conduct { predict: Spread::millis(20, 600), boot: Spread::millis(2_600, 2_700), ..brisk() };
    let replicate = Replicate::of_models(1, &conduct);
    let home = Home::new(&replicate.config(1, "1s"));
    let warmd = home.start();
    home.model_when("model-00", "twenty warm answers", |model| model["counts"]["warm"].as_u64() >= Some(20));
    assert!(home.ctl(&["pause", "model-00"]).status.success());
    // The last one may still be in flight when the pause begins.
    std::thread::sleep(Duration::from_secs(2));
    let warm = home.model("model-00")["latency"]["warm"].clone();
    let mut raw = warmd.totals("model-00");
    raw.sort_by(f64::total_cmp);
    assert_eq!(warm["count"], raw.len());
    let at = |share: f64| raw[((share * raw.len() as f64).ceil() as usize).max(1) - 1];
    let mean = raw.iter().sum::<f64>() / raw.len() as f64;
    for (key, exact) in [
        ("min", raw[0]),
        ("p50", at(0.5)),
        ("p90", at(0.9)),
        ("p99", at(0.99)),
        ("max", raw[raw.len() - 1]),
        ("mean", mean),
    ] {
        let told = number(&warm[key]);
        assert!((told / exact - 1.0).abs() < 0.01, "{key}: told {told}, raw {exact}");
    }
}

#[test]
fn one_heartbeat_by_hand_is_counted_and_told() {
    let replicate = Replicate::of_models(1, &brisk());
    let home = Home::new(&replicate.config(1, "3s"));
    let _warmd = home.start();
    home.model_when("model-00", "warm", |model| model["state"] == "warm");
    let before = home.model("model-00")["counts"]["warm"].as_u64();
    let told = home.json(&["beat", "model-00"]);
    assert_eq!(told["model"], "model-00");
    assert_eq!(told["heartbeat"]["outcome"], "warm");
    assert_eq!(told["heartbeat"]["evidence"], "queue-wait");
    assert!(home.model("model-00")["counts"]["warm"].as_u64() > before);
}

#[test]
fn a_heartbeat_by_hand_of_a_disabled_model_is_in_no_figure_of_active_hours() {
    let replicate = Replicate::of_models(1, &brisk());
    let home = Home::new(&replicate.config(1, "3s").replace("interval", "enabled = false\ninterval"));
    let warmd = home.start();
    let told = home.json(&["beat", "model-00"]);
    assert_eq!(told["heartbeat"]["outcome"], "cold");
    let model = home.model("model-00");
    assert_eq!(model["counts"]["cold"], 1);
    assert_eq!((&model["hours"]["cold_heartbeats"], &model["hours"]["open"]), (&0.into(), &0.0.into()));
    let cold = home.json(&["history", "model-00"])["events"].as_array().unwrap().clone();
    let cold = cold.iter().find(|event| event["event"] == "cold").unwrap();
    assert_eq!(cold["in_hours"], false, "{cold}");
    assert!(warmd.stop().success());
}

#[test]
fn a_pause_holds_heartbeats_and_a_resume_frees_them() {
    let replicate = Replicate::of_models(2, &brisk());
    let home = Home::new(&replicate.config(2, "1s"));
    let warmd = home.start();
    home.model_when("model-00", "warm", |model| model["state"] == "warm");
    assert!(home.ctl(&["pause", "model-00", "--for", "1h"]).status.success());
    let paused = home.model("model-00");
    assert_eq!(paused["state"], "paused");
    assert!(paused["paused_until"].is_string());
    warmd.kill();
    let _warmd = home.start();
    assert_eq!(home.model("model-00")["state"], "paused", "a pause survives a kill");
    let sent = |truth: Truth| truth.predictions.iter().filter(|one| one.model == "acme/model-00").count();
    let before = sent(replicate.truth());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(sent(replicate.truth()), before);
    let resumed = home.ctl(&["resume", "--all"]);
    assert_eq!(text(&resumed.stdout), "model-00: resumed\nmodel-01: was not paused\n");
    wait_until("heartbeats go on", PATIENCE, || sent(replicate.truth()) > before);
}

/// Asks `count` models by hand, each `rounds` times, warm and cold in turn: at once after an answer,
/// then after its idle time-out. The scheduled heartbeats are all far away.
fn asked_in_turn(conduct: &Conduct, count: usize, rounds: usize) -> (Replicate, Home, Warmd) {
    let replicate = Replicate::of_models(count, conduct);
    let away = warmd::clock::now() + chrono::TimeDelta::hours(6);
    let window = format!("active = [\"{}-{}\"]", away.format("%H:00"), away.format("%H:59"));
    let home = Home::new(&replicate.config(count, "1m").replace("active = [\"always\"]", &window));
    let warmd = home.start();
    let idle = conduct.idle_timeout + Duration::from_millis(300);
    std::thread::scope(|scope| {
        for number in 0..count {
            let home = &home;
            scope.spawn(move || {
                for round in 0..rounds {
                    if round % 2 == 0 {
                        std::thread::sleep(idle);
                    }
                    assert!(home.ctl(&["beat", &name(number)]).status.success());
                }
            });
        }
    });
    (replicate, home, warmd)
}

#[test]
fn slow_queues_are_told_from_boots() {
    let conduct = Conduct {
        idle_timeout: Duration::from_secs(1),
        wait: Spread::millis(10, 1_500),
        boot: Spread::millis(3_000, 5_000),
        predict: Spread::millis(20, 60),
        ..Conduct::default()
    };
    let (replicate, _home, warmd) = asked_in_turn(&conduct, 12, 10);
    let (right, wrong) = agreement(&replicate.truth(), &warmd, 12);
    // Ten heartbeats are few for boots that are hardly longer than the queue.
    assert!(right + wrong >= 118 && wrong * 8 <= right + wrong, "{right} right, {wrong} wrong");
}

#[test]
fn short_boots_are_learned_and_what_was_learned_survives_a_kill() {
    let conduct = Conduct {
        idle_timeout: Duration::from_millis(500),
        wait: Spread::millis(5, 100),
        boot: Spread::millis(950, 1_050),
        predict: Spread::millis(20, 60),
        ..Conduct::default()
    };
    let (replicate, home, warmd) = asked_in_turn(&conduct, 4, 60);
    let truth = replicate.truth();
    for number in 0..4 {
        let name = name(number);
        let truly: Vec<bool> = truth
            .predictions
            .iter()
            .filter(|one| one.model == format!("acme/{name}"))
            .map(|one| one.cold)
            .collect();
        let judged = warmd.outcomes(&name);
        for (round, (truly, judged)) in truly.iter().zip(&judged).enumerate().skip(40) {
            assert_eq!(if *truly { "cold" } else { "warm" }, judged, "{name}, heartbeat {round}");
        }
        let learned = number_of(&home, &name);
        assert!((0.5..0.95).contains(&learned), "{learned}");
    }
    warmd.kill();
    let _warmd = home.start();
    let kept = number_of(&home, "model-00");
    assert!((0.5..0.95).contains(&kept), "what was learned survives a kill: {kept}");
}

fn number_of(home: &Home, name: &str) -> f64 {
    number(&home.model(name)["cold_after"])
}

/// The long form of the first two tests; prints its figures.
#[test]
#[ignore = "takes a quarter of an hour"]
fn twenty_models_for_ten_minutes() {
    // Nine seconds less the longest boot is more than the second idle time-out: always cold.
    for (interval, idle_seconds, minutes) in [("3s", 6, 10), ("9s", 3, 5)] {
        let conduct = Conduct {
            idle_timeout: Duration::from_secs(idle_seconds),
            boot: Spread::millis(2_000, 5_000),
            predict: Spread::millis(50, 150),
            ..Conduct::default()
        };
        let replicate = Replicate::of_models(20, &conduct);
        let config = format!("{}\n", replicate.config(20, interval));
        let home = Home::new(&config.replace("[replicate]\n", "[replicate]\ncreates_per_minute = 600\n"));
        let warmd = home.start();
        std::thread::sleep(Duration::from_secs(60 * minutes));
        let status = home.status();
        let models = status["models"].as_array().unwrap();
        let sum = |key: &str| models.iter().map(|model| number(&model["hours"][key])).sum::<f64>();
        let count =
            |key: &str| models.iter().map(|model| model["counts"][key].as_u64().unwrap()).sum::<u64>();
        let (right, wrong) = agreement(&replicate.truth(), &warmd, 20);
        println!(
            "every {interval} for {minutes} min: {} warm, {} cold, {} skipped; hours {:.1} s, warm {:.1}, cold {:.1}, \
             unknown {:.1}; {right} judged right, {wrong} wrong",
            count("warm"),
            count("cold"),
            count("skipped"),
            sum("open"),
            sum("warm"),
            sum("cold"),
            sum("unknown"),
        );
        assert!(wrong * 100 <= right + wrong, "{right} right, {wrong} wrong");
        if interval == "3s" {
            let truth = replicate.truth();
            assert_eq!(truth.predictions.iter().filter(|one| one.cold).count(), 20, "the first boots alone");
            assert!(sum("warm") > 0.97 * sum("open"));
        } else {
            assert!(sum("cold") > 0.9 * sum("open"));
        }
    }
}
