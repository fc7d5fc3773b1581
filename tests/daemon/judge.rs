//! The judge of cold and warm through real sockets, against what truly happened. `benches/judge.rs` has the same
//! worlds and more on a simulated clock.

use crate::cogs::Cogs;
use crate::sandboxed::Replicate;
use crate::support::{Home, Warmd, text};
use std::fmt::Write;
use std::time::Duration;
use warmd::sandbox::{Conduct, ModelSettings, Rate, Settings, Spread, Truth};

/// How many models live in each world.
const MODELS: usize = 8;

struct World {
    name: &'static str,
    interval: &'static str,
    conduct: Conduct,
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
    let world = |name, conduct| World { name, interval: "1s", conduct, at_least: 0.975 };
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
            at_least: 0.8,
        },
        world(
            "busy",
            Conduct {
                evicted_per_mille: 0,
                ..conduct(log_normal(1_000, 5_000), Spread::millis(5_000, 6_000))
            },
        ),
    ]
}

fn model(world: &World, number: usize) -> String {
    format!("{}-{number}", world.name)
}

#[test]
fn short_boots_slow_queues_and_models_that_are_always_cold_are_judged_as_they_were() {
    let worlds = worlds();
    let each =
        || worlds.iter().flat_map(|world| (0..MODELS).map(move |number| (world, model(world, number))));
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
        for number in 0..MODELS {
            let name = model(world, number);
            for (cold, outcome) in verdicts(&truth, &warmd, &name) {
                all += 1;
                right += usize::from((outcome == "cold") == cold);
                calibrations += usize::from(outcome == "calibration");
            }
        }
        let share = right as f64 / all as f64;
        println!("{}: {right} of {all} right ({share:.4}), {calibrations} calibrations", world.name);
        assert!(all >= MODELS * 15 && calibrations >= 2 * MODELS, "{}: {all}, {calibrations}", world.name);
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
    let config = replicate.config(1, "1m").replace("[replicate]\n", "[replicate]\ncreates_per_minute = 1\n");
    let home = Home::new(&config);
    let warmd = home.start();
    home.model_when("model-00", "an answer", |model| model["last"].is_object());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(warmd.outcomes("model-00"), ["warm"]);
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
