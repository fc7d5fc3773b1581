//! Chance with a seed: the same seed and the same requests in the same order bring the same boots.
//!
//! Owns the generator and the spreads that are drawn from it. Refuses to be good enough for
//! anything but a rehearsal.

use crate::config::value::{DurationError, format_duration, parse_duration};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// `SplitMix64` (Steele, Lea and Flood, 2014): eight bytes of state, and no need of a crate.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True once in `n` times.
    pub(super) const fn once_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// A number from 0 to 1, the latter left out.
    pub(super) const fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `n`.
    pub(super) const fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// `count` letters of `alphabet`.
    pub(super) fn text(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len() as u64) as usize])).collect()
    }
}

/// The letters of hexadecimal ids.
pub(super) const HEX: &[u8] = b"0123456789abcdef";

/// 64 hex digits that are always the same for the same text: the version of a model nobody listed.
pub(super) fn hex_of(text: &str) -> String {
    // FNV-1a, 64 bits.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Chance::new(hash).text(HEX, 64)
}

/// A duration that is drawn anew each time, evenly between its ends: `5s..30s`, or `2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    from: Duration,
    to: Duration,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Evenly between the ends.
    Even,
    /// Log-normal: `from` is the median, one in a hundred is longer than `to`.
    LogNormal,
}

/// One in a hundred lies so many standard deviations or more above the mean.
const P99: f64 = 2.326;

/// Why a text is no spread.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpreadError {
    /// One of its ends is no duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// `30s..5s`.
    #[error("it ends before it begins: write the shorter duration first")]
    Backwards,
}

impl Spread {
    /// Between the two, whichever is the longer.
    pub fn between(a: Duration, b: Duration) -> Self {
        Self { from: a.min(b), to: a.max(b), shape: Shape::Even }
    }

    /// Always the same.
    pub const fn fixed(duration: Duration) -> Self {
        Self { from: duration, to: duration, shape: Shape::Even }
    }

    /// Log-normal, as the waits of a queue are: half of them are longer than `median`, one in a hundred is longer
    /// than `p99`.
    pub const fn log_normal(median: Duration, p99: Duration) -> Self {
        Self { from: median, to: p99, shape: Shape::LogNormal }
    }

    /// Between two numbers of milliseconds.
    pub fn millis(from: u64, to: u64) -> Self {
        Self::between(Duration::from_millis(from), Duration::from_millis(to))
    }

    /// The longest it can bring; of a log-normal one, all but one in a hundred.
    pub const fn longest(&self) -> Duration {
        self.to
    }

    pub(super) fn draw(&self, chance: &mut Chance) -> Duration {
        if self.shape == Shape::LogNormal {
            // Box and Muller's transform of two even shares.
            let (radius, angle) = (1.0 - chance.share(), std::f64::consts::TAU * chance.share());
            let normal = (-2.0 * radius.ln()).sqrt() * angle.cos();
            let (median, p99) = (self.from.as_secs_f64(), self.to.as_secs_f64());
            return self.from.mul_f64((p99 / median).powf(normal / P99));
        }
        let width = u64::try_from(self.to.saturating_sub(self.from).as_nanos()).unwrap_or(u64::MAX);
        self.from + Duration::from_nanos(chance.below(width.saturating_add(1).max(1)))
    }
}

impl FromStr for Spread {
    type Err = SpreadError;

    fn from_str(text: &str) -> Result<Self, SpreadError> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let (from, to) = (parse_duration(from)?, parse_duration(to)?);
        if from > to {
            return Err(SpreadError::Backwards);
        }
        Ok(Self::between(from, to))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.from))?;
        if self.from == self.to { Ok(()) } else { write!(f, "..{}", format_duration(self.to)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_brings_the_same_and_draws_stay_within_their_ends() {
        let spread = Spread::millis(5, 50);
        let draws = |seed| {
            let mut chance = Chance::new(seed);
            (0..200).map(|_| spread.draw(&mut chance)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert!(draws(7).iter().all(|d| (Duration::from_millis(5)..=Duration::from_millis(50)).contains(d)));
        let fixed = Duration::from_secs(2);
        assert_eq!(Spread::fixed(fixed).draw(&mut Chance::new(1)), fixed);
    }

    #[test]
    fn a_log_normal_spread_has_its_median_and_its_slow_end() {
        let spread = Spread::log_normal(Duration::from_millis(50), Duration::from_millis(160));
        let mut chance = Chance::new(3);
        let mut draws: Vec<Duration> = (0..10_000).map(|_| spread.draw(&mut chance)).collect();
        draws.sort();
        let near = |draw: Duration, millis: f64| (draw.as_secs_f64() * 1e3 / millis - 1.0).abs() < 0.1;
        assert!(
            near(draws[5_000], 50.0) && near(draws[9_900], 160.0),
            "{:?} {:?}",
            draws[5_000],
            draws[9_900]
        );
    }

    #[test]
    fn a_spread_is_read_from_one_duration_or_two() {
        assert_eq!("5s..30s".parse(), Ok(Spread::millis(5_000, 30_000)));
        assert_eq!("2s".parse(), Ok(Spread::millis(2_000, 2_000)));
        for bad in ["", "5", "30s..5s", "5s..", "a..b", "..", "99999999999999999999h..1s"] {
            assert!(bad.parse::<Spread>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_always_has_the_same_version() {
        assert_eq!(hex_of("owner/name").len(), 64);
        assert_eq!(hex_of("owner/name"), hex_of("owner/name"));
        assert_ne!(hex_of("owner/name"), hex_of("owner/other"));
    }
}
