//! One heap of waits: Student's t distribution of the logarithm, with a prior.

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// One degree of freedom more for so many waits: what was never seen among many is rare.
const WAITS_PER_FREEDOM: f64 = 100.0;

/// What is assumed of a heap before any wait.
pub(super) struct Prior {
    /// Its typical wait in seconds.
    pub(super) centre: f64,
    /// As if so many waits had been seen there.
    pub(super) weight: f64,
    /// Its spread, as the logarithm of a factor.
    pub(super) spread: f64,
    /// As if so many waits had shown that spread.
    pub(super) spread_weight: f64,
    /// However alike the waits are, the spread is not taken to be smaller.
    pub(super) narrowest: f64,
    /// The degrees of freedom: the fewer, the heavier the tails.
    pub(super) freedom: f64,
}

/// A heap as it is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64, f64)", into = "(f64, f64, f64)")]
pub(super) struct Heap {
    centre: f64,
    spread: f64,
    freedom: f64,
}

/// What a heap is fitted to: sums over the waits, those of the prior included.
pub(super) struct Sums {
    /// Of the waits' weights, which are less for those far out, and of their places by it.
    weight: f64,
    place: f64,
    /// Of the waits' counts, and of the squares of their distances by weight.
    count: f64,
    square: f64,
}

impl Prior {
    /// The sums before any wait.
    pub(super) fn sums(&self) -> Sums {
        Sums {
            weight: self.weight,
            place: self.weight * self.centre.ln(),
            count: self.spread_weight,
            square: self.spread_weight * self.spread * self.spread,
        }
    }
}

impl Heap {
    pub(super) fn of(prior: &Prior) -> Self {
        Self { centre: prior.centre.ln(), spread: prior.spread, freedom: prior.freedom }
    }

    /// Fitted to sums that began as those of the prior.
    pub(super) fn fitted(prior: &Prior, sums: &Sums) -> Self {
        Self {
            centre: sums.place / sums.weight,
            spread: (sums.square / sums.count).sqrt().max(prior.narrowest),
            freedom: prior.freedom + (sums.count - prior.spread_weight) / WAITS_PER_FREEDOM,
        }
    }

    pub(super) const fn centre(&self) -> f64 {
        self.centre
    }

    pub(super) fn at_least(self, centre: f64) -> Self {
        Self { centre: self.centre.max(centre), ..self }
    }

    /// The probability density at a place.
    pub(super) fn density(&self, place: f64) -> f64 {
        let z = (place - self.centre) / self.spread;
        let tail = (1.0 + z * z / self.freedom).powf((self.freedom + 1.0) / -2.0);
        // At the centre it is Γ((ν+1)/2) / (√(νπ) Γ(ν/2)), which this is to 0.2 % from four degrees of freedom on.
        let peak = (1.0 - 0.25 / self.freedom) / TAU.sqrt();
        peak * tail / self.spread
    }

    /// Adds `count` waits at a place to the sums.
    pub(super) fn add(&self, sums: &mut Sums, place: f64, count: f64) {
        let distance = place - self.centre;
        let z = distance / self.spread;
        let weight = count * (self.freedom + 1.0) / (self.freedom + z * z);
        sums.weight += weight;
        sums.place += weight * place;
        sums.count += count;
        sums.square += weight * distance * distance;
    }
}

impl TryFrom<(f64, f64, f64)> for Heap {
    type Error = &'static str;

    /// From what was saved; a damaged file may hold anything.
    fn try_from((centre, spread, freedom): (f64, f64, f64)) -> Result<Self, Self::Error> {
        let is_sound = (-10.0..10.0).contains(&centre)
            && (0.01..10.0).contains(&spread)
            && (1.0..1e6).contains(&freedom);
        if is_sound { Ok(Self { centre, spread, freedom }) } else { Err("no heap of waits") }
    }
}

impl From<Heap> for (f64, f64, f64) {
    fn from(heap: Heap) -> Self {
        (heap.centre, heap.spread, heap.freedom)
    }
}
