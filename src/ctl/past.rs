//! What lies behind a model, in block characters: its active hours along the span, the distributions of its
//! answers and boots, and the last of what happened.

use super::history;
use super::look::{CHILLY, DIM, GOOD, Look, WARNING};
use super::words;
use crate::latency::Shape;
use crate::status::history::History;
use crate::status::intervals::{IntervalStatus, Intervals};
use anstyle::Style;
use chrono::{DateTime, TimeDelta, Utc};

/// The labels' column.
const LABEL: usize = 12;
/// Eighths, from the lowest on.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// No line of blocks is longer.
const COLUMNS: usize = 48;
/// What stands beside a distribution, but for the labels: its least, its most, and the gaps.
const BESIDE: usize = 20;
/// One column is so many hours.
const STEPS: [i64; 8] = [1, 2, 3, 6, 12, 24, 48, 168];
/// More than this share that nobody vouches for is shown.
const UNKNOWN: f64 = 0.05;

/// The lines; none where nothing was measured.
pub fn past(intervals: &Intervals, history: &History, look: &Look) -> String {
    let mut text = String::new();
    if let Some((told, strip)) = strip(intervals, look) {
        labelled(&mut text, look, &told, &strip);
        let legend = "full: all of it warm; ·: no active hours known";
        for line in words::wrap(legend, look.width - LABEL - 2) {
            labelled(&mut text, look, "", &look.dim(&line));
        }
    }
    let of = |kind: fn(&IntervalStatus) -> Option<&str>| {
        let columns = (COLUMNS / 2).min(look.width - LABEL - BESIDE);
        Shape::of(intervals.intervals.iter().filter_map(kind), columns)
    };
    let shapes = [
        ("warm", of(|interval| interval.histograms.warm.as_deref()), GOOD),
        ("cold", of(|interval| interval.histograms.cold.as_deref()), CHILLY),
        ("boots", of(|interval| interval.histograms.boot.as_deref()), Style::new()),
    ];
    for (label, shape, style) in shapes {
        let Some(shape) = shape else { continue };
        let (least, most) = (words::measured(shape.least), words::measured(shape.most));
        let line = if least == most {
            format!("{least:>7}, all of them")
        } else {
            format!("{least:>7}  {}  {most}", look.paint(style, &heights(&shape.counts)))
        };
        labelled(&mut text, look, label, &line);
    }
    if !text.is_empty() {
        text.insert(0, '\n');
    }
    if !history.events.is_empty() {
        let look = Look { width: look.width - 2, ..*look };
        text.push('\n');
        let latest = History { more: false, ..history.clone() };
        for line in history::lines(&latest, &look, false).lines() {
            for part in ["  ", line, "\n"] {
                text.push_str(part);
            }
        }
    }
    text
}

fn labelled(text: &mut String, look: &Look, label: &str, line: &str) {
    text.push_str("  ");
    text.push_str(&look.dim(&format!("{label:LABEL$}")));
    text.push_str(line);
    text.push('\n');
}

/// Active hours along the span: a block is as high as the share of them that was spent warm. And how long
/// each column is.
fn strip(intervals: &Intervals, look: &Look) -> Option<(String, String)> {
    let span = intervals.at - intervals.since;
    let room = i64::try_from(look.width.saturating_sub(LABEL + 4).min(COLUMNS)).unwrap_or(1);
    // A day that is kept as a whole can't be told by the hour.
    let longest = intervals.intervals.iter().map(|interval| interval.end - interval.start).max()?;
    let hours = STEPS.into_iter().find(|hours| {
        let step = TimeDelta::hours(*hours);
        step >= longest && span.num_seconds() <= room * step.num_seconds()
    });
    let hours = hours.unwrap_or_else(|| span.num_hours() / room + 1);
    let step = TimeDelta::hours(hours);
    let columns = usize::try_from(span.num_seconds().div_euclid(step.num_seconds()) + 1).unwrap_or(1);
    let mut spent = vec![(0.0, 0.0, 0.0, 0); columns];
    for interval in &intervals.intervals {
        let column = column(intervals.since, interval.start, step).min(columns - 1);
        let (warm, open, unknown, cold) = &mut spent[column];
        let hours = &interval.hours;
        *warm += hours.warm;
        *open += hours.open;
        *unknown += hours.unknown;
        *cold += hours.cold_heartbeats;
    }
    let block = |(warm, open, unknown, cold): &(f64, f64, f64, u64)| {
        if *open <= 0.0 {
            return look.paint(DIM, "·");
        }
        let share = warm / open;
        // Full is said of nothing less.
        let eighth = if share >= 0.999 { 7 } else { ((share * 7.0) as usize).min(6) };
        let style = match (*cold > 0, unknown / open > UNKNOWN) {
            (true, _) => CHILLY,
            (false, true) => WARNING,
            (false, false) => GOOD,
        };
        look.paint(style, &BLOCKS[eighth].to_string())
    };
    let label = match hours {
        1 => "by the hour".to_owned(),
        24 => "by the day".to_owned(),
        hours if hours % 24 == 0 => format!("by {} days", hours / 24),
        hours => format!("by {hours} hours"),
    };
    Some((label, spent.iter().map(block).collect()))
}

