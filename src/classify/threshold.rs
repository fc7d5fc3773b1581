//! The learned boundary between warm waits and cold ones, per model: `cold_after = "auto"`.
//!
//! Waits fall into two heaps, a short one (the queue) and a long one (the boot), whose places differ
//! by model and are not told by the provider. The boundary starts at 2.5 s and moves only on
//! evidence: a stretch of the logarithmic scale that is nearly empty, with enough waits on both
//! sides of it. A handful of stray waits inside the stretch, or a heap too small, move nothing.
//!
//! Until then it keeps an octave under the heap of long waits, where there is one that is no handful:
//! a model that is often cold has boots on both sides of 2.5 s, and none of them is a warm answer.

use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

/// Where the boundary starts: between a warm answer from a busy shared queue (1.5 s) and the
/// shortest boots that are told of (3 to 5 s).
pub const START: Duration = Duration::from_millis(2_500);

/// It never goes under this: below it, nobody would call a wait a boot.
pub const FLOOR: Duration = Duration::from_millis(500);

/// Waits shorter than this are all alike: the jitter of networks, not a heap of their own.
const SHORTEST_S: f64 = 0.3;

/// Bins per doubling of the wait.
const BINS_PER_OCTAVE: f64 = 8.0;

/// From [`SHORTEST_S`] to an hour (13.6 octaves).
const BINS: usize = 110;

/// Waits on either side before a gap counts.
const ENOUGH: u32 = 15;

/// A gap is at least this wide, in bins: waits up to 1.5 s and boots from 3 s on are an octave
/// apart, less a bin at each end for where the bins lie.
const GAP_BINS: usize = 6;

/// At most one in this many of the smaller heap's waits may lie inside the gap.
const STRAY_SHARE: u32 = 10;

/// A bin that reaches this count halves all of them, so that a change of the model shows in time.
const FULL: u32 = 4_096;

/// This many long waits make a heap: its boots must not be taken for warm answers for long.
const ENOUGH_COLD: u32 = 2;

/// Such a heap spans at most this much: two octaves.
const HEAP_BINS: usize = 16;

/// What was learned of a model's waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Threshold {
    boundary: Duration,
    /// Whether the boundary lies between two heaps that were seen: it stays then, until it is
    /// learned better.
    between: bool,
    bins: Vec<u32>,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { boundary: START, between: false, bins: Vec::new() }
    }
}

impl Threshold {
    /// The boundary: a wait beyond it is a boot.
    pub fn boundary(&self) -> Duration {
        self.boundary
    }

    /// Learns one wait.
    pub fn learn(&mut self, wait: Duration) {
        let bin = bin_of(wait);
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        self.bins[bin] += 1;
        if self.bins[bin] >= FULL {
            for count in &mut self.bins {
                *count /= 2;
            }
        }
        if let Some(middle) = self.widest_gap() {
            self.boundary = Duration::from_secs_f64(middle).max(FLOOR);
            self.between = true;
        } else if !self.between {
            let below = self.below_cold_heap().map_or(START, Duration::from_secs_f64);
            self.boundary = below.clamp(FLOOR, START);
        }
    }

    /// The middle, in seconds, of the widest nearly empty stretch between two heaps.
    fn widest_gap(&self) -> Option<f64> {
        let mut best: Option<(usize, usize)> = None;
        let total: u32 = self.bins.iter().sum();
        let mut below = 0;
        for from in 0..self.bins.len() {
            // `from` is the first bin of the gap, `below` what lies under it.
            let mut inside = 0;
            if below >= ENOUGH {
                for to in from..self.bins.len() {
                    inside += self.bins[to];
                    let above = total - below - inside;
                    if above < ENOUGH || inside * STRAY_SHARE > below.min(above) {
                        break;
                    }
                    let width = to + 1 - from;
                    if width >= GAP_BINS && best.is_none_or(|(start, end)| width > end - start) {
                        best = Some((from, to + 1));
                    }
                }
            }
            below += self.bins[from];
        }
        best.map(|(from, to)| edge_of(f64::midpoint(from as f64, to as f64)))
    }

