//! Cold or warm by the wait alone, as a probability: `cold_after = "auto"`.
//!
//! The waits of a model fall into two heaps: the queue's (warm) and the boot's (cold). Where they lie differs by
//! model, and no provider says it. Each heap is a distribution of the logarithm of the wait. It has a prior and is
//! fitted to the waits that were seen. The probability that a wait is cold follows from both heaps and from how
//! often the model was cold after a like time without use (Bayes' rule).
//!
//! The heaps are Student's t distributions. Their tails are heavier than those of the log-normal, so that a stray
//! wait does not move a heap far, and is not judged with a certainty that nobody has. The fit is expectation
//! maximisation over histograms of the logarithm, some steps at each wait. Old waits fade, so that the heaps follow a
//! model that changes.

mod heap;
mod histogram;
#[cfg(test)]
mod tests;

use heap::{Heap, Prior};
use histogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Warm waits before any was seen: around 0.15 s, between a request within a data centre and a busy shared queue. The
/// spread is that of a queue whose slow end is five times its median, and counts for much: a few waits that happen to
/// be alike say little about it.
const WARM: Prior =
    Prior { centre: 0.15, weight: 4.0, spread: 0.7, spread_weight: 25.0, narrowest: 0.1, freedom: 7.0 };

/// The same while no calibration heartbeat has shown where they lie: the place counts for more then. Else a model that
/// is always cold would pass for one with a slow queue.
const UNCALIBRATED: Prior = Prior { weight: 12.0, ..WARM };

/// Boots before any was seen: around 8 s. Boots from 1 s (a restored snapshot) to minutes are known, so this prior is
/// lighter than that of warm waits, and its tails are heavier. Boots that were all alike so far may change at any time
/// (a snapshot, another region), so that the heap stays wide.
const BOOT: Prior =
    Prior { centre: 8.0, weight: 1.0, spread: 0.6, spread_weight: 4.0, narrowest: 0.4, freedom: 4.0 };

/// A typical boot takes at least this many times a typical warm wait.
const APART: f64 = 3.0;

/// How often a heartbeat is cold that comes a usual interval after an answer, before any was seen: one in 20.
const RECENT: Chance = Chance { cold: 1.0, all: 20.0 };

/// The same where the last answer is older or there is none: one in two, and two heartbeats outweigh that.
const UNKNOWN: Chance = Chance { cold: 1.0, all: 2.0 };

/// How often a calibration heartbeat is cold: only after a crash, or on another instance.
const AFTER_ANSWER: f64 = 0.002;

/// An answer of this age or less is recent: no known provider stops a model sooner for want of use.
const RECENT_GAP: Duration = Duration::from_secs(90);

/// Nobody would call a shorter wait a boot.
const FLOOR: Duration = Duration::from_millis(500);

/// A wait counts for a third after so many others.
const MEMORY: f32 = 700.0;

/// The same of the waits of calibration heartbeats, among themselves: there are few of them.
const CALIBRATION_MEMORY: f32 = 30.0;

/// A calibration heartbeat counts for so many others: it is known to be warm.
const CALIBRATION_WEIGHT: f64 = 3.0;

/// Steps of the fit at each wait.
const STEPS: usize = 2;

/// While fewer waits than this are known, the fit starts over from the priors at each of them, and takes more steps:
/// a wrong guess about the first waits does not last.
const FEW: f64 = 30.0;
const FIRST_STEPS: usize = 20;

/// What was known of a model before a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It had just answered: this is a calibration heartbeat.
    Answer,
    /// The same, but the answer was seen late: the model may have been stopped since.
    LateAnswer,
    /// It had answered within a usual interval.
    Recent,
    /// Its last answer was so old that it may have been stopped since, or there was none.
    Unknown,
}

impl Before {
    /// By how long ago the last answer was; none where there was none. Of heartbeats that are no calibration.
    pub fn since(answer: Option<Duration>) -> Self {
        if answer.is_some_and(|gap| gap <= RECENT_GAP) { Self::Recent } else { Self::Unknown }
    }
}

/// What was learned of a model's waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judge {
    fit: Fit,
    /// Whether there was a calibration heartbeat.
    is_calibrated: bool,
    calibrations: Histogram,
    recent: Histogram,
    unknown: Histogram,
}

/// The heaps, and how often a heartbeat is cold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Fit {
    warm: Heap,
    boot: Heap,
    recent: f64,
    unknown: f64,
}

/// How often heartbeats of a kind are cold, as if so many of so many had been seen.
struct Chance {
    cold: f64,
    all: f64,
}

