//! Active hours out of a fuzzer's text: their edges agree with each other, and with a look at every minute.

use super::grammar::{Closed, GrammarError, Open};
use super::span::DAY;
use super::zone::{Instants, Rules, Zone, Zones};
use super::{ActiveHours, Part};
use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use std::str::FromStr;
use std::sync::LazyLock;

/// More entries than this are no use.
const ENTRIES: usize = 12;

/// Four digits of a year end here; so do edges.
const LAST: i64 = super::LAST;

/// Hours as text, a line each: the zone; an instant in seconds since 1970; then `open ENTRY`, `closed ENTRY`,
/// `zone NAME` (the next part begins) and `cut ENTRY` (closed of all parts).
pub fn windows(data: &[u8]) {
    static ZONES: LazyLock<Zones> = LazyLock::new(Zones::built_in);
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let zone = |name: &str| {
        // Looking for the name that an unknown one is nearest to would take most of the time.
        let known = name.parse::<chrono_tz::Tz>().map_or("Europe/Berlin", chrono_tz::Tz::name);
        ZONES.get(known).expect("it is built in")
    };
    let own = zone(lines.next().unwrap_or_default());
    let at = lines.next().and_then(|line| line.parse::<i64>().ok()).unwrap_or(1_795_000_000);
    let (mut parts, mut cut) =
        (vec![Part { zone: own.clone(), open: Vec::new(), closed: Vec::new() }], Vec::new());
    for line in lines.take(ENTRIES) {
        let (what, entry) = line.split_once(' ').unwrap_or((line, ""));
        let part = parts.last_mut().expect("there is one from the start");
        match what {
            "open" => part.open.extend(parsed::<Open>(entry)),
            "closed" => part.closed.extend(parsed::<Closed>(entry)),
            "cut" => cut.extend(parsed::<Closed>(entry)),
            "zone" => parts.push(Part { zone: zone(entry), open: Vec::new(), closed: Vec::new() }),
            _ => {}
        }
    }
    let hours = ActiveHours::new(own.clone(), parts.clone(), cut.clone());
    let Some(at) = DateTime::from_timestamp(at.clamp(-LAST, LAST), 0) else { return };
    edges(&hours, at);
    if at.timestamp().abs() < LAST - 30 * DAY {
        pieces(&hours, at);
        every_minute(&hours, &own, &parts, &cut, at);
    }
}

fn parsed<T: FromStr<Err = GrammarError>>(entry: &str) -> Option<T> {
    entry.parse().map_err(|error: GrammarError| error.to_string()).ok()
}

/// Open and closed take turns, and the edges between them are the same from either side.
fn edges(hours: &ActiveHours, at: DateTime<Utc>) {
    let second = TimeDelta::seconds(1);
    let here = hours.at(at);
    // Zones may have had other ways before the stretch that is looked through, or will.
    let is_far =
        |edge: Option<DateTime<Utc>>| edge.is_some_and(|edge| (edge - at).num_seconds().abs() > super::QUIET);
    if is_far(here.since) || is_far(here.until) {
        return;
    }
    if let Some(until) = here.until {
        assert!(until > at, "an edge that is over: {here:?} at {at}");
        let next = hours.at(until);
        assert_eq!((next.open, next.since), (!here.open, Some(until)), "behind {here:?}");
        let before = hours.at(until - second);
        assert_eq!(
            (before.open, before.until, before.since),
            (here.open, here.until, here.since),
            "up to {here:?}"
        );
    }
    if let Some(since) = here.since {
        assert!(since <= at, "an edge to come: {here:?} at {at}");
        let first = hours.at(since);
        assert_eq!((first.open, first.until), (here.open, here.until), "from {here:?}");
        let before = hours.at(since - second);
        assert_eq!((before.open, before.until), (!here.open, Some(since)), "before {here:?}");
    }
}

