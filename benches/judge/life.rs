//! What one model of a scenario lives through, and how its heartbeats are judged.

use crate::scenarios::Scenario;
use chrono::{DateTime, TimeDelta};
use fastrand::Rng;
use std::time::Duration;
use warmd::classify::calibration::Calibrations;
use warmd::classify::judge::{Before, Judge};
use warmd::heartbeat::Certainty;

/// For so long a verdict is judged again, in seconds.
const HINDSIGHT: f64 = 26.0 * 3600.0;

/// How often that is done.
const AGAIN_EVERY: f64 = 900.0;

/// One heartbeat, and what was thought of it.
pub(crate) struct Verdict {
    at: f64,
    wait: Duration,
    before: Before,
    /// Whether it was truly cold.
    pub(crate) truth: bool,
    /// The probability of cold, as judged at once.
    pub(crate) at_once: f64,
    /// The same, as judged with all that came within the next 26 hours.
    pub(crate) in_hindsight: f64,
}

/// A model that is kept warm.
pub(crate) struct Life<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    judge: Judge,
    calibrations: Calibrations,
    answered_at: Option<f64>,
    pub(crate) verdicts: Vec<Verdict>,
    /// How many calibration heartbeats were sent.
    pub(crate) calibrated: u32,
}

impl<'a> Life<'a> {
    /// Lives through a scenario from its beginning to its end.
    pub(crate) fn of(scenario: &'a Scenario, seed: u64) -> Self {
        let mut life = Self {
            scenario,
            rng: Rng::with_seed(seed),
            judge: Judge::default(),
            calibrations: Calibrations::default(),
            answered_at: None,
            verdicts: Vec::new(),
            calibrated: 0,
        };
        let (mut at, mut judged_at) = (0.0, 0.0);
        while at < scenario.lasts {
            let mut done = at;
            if (scenario.open)(at) {
                done = life.beat(at);
            }
            // The first due after it on a grid; one that comes meanwhile is skipped.
            let interval = scenario.interval;
            at = (at + interval).max((done / interval).ceil() * interval);
            if at - judged_at >= AGAIN_EVERY || at >= scenario.lasts {
                judged_at = at;
                life.judge_again(at);
            }
        }
        life
    }

    /// One heartbeat, and the calibration heartbeat that follows it. Returns when that was done.
    fn beat(&mut self, at: f64) -> f64 {
        let gap = self.answered_at.map(|answered_at| at - answered_at);
        let is_idle = gap.is_none_or(|gap| gap > self.scenario.idle);
        let truth = is_idle || self.rng.f64() < self.scenario.evicted;
        let seconds = if truth {
            (self.scenario.boot)(&mut self.rng, at)
        } else {
            (self.scenario.warm)(&mut self.rng, at)
        };
        let wait = Duration::from_secs_f64(seconds);
        let before = Before::since(gap.map(|gap| Duration::from_secs_f64(gap.max(0.0))));
        let at_once = self.judge.cold(wait, before);
        self.judge.learn(wait, before);
        self.verdicts.push(Verdict { at, wait, before, truth, at_once, in_hindsight: at_once });
        let mut done = at + seconds;
        let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(at as i64);
        if self.calibrations.wants(Certainty::of(certainty(at_once)), now) {
            self.calibrations.count(now);
            self.calibrated += 1;
            let seconds = (self.scenario.warm)(&mut self.rng, done);
            self.judge.learn(Duration::from_secs_f64(seconds), Before::Answer);
            done += seconds;
        }
        self.answered_at = Some(done);
        done
    }

    fn judge_again(&mut self, now: f64) {
        let from = self.verdicts.partition_point(|verdict| verdict.at < now - HINDSIGHT);
        for verdict in &mut self.verdicts[from..] {
            verdict.in_hindsight = self.judge.cold(verdict.wait, verdict.before);
        }
    }
}

/// The probability of the likelier outcome.
pub(crate) fn certainty(cold: f64) -> f64 {
    cold.max(1.0 - cold)
}