impl Judge {
    /// The probability that a wait was one for a boot, from 0 to 1.
    pub fn cold(&self, wait: Duration, before: Before) -> f64 {
        self.fit.cold(histogram::place(wait), before)
    }

    /// The wait at which the odds are even.
    pub fn even(&self, before: Before) -> Duration {
        let is_warm = |place: f64| self.fit.cold(place, before) < 0.5;
        let (mut low, mut high) = (self.fit.warm.centre(), self.fit.boot.centre());
        if is_warm(high) {
            (low, high) = (high, histogram::place(Duration::MAX));
        }
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            if is_warm(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        histogram::wait(high).max(FLOOR)
    }

    /// Learns one wait.
    pub fn learn(&mut self, wait: Duration, before: Before) {
        match before {
            Before::Answer => {
                self.calibrations.fade(CALIBRATION_MEMORY);
                self.calibrations.add(wait);
            }
            Before::LateAnswer | Before::Recent | Before::Unknown => {
                self.recent.fade(MEMORY);
                self.unknown.fade(MEMORY);
                if before == Before::Unknown { &mut self.unknown } else { &mut self.recent }.add(wait);
            }
        }
        self.is_calibrated |= matches!(before, Before::Answer | Before::LateAnswer);
        let is_new = self.calibrations.total() + self.recent.total() + self.unknown.total() < FEW;
        if is_new {
            self.fit = Fit::default();
            self.fit.warm = self.calibrated();
        }
        for _ in 0..if is_new { FIRST_STEPS } else { STEPS } {
            self.step();
        }
    }

    /// The warm heap by the calibration heartbeats alone: with it, the others are first judged.
    fn calibrated(&self) -> Heap {
        let mut sums = self.prior().sums();
        for (place, count) in self.calibrations.counts() {
            self.fit.warm.add(&mut sums, place, CALIBRATION_WEIGHT * count);
        }
        Heap::fitted(self.prior(), &sums)
    }

    /// That of the warm waits.
    fn prior(&self) -> &'static Prior {
        if self.is_calibrated { &WARM } else { &UNCALIBRATED }
    }

    /// One step of expectation maximisation.
    fn step(&mut self) {
        let (mut warm, mut boot) = (self.prior().sums(), BOOT.sums());
        let mut share = |waits: &Histogram, before: Before, weight: f64| {
            let mut all_cold = 0.0;
            for (place, count) in waits.counts() {
                let cold = self.fit.cold(place, before);
                self.fit.warm.add(&mut warm, place, weight * count * (1.0 - cold));
                self.fit.boot.add(&mut boot, place, weight * count * cold);
                all_cold += count * cold;
            }
            all_cold
        };
        share(&self.calibrations, Before::Answer, CALIBRATION_WEIGHT);
        let recent = RECENT.seen(share(&self.recent, Before::Recent, 1.0), self.recent.total());
        let unknown = UNKNOWN.seen(share(&self.unknown, Before::Unknown, 1.0), self.unknown.total());
        let warm = Heap::fitted(self.prior(), &warm);
        let boot = Heap::fitted(&BOOT, &boot).at_least(warm.centre() + APART.ln());
        self.fit = Fit { warm, boot, recent, unknown };
    }
}

impl Fit {
    /// The probability of a boot at a place of the logarithmic scale.
    fn cold(&self, place: f64, before: Before) -> f64 {
        if place <= self.warm.centre() || place < histogram::place(FLOOR) {
            return 0.0;
        }
        let chance = match before {
            Before::Answer => AFTER_ANSWER,
            Before::LateAnswer | Before::Recent => self.recent,
            Before::Unknown => self.unknown,
        };
        let cold_at = |place: f64| {
            let (warm, boot) = ((1.0 - chance) * self.warm.density(place), chance * self.boot.density(place));
            boot / (warm + boot)
        };
        // A wait that is longer than a typical boot is no less a boot, however alike the boots were so far.
        cold_at(place).max(cold_at(place.min(self.boot.centre())))
    }
}

impl Default for Fit {
    fn default() -> Self {
        let (recent, unknown) = (RECENT.seen(0.0, 0.0), UNKNOWN.seen(0.0, 0.0));
        Self { warm: Heap::of(&WARM), boot: Heap::of(&BOOT), recent, unknown }
    }
}

impl Chance {
    /// The share that is cold, after `cold` of `all` were seen to be.
    fn seen(&self, cold: f64, all: f64) -> f64 {
        (self.cold + cold) / (self.all + all)
    }
}
