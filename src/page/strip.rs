//! How active hours were spent along a span: a column an hour, as high as the share of that hour.

use super::axis::{Span, place};
use crate::status::HoursSpent;
use crate::store::HourSum;
use crate::words::{self, Clocks};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use maud::{Markup, html};

/// The paper; it is stretched to the room that there is.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 48.0;
/// Where the columns stand, and how high a whole hour is.
const FLOOR: f64 = 41.0;
const FULL: f64 = 33.0;
/// At the top: whether anyone met it cold, however short that was against an hour.
const MARK: f64 = 5.0;
/// At the foot: the active hours as they are in the file now.
const HOURS: f64 = 44.0;
/// What is there at all can be seen.
const LEAST: f64 = 1.5;
/// A last column that is shorter is left out.
const SHORTEST: TimeDelta = TimeDelta::minutes(1);
/// Columns whose shares differ by less than this are drawn as one.
const ALIKE: f64 = 0.002;

/// A strip, and what stands around it.
pub(super) struct Strip<'a> {
    pub since: DateTime<Utc>,
    pub at: DateTime<Utc>,
    /// In the order of time.
    pub hours: &'a [HourSum],
    /// What is open within the span.
    pub open: &'a [(DateTime<Utc>, DateTime<Utc>)],
    pub local: Clocks<'a>,
    /// What it is of, for those who don't see it.
    pub about: &'a str,
}

/// Hours that are alike, drawn as one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Seconds, of all its hours together.
    warm: f64,
    cold: f64,
    unknown: f64,
    cold_heartbeats: u64,
    boots: u64,
    /// Whether it lies within the active hours as they are now.
    open: bool,
}

impl Strip<'_> {
    pub(super) fn draw(&self) -> Markup {
        let axis = Span { since: self.since, until: self.at, from: 0.0, to: WIDTH };
        let runs = runs(self);
        html! {
            svg.strip viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" tabindex="0"
                aria-label=(self.about) {
                @for run in &runs { (self.run(run, axis)) }
                @for (opens, closes) in self.open {
                    @let (from, to) = (axis.at(*opens), axis.at(*closes));
                    rect.open x=(place(from)) y=(HOURS) width=(place(to - from)) height=(HEIGHT - HOURS) {}
                }
            }
        }
    }

    fn run(&self, run: &Run, axis: Span) -> Markup {
        let (from, to) = (axis.at(run.from), axis.at(run.to));
        // A hair between two columns, so that hours can be told apart.
        let (x, width) = (place(from), place((to - from - 0.6).max(0.6)));
        let seconds = words::between(run.from, run.to).max(1.0);
        let high = |share: f64| if share > 0.0 { (share / seconds * FULL).max(LEAST) } else { 0.0 };
        let (warm, unknown, cold) = (high(run.warm), high(run.unknown), high(run.cold));
        // What is made higher to be seen takes from what is high already.
        let warm = warm.min(FULL - unknown.min(FULL) - cold.min(FULL)).max(0.0);
        html! {
            g.run {
                title { (self.told(run)) }
                rect.hit.silent[run.open && run.is_empty()] x=(x) y="0" width=(x_width(from, to)) height=(HEIGHT) {}
                @if warm > 0.0 { rect.warm x=(x) y=(place(FLOOR - warm)) width=(width) height=(place(warm)) {} }
                @if unknown > 0.0 {
                    rect.unknown x=(x) y=(place(FLOOR - warm - unknown)) width=(width) height=(place(unknown)) {}
                }
                @if cold > 0.0 {
                    rect.cold x=(x) y=(place(FLOOR - warm - unknown - cold)) width=(width) height=(place(cold)) {}
                }
                @if run.cold_heartbeats > 0 { rect.met x=(x) y="0" width=(width) height=(MARK) {} }
            }
        }
    }

    /// `Fri 14:00–15:00`, `Fri 22:00–Sat 06:00`; with the date where it is longer ago than a week.
    fn clocks(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
        let (begins, ends) = ((self.local)(from), (self.local)(to));
        let day = if self.at - from < TimeDelta::days(6) { "%a" } else { "%a %-d %b" };
        let midnight =
            ends.time() == NaiveTime::MIN && Some(ends.date_naive()) == begins.date_naive().succ_opt();
        let end = match ends.date_naive() == begins.date_naive() {
            true => ends.format("%H:%M").to_string(),
            false if midnight => "24:00".to_owned(),
            false => ends.format(&format!("{day} %H:%M")).to_string(),
        };
        format!("{}–{end}", begins.format(&format!("{day} %H:%M")))
    }

    /// `Fri 14:00–15:00: 58m 20s warm, 1m 40s cold; met cold 2 times; 1 boot`.
    fn told(&self, run: &Run) -> String {
        let spent = [(run.warm, "warm"), (run.cold, "cold"), (run.unknown, "unknown")];
        let spent: Vec<String> = spent
            .into_iter()
            .filter(|(seconds, _)| *seconds > 0.0)
            .map(|(seconds, how)| format!("{} {how}", words::measured(seconds)))
            .collect();
        let mut told = self.clocks(run.from, run.to);
        told.push_str(": ");
        told.push_str(&match run.open {
            _ if !spent.is_empty() => spent.join(", "),
            true => "nothing on record".to_owned(),
            false => "outside active hours".to_owned(),
        });
        if run.cold_heartbeats > 0 {
            told.push_str("; found cold ");
            told.push_str(&words::count(run.cold_heartbeats, "time", "times"));
        }
        if run.boots > 0 {
            told.push_str("; ");
            told.push_str(&words::count(run.boots, "boot", "boots"));
        }
        told
    }
}

