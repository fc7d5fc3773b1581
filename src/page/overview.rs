//! All models: what the day was like for their users, and how each is.

use super::figure::{count, figure, maybe, measured, span};
use super::frame::{self, Frame};
use super::strip::{self, Strip};
use super::view::{AT_ONCE, View};
use crate::config::{Config, Model};
use crate::status::{HoursSpent, ModelStatus, Snapshot, State};
use crate::store::Hourly;
use crate::words::{self, Clocks};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::collections::HashMap;

/// So many models take a second more from one refresh to the next; seconds, and at most that many.
const MODELS_A_SECOND: usize = 20;
const REFRESH: std::ops::RangeInclusive<usize> = 5..=60;

/// What the page of all models is made from.
#[derive(Debug, Clone, Copy)]
pub struct Overview<'a> {
    /// The report.
    pub snapshot: &'a Snapshot,
    /// The configuration that runs.
    pub config: &'a Config,
    /// The last day, hour by hour.
    pub hourly: &'a Hourly,
    /// What of it is asked for.
    pub view: &'a View,
}

/// The page, as HTML.
pub fn overview(seen: &Overview<'_>) -> String {
    let Overview { snapshot, view, .. } = *seen;
    let taken: Vec<&ModelStatus> = snapshot.models.iter().filter(|model| view.takes(model)).collect();
    let pages = taken.len().div_ceil(AT_ONCE).max(1);
    let page = view.page.unwrap_or(1).clamp(1, pages);
    let shown = taken.chunks(AT_ONCE).nth(page - 1).unwrap_or_default();
    let main = html! {
        header.top {
            a.brand href="./" aria-current="page" { "warmd" }
            (frame::spans("./", view))
        }
        (frame::notices(snapshot))
        (headline(snapshot))
        (states(snapshot, view))
        @if shown.is_empty() {
            p.notice { "No model is like that. " a href="./" { "Show all of them" } }
        } @else {
            (models(seen, shown))
            (strip::legend())
        }
        @if pages > 1 { (turn(view, page, pages, taken.len())) }
    };
    let warm = snapshot.models.iter().filter(|model| model.state == State::Warm).count();
    let title = format!("{warm} of {} warm · warmd", snapshot.models.len());
    let refresh = (snapshot.models.len() / MODELS_A_SECOND).clamp(*REFRESH.start(), *REFRESH.end());
    let json = format!("v1/status{}", View { since: view.since.clone(), ..View::default() }.query());
    let footer = frame::footer("", &snapshot.daemon, snapshot.at, &json);
    Frame { root: "", title: &title, refresh: refresh as u32, main, footer }.render()
}

/// How the active hours of all models were spent: the figure that matters most.
fn headline(snapshot: &Snapshot) -> Markup {
    let mut all = HoursSpent::default();
    for HoursSpent { open, warm, cold, unknown, cold_heartbeats } in snapshot.models.iter().map(|m| m.hours) {
        all.open += open;
        all.warm += warm;
        all.cold += cold;
        all.unknown += unknown;
        all.cold_heartbeats += cold_heartbeats;
    }
    let since = since(snapshot);
    html! {
        section.headline aria-labelledby="headline" {
            @match words::share(all.warm, all.open) {
                None => h1 #headline { "Nothing on record since " (since) },
                Some(share) => {
                    h1 #headline { strong.share { (share) } " of the active hours were warm" }
                    p.met.some[all.cold_heartbeats > 0] {
                        @match all.cold_heartbeats {
                            0 => "No heartbeat within them found a model cold.",
                            1 => { b { "Once" } " a heartbeat within them found a model cold: a user could have." }
                            times => {
                                b { (times) " times" }
                                " a heartbeat within them found a model cold: a user could have."
                            }
                        }
                    }
                    (bar(&all))
                    p.quiet {
                        (words::span(all.open)) " of active hours of all models since " (since) ": "
                        (words::span(all.warm)) " warm, " (words::measured(all.cold)) " cold, "
                        (words::measured(all.unknown)) " unknown."
                    }
                }
            }
        }
    }
}

