//! Axes: from what is measured to where it is drawn.

use crate::words::Clocks;
use chrono::{DateTime, TimeDelta, Utc};

/// The steps that a time axis is labelled at, in seconds, and how they are said: 1, 2, 5 of each decade, then
/// what clocks have.
const STEPS: [(f64, &str); 24] = [
    (1e-4, "0.1 ms"),
    (2e-4, "0.2 ms"),
    (5e-4, "0.5 ms"),
    (1e-3, "1 ms"),
    (2e-3, "2 ms"),
    (5e-3, "5 ms"),
    (1e-2, "10 ms"),
    (2e-2, "20 ms"),
    (5e-2, "50 ms"),
    (0.1, "0.1 s"),
    (0.2, "0.2 s"),
    (0.5, "0.5 s"),
    (1.0, "1 s"),
    (2.0, "2 s"),
    (5.0, "5 s"),
    (10.0, "10 s"),
    (20.0, "20 s"),
    (60.0, "1 min"),
    (120.0, "2 min"),
    (300.0, "5 min"),
    (600.0, "10 min"),
    (1200.0, "20 min"),
    (3600.0, "1 h"),
    (7200.0, "2 h"),
];

/// Nothing is measured that is shorter: see [`crate::latency::SHORTEST`].
const SHORTEST: f64 = 1e-6;

/// No more labels than this along an axis.
const LABELS: u8 = 6;

/// A place on the paper, as short as it is exact enough: a tenth.
pub(super) fn place(at: f64) -> String {
    let tenths = (at * 10.0).round() / 10.0;
    format!("{tenths}")
}

/// A stretch of the paper on which equal factors are equally long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Log {
    /// One that holds all of `seconds`, from a step below the least to one above the most, drawn from `from` to
    /// `to`; none where there are none.
    pub(super) fn of(seconds: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let (least, most) = seconds
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(least, most), seconds| (least.min(seconds), most.max(seconds)));
        (most > 0.0).then(|| {
            let below = STEPS.iter().rev().map(|step| step.0).find(|step| *step <= least);
            let above = STEPS.iter().map(|step| step.0).find(|step| *step > most);
            Self { least: below.unwrap_or(SHORTEST), most: above.unwrap_or(most * 2.0), from, to }
        })
    }

    /// Where a time is drawn.
    pub(super) fn at(&self, seconds: f64) -> f64 {
        let share = (seconds.clamp(self.least, self.most) / self.least).ln() / (self.most / self.least).ln();
        let share = share.clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// Where to label it, and how.
    pub(super) fn labels(&self) -> Vec<(f64, &'static str)> {
        let within: Vec<_> =
            STEPS.iter().filter(|(step, _)| (self.least..=self.most).contains(step)).collect();
        let skip = within.len().div_ceil(LABELS.into()).max(1);
        within.into_iter().step_by(skip).map(|(step, said)| (self.at(*step), *said)).collect()
    }
}

/// The steps that a stretch of days or hours is labelled at, in hours.
const HOURS: [i64; 11] = [1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 30 * 24, 90 * 24];

/// A stretch of the paper on which equal times are equally long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub from: f64,
    pub to: f64,
}

impl Span {
    /// Where an instant is drawn; one beyond an end at that end.
    pub(super) fn at(&self, t: DateTime<Utc>) -> f64 {
        let whole = (self.until - self.since).as_seconds_f64().max(1.0);
        let share = ((t - self.since).as_seconds_f64() / whole).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// Where to label it, and how: at whole hours, or days, of those clocks.
    pub(super) fn labels(&self, local: Clocks<'_>) -> Vec<(f64, String)> {
        let whole = self.until - self.since;
        let step =
            HOURS.into_iter().map(TimeDelta::hours).find(|step| *step * (i32::from(LABELS - 1)) >= whole);
        let step = step.unwrap_or(whole);
        // Clocks that are changed on the way are ahead of the labels, or behind, from then on.
        let begin = local(self.since).naive_local().and_utc().timestamp();
        let seconds = step.num_seconds().max(1);
        let first = self.since + TimeDelta::seconds((seconds - begin.rem_euclid(seconds)) % seconds);
        let format = if step < TimeDelta::days(1) { "%H:%M" } else { "%-d %b" };
        let at = (0..).map(|n| first + step * n).take_while(|t| *t <= self.until).take(LABELS.into());
        at.map(|t| (self.at(t), local(t).format(format).to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_what_it_is_of_and_is_labelled_sparsely() {
        let axis = Log::of([0.3, 14.0].into_iter(), 100.0, 0.0).unwrap();
        assert_eq!((axis.at(0.2), axis.at(20.0)), (100.0, 0.0));
        assert!(axis.at(0.3) < 100.0 && axis.at(14.0) > 0.0);
        let labels: Vec<&str> = axis.labels().iter().map(|(_, said)| *said).collect();
        assert_eq!(labels, ["0.2 s", "1 s", "5 s", "20 s"]);
        assert!(Log::of(std::iter::empty(), 0.0, 1.0).is_none());
        for (least, most) in [(1e-6, 1e-6), (1e-6, 3600.0), (3600.0, 90_000.0), (0.1, 0.1)] {
            let axis = Log::of([least, most].into_iter(), 0.0, 1.0).unwrap();
            assert!(axis.labels().len() <= LABELS.into(), "{least} {most}");
            assert!((0.0..=1.0).contains(&axis.at(least)) && (0.0..=1.0).contains(&axis.at(most)));
        }
    }

    #[test]
    fn hours_and_days_are_labelled_where_clocks_strike() {
        let labels = |since: &str, until: &str| {
            let span =
                Span { since: since.parse().unwrap(), until: until.parse().unwrap(), from: 0.0, to: 100.0 };
            let berlin = |t: DateTime<Utc>| t.with_timezone(&chrono::FixedOffset::east_opt(3600).unwrap());
            span.labels(&berlin).into_iter().map(|(x, said)| format!("{said} {x:.0}")).collect::<Vec<_>>()
        };
        assert_eq!(
            labels("2026-11-20T16:00:00Z", "2026-11-21T16:04:00Z"),
            ["18:00 4", "00:00 29", "06:00 54", "12:00 79"]
        );
        assert_eq!(
            labels("2026-11-14T00:00:00Z", "2026-11-21T16:00:00Z"),
            ["15 Nov 12", "17 Nov 39", "19 Nov 65", "21 Nov 91"]
        );
        assert_eq!(labels("2026-11-20T16:00:00Z", "2026-11-20T16:00:00Z").len(), 1);
        assert!(labels("2026-08-20T16:00:00Z", "2026-11-20T16:00:00Z").len() <= LABELS.into());
    }

    #[test]
    fn places_are_short() {
        assert_eq!([1.0, 1.04, 1.05, 99.96].map(place), ["1", "1", "1.1", "100"]);
    }
}
