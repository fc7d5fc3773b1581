//! Which heartbeats are followed by a second one, sent right after the answer: that one is warm by construction,
//! and shows the judge where this model's warm waits lie.

use crate::heartbeat::Certainty;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The first heartbeats of a model are all followed by one.
const FIRST: u32 = 3;

/// Later ones are where their own verdict is less certain than this.
const CERTAIN: f64 = 0.95;

/// How many there are a day at most, by UTC, those of the first heartbeats included.
pub const A_DAY: u32 = 12;

/// None follows a heartbeat whose prediction runs longer than this, whatever its interval.
const LONGEST: Duration = Duration::from_secs(5);

/// Nor one that takes more than this share of its interval.
const SHARE: u32 = 6;

/// The calibration heartbeats that were sent for a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibrations {
    /// How many, up to [`FIRST`].
    first: u32,
    /// The day of the last one in UTC, and how many it has had.
    day: NaiveDate,
    of_day: u32,
}

impl Calibrations {
    /// Whether a verdict of that certainty is to be followed by another one at `now`.
    pub fn wants(&self, certainty: Certainty, now: DateTime<Utc>) -> bool {
        let has_room = self.day != now.date_naive() || self.of_day < A_DAY;
        has_room && (self.first < FIRST || certainty.probability() < CERTAIN)
    }

    /// One was sent at that time, and has answered.
    pub fn count(&mut self, sent_at: DateTime<Utc>) {
        let day = sent_at.date_naive();
        self.first = (self.first + 1).min(FIRST);
        self.of_day = if self.day == day { self.of_day.saturating_add(1) } else { 1 };
        self.day = day;
    }
}

/// Whether a prediction that took this long may be repeated at once, at that interval: the second would keep others
/// from the model for too long otherwise.
pub fn is_affordable(took: Duration, interval: Duration) -> bool {
    took <= LONGEST && took <= interval / SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_and_the_doubtful_are_followed_by_one_up_to_twelve_a_day() {
        let now: DateTime<Utc> = "2026-11-23T08:00:00Z".parse().unwrap();
        let mut sent = Calibrations::default();
        for _ in 0..FIRST {
            assert!(sent.wants(Certainty::FULL, now));
            sent.count(now);
        }
        let (clear, doubtful) = (Certainty::of(0.96), Certainty::of(0.94));
        assert!(!sent.wants(clear, now), "nothing is in doubt");
        for _ in FIRST..A_DAY {
            assert!(sent.wants(doubtful, now));
            sent.count(now);
        }
        assert!(!sent.wants(doubtful, now), "that is enough for a day");
        let tomorrow = now + chrono::TimeDelta::days(1);
        assert!(
            sent.wants(doubtful, tomorrow) && !sent.wants(clear, tomorrow),
            "the next day has room again"
        );
    }

    #[test]
    fn none_follows_a_long_prediction() {
        let (second, half_minute) = (Duration::from_secs(1), Duration::from_secs(30));
        assert!(is_affordable(5 * second, half_minute));
        assert!(!is_affordable(Duration::from_millis(5_001), 10 * half_minute));
        assert!(!is_affordable(2 * second, 10 * second));
    }
}