fn x_width(from: f64, to: f64) -> String {
    place((to - from).max(0.6))
}

/// The hours within the span, what is empty between them included, those that are alike together.
fn runs(strip: &Strip<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut add = |run: Run| match runs.last_mut() {
        Some(last) if alike(last, &run) => {
            last.to = run.to;
            last.warm += run.warm;
            last.unknown += run.unknown;
        }
        Some(_) | None => runs.push(run),
    };
    let mut reached = strip.since;
    for hour in strip.hours {
        let (from, to) = (hour.start.max(reached), hour.end.min(strip.at));
        if from >= to {
            continue;
        }
        empty(strip.open, reached, from).for_each(&mut add);
        reached = to;
        add(Run {
            warm: hour.spent.warm.as_secs_f64(),
            cold: hour.spent.cold.as_secs_f64(),
            unknown: hour.spent.unknown.as_secs_f64(),
            cold_heartbeats: hour.cold_in_hours,
            boots: hour.boots,
            ..Run::empty(from, to, true)
        });
    }
    empty(strip.open, reached, strip.at).for_each(&mut add);
    // What has only just begun is too narrow to point at.
    if runs.len() > 1 && runs.last().is_some_and(|last| last.is_quiet() && last.to - last.from < SHORTEST) {
        runs.pop();
    }
    runs
}

