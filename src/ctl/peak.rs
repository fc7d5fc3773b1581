//! When the models of an account want the most at one time, and who is too much then.

use crate::hours::ActiveHours;
use chrono::{DateTime, Utc};

/// The most that is wanted at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Peak {
    /// Creates a minute.
    pub(super) rate: f64,
    /// When that is first so; none where nothing ever opens.
    pub(super) at: Option<DateTime<Utc>>,
}

/// The peak of models with these hours and creates a minute, within a span.
pub(super) fn of(models: &[(&ActiveHours, f64)], from: DateTime<Utc>, until: DateTime<Utc>) -> Peak {
    let mut edges: Vec<(DateTime<Utc>, f64)> = Vec::new();
    for (hours, rate) in models {
        for (opens, closes) in hours.pieces(from, until) {
            edges.extend([(opens, *rate), (closes, -rate)]);
        }
    }
    // Where one closes as another opens, the closing goes first: they never meet.
    edges.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut now, mut peak) = (0.0, Peak { rate: 0.0, at: None });
    for (at, change) in edges {
        now += change;
        // Sums of the same rates in another order differ in their last bits.
        if now > peak.rate + 1e-9 {
            peak = Peak { rate: now, at: Some(at) };
        }
    }
    peak
}

/// The models, by position, that are open at an instant and no longer fit under the limit: as many as
/// fit keep their interval, in the order given.
pub(super) fn beyond(models: &[(&ActiveHours, f64)], at: DateTime<Utc>, limit: f64) -> Vec<usize> {
    let mut left = limit;
    let mut held = Vec::new();
    for (position, (hours, rate)) in models.iter().enumerate() {
        if !hours.at(at).open {
            continue;
        }
        if *rate <= left + 1e-9 {
            left -= rate;
        } else {
            held.push(position);
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::Part;
    use crate::hours::zone::Zones;

    fn hours(open: &str) -> ActiveHours {
        let zone = Zones::built_in().get("UTC").unwrap();
        let part = Part { zone: zone.clone(), open: vec![open.parse().unwrap()], closed: Vec::new() };
        ActiveHours::new(zone, vec![part], Vec::new())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_follows_on_each_other_does_not_add_up() {
        let (morning, noon, day) = (hours("08:00-12:00"), hours("12:00-14:00"), hours("11:00-13:00"));
        let (from, until) = (at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z"));
        let peak = of(&[(&morning, 2.0), (&noon, 2.0)], from, until);
        assert_eq!(peak, Peak { rate: 2.0, at: Some(at("2026-11-23T08:00:00Z")) });
        let peak = of(&[(&morning, 2.0), (&noon, 3.0), (&day, 1.0)], from, until);
        assert_eq!(peak, Peak { rate: 4.0, at: Some(at("2026-11-23T12:00:00Z")) });
        assert_eq!(of(&[], from, until), Peak { rate: 0.0, at: None });
    }

    #[test]
    fn the_first_ones_that_fit_are_kept() {
        let (always, morning) = (hours("always"), hours("08:00-12:00"));
        let models = [(&always, 4.0), (&morning, 4.0), (&always, 4.0), (&always, 2.0)];
        assert_eq!(beyond(&models, at("2026-11-23T09:00:00Z"), 10.0), [2]);
        assert_eq!(beyond(&models, at("2026-11-23T13:00:00Z"), 10.0), Vec::<usize>::new());
    }
}