    /// Half the shortest wait, in seconds, of a heap of long ones: at least a tenth of all waits, most
    /// of it beyond the start, and nothing in the octave under it.
    fn below_cold_heap(&self) -> Option<f64> {
        let total: u32 = self.bins.iter().sum();
        let is_cold = |heap: &Range<usize>| {
            let count: u32 = self.bins[heap.clone()].iter().sum();
            let beyond: u32 =
                self.bins[heap.clone()].iter().skip(bin_of(START).saturating_sub(heap.start)).sum();
            count >= ENOUGH_COLD
                && count * STRAY_SHARE >= total
                && beyond * 2 >= count
                && heap.len() <= HEAP_BINS
        };
        self.heaps().into_iter().find(is_cold).map(|heap| edge_of(heap.start as f64) / 2.0)
    }

    /// The stretches of bins that an empty octave parts from each other.
    fn heaps(&self) -> Vec<Range<usize>> {
        let mut heaps: Vec<Range<usize>> = Vec::new();
        for bin in (0..self.bins.len()).filter(|bin| self.bins[*bin] > 0) {
            match heaps.last_mut() {
                Some(heap) if bin - heap.end < BINS_PER_OCTAVE as usize => heap.end = bin + 1,
                Some(_) | None => heaps.push(bin..bin + 1),
            }
        }
        heaps
    }
}

fn bin_of(wait: Duration) -> usize {
    let octaves = (wait.as_secs_f64().max(SHORTEST_S) / SHORTEST_S).log2();
    ((octaves * BINS_PER_OCTAVE) as usize).min(BINS - 1)
}

