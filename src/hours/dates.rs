//! Closed dates: civil dates → the instants that bear them.

use super::grammar::Closed;
use super::span::{DAY, Seconds, join};
use super::zone::{Instants, Zone};
use chrono::NaiveDate;

/// Every instant of the dates among these entries, as sorted, disjoint pieces `[from, to)`.
///
/// Mostly one piece a range, however long. A clock set back over midnight makes two: the date
/// begins, gives way to the day before, and begins again. A day that the zone skipped makes none.
pub(super) fn instants(zone: &Zone, entries: &[Closed]) -> Vec<(Seconds, Seconds)> {
    let days = entries.iter().filter_map(|entry| match entry {
        Closed::Dates(first, last) => Some((midnight(*first), midnight(*last) + DAY)),
        Closed::Window(_) => None,
    });
    let ranges = join(days.collect());
    join(ranges.into_iter().flat_map(|(from, to)| bearing(zone, from, to)).collect())
}

/// The instants whose clock reads from `from` to before `to`: those of the first pass up to where
/// the clock is set back, if it is, and the rest; and what a clock set back at the end brings again.
fn bearing(zone: &Zone, from: Seconds, to: Seconds) -> [(Seconds, Seconds); 3] {
    let passes = |civil| match zone.instants_of(civil) {
        Instants::Once(t) | Instants::Gap { after: t } => (t, t, t),
        Instants::Fold { first, change, second } => (first, change, second),
    };
    let (begins, breaks_off, begins_again) = passes(from);
    let (ends, comes_back, ends_again) = passes(to);
    [(begins, breaks_off.min(ends)), (begins_again, ends), (comes_back, ends_again)]
}

/// The civil second at which the date begins.
fn midnight(date: NaiveDate) -> Seconds {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::zone::Zones;

    fn closed(zone: &str, entries: &[&str]) -> Vec<(String, String)> {
        let zone = Zones::built_in().get(zone).unwrap();
        let entries: Vec<Closed> = entries.iter().map(|e| e.parse().unwrap()).collect();
        let text = |t| chrono::DateTime::from_timestamp(t, 0).unwrap().format("%FT%RZ").to_string();
        instants(&zone, &entries).into_iter().map(|(a, b)| (text(a), text(b))).collect()
    }

    fn pieces(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn neighbouring_dates_are_one_piece() {
        assert_eq!(
            closed("Europe/Berlin", &["2026-12-26", "2026-12-24..2026-12-25"]),
            pieces(&[("2026-12-23T23:00Z", "2026-12-26T23:00Z")])
        );
    }

    #[test]
    fn a_clock_set_back_over_midnight_makes_a_date_come_twice() {
        // St. John's: 00:01 on Sunday became 23:01 on Saturday.
        assert_eq!(
            closed("America/St_Johns", &["2010-11-07"]),
            pieces(&[("2010-11-07T02:30Z", "2010-11-07T02:31Z"), ("2010-11-07T03:30Z", "2010-11-08T03:30Z")])
        );
        assert_eq!(
            closed("America/St_Johns", &["2010-11-06"]),
            pieces(&[("2010-11-06T02:30Z", "2010-11-07T02:30Z"), ("2010-11-07T02:31Z", "2010-11-07T03:30Z")])
        );
    }

    #[test]
    fn a_skipped_date_has_no_instants() {
        assert_eq!(closed("Pacific/Apia", &["2011-12-30"]), pieces(&[]));
        assert_eq!(
            closed("Pacific/Apia", &["2011-12-29..2011-12-30"]),
            pieces(&[("2011-12-29T10:00Z", "2011-12-30T10:00Z")])
        );
    }

    #[test]
    fn a_date_whose_midnight_is_skipped_begins_after_the_gap() {
        assert_eq!(
            closed("America/Sao_Paulo", &["2018-11-04"]),
            pieces(&[("2018-11-04T03:00Z", "2018-11-05T02:00Z")])
        );
    }
}
