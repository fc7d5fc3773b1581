//! One model: how it is, what its users have waited, when it is open, and what happened last.

use super::answers;
use super::curve::{self, Line};
use super::figure::{count, figure, maybe, measured, span};
use super::frame::{self, Frame};
use super::overview::{self, pill};
use super::strip::{self, Strip};
use super::view::View;
use super::waits::Waits;
use super::week;
use crate::config::Model;
use crate::latency::Distribution;
use crate::status::history::History;
use crate::status::{HoursSpent, ModelStatus, Snapshot};
use crate::store::{HourSum, Intervals, Summary};
use crate::words::{self, Clocks};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// Seconds from one refresh to the next.
const REFRESH: u32 = 5;
/// This many of the last events are listed; pictures show more of them.
const EVENTS: usize = 20;

/// What the page of one model is made from.
#[derive(Debug, Clone, Copy)]
pub struct OneModel<'a> {
    /// The report.
    pub snapshot: &'a Snapshot,
    /// This model's part of it.
    pub status: &'a ModelStatus,
    /// As configured.
    pub model: &'a Model,
    /// What the report was summed up from.
    pub sum: &'a Summary,
    /// The same by the hour and the day.
    pub intervals: &'a Intervals,
    /// The last of what happened.
    pub history: &'a History,
    /// What of it is asked for.
    pub view: &'a View,
}

/// The page, as HTML.
pub fn one(seen: &OneModel<'_>) -> String {
    let OneModel { snapshot, status, model, history, view, .. } = *seen;
    let zone = model.hours.zone();
    let local = |t: DateTime<Utc>| zone.local(t);
    let path = format!("./{}", status.name);
    let main = html! {
        header.top {
            a.brand href={ "../" (frame::link(&View { since: view.since.clone(), ..View::default() })) } { "warmd" }
            (frame::spans(&path, view))
        }
        (frame::notices(snapshot))
        article data-model=(status.name) {
            (head(status, snapshot.at, &local, zone.name()))
            (headline(seen, &local))
            div.panels {
                (panel("latency", "Latency of answers", "How long the fastest share of them took; each step to the right is ten times rarer.", latency(seen.sum)))
                (panel("waits", "Waits over time", "Warm answers from p50 to p99, each cold answer (●) and each boot (▲).", waits(seen, &local)))
                section.panel aria-labelledby="figures" { h2 #figures { "In figures" } (answers::figures(status)) (answers::last(status, snapshot.at)) }
                (panel("week", "Active hours of the coming week", &format!("By the clocks of {}.", zone.name()), Some(week::draw(&model.hours, snapshot.at))))
                section.panel.wide aria-labelledby="events" { h2 #events { "What happened last" } (events(history, &local)) }
            }
            details.hours {
                summary { "Hour by hour" }
                (hours(seen, &local))
            }
        }
    };
    let title = format!("{}: {} · warmd", status.name, status.state.name());
    let json = format!("v1/models/{}{}", status.name, view.query());
    let footer = frame::footer("../", &snapshot.daemon, snapshot.at, &json);
    Frame { root: "../", title: &title, refresh: REFRESH, main, footer }.render()
}

/// Its name, its state, and what is to come.
fn head(status: &ModelStatus, at: DateTime<Utc>, local: Clocks<'_>, zone: &str) -> Markup {
    html! {
        div.about {
            h1 { (status.name) }
            p { (pill(status.state)) " for " (words::span(words::between(status.state_since, at)))
                " " (overview::next(status, at, local, Some(zone))) }
            @if let Some(reason) = &status.reason { p.reason { (words::tame(reason)) } }
            p.quiet { (status.kind) " " span.reference { (status.reference) } }
            p.quiet { "Window: " (words::model::window(&status.window, at, local)) " (" (zone) ")." }
            p.quiet { "Heartbeats: " (words::model::rhythm(status, at)) "." }
            @for note in &status.notes { p.notice { (words::tame(note)) } }
        }
    }
}

/// How its active hours were spent.
fn headline(seen: &OneModel<'_>, local: Clocks<'_>) -> Markup {
    let (snapshot, hours) = (seen.snapshot, &seen.status.hours);
    let since = words::clock(local(snapshot.since), local(snapshot.at));
    let length = words::span(words::between(snapshot.since, snapshot.at));
    let sums = sums(seen.intervals);
    let open = open(seen);
    let about = format!("active hours: {}", words::model::hours(&strip::whole(&sums)));
    let strip = Strip {
        since: seen.intervals.since,
        at: snapshot.at,
        hours: &sums,
        open: &open,
        local,
        about: &about,
    };
    html! {
        section.headline aria-labelledby="headline" {
            h2 #headline {
                @match words::share(hours.warm, hours.open) {
                    None => { "Nothing on record since " (since) }
                    Some(share) => {
                        strong.share { (figure("hours.warm", hours.warm, &share)) } " of its active hours were warm"
                    }
                }
            }
            (spent(hours, &since, &length))
            (strip.draw())
            (strip::legend())
        }
    }
}

fn spent(hours: &HoursSpent, since: &str, length: &str) -> Markup {
    html! {
        @if hours.open > 0.0 {
            p.met.some[hours.cold_heartbeats > 0] {
                b { (count("hours.cold_heartbeats", hours.cold_heartbeats)) }
                @if hours.cold_heartbeats == 1 { " heartbeat" } @else { " heartbeats" }
                " within them found it cold."
            }
            p.quiet {
                (span("hours.open", hours.open)) " active since " (since) " (" (length) "): "
                (words::span(hours.warm)) " warm, " (measured("hours.cold", Some(hours.cold))) " cold, "
                (span("hours.unknown", hours.unknown)) " unknown."
            }
        }
    }
}

/// The active hours of the span, as the file has them now; a disabled model has none.
fn open(seen: &OneModel<'_>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    if !seen.model.enabled {
        return Vec::new();
    }
    seen.model.hours.pieces(seen.intervals.since, seen.snapshot.at)
}

