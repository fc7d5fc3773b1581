//! What `[defaults]` and every model share: when a model is kept warm, and how often.

use super::field::{Field, Wrong};
use super::named::NamedHours;
use super::report::{Finding, Report};
use super::section::Section;
use super::{ColdAfter, Lead};
use crate::hours::grammar::{Closed, Open};
use crate::hours::zone::{Zone, ZoneError, Zones};
use crate::hours::{ActiveHours, Part};
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

/// No duration is nothing.
const SHORTEST: Duration = Duration::from_millis(1);
/// A duration of one day.
pub(super) const DAY: Duration = Duration::from_hours(24);

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;
/// To the most that a histogram holds.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
/// None at all is a lead too: for what is up anyway.
const LEAD: RangeInclusive<Duration> = Duration::ZERO..=DAY;
const COLD_AFTER: RangeInclusive<Duration> = SHORTEST..=Duration::from_hours(1);

/// The longest entry of a list of windows, in bytes; all seven days by name take 60.
const ENTRY_LIMIT: usize = 200;

/// What suggesting a zone costs, in comparisons of words: all names of the system's folder and of the
/// copy built in are gathered and compared, so that the first hundred wrong ones are enough.
const SUGGESTED_ZONE: u32 = 10_000;

/// The keys that a model has from `[defaults]` where it does not have its own.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    pub(super) timezone: Field<Zone>,
    pub(super) interval: Field<Duration>,
    pub(super) timeout: Field<Duration>,
    pub(super) lead: Field<Lead>,
    pub(super) cold_after: Field<ColdAfter>,
    pub(super) calibrate: Field<bool>,
    active: Field<Vec<Active>>,
    closed: Field<Vec<Closed>>,
}

/// An entry of `active`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Active {
    Window(Open),
    /// The name of hours, which are there.
    Named(String),
}

impl Rhythm {
    /// Where there is no `[defaults]`.
    pub(super) const NONE: Self = Self {
        timezone: Field::Absent,
        interval: Field::Absent,
        timeout: Field::Absent,
        lead: Field::Absent,
        cold_after: Field::Absent,
        calibrate: Field::Absent,
        active: Field::Absent,
        closed: Field::Absent,
    };

    pub(super) fn read(
        section: &Section<'_>,
        report: &mut Report<'_>,
        zones: &Zones,
        hours: &mut NamedHours,
    ) -> Self {
        Self {
            timezone: zone(section, report, zones),
            interval: section.duration(report, "interval", INTERVAL),
            timeout: section.duration(report, "timeout", TIMEOUT),
            lead: section
                .duration_or_auto(report, "lead", LEAD)
                .map(|own| own.map_or(Lead::Auto, Lead::Fixed)),
            cold_after: section
                .duration_or_auto(report, "cold_after", COLD_AFTER)
                .map(|own| own.map_or(ColdAfter::Auto, ColdAfter::Fixed)),
            calibrate: section.boolean(report, "calibrate"),
            active: active(section, report, hours),
            closed: closed(section, report),
        }
    }

    /// These, and where one is absent, the other's.
    pub(super) fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            timezone: self.timezone.or(other.timezone),
            interval: self.interval.or(other.interval),
            timeout: self.timeout.or(other.timeout),
            lead: self.lead.or(other.lead),
            cold_after: self.cold_after.or(other.cold_after),
            calibrate: self.calibrate.or(other.calibrate),
            active: self.active.or(other.active),
            closed: self.closed.or(other.closed),
        }
    }

    /// Whether no hours are named, rightly or wrongly.
    pub(super) fn is_never_active(&self) -> bool {
        matches!(self.active, Field::Absent)
    }

    /// The hours in a model's zone.
    pub(super) fn hours(&self, zone: Zone, hours: &NamedHours) -> Option<ActiveHours> {
        let Field::Given(active) = &self.active else { return None };
        let own = active.iter().filter_map(|entry| match entry {
            Active::Window(open) => Some(*open),
            Active::Named(_) => None,
        });
        let own = Part { zone: zone.clone(), open: own.collect(), closed: Vec::new() };
        let mut parts = if own.open.is_empty() { Vec::new() } else { vec![own] };
        for entry in active {
            if let Active::Named(name) = entry {
                parts.push(hours.part(name, &zone)?);
            }
        }
        Some(ActiveHours::new(zone, parts, self.closed.clone().unwrap_or(Vec::new())))
    }
}