/// A stretch of which nothing is on record, cut where active hours begin and end.
fn empty(
    open: &[(DateTime<Utc>, DateTime<Utc>)],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> impl Iterator<Item = Run> {
    let within = open.iter().map(|(opens, closes)| ((*opens).max(from), (*closes).min(to)));
    let mut runs = Vec::new();
    let mut reached = from;
    for (opens, closes) in within.filter(|(opens, closes)| opens < closes) {
        runs.extend([Run::empty(reached, opens, false), Run::empty(opens, closes, true)]);
        reached = closes;
    }
    runs.push(Run::empty(reached, to, false));
    runs.into_iter().filter(|run| run.from < run.to)
}

impl Run {
    fn empty(from: DateTime<Utc>, to: DateTime<Utc>, open: bool) -> Self {
        Self { from, to, warm: 0.0, cold: 0.0, unknown: 0.0, cold_heartbeats: 0, boots: 0, open }
    }

    fn is_empty(&self) -> bool {
        self.warm + self.cold + self.unknown <= 0.0
    }

    /// Nothing happened in it that has to be told alone.
    fn is_quiet(&self) -> bool {
        self.cold_heartbeats == 0 && self.boots == 0 && self.cold <= 0.0
    }
}

/// Whether two neighbours look the same, and nothing happened in either that has to be told alone.
fn alike(one: &Run, other: &Run) -> bool {
    let share = |part: f64, run: &Run| part / words::between(run.from, run.to).max(1.0);
    let near = |part: fn(&Run) -> f64| {
        let (a, b) = (share(part(one), one), share(part(other), other));
        (a - b).abs() < ALIKE && (a > 0.0) == (b > 0.0)
    };
    let empty = one.is_empty() && other.is_empty();
    one.is_quiet()
        && other.is_quiet()
        && near(|run| run.warm)
        && near(|run| run.unknown)
        && (!empty || one.open == other.open)
}

/// All of them together.
pub(super) fn whole(hours: &[HourSum]) -> HoursSpent {
    let mut whole = HoursSpent::default();
    for hour in hours {
        whole.open += hour.spent.open().as_secs_f64();
        whole.warm += hour.spent.warm.as_secs_f64();
        whole.cold += hour.spent.cold.as_secs_f64();
        whole.unknown += hour.spent.unknown.as_secs_f64();
        whole.cold_heartbeats += hour.cold_in_hours;
    }
    whole
}

/// What the colours and the line mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend {
            li { span.key.warm {} "warm" }
            li { span.key.cold {} "cold: a user could have met it" }
            li { span.key.unknown {} "unknown: no answer vouches for it" }
            li { span.key.idle {} "outside active hours" }
            li { span.key.silent {} "nothing on record" }
            li { span.key.open {} "active hours, as the file has them now" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SpentTimes;
    use std::time::Duration;

    fn hour(start: &str, warm: u64, cold: u64, unknown: u64, cold_in_hours: u64) -> HourSum {
        let start: DateTime<Utc> = start.parse().unwrap();
        let [warm, cold, unknown] = [warm, cold, unknown].map(Duration::from_secs);
        let spent = SpentTimes { warm, cold, unknown };
        HourSum { start, end: start + chrono::TimeDelta::hours(1), spent, cold_in_hours, boots: 0 }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn hours_that_are_alike_are_one_and_what_was_met_stands_alone() {
        let hours = [
            hour("2026-11-20T08:00:00Z", 3600, 0, 0, 0),
            hour("2026-11-20T09:00:00Z", 3600, 0, 0, 0),
            hour("2026-11-20T10:00:00Z", 3586, 14, 0, 1),
            hour("2026-11-20T11:00:00Z", 3600, 0, 0, 0),
            hour("2026-11-20T14:00:00Z", 900, 0, 900, 0),
        ];
        let (since, now) = (at("2026-11-20T06:30:00Z"), at("2026-11-20T14:30:00Z"));
        let local = |t: DateTime<Utc>| t.fixed_offset();
        let open = [(at("2026-11-20T08:00:00Z"), now)];
        let strip = Strip { since, at: now, hours: &hours, open: &open, local: &local, about: "" };
        let told: Vec<String> = runs(&strip).iter().map(|run| strip.told(run)).collect();
        assert_eq!(
            told,
            [
                "Fri 06:30–08:00: outside active hours",
                "Fri 08:00–10:00: 2h warm",
                "Fri 10:00–11:00: 59m 46s warm, 14.0 s cold; found cold 1 time",
                "Fri 11:00–12:00: 1h warm",
                "Fri 12:00–14:00: nothing on record",
                "Fri 14:00–14:30: 15m warm, 15m unknown",
            ]
        );
        // A closed night and a little of the morning are two; and what has just begun is not told.
        let open = [(at("2026-11-21T07:00:00Z"), at("2026-11-21T08:00:00Z"))];
        let hours = [hour("2026-11-21T08:00:00Z", 0, 0, 2, 0), hour("2026-11-21T09:00:00Z", 20, 0, 0, 0)];
        let (since, now) = (at("2026-11-13T20:00:00Z"), at("2026-11-21T09:00:20Z"));
        let strip = Strip { since, at: now, hours: &hours, open: &open, local: &local, about: "" };
        let told: Vec<String> = runs(&strip).iter().map(|run| strip.told(run)).collect();
        assert_eq!(
            told,
            [
                "Fri 13 Nov 20:00–Sat 21 Nov 07:00: outside active hours",
                "Sat 07:00–08:00: nothing on record",
                "Sat 08:00–09:00: 2.00 s unknown",
            ]
        );
    }

    #[test]
    fn a_short_cold_stretch_can_be_seen_and_nothing_leaves_the_paper() {
        let hours =
            [hour("2026-11-20T10:00:00Z", 3586, 14, 0, 1), hour("2026-11-20T11:00:00Z", 0, 0, 3600, 0)];
        let (since, now) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T12:00:00Z"));
        let local = |t: DateTime<Utc>| t.fixed_offset();
        let strip =
            Strip { since, at: now, hours: &hours, open: &[(since, now)], local: &local, about: "a & b" };
        let drawn = strip.draw().into_string();
        assert!(drawn.contains(r#"aria-label="a &amp; b""#), "{drawn}");
        assert!(drawn.contains(r#"<rect class="cold" x="0" y="8" width="299.4" height="1.5">"#), "{drawn}");
        assert!(drawn.contains(r#"<rect class="met" x="0" y="0""#), "{drawn}");
        assert!(
            drawn.contains(r#"<rect class="unknown" x="300" y="8" width="299.4" height="33">"#),
            "{drawn}"
        );
        assert!(drawn.contains(r#"<rect class="open" x="0" y="44" width="600" height="4">"#), "{drawn}");
    }
}
