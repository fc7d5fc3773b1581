//! What users would have waited along the span: warm answers by the hour, each cold one, each boot.

use super::axis::{Log, Span, place};
use super::plot::{self, BOTTOM, FOOT, LEFT, RIGHT, TOP, VIEW};
use crate::status::history::PastEvent;
use crate::store::{EventKind, IntervalSum};
use crate::words::{self, Clocks, event::get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// What is drawn.
pub(super) struct Waits<'a> {
    pub since: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub intervals: &'a [IntervalSum],
    /// Cold heartbeats and boots among them are drawn.
    pub events: &'a [PastEvent],
    /// What is open within the span.
    pub open: &'a [(DateTime<Utc>, DateTime<Utc>)],
    pub local: Clocks<'a>,
}

/// A cold heartbeat or a boot.
struct Mark {
    at: DateTime<Utc>,
    kind: &'static str,
    seconds: Option<f64>,
    told: String,
}

impl Waits<'_> {
    /// The picture; none where there is nothing to draw.
    pub(super) fn draw(&self) -> Option<Markup> {
        let warm: Vec<_> = self
            .intervals
            .iter()
            .filter_map(|interval| Some((interval, interval.sum.warm.percentiles()?)))
            .collect();
        let mut marks: Vec<Mark> = self.events.iter().filter_map(|event| self.mark(event)).collect();
        // A boot and the answer that waited for it lie close together: the answer on top.
        marks.sort_by_key(|mark| mark.kind == "cold");
        let times = warm.iter().flat_map(|(_, warm)| [warm.p50, warm.p99]);
        let up = Log::of(times.chain(marks.iter().filter_map(|mark| mark.seconds)), BOTTOM, TOP)?;
        let along = Span { since: self.since, until: self.at, from: LEFT, to: RIGHT };
        let cold = marks.iter().filter(|mark| mark.kind == "cold").count() as u64;
        let about = format!(
            "waits over time: {} with warm answers, {}, {}",
            words::count(warm.len() as u64, "hour or day", "hours or days"),
            words::count(cold, "cold answer", "cold answers"),
            words::count(marks.len() as u64 - cold, "boot", "boots")
        );
        Some(html! {
            svg.plot viewBox=(VIEW) role="img" tabindex="0" aria-label=(about) {
                rect.shut x=(LEFT) y=(TOP) width=(RIGHT - LEFT) height=(BOTTOM - TOP) {}
                @for (opens, closes) in self.open {
                    @let (from, to) = (along.at(*opens), along.at(*closes));
                    rect.opening x=(place(from)) y=(TOP) width=(place(to - from)) height=(BOTTOM - TOP) {}
                }
                (plot::times(&up))
                @for (x, said) in along.labels(self.local) {
                    text.foot x=(place(x.clamp(LEFT + 8.0, RIGHT - 12.0))) y=(FOOT) { (said) }
                }
                @for (interval, warm) in &warm {
                    @let (from, to) = (along.at(interval.start), along.at(interval.end));
                    @let (middle, wide) = (f64::midpoint(from, to), (to - from - 0.8).max(1.0));
                    @let (low, high) = (up.at(warm.p50), up.at(warm.p99));
                    g.run {
                        title {
                            (self.clock(interval.start)) ": " (warm.count) " warm, p50 " (words::measured(warm.p50))
                            ", p99 " (words::measured(warm.p99))
                        }
                        rect.band x=(place(middle - wide / 2.0)) y=(place(high)) width=(place(wide))
                            height=(place((low - high).max(1.0))) {}
                        rect.middle x=(place(middle - wide / 2.0)) y=(place(low - 1.0)) width=(place(wide)) height="2" {}
                    }
                }
                @for mark in &marks {
                    @let (x, y) = (along.at(mark.at), mark.seconds.map_or(BOTTOM, |seconds| up.at(seconds)));
                    g.run {
                        title { (mark.told) }
                        @if mark.kind == "boot" {
                            path.boot d={ "M" (place(x)) " " (place(y - 5.0)) "l4.5 8h-9z" } {}
                        } @else {
                            circle.dot.cold cx=(place(x)) cy=(place(y)) r="3" {}
                        }
                        circle.hit cx=(place(x)) cy=(place(y)) r="8" {}
                    }
                }
            }
        })
    }

    fn mark(&self, event: &PastEvent) -> Option<Mark> {
        let (kind, key) = match event.event {
            EventKind::Cold => ("cold", "total"),
            EventKind::Boot => ("boot", "took"),
            EventKind::Failure
            | EventKind::State
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::Aimed => return None,
        };
        if event.at < self.since {
            return None;
        }
        let seconds: Option<f64> = get(event, key);
        let total = match (kind, seconds) {
            ("cold", Some(seconds)) => format!(", answered after {}", words::measured(seconds)),
            _ => String::new(),
        };
        let told = format!("{}: {}{total}", self.clock(event.at), words::event::told(event, self.local));
        Some(Mark { at: event.at, kind, seconds, told })
    }

    fn clock(&self, t: DateTime<Utc>) -> String {
        (self.local)(t).format("%a %-d %b %H:%M").to_string()
    }
}