fn column(since: DateTime<Utc>, start: DateTime<Utc>, step: TimeDelta) -> usize {
    usize::try_from((start - since).num_seconds().div_euclid(step.num_seconds())).unwrap_or(0)
}

/// As high as each is among them; what is there at all has an eighth.
fn heights(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let block = |count: &u64| match *count {
        0 => ' ',
        count => BLOCKS[((count * 8).div_ceil(most) as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Distribution;
    use crate::status::intervals::Histograms;
    use crate::status::{HoursSpent, Latencies};
    use std::collections::BTreeMap;
    use std::time::Duration;

    const AT: &str = "2026-11-21T12:30:00Z";

    fn interval(start: &str, warm: f64, unknown: f64, cold_heartbeats: u64, times: &[u64]) -> IntervalStatus {
        let mut distribution = Distribution::default();
        for millis in times {
            distribution.record(Duration::from_millis(*millis));
        }
        let start: DateTime<Utc> = start.parse().unwrap();
        IntervalStatus {
            start,
            end: start + TimeDelta::hours(1),
            hours: HoursSpent { open: 3600.0, warm, cold: 3600.0 - warm - unknown, unknown, cold_heartbeats },
            counts: BTreeMap::new(),
            latency: Latencies::default(),
            boot: None,
            histograms: Histograms { warm: distribution.to_base64(), ..Histograms::default() },
        }
    }

    fn drawn(since: &str, intervals: Vec<IntervalStatus>, look: &Look) -> String {
        let (at, since) = (AT.parse().unwrap(), since.parse().unwrap());
        let model: crate::config::value::ModelName = "llama".parse().unwrap();
        let intervals = Intervals { version: 1, at, since, model, intervals };
        past(&intervals, &History { version: 1, at, since, more: false, events: Vec::new() }, look)
    }

    #[test]
    fn hours_and_distributions_in_blocks() {
        let intervals = vec![
            interval("2026-11-21T08:00:00Z", 3600.0, 0.0, 0, &[300, 400, 400, 500]),
            interval("2026-11-21T09:00:00Z", 3590.0, 0.0, 1, &[400, 400]),
            interval("2026-11-21T10:00:00Z", 1800.0, 1800.0, 0, &[400]),
            interval("2026-11-21T12:00:00Z", 0.0, 3600.0, 0, &[1200]),
        ];
        assert_eq!(
            drawn("2026-11-21T07:00:00Z", intervals.clone(), &Look::plain(80)),
            "
  by the hour ·█▇▄·▁
              full: all of it warm; ·: no active hours known
  warm         0.30 s  ▂    █  ▂              ▂  1.20 s
"
        );
        let colored = drawn("2026-11-21T07:00:00Z", intervals, &Look { color: true, ..Look::plain(80) });
        assert!(colored.contains("\u{1b}[36m▇"), "{colored:?}");
    }

    #[test]
    fn long_spans_fit_and_nothing_is_nothing() {
        let hour = |day: u32| interval(&format!("2026-11-{day:02}T08:00:00Z"), 3600.0, 0.0, 0, &[400]);
        for width in [40, 56, 80, 160] {
            let text = drawn("2026-11-01T00:00:00Z", (1..=21).map(hour).collect(), &Look::plain(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
            let hourly = if width > 56 { "by 12 hours █·█·" } else { "by the day  ████" };
            assert!(text.contains(hourly), "{width}: {text}");
            assert!(text.contains("warm         0.40 s, all of them"), "{width}: {text}");
        }
        assert_eq!(drawn("2026-11-21T07:00:00Z", Vec::new(), &Look::plain(80)), "");
    }
}