/// `Fri 18:00 (24h)`, by UTC: the models' zones may be several.
fn since(snapshot: &Snapshot) -> String {
    let (since, at) = (snapshot.since.fixed_offset(), snapshot.at.fixed_offset());
    let length = words::span(words::between(snapshot.since, snapshot.at));
    format!("{} UTC ({length})", words::clock(since, at))
}

/// Hours in a row, as long as each kind is.
fn bar(hours: &HoursSpent) -> Markup {
    let wide = |part: f64| if part > 0.0 { (part / hours.open * 1000.0).max(3.0) } else { 0.0 };
    let (cold, unknown) = (wide(hours.cold), wide(hours.unknown));
    let warm = if hours.warm > 0.0 { (1000.0 - cold - unknown).max(3.0) } else { 0.0 };
    html! {
        svg.bar viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" {
            rect.warm x="0" y="0" width=(warm) height="12" {}
            rect.cold x=(warm) y="0" width=(cold) height="12" {}
            rect.unknown x=(warm + cold) y="0" width=(unknown) height="12" {}
        }
    }
}

/// How many models are how, each a way to them; and a field to look for one.
fn states(snapshot: &Snapshot, view: &View) -> Markup {
    let of = |state: State| snapshot.models.iter().filter(|model| model.state == state).count();
    let states = State::ALL.into_iter().map(|state| (state, of(state))).filter(|(_, count)| *count > 0);
    let all = snapshot.models.len() as u64;
    html! {
        div.choose {
            nav.states aria-label="Models by state" {
                a href=(frame::link(&view.of_state(None))) aria-current=[view.state.is_none().then_some("true")] {
                    (words::count(all, "model", "models"))
                }
                @for (state, count) in states {
                    a.state.(state.name()) href=(frame::link(&view.of_state(Some(state))))
                        aria-current=[(view.state == Some(state)).then_some("true")] {
                        (count) " " (state.name())
                    }
                }
            }
            @if snapshot.models.len() > 5 || view.narrows() {
                form method="get" action="./" role="search" {
                    @if let Some(since) = &view.since { input type="hidden" name="since" value=(since); }
                    @if let Some(state) = view.state {
                        input type="hidden" name="state" value=(state.name());
                    }
                    label for="name" { "Name" }
                    input #name type="search" name="name" value=[view.name.as_deref()] autocomplete="off"
                        spellcheck="false";
                    button type="submit" { "Find" }
                }
            }
        }
    }
}

/// A row each. The roles are said again, since a narrow screen shows each row as a card.
fn models(seen: &Overview<'_>, shown: &[&ModelStatus]) -> Markup {
    let configured = seen.config.models.iter().map(|model| (model.name.as_str(), &**model)).collect();
    html! {
        table.models role="table" {
            caption.unseen { "How each model is, and how its active hours were spent" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Model" }
                    th scope="col" role="columnheader" { "State" }
                    th scope="col" role="columnheader" { "Last 24 hours" }
                    th.number scope="col" role="columnheader" { "Hours warm" }
                    th.number scope="col" role="columnheader" { "Found cold" }
                    th.number scope="col" role="columnheader" { "Warm " small { "p50 / p99" } }
                    th.number scope="col" role="columnheader" { "Cold " small { "p50 / max" } }
                    th.number scope="col" role="columnheader" { "Boots" }
                }
            }
            tbody role="rowgroup" { @for model in shown { (row(seen, model, &configured)) } }
        }
    }
}

