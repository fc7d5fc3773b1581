//! Active hours: the grammar, civil time, DST, and the next edge after an instant.
//!
//! Owns when people use a model: windows of civil time, in one zone or several, merged, less what
//! is closed. Everything here is pure; only [`zone::Zones`] reads files, and nothing reads a clock.
//!
//! An edge that falls into a spring gap is the first instant after it; in an autumn fold a start
//! takes the earlier instant and an end the later. A closed date is every instant that bears it.

mod dates;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod grammar;
mod offset_names;
mod span;
mod tzdata;
mod week;
pub mod zone;
mod zones;

use chrono::{DateTime, Utc};
use grammar::{Closed, Open};
use span::{DAY, Seconds, Span};
use std::time::Duration;
use week::Week;
use zone::{Zone, ZoneError, Zones};

/// How long nothing may open or close, and no closed date begin or end, until nothing ever will:
/// two years, in seconds. Hours in several zones may coincide but for some weeks of the year. Where a zone
/// changes its ways further off (long ago, or beyond the end of its tables), that is not looked for.
const QUIET: Seconds = 2 * 366 * DAY;

/// The last second that four digits of a year can tell. An edge beyond it is none.
const LAST: Seconds = 253_402_300_799;

/// When people use a model: windows of civil time in their zones, merged, less what is closed.
/// Two are equal when they were made from the same entries and names of zones.
#[derive(Debug, Clone)]
pub struct ActiveHours {
    zone: Zone,
    parts: Vec<Part>,
    closed: Vec<Closed>,
    opens: Vec<Hours>,
    shut: Shut,
    /// Where closed dates begin and end, sorted: the search for an edge looks near all of them.
    dates: Vec<Seconds>,
}

/// Hours that share a zone and what is closed of them: named hours, or a model's own windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The zone of both.
    pub zone: Zone,
    /// The windows.
    pub open: Vec<Open>,
    /// What is cut from these windows, and no others.
    pub closed: Vec<Closed>,
}

/// A [`Part`], ready to be asked.
#[derive(Debug, Clone)]
struct Hours {
    zone: Zone,
    week: Week,
    shut: Shut,
}

/// What is closed in a zone, ready to be asked.
#[derive(Debug, Clone)]
struct Shut {
    zone: Zone,
    week: Week,
    dates: Vec<(Seconds, Seconds)>,
}

/// The stretch around an instant in which nothing opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Whether the instant lies within active hours.
    pub open: bool,
    /// The edge at or before the instant: the true opening where it is open, the last closing
    /// where it is not; none where there is none.
    pub since: Option<DateTime<Utc>>,
    /// The next edge after the instant: the closing where it is open, the next opening where it is
    /// not; none where there is none.
    pub until: Option<DateTime<Utc>>,
}

/// A window of active hours as it happens: `[opens, closes)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// None where it has no beginning (`always`).
    pub opens: Option<DateTime<Utc>>,
    /// None where it has no end.
    pub closes: Option<DateTime<Utc>>,
}

impl PartialEq for ActiveHours {
    fn eq(&self, other: &Self) -> bool {
        (&self.zone, &self.parts, &self.closed) == (&other.zone, &other.parts, &other.closed)
    }
}

impl Eq for ActiveHours {}

impl ActiveHours {
    /// Merges the parts and cuts what is closed of all of them, in the model's `zone`.
    pub fn new(zone: Zone, parts: Vec<Part>, closed: Vec<Closed>) -> Self {
        let shut = Shut::new(&zone, &closed);
        let opens: Vec<Hours> = mergeable(&parts).iter().map(Hours::new).collect();
        let pieces = opens.iter().map(|hours| &hours.shut).chain([&shut]).flat_map(|shut| &shut.dates);
        let mut dates: Vec<Seconds> = pieces.flat_map(|(from, to)| [*from, *to]).collect();
        dates.sort_unstable();
        Self { zone, parts, closed, opens, shut, dates }
    }

    /// The same entries, by the zones as they are now.
    pub fn rezone(&self, zones: &Zones) -> Result<Self, ZoneError> {
        let part = |part: &Part| {
            let zone = zones.get(part.zone.name())?;
            Ok(Part { zone, open: part.open.clone(), closed: part.closed.clone() })
        };
        let parts = self.parts.iter().map(part).collect::<Result<_, ZoneError>>()?;
        Ok(Self::new(zones.get(self.zone.name())?, parts, self.closed.clone()))
    }

    /// The model's zone, in which its windows are shown.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether `t` lies within active hours, and the edges around it: the next opening or closing
    /// after it, and the last at or before it.
    pub fn at(&self, t: DateTime<Utc>) -> Stretch {
        let now = t.timestamp();
        let span = self.span(now);
        Stretch { open: span.open, since: self.last_edge(span, now), until: self.next_edge(span, now) }
    }