/// The windows of two weeks, and what of them lies within three days.
fn pieces(hours: &ActiveHours, at: DateTime<Utc>) {
    let windows = hours.windows(at, at + TimeDelta::days(14));
    assert!(windows.iter().skip(1).all(|window| window.opens.is_some_and(|opens| opens > at)));
    for window in &windows {
        assert!(window.opens.zip(window.closes).is_none_or(|(opens, closes)| opens < closes), "{window:?}");
    }
    for pair in windows.windows(2) {
        assert!(pair[0].closes.is_some_and(|closes| Some(closes) < pair[1].opens), "{pair:?}");
    }
    let to = at + TimeDelta::days(3);
    let clipped = windows.iter().map(|window| {
        let (from, until) = (window.opens.map_or(at, |t| t.max(at)), window.closes.map_or(to, |t| t.min(to)));
        (from, until)
    });
    let clipped: Vec<_> = clipped.filter(|(from, until)| from < until).collect();
    assert_eq!(hours.pieces(at, to), clipped);
}

/// On days without a change of clocks, each minute's civil time tells; of a day, since it is slow.
fn every_minute(hours: &ActiveHours, own: &Zone, parts: &[Part], cut: &[Closed], at: DateTime<Utc>) {
    let (before, behind) = (at - TimeDelta::days(3), at + TimeDelta::days(5));
    let zones = parts.iter().map(|part| &part.zone).chain([own]);
    let moves = |zone: &Zone| {
        (0..16).any(|n| zone.offset_at(before + TimeDelta::hours(12 * n)) != zone.offset_at(behind))
    };
    if zones.into_iter().any(moves) {
        return;
    }
    let mut stretch = hours.at(at);
    for minute in 0..24 * 60 {
        let t = at + TimeDelta::minutes(minute);
        if stretch.until.is_some_and(|until| t >= until) {
            stretch = hours.at(t);
        }
        let civil = |zone: &Zone| zone.local(t).naive_local();
        let opens = |part: &Part| {
            let civil = civil(&part.zone);
            part.open.iter().any(|open| covers(*open, civil))
                && !part.closed.iter().any(|closed| shuts(closed, civil))
        };
        let open = parts.iter().any(opens) && !cut.iter().any(|closed| shuts(closed, civil(own)));
        assert_eq!(stretch.open, open, "at {t}");
    }
}

fn covers(open: Open, civil: NaiveDateTime) -> bool {
    let Open::Times(times) = open else { return true };
    let minute = civil.hour() as u16 * 60 + civil.minute() as u16;
    let today = civil.weekday().num_days_from_monday() as u8;
    times.days.iter().any(|day| {
        let this = day == today && (times.start..times.end).contains(&minute);
        this || (day + 1) % 7 == today && (times.start..times.end).contains(&(minute + 24 * 60))
    })
}

fn shuts(closed: &Closed, civil: NaiveDateTime) -> bool {
    match closed {
        Closed::Dates(first, last) => (*first..=*last).contains(&civil.date()),
        Closed::Window(open) => covers(*open, civil),
    }
}

/// A zone's file as the system may have it while it is being replaced.
pub fn zone(data: &[u8]) {
    let Ok(rules) = jiff::tz::TimeZone::tzif("Some/Where", data) else { return };
    let zone = Zone::new("Some/Where", Rules::System(rules));
    let open = ["Mon-Fri 22:00-02:30".parse::<Open>(), "Sun 02:00-03:00".parse()];
    let part = Part { zone: zone.clone(), open: open.into_iter().flatten().collect(), closed: Vec::new() };
    let hours = ActiveHours::new(zone.clone(), vec![part], Vec::new());
    for year in [1900, 1970, 2026, 2037, 2200] {
        let at = DateTime::from_timestamp((year - 1970) * 31_556_952, 0).unwrap_or_default();
        let civil = zone.local(at).naive_local();
        match zone.instants(civil) {
            Instants::Once(_) | Instants::Gap { .. } => {}
            Instants::Fold { first, change, second } => assert!(first <= change && change <= second),
        }
        let _ = hours.at(at);
    }
}