fn row(seen: &Overview<'_>, model: &ModelStatus, configured: &HashMap<&str, &Model>) -> Markup {
    let at = seen.snapshot.at;
    let configured = configured.get(model.name.as_str());
    let local =
        |t: DateTime<Utc>| configured.map_or_else(|| t.fixed_offset(), |one| one.hours.zone().local(t));
    let hours = configured.and_then(|one| seen.hourly.models.get(&one.name)).map_or(&[][..], Vec::as_slice);
    let enabled = configured.filter(|one| one.enabled);
    let open = enabled.map(|one| one.hours.pieces(seen.hourly.since, at)).unwrap_or_default();
    let about = format!("{}, last 24 hours: {}", model.name, words::model::hours(&strip::whole(hours)));
    let strip = Strip { since: seen.hourly.since, at, hours, open: &open, local: &local, about: &about };
    let (warm, cold, hours) = (model.latency.warm, model.latency.cold, &model.hours);
    let page = View { since: seen.view.since.clone(), ..View::default() }.query();
    html! {
        tr role="row" id={ "model-" (model.name) } data-model=(model.name) {
            th scope="row" role="rowheader" {
                a.name href={ "models/" (model.name) (page) } { (model.name) }
                span.reference title={ (model.kind) " " (model.reference) } { (model.kind) " " (model.reference) }
            }
            td.how role="cell" data-label="State" {
                (pill(model.state))
                " " (next(model, at, &local, configured.map(|one| one.hours.zone().name())))
                @if let Some(reason) = &model.reason { span.reason title=(words::tame(reason)) { (words::tame(reason)) } }
            }
            td.day role="cell" data-label="Last 24 hours" { (strip.draw()) }
            td.number role="cell" data-label="Hours warm" {
                @let share = words::share(hours.warm, hours.open);
                (maybe(share.map(|share| figure("hours.warm", hours.warm, &share))))
                @if hours.unknown > 0.0 { small.sub { (span("hours.unknown", hours.unknown)) " unknown" } }
            }
            td.number role="cell" data-label="Found cold" {
                @if hours.open > 0.0 || hours.cold_heartbeats > 0 {
                    span.met.some[hours.cold_heartbeats > 0] {
                        (figure("hours.cold_heartbeats", hours.cold_heartbeats, &times(hours.cold_heartbeats)))
                    }
                    @if hours.cold > 0.0 { small.sub { (measured("hours.cold", Some(hours.cold))) " cold" } }
                } @else { (maybe(None)) }
            }
            td.number role="cell" data-label="Warm p50 / p99" {
                (measured("latency.warm.p50", warm.map(|warm| warm.p50)))
                @if let Some(warm) = warm { " / " (measured("latency.warm.p99", Some(warm.p99))) }
            }
            td.number role="cell" data-label="Cold p50 / max" {
                (measured("latency.cold.p50", cold.map(|cold| cold.p50)))
                @if let Some(cold) = cold { " / " (measured("latency.cold.max", Some(cold.max))) }
            }
            td.number role="cell" data-label="Boots" {
                (maybe(model.boot.map(|boot| count("boot.count", boot.count))))
            }
        }
    }
}

/// What it does next; where that is told by the clocks of a zone, by which.
pub(super) fn next(model: &ModelStatus, at: DateTime<Utc>, local: Clocks<'_>, zone: Option<&str>) -> Markup {
    let by_clock = matches!(model.state, State::Idle | State::Paused) && !model.window.open;
    let by_clock = by_clock || model.paused_until.is_some();
    html! {
        @if let Some(next) = words::model::next(model, at, local) {
            span.next {
                @if !matches!(model.state, State::Idle | State::Paused) { "next " }
                (next)
                @if let Some(zone) = zone.filter(|_| by_clock) { " " small { (zone) } }
            }
        }
    }
}

fn times(times: u64) -> String {
    if times == 0 { "0".to_owned() } else { format!("{times}×") }
}

/// A state, by a word and a colour.
pub(super) fn pill(state: State) -> Markup {
    let word = state.name();
    html! { span.pill.(word) { (figure("state", word, word)) } }
}

/// The way to the other pages.
fn turn(view: &View, page: usize, pages: usize, models: usize) -> Markup {
    html! {
        nav.turn aria-label="Pages" {
            @if page > 1 { a rel="prev" href=(frame::link(&view.on_page(page - 1))) { "← before" } }
            span { "page " (page) " of " (pages) ", " (models) " models" }
            @if page < pages { a rel="next" href=(frame::link(&view.on_page(page + 1))) { "after →" } }
        }
    }
}
