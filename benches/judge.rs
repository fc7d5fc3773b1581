//! How often the judge of cold and warm is right, on a simulated clock: `cargo bench --bench judge`.
//!
//! The first table has a row for each scenario: how many verdicts are right as judged at once, and as judged again
//! within the next 26 hours; how many of the cold heartbeats were missed, how many of the warm ones were called cold;
//! how many calibration heartbeats that took. The others compare the certainty of the verdicts with how many of them
//! are right. Fails where a scenario misses its goals.

#[path = "judge/life.rs"]
mod life;
#[path = "judge/scenarios.rs"]
mod scenarios;

use life::{Life, certainty};
use scenarios::{Scenario, scenarios};
use std::process::ExitCode;

/// How many models live through each scenario.
const MODELS: u64 = 24;

/// In a separable scenario no more of the cold heartbeats may be missed in hindsight.
const MISSED: f64 = 0.02;

/// The upper ends of the bands of certainty; the last band has none.
const BANDS: [f64; 5] = [0.7, 0.85, 0.95, 0.99, 0.999];

/// What of many verdicts is right.
#[derive(Default)]
struct Score {
    all: f64,
    cold: f64,
    missed: f64,
    false_alarms: f64,
}

/// The verdicts of a band of certainty.
#[derive(Default, Clone, Copy)]
struct Band {
    all: f64,
    right: f64,
    certainty: f64,
}

impl Score {
    fn add(&mut self, truth: bool, cold: f64) {
        let judged = cold > 0.5;
        self.all += 1.0;
        self.cold += f64::from(truth);
        self.missed += f64::from(truth && !judged);
        self.false_alarms += f64::from(judged && !truth);
    }

    fn right(&self) -> f64 {
        1.0 - (self.missed + self.false_alarms) / self.all
    }

    fn missed(&self) -> f64 {
        self.missed / self.cold.max(1.0)
    }

    fn columns(&self) -> String {
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        let warm = self.all - self.cold;
        let false_alarms =
            if warm > 0.0 { percent(self.false_alarms / warm) } else { "no warm ones".to_owned() };
        format!("{} | {} | {false_alarms}", percent(self.right()), percent(self.missed()))
    }
}

impl Band {
    fn add(bands: &mut [Self; 6], truth: bool, cold: f64) {
        let certainty = certainty(cold);
        let at = BANDS.iter().position(|end| certainty < *end).unwrap_or(BANDS.len());
        bands[at].all += 1.0;
        bands[at].certainty += certainty;
        bands[at].right += f64::from((cold > 0.5) == truth);
    }

    fn print(bands: &[Self; 6], how: &str) {
        println!("\n| certainty, judged {how} | verdicts | mean certainty | right |");
        println!("|---|---|---|---|");
        for (at, band) in bands.iter().enumerate().filter(|(_, band)| band.all > 0.0) {
            let from = if at == 0 { 0.5 } else { BANDS[at - 1] };
            let (mean, right) = (100.0 * band.certainty / band.all, 100.0 * band.right / band.all);
            println!("| from {from} | {} | {mean:.1} % | {right:.1} % |", band.all);
        }
    }
}

fn main() -> ExitCode {
    println!("{MODELS} models each. \"Missed\": of the cold heartbeats; \"false\": of the warm ones.\n");
    println!(
        "| scenario | at once: right | missed | false | in hindsight: right | missed | false | calibrations |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let (mut bands_at_once, mut bands_in_hindsight) = ([Band::default(); 6], [Band::default(); 6]);
    let mut short = Vec::new();
    for scenario in scenarios() {
        let (mut at_once, mut in_hindsight, mut calibrated) = (Score::default(), Score::default(), 0);
        for model in 0..MODELS {
            let life = Life::of(&scenario, 1 + model);
            calibrated += life.calibrated;
            for verdict in life.verdicts {
                at_once.add(verdict.truth, verdict.at_once);
                in_hindsight.add(verdict.truth, verdict.in_hindsight);
                Band::add(&mut bands_at_once, verdict.truth, verdict.at_once);
                Band::add(&mut bands_in_hindsight, verdict.truth, verdict.in_hindsight);
            }
        }
        let mark = if scenario.separable.is_ok() { "" } else { " *" };
        let (first, second) = (at_once.columns(), in_hindsight.columns());
        let calibrated = f64::from(calibrated) / MODELS as f64;
        println!("| {}{mark} | {first} | {second} | {calibrated:.1} |", scenario.name);
        if !reaches_its_goals(&scenario, &at_once, &in_hindsight) {
            short.push(scenario.name);
        }
    }
    println!();
    for scenario in scenarios() {
        if let Err(why) = scenario.separable {
            println!("\\* {}: not separable, {why}.", scenario.name);
        }
    }
    Band::print(&bands_at_once, "at once");
    Band::print(&bands_in_hindsight, "in hindsight");
    if short.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("short of their goals: {}", short.join("; "));
    ExitCode::FAILURE
}

fn reaches_its_goals(scenario: &Scenario, at_once: &Score, in_hindsight: &Score) -> bool {
    let (least_at_once, least_in_hindsight) = scenario.goals;
    scenario.separable.is_err()
        || (at_once.right() >= least_at_once
            && in_hindsight.right() >= least_in_hindsight
            && in_hindsight.missed() <= MISSED)
}