/// The intervals without their distributions.
fn sums(intervals: &Intervals) -> Vec<HourSum> {
    let sum = |interval: &crate::store::IntervalSum| HourSum {
        start: interval.start,
        end: interval.end,
        spent: interval.sum.spent,
        cold_in_hours: interval.sum.cold_in_hours,
        boots: interval.sum.boots,
    };
    intervals.intervals.iter().map(sum).collect()
}

fn panel(id: &str, title: &str, about: &str, picture: Option<Markup>) -> Markup {
    html! {
        section.panel aria-labelledby=(id) {
            h2 id=(id) { (title) }
            p.quiet { (about) }
            @match picture { Some(picture) => (picture), None => p.none { "Nothing was measured in this span." } }
        }
    }
}

fn latency(sum: &Summary) -> Option<Markup> {
    let line = |distribution: &Distribution| (distribution.curve(), distribution.count());
    let ((warm, warms), (cold, colds)) = (line(&sum.warm), line(&sum.cold));
    curve::draw(&[
        Line { kind: "warm", curve: &warm, count: warms },
        Line { kind: "cold", curve: &cold, count: colds },
    ])
}

fn waits(seen: &OneModel<'_>, local: Clocks<'_>) -> Option<Markup> {
    let (since, at) = (seen.intervals.since, seen.snapshot.at);
    let open = open(seen);
    let (intervals, events) = (&seen.intervals.intervals, &seen.history.events);
    Waits { since, at, intervals, events, open: &open, local }.draw()
}

fn events(history: &History, local: Clocks<'_>) -> Markup {
    let latest: Vec<_> = history.events.iter().rev().take(EVENTS).collect();
    html! {
        @if latest.is_empty() { p.none { "Nothing has happened in this span." } }
        ol.events {
            @for event in &latest {
                li {
                    time datetime=(crate::status::rfc3339_millis(event.at)) {
                        (local(event.at).format("%a %-d %b %H:%M:%S"))
                    }
                    " " span { (words::tame(&words::event::told(event, local))) }
                }
            }
        }
        @if history.more || history.events.len() > EVENTS {
            p.quiet { "Older ones: " code { "warmctl history" } }
        }
    }
}

/// The strip as a table.
fn hours(seen: &OneModel<'_>, local: Clocks<'_>) -> Markup {
    let titles = ["Active", "Warm", "Cold", "Unknown", "Found cold", "Warm p50", "Warm p99", "Boots"];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Hour by hour" {
            table.figures {
                thead {
                    tr { th scope="col" { "From" } @for title in titles { th.number scope="col" { (title) } } }
                }
                tbody {
                    @for interval in seen.intervals.intervals.iter().rev() {
                        @let (spent, warm) = (&interval.sum.spent, interval.sum.warm.percentiles());
                        tr {
                            th scope="row" { (local(interval.start).format("%a %-d %b %H:%M")) }
                            td.number { (words::span(spent.open().as_secs_f64())) }
                            td.number { (words::span(spent.warm.as_secs_f64())) }
                            td.number { (words::measured(spent.cold.as_secs_f64())) }
                            td.number { (words::span(spent.unknown.as_secs_f64())) }
                            td.number { (interval.sum.cold_in_hours) }
                            td.number { (maybe(warm.map(|warm| html! { (words::measured(warm.p50)) }))) }
                            td.number { (maybe(warm.map(|warm| html! { (words::measured(warm.p99)) }))) }
                            td.number { (interval.sum.boots) }
                        }
                    }
                }
            }
        }
    }
}