/// `timezone`.
pub(super) fn zone(section: &Section<'_>, report: &mut Report<'_>, zones: &Zones) -> Field<Zone> {
    let Some(text) = section.entry("timezone").and_then(super::section::Entry::text) else {
        return section.text(report, "timezone", |_| Err(Wrong::new("it is no name")));
    };
    // A zone that is there costs nothing; to suggest the nearest to one that isn't does.
    let is_known = || {
        text.parse::<chrono_tz::Tz>().is_ok()
            || zones.folder().is_some_and(|folder| folder.join(text).is_file())
    };
    let unknown = !is_known() && !report.speller.afford(SUGGESTED_ZONE);
    let zone = section.text(report, "timezone", |text| {
        if unknown {
            return Err(Wrong::new("there is no such time zone"));
        }
        zones.get(text).map_err(|error| match error {
            ZoneError::Offset(meaning) => Wrong::new(meaning.what).help(meaning.write),
            ZoneError::NoName(_) | ZoneError::Unknown { .. } | ZoneError::Damaged { .. } => error.into(),
        })
    });
    if let (Field::Given(zone), Some(entry)) = (&zone, section.entry("timezone"))
        && let Some(meaning) = zones.caution(zone)
    {
        let title = format!("`timezone`: {}", meaning.what);
        let finding = Finding::warning(section.name("timezone"), entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help(meaning.write));
    }
    zone
}

/// `open`: windows alone.
pub(super) fn open(section: &Section<'_>, report: &mut Report<'_>) -> Field<Vec<Open>> {
    list(section, report, "open", |section, report, text, span| entry(section, report, "open", text, span))
}

/// `closed`: dates and windows.
pub(super) fn closed(section: &Section<'_>, report: &mut Report<'_>) -> Field<Vec<Closed>> {
    section.list(report, "closed", |report, text, span| entry(section, report, "closed", text, span))
}

/// `active`: windows and names of hours.
fn active(section: &Section<'_>, report: &mut Report<'_>, hours: &mut NamedHours) -> Field<Vec<Active>> {
    list(section, report, "active", |section, report, text, span| {
        if hours.take(text) {
            return Some(Active::Named(text.to_owned()));
        }
        if Open::looks_like_window(text) {
            return entry(section, report, "active", text, span).map(Active::Window);
        }
        let title = format!("`active`: there are no hours `{}`", super::report::echo(text));
        let nearest = report.speller.nearest(text, hours.names().chain(["always"]));
        let help = match nearest {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("add [hours.{}], or write a window", super::report::cut(text, 63)),
        };
        let finding = Finding::error(section.name("active"), span, title);
        report.add(finding.accepted(section.accepted("active")).help(help));
        None
    })
}

/// A list that can't be empty.
fn list<'a, T>(
    section: &Section<'a>,
    report: &mut Report<'_>,
    key: &str,
    mut read: impl FnMut(&Section<'a>, &mut Report<'_>, &'a str, Range<usize>) -> Option<T>,
) -> Field<Vec<T>> {
    let items = section.list(report, key, |report, text, span| read(section, report, text, span));
    if let (Field::Given(items), Some(entry)) = (&items, section.entry(key))
        && items.is_empty()
    {
        section.wrong(
            report,
            key,
            entry,
            Wrong::new("nothing is ever open").help("name a window, or \"always\""),
        );
        return Field::Wrong;
    }
    items
}

fn entry<T: FromStr<Err: std::error::Error>>(
    section: &Section<'_>,
    report: &mut Report<'_>,
    key: &str,
    text: &str,
    span: Range<usize>,
) -> Option<T> {
    if report.is_broken(&span) {
        return None;
    }
    let read = if text.len() > ENTRY_LIMIT {
        Err(format!("{} characters are no window", text.chars().count()))
    } else {
        text.parse::<T>().map_err(|error| error.to_string())
    };
    match read {
        Ok(entry) => Some(entry),
        Err(what) => {
            let finding = Finding::error(section.name(key), span, format!("`{key}`: {what}"));
            report.add(finding.accepted(section.accepted(key)));
            None
        }
    }
}
