//! Which resolution is kept for how long: minutes in the journal, hours for a week, then days.
//!
//! Pure. Hours and days are UTC's. All times are whole seconds since 1970.

use chrono::{DateTime, Utc};
use std::time::Duration;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 86_400;

/// How long the journal is kept at least: two hours, and what has begun of the third.
const JOURNAL: i64 = 2 * HOUR;
/// How long hours are kept at least, before they become days.
const WEEK: i64 = 7 * DAY;

/// What is kept how, as seen from `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    pub(super) now: i64,
    /// What ended before this is dropped.
    pub(super) kept_from: i64,
    /// From here on the journal is kept, and with it every minute.
    pub(super) minutes_from: i64,
    /// From here on hours are kept; before, days.
    pub(super) hours_from: i64,
}

/// Up to where hours and days reach in fact: not beyond what the calendar says, unless the clock
/// was set back since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    pub(super) hours_until: i64,
    pub(super) days_until: i64,
}

impl Calendar {
    pub(super) fn new(now: DateTime<Utc>, retention: Duration) -> Self {
        let now = now.timestamp();
        let retention = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
        Self {
            now,
            kept_from: now.saturating_sub(retention),
            minutes_from: floor(now - JOURNAL, HOUR),
            hours_from: floor(now - WEEK, DAY),
        }
    }

    /// The hour or the day that `at` is summed up in once it leaves the journal: (width, start).
    pub(super) fn interval(&self, at: i64) -> (i64, i64) {
        let width = if at < self.hours_from { DAY } else { HOUR };
        (width, floor(at, width))
    }

    /// Where the oldest interval begins that is still kept.
    pub(super) fn oldest(&self) -> i64 {
        self.interval(self.kept_from).1
    }

    /// `since`, clipped to what is kept and rounded outward to an edge of it.
    pub(super) fn since(&self, since: DateTime<Utc>, folded: Folded) -> i64 {
        let since = since.timestamp().clamp(self.kept_from, self.now.max(self.kept_from));
        let hours_from = self.hours_from.max(folded.days_until);
        let minutes_from = self.minutes_from.max(folded.hours_until).max(hours_from);
        let width = match since {
            s if s >= minutes_from => MINUTE,
            s if s >= hours_from => HOUR,
            _ => DAY,
        };
        floor(since, width)
    }
}

fn floor(at: i64, width: i64) -> i64 {
    at.saturating_sub(at.rem_euclid(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn since_is_rounded_outward_to_what_is_kept() {
        let calendar = Calendar::new(at("2026-11-20T19:11:37Z"), Duration::from_hours(90 * 24));
        let nothing = Folded { hours_until: i64::MIN, days_until: i64::MIN };
        for (asked, became) in [
            ("2026-11-20T19:11:37Z", "2026-11-20T19:11:00Z"),
            ("2026-11-20T18:11:37Z", "2026-11-20T18:11:00Z"),
            ("2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z"),
            ("2026-11-20T16:59:59Z", "2026-11-20T16:00:00Z"),
            ("2026-11-19T19:11:37Z", "2026-11-19T19:00:00Z"),
            ("2026-11-13T19:11:37Z", "2026-11-13T19:00:00Z"),
            ("2026-11-12T23:11:37Z", "2026-11-12T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "2026-08-22T00:00:00Z"),
            ("2030-01-01T00:00:00Z", "2026-11-20T19:11:00Z"),
        ] {
            assert_eq!(calendar.since(at(asked), nothing), at(became).timestamp(), "{asked}");
        }
        // The clock was set back after a fold: what was folded decides.
        let ahead = Folded { hours_until: at("2026-11-20T19:00:00Z").timestamp(), days_until: i64::MIN };
        assert_eq!(calendar.since(at("2026-11-20T18:11:37Z"), ahead), at("2026-11-20T18:00:00Z").timestamp());
    }
}