    /// Each window that is open at `from`, with its true opening, and each that opens before
    /// `until`; all with their true closings.
    pub fn windows(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Window> {
        let mut windows = Vec::new();
        let mut stretch = self.at(from);
        loop {
            if stretch.open {
                windows.push(Window { opens: stretch.since, closes: stretch.until });
            }
            let Some(edge) = stretch.until.filter(|edge| *edge < until) else {
                return windows;
            };
            let next = self.span(edge.timestamp());
            stretch =
                Stretch { open: next.open, since: Some(edge), until: self.next_edge(next, edge.timestamp()) };
        }
    }

    /// What is open from `from` to `to`, in order, clipped to both.
    pub fn pieces(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut pieces: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        let mut begin = from;
        while begin < to {
            let span = self.span(begin.timestamp());
            let end = DateTime::from_timestamp(span.until, 0).map_or(to, |until| until.min(to));
            match pieces.last_mut() {
                Some((_, last)) if span.open && *last == begin => *last = end,
                _ if span.open => pieces.push((begin, end)),
                _ => {}
            }
            begin = end;
        }
        pieces
    }

    /// How much of the time from `from` to `to` is open.
    pub fn open_within(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
        // A piece ends after it begins, so that no difference is negative.
        self.pieces(from, to).iter().map(|(a, b)| (*b - *a).to_std().unwrap_or_default()).sum()
    }

    /// Whether `t` is open, and a stretch around it, perhaps cut short, in which that stays so.
    fn span(&self, t: Seconds) -> Span {
        let open = self.opens.iter().map(|hours| hours.span(t)).fold(Span::endless(false), |a, b| a | b);
        !(!open | self.shut.span(t))
    }

    /// Goes on from the span around `from` to the first instant where it is not as it was.
    fn next_edge(&self, mut span: Span, from: Seconds) -> Option<DateTime<Utc>> {
        let open = span.open;
        loop {
            let mut next = span.until;
            if next > LAST {
                return None;
            }
            let coming = self.dates.partition_point(|date| *date <= next);
            let busy = self.dates[..coming].last().map_or(from, |date| from.max(*date));
            if next - busy > QUIET {
                next = *self.dates.get(coming)?;
            }
            span = self.span(next);
            if span.open != open {
                return edge(next);
            }
        }
    }

    /// Goes back from the span around `from` to the first instant where it is as it is now.
    fn last_edge(&self, mut span: Span, from: Seconds) -> Option<DateTime<Utc>> {
        let open = span.open;
        loop {
            let mut first = span.since;
            if first < -LAST {
                return None;
            }
            let gone = self.dates.partition_point(|date| *date < first);
            let busy = self.dates.get(gone).map_or(from, |date| from.min(*date));
            if busy - first > QUIET {
                first = *self.dates[..gone].last()?;
            }
            span = self.span(first - 1);
            if span.open != open {
                return edge(first);
            }
        }
    }
}

impl Hours {
    fn new(part: &Part) -> Self {
        Self {
            zone: part.zone.clone(),
            week: Week::new(part.open.iter().copied()),
            shut: Shut::new(&part.zone, &part.closed),
        }
    }

    fn span(&self, t: Seconds) -> Span {
        !(!self.week.span(&self.zone, t) | self.shut.span(t))
    }
}

impl Shut {
    fn new(zone: &Zone, closed: &[Closed]) -> Self {
        let windows = closed.iter().filter_map(|entry| match entry {
            Closed::Window(window) => Some(*window),
            Closed::Dates(..) => None,
        });
        Self { zone: zone.clone(), week: Week::new(windows), dates: dates::instants(zone, closed) }
    }

    fn span(&self, t: Seconds) -> Span {
        self.week.span(&self.zone, t) | Span::among(&self.dates, t)
    }
}

/// The parts, those of one zone of which nothing is closed taken together: so that what leaves no
/// hole is known to be always open without a search.
fn mergeable(parts: &[Part]) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        let alike =
            |other: &&mut Part| other.zone == part.zone && other.closed.is_empty() && part.closed.is_empty();
        match merged.iter_mut().find(alike) {
            Some(other) => other.open.extend(&part.open),
            None => merged.push(part.clone()),
        }
    }
    merged
}

/// None beyond the years that can be told.
fn edge(t: Seconds) -> Option<DateTime<Utc>> {
    if t.abs() > LAST { None } else { DateTime::from_timestamp(t, 0) }
}

#[cfg(test)]
mod tests;