/// The lower edge of a bin, in seconds.
fn edge_of(bin: f64) -> f64 {
    SHORTEST_S * (bin / BINS_PER_OCTAVE).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(waits: impl IntoIterator<Item = f64>) -> f64 {
        let mut threshold = Threshold::default();
        for wait in waits {
            threshold.learn(Duration::from_secs_f64(wait));
        }
        threshold.boundary().as_secs_f64()
    }

    /// `n` waits spread evenly over `from..to` on the logarithmic scale.
    fn spread(n: usize, from: f64, to: f64) -> impl Iterator<Item = f64> {
        (0..n).map(move |k| from * (to / from).powf(k as f64 / (n - 1) as f64))
    }

    #[test]
    fn starts_at_two_and_a_half_seconds_and_stays_there_on_one_heap() {
        assert_eq!(learned([]), 2.5);
        assert_eq!(learned(spread(500, 0.01, 0.4)), 2.5);
        assert_eq!(learned(spread(500, 8.0, 40.0)), 2.5);
    }

    #[test]
    fn a_fast_model_with_short_boots_is_told_apart_after_twenty_of_each() {
        let waits = spread(20, 0.01, 0.1).zip(spread(20, 0.95, 1.05)).flat_map(|(warm, cold)| [warm, cold]);
        let boundary = learned(waits);
        assert!((0.5..0.95).contains(&boundary), "{boundary}");
    }

    #[test]
    fn warm_waits_up_to_one_and_a_half_and_boots_from_three_seconds_on_are_told_apart() {
        for cold in [20, 40, 400] {
            let boundary = learned(spread(400, 0.05, 1.5).chain(spread(cold, 3.0, 30.0)));
            assert!((1.5..3.0).contains(&boundary), "{cold}: {boundary}");
        }
    }

    #[test]
    fn a_handful_of_outliers_moves_nothing() {
        assert_eq!(learned(spread(300, 0.05, 0.4).chain(spread(5, 60.0, 90.0))), 2.5);
        let clean = learned(spread(300, 0.05, 0.4).chain(spread(60, 8.0, 20.0)));
        let stray = learned(spread(300, 0.05, 0.4).chain(spread(60, 8.0, 20.0)).chain(spread(5, 1.8, 2.2)));
        assert!((0.4..8.0).contains(&clean) && (0.4..8.0).contains(&stray), "{clean} {stray}");
    }

    #[test]
    fn an_always_cold_model_is_not_cut_in_two() {
        for boots in [3, 5, 30, 300] {
            let boundary = learned(spread(boots, 2.0, 5.0));
            assert!((0.9..2.0).contains(&boundary), "{boots}: {boundary}");
        }
    }

    #[test]
    fn warm_answers_after_a_first_boot_or_two_put_it_back() {
        assert_eq!(learned([3.5]), 2.5);
        assert_eq!(learned([3.5, 3.2].into_iter().chain(spread(30, 0.1, 0.2))), 2.5);
        assert!(learned([3.5, 3.2, 0.1, 0.2]) > 1.5, "waits of a slow queue are still told from boots");
    }

    #[test]
    fn short_boots_of_a_model_that_is_often_cold_are_no_warm_answers() {
        let boots = [4.1, 2.9, 3.6, 2.2, 2.6, 2.1];
        let waits = boots.into_iter().zip(spread(6, 0.02, 0.3)).flat_map(|(cold, warm)| [cold, warm]);
        let boundary = learned(waits);
        assert!((0.5..2.0).contains(&boundary), "{boundary}");
    }

    #[test]
    fn a_slow_queue_that_is_mostly_under_the_boundary_is_left_alone() {
        assert_eq!(learned(spread(100, 0.9, 2.9)), 2.5);
    }

    #[test]
    fn it_survives_a_restart() {
        let mut threshold = Threshold::default();
        for wait in spread(40, 0.05, 0.1).chain(spread(40, 1.0, 1.1)) {
            threshold.learn(Duration::from_secs_f64(wait));
        }
        let json = serde_json::to_string(&threshold).unwrap();
        assert_eq!(serde_json::from_str::<Threshold>(&json).unwrap(), threshold);
    }

    /// The share of wrong verdicts over many models that live through `rounds` waits each, every one
    /// judged by what was learned before it. `is_cold` tells which of them are boots.
    fn wrong(rounds: usize, is_cold: fn(usize) -> bool, warm: (f64, f64), boots: (f64, f64)) -> f64 {
        // Looks like chance, and is the same at each run.
        let (mut drawn, mut wrong, models) = (1_u64, 0, 400);
        for _ in 0..models {
            let mut threshold = Threshold::default();
            for round in 0..rounds {
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
                let (from, to) = if is_cold(round) { boots } else { warm };
                let wait = Duration::from_secs_f64(from + (to - from) * place);
                wrong += usize::from((wait > threshold.boundary()) != is_cold(round));
                threshold.learn(wait);
            }
        }
        wrong as f64 / (models * rounds) as f64
    }

    #[test]
    fn one_in_a_hundred_is_wrong_at_most_from_the_first_on() {
        let in_turn: fn(usize) -> bool = |round| round % 2 == 0;
        let first: fn(usize) -> bool = |round| round == 0;
        for (name, rounds, is_cold, warm, boots) in [
            ("slow queues, in turn", 10, in_turn, (0.01, 1.5), (3.0, 5.0)),
            ("slow queues, in turn, for long", 200, in_turn, (0.01, 1.5), (3.0, 5.0)),
            ("slow queues, one boot", 200, first, (0.01, 1.5), (3.0, 5.0)),
            ("slow queues, boots in a row", 10, |round| round % 5 < 3, (0.01, 1.5), (3.0, 5.0)),
            ("slow queues alone", 200, |_| false, (0.01, 1.5), (3.0, 5.0)),
            ("boots alone", 67, |_| true, (0.0, 0.1), (2.0, 5.0)),
            ("quick, one boot", 200, first, (0.0, 0.1), (2.0, 5.0)),
        ] {
            let wrong = wrong(rounds, is_cold, warm, boots);
            assert!(wrong <= 0.01, "{name}: {wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_under_the_floor_and_never_a_panic(
            waits in prop::collection::vec(0.0f64..5000.0, 0..300),
        ) {
            let boundary = learned(waits);
            prop_assert!(boundary >= 0.5);
        }

        #[test]
        fn any_two_heaps_an_octave_apart_are_told_apart(
            warm in 0.05f64..3.0, spread_of in 1.0f64..2.0, ratio in 2.2f64..50.0, seed in 20usize..60,
        ) {
            let boot = (warm * spread_of * ratio).max(0.8);
            let boundary = learned(spread(200, warm, warm * spread_of).chain(spread(seed, boot, boot * 1.5)));
            prop_assert!(boundary > warm * spread_of || boundary == 0.5, "{boundary}");
            prop_assert!(boundary < boot, "{boundary} {boot}");
        }
    }
}
