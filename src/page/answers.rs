//! A model's answers in numbers: what its pictures are of, and where the time of the last one went.

use super::axis::place;
use super::figure::{count, maybe, measured};
use crate::status::{LastHeartbeat, ModelStatus, Percentiles};
use crate::words;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// The parts of a heartbeat's time are drawn on a line that is so long.
const LINE: f64 = 400.0;

/// Percentiles and counts: the numbers that the pictures are of.
pub(super) fn figures(status: &ModelStatus) -> Markup {
    let answers = [("warm", &status.latency.warm), ("cold", &status.latency.cold)];
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="figures" {
            table.figures {
                thead {
                    tr {
                        th scope="col" { span.unseen { "Of what" } }
                        @for title in ["Count", "Min", "p50", "p90", "p99", "Max", "Mean"] {
                            th.number scope="col" { (title) }
                        }
                    }
                }
                tbody {
                    @for (kind, answers) in answers { (percentiles(kind, answers.as_ref())) }
                    tr {
                        th scope="row" { "boots" }
                        @let boot = status.boot.as_ref();
                        td.number { (maybe(boot.map(|boot| count("boot.count", boot.count)))) }
                        td.number { (maybe(None)) }
                        td.number { (measured("boot.p50", boot.and_then(|boot| boot.p50))) }
                        td.number { (measured("boot.p90", boot.and_then(|boot| boot.p90))) }
                        td.number { (maybe(None)) }
                        td.number { (measured("boot.max", boot.and_then(|boot| boot.max))) }
                        td.number { (maybe(None)) }
                    }
                }
            }
        }
        p.quiet { "Heartbeats: " (counts(status)) "." }
    }
}

fn percentiles(kind: &str, answers: Option<&Percentiles>) -> Markup {
    let key = |key: &str| format!("latency.{kind}.{key}");
    let time = |name: &'static str, of: fn(&Percentiles) -> f64| (name, answers.map(of));
    let times = [
        time("min", |p| p.min),
        time("p50", |p| p.p50),
        time("p90", |p| p.p90),
        time("p99", |p| p.p99),
        time("max", |p| p.max),
        time("mean", |p| p.mean),
    ];
    html! {
        tr {
            th scope="row" { (kind) }
            td.number { (maybe(answers.map(|answers| count(&key("count"), answers.count)))) }
            @for (name, seconds) in times { td.number { (measured(&key(name), seconds)) } }
        }
    }
}

/// Heartbeats by outcome; those that there were.
fn counts(status: &ModelStatus) -> Markup {
    let there = status.counts.iter().filter(|(_, count)| **count > 0);
    let there: Vec<_> = there.collect();
    html! {
        @if there.is_empty() { "none in this span" }
        @for (n, (outcome, number)) in there.iter().enumerate() {
            @if n > 0 { ", " }
            (count(&format!("counts.{}", outcome.name()), **number)) " " (words::model::outcome(**outcome))
        }
    }
}

/// The last heartbeat: what it found, and where its time went.
pub(super) fn last(status: &ModelStatus, at: DateTime<Utc>) -> Markup {
    let Some(last) = &status.last else {
        return html! { p.quiet { "No heartbeat has finished yet." } };
    };
    html! {
        p.quiet {
            "The last, sent " (words::span(words::between(last.sent_at, at))) " ago: "
            (words::heartbeat::verdict(last)) "."
        }
        @if let Some(total) = last.total { (parts(last, total)) }
    }
}

/// A heartbeat's time, part by part.
fn parts(last: &LastHeartbeat, total: f64) -> Markup {
    let (wait, predict) = (last.wait.unwrap_or(0.0), last.predict.unwrap_or(0.0));
    let rest = (total - wait - predict).max(0.0);
    let parts =
        [("wait", "queue and boot", wait), ("predict", "prediction", predict), ("rest", "the rest", rest)];
    let whole = (wait + predict + rest).max(f64::MIN_POSITIVE);
    let begins = [0.0, wait, wait + predict];
    html! {
        svg.parts viewBox={ "0 0 " (LINE) " 8" } preserveAspectRatio="none" aria-hidden="true" {
            @for ((kind, _, time), begin) in parts.iter().zip(begins) {
                rect class=(kind) x=(place(begin / whole * LINE)) y="0" width=(place(time / whole * LINE)) height="8" {}
            }
        }
        ul.legend {
            @for (kind, about, time) in parts { li { span.key.(kind) {} (about) " " (words::measured(time)) } }
            li { "in all " (words::measured(total)) }
        }
    }
}
