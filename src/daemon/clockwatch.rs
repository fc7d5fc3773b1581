//! Notices that the wall clock was moved, or that the machine slept: both show as a change of the
//! distance between the civil and the monotonic clock.

use crate::clock::{self, Stopwatch};
use crate::config::value::format_duration;
use chrono::{DateTime, Utc};
use std::fmt;
use std::time::{Duration, Instant};

/// Less than this at once is a clock being disciplined, not moved, in seconds. Disciplined for long, it
/// comes to as much.
const MOVED_S: f64 = 0.5;

/// Read within this time, the two clocks were read together.
const TOGETHER: Duration = Duration::from_millis(50);

/// The two clocks as they were read together last.
#[derive(Debug)]
pub(super) struct ClockWatch {
    civil: DateTime<Utc>,
    monotonic: Instant,
    /// What the civil clock has gained since this was last told, in seconds.
    gained: f64,
    steady: Stopwatch,
}

/// By how many seconds the civil clock has gained on the monotonic one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moved {
    /// At once.
    Jumped(f64),
    /// Little by little.
    Drifted(f64),
}

impl ClockWatch {
    pub(super) fn start() -> Self {
        let (civil, monotonic) = together();
        Self { civil, monotonic, gained: 0.0, steady: Stopwatch::start() }
    }

    /// Whether the civil clock was moved since it was asked last.
    pub(super) fn moved(&mut self) -> Option<Moved> {
        let (civil, monotonic) = together();
        let passed = monotonic.duration_since(self.monotonic).as_secs_f64();
        let gained = (civil - self.civil).as_seconds_f64() - passed;
        (self.civil, self.monotonic) = (civil, monotonic);
        self.gained += gained;
        if self.gained.abs() < MOVED_S {
            return None;
        }
        let all = std::mem::take(&mut self.gained);
        if gained.abs() < MOVED_S {
            return Some(Moved::Drifted(all));
        }
        self.steady = Stopwatch::start();
        Some(Moved::Jumped(all))
    }

    /// For how long it has not jumped.
    pub(super) fn steady(&self) -> Duration {
        self.steady.elapsed()
    }
}

impl Moved {
    pub(super) fn seconds(self) -> f64 {
        match self {
            Self::Jumped(seconds) | Self::Drifted(seconds) => seconds,
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds().abs();
        let shown = if seconds < 10.0 { (seconds * 10.0).round() / 10.0 } else { seconds.round() };
        let by = format_duration(Duration::from_secs_f64(shown));
        match self {
            Self::Drifted(_) => write!(f, "the wall clock was adjusted by {by}"),
            Self::Jumped(seconds) if *seconds < 0.0 => write!(f, "the wall clock was set back by {by}"),
            Self::Jumped(_) => write!(f, "the wall clock was set forward by {by}, or the machine slept"),
        }
    }
}

/// Both clocks; read anew where the machine was too busy to read one right after the other.
fn together() -> (DateTime<Utc>, Instant) {
    let mut tries = 0;
    loop {
        let (before, civil, after) = (clock::instant(), clock::now(), clock::instant());
        tries += 1;
        if after.duration_since(before) < TOGETHER || tries == 10 {
            return (civil, after);
        }
    }
}
