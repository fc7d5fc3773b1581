//! `warmctl status`: a line a model, and under it what needs more words.

use super::look::{self, BAD, CHILLY, DIM, Look, PLAIN, WARNING};
use super::table::{Cell, Column, Row, Table};
use super::words;
use crate::status::{DaemonStatus, HoursSpent, ModelStatus, Snapshot, State};
use chrono::{DateTime, Utc};

/// This many models are named where one sentence goes for several.
const NAMED: usize = 3;

/// The whole report.
pub fn overview(snapshot: &Snapshot, look: &Look) -> String {
    let mut text = head(snapshot, look);
    if snapshot.models.is_empty() {
        return text;
    }
    text.push('\n');
    text.push_str(&models(&snapshot.models, snapshot.at, look));
    text.push_str(&remarks(&snapshot.models, look));
    text
}

/// What stands over the models.
pub(super) fn head(snapshot: &Snapshot, look: &Look) -> String {
    daemon(&snapshot.daemon, snapshot.at, look) + &span(snapshot, look)
}

/// A line a model, under titles.
pub(super) fn models<'a>(
    models: impl IntoIterator<Item = &'a ModelStatus> + Clone,
    at: DateTime<Utc>,
    look: &Look,
) -> String {
    let wide = table(models.clone(), at, look, Form::Wide);
    let table = if wide.fits(look.room()) { wide } else { table(models, at, look, Form::Narrow) };
    table.render(look)
}

/// The lines about the daemon itself.
pub(super) fn daemon(daemon: &DaemonStatus, at: DateTime<Utc>, look: &Look) -> String {
    let mut text = String::new();
    let about = format!(
        "warmd {}, up {}, {}, tzdata {}",
        daemon.version,
        words::span(words::between(daemon.started_at, at)),
        daemon.config,
        daemon.tzdata
    );
    paragraph(&mut text, look, "  ", &about, str::to_owned);
    if let Some(error) = &daemon.config_error {
        let age = words::span(words::between(daemon.config_loaded_at, at));
        let loud = format!("CONFIGURATION NOT LOADED, the one read {age} ago goes on: {error}");
        paragraph(&mut text, look, "  ", &loud, |line| look.paint(BAD, line));
    }
    for note in &daemon.notes {
        paragraph(&mut text, look, "  ", note, |line| look.paint(WARNING, line));
    }
    text
}

/// The line about the span, and how many models are how.
fn span(snapshot: &Snapshot, look: &Look) -> String {
    let mut states: Vec<(State, u64)> = Vec::new();
    for model in &snapshot.models {
        match states.iter_mut().find(|(state, _)| *state == model.state) {
            Some((_, count)) => *count += 1,
            None => states.push((model.state, 1)),
        }
    }
    states.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let states: Vec<String> =
        states.iter().map(|(state, count)| format!("{count} {}", look::state(*state).0)).collect();
    let models = match snapshot.models.len() {
        0 => "no models: add one to the configuration".to_owned(),
        count => format!("{}: {}", words::count(count as u64, "model", "models"), states.join(", ")),
    };
    let mut text = String::new();
    let line = format!("{models}; figures since {}", since(snapshot, look));
    paragraph(&mut text, look, "  ", &line, str::to_owned);
    text
}

/// `Thu 19:35 (24h)`.
pub(super) fn since(snapshot: &Snapshot, look: &Look) -> String {
    let clock = words::clock((look.local)(snapshot.since), (look.local)(snapshot.at));
    format!("{clock} ({})", words::span(words::between(snapshot.since, snapshot.at)))
}

/// How much a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Wide,
    Narrow,
}

fn table<'a>(
    models: impl IntoIterator<Item = &'a ModelStatus>,
    at: DateTime<Utc>,
    look: &Look,
    form: Form,
) -> Table {
    let column = |group, title, right, worth, wide| (wide, Column { group, title, right, worth });
    let columns = [
        column("", "STATE", false, 10, false),
        column("", "NEXT", false, 6, false),
        column("active hours", "OPEN", true, 1, true),
        column("active hours", "WARM", true, 9, false),
        column("active hours", "COLD", true, 8, false),
        column("active hours", "UNKNOWN", true, 2, true),
        column("warm answers", "P50", true, 7, false),
        column("warm answers", "P99", true, 5, false),
        column("cold", "P50", true, 4, false),
        column(" ", "BOOTS", true, 3, false),
    ];
    let shown = |wide: bool| form == Form::Wide || !wide;
    let rows = models.into_iter().map(|model| {
        let cells = cells(model, at, look, form).into_iter().zip(&columns);
        let cells = cells.filter(|(_, (wide, _))| shown(*wide)).map(|(cell, _)| cell).collect();
        Row { name: words::tame(&model.name), cells }
    });
    let rows = rows.collect();
    let columns = columns.into_iter().filter(|(wide, _)| shown(*wide)).map(|(_, column)| column).collect();
    Table { title: "MODEL", columns, rows }
}

fn cells(model: &ModelStatus, at: DateTime<Utc>, look: &Look, form: Form) -> [Cell; 10] {
    let (state, style) = look::state(model.state);
    let hours = &model.hours;
    let (warm, cold) = (&model.latency.warm, &model.latency.cold);
    [
        Cell::new(state, style),
        Cell::maybe(next(model, at, look, form)),
        Cell::maybe((hours.open > 0.0).then(|| words::span(hours.open))),
        Cell::maybe(words::share(hours.warm, hours.open)),
        times_cold(hours),
        Cell::maybe((hours.open > 0.0).then(|| words::span(hours.unknown))),
        Cell::maybe(warm.map(|warm| words::measured(warm.p50))),
        Cell::maybe(warm.map(|warm| words::measured(warm.p99))),
        Cell::maybe(cold.map(|cold| words::measured(cold.p50))),
        Cell::maybe(model.boot.map(|boot| boot.count.to_string())),
    ]
}

/// How often a heartbeat within active hours found it cold.
fn times_cold(hours: &HoursSpent) -> Cell {
    match hours.cold_heartbeats {
        0 if hours.open <= 0.0 => Cell::maybe(None),
        0 => Cell::new("0", PLAIN),
        times => Cell::new(format!("{times}×"), CHILLY),
    }
}

/// What it does next.
fn next(model: &ModelStatus, at: DateTime<Utc>, look: &Look, form: Form) -> Option<String> {
    let (local, now) = (|t: DateTime<Utc>| (look.local)(t), (look.local)(at));
    let brief = |t: DateTime<Utc>| {
        let days = (local(t).date_naive() - now.date_naive()).num_days();
        if days > 6 { local(t).format("%-d %b").to_string() } else { words::clock(local(t), now) }
    };
    match (model.state, form) {
        (State::Paused, Form::Narrow) => model.paused_until.map(brief),
        (State::Idle, Form::Narrow) => Some(model.window.opens_at.map_or_else(|| "never".to_owned(), brief)),
        _ => words::model::next(model, at, &look.local),
    }
}

/// What needs more words, each sentence once, for all the models that share it.
pub(super) fn remarks<'a>(models: impl IntoIterator<Item = &'a ModelStatus> + Clone, look: &Look) -> String {
    let mut said: Vec<(&str, Option<State>, Vec<&str>)> = Vec::new();
    let reasons = models.clone().into_iter();
    let reasons = reasons.filter_map(|model| Some((model, model.reason.as_deref()?, Some(model.state))));
    let notes =
        models.into_iter().flat_map(|model| model.notes.iter().map(move |note| (model, note.as_str(), None)));
    let mut known = std::collections::HashMap::new();
    for (model, sentence, state) in reasons.chain(notes) {
        let at = *known.entry((sentence, state)).or_insert_with(|| {
            said.push((sentence, state, Vec::new()));
            said.len() - 1
        });
        said[at].2.push(&model.name);
    }
    let mut text = String::new();
    let mut was_reason = None;
    for (sentence, state, names) in said {
        // A blank line before the reasons, and one before the notes.
        if was_reason != Some(state.is_some()) {
            text.push('\n');
            was_reason = Some(state.is_some());
        }
        let names = match names.len().saturating_sub(NAMED) {
            0 | 1 => names.join(", "),
            more => format!("{} and {more} more", names[..NAMED].join(", ")),
        };
        let style = state.map_or(DIM, |state| look::state(state).1);
        let kind = state.map_or("note", |state| look::state(state).0);
        let label = format!("{names} {kind}: ");
        let line = format!("{label}{sentence}");
        let mut first = true;
        paragraph(&mut text, look, "  ", &line, |line| {
            let label = label.trim_end();
            match line.strip_prefix(label).filter(|_| std::mem::take(&mut first)) {
                Some(rest) => format!("{}{rest}", look.paint(style, label)),
                None => line.to_owned(),
            }
        });
    }
    text
}

/// Adds `words`, broken where the look breaks lines, all but the first behind `indent`.
pub(super) fn paragraph(
    text: &mut String,
    look: &Look,
    indent: &str,
    words: &str,
    mut paint: impl FnMut(&str) -> String,
) {
    for (n, line) in words::wrap(words, look.room() - indent.len()).iter().enumerate() {
        if n > 0 {
            text.push_str(indent);
        }
        text.push_str(&paint(line));
        text.push('\n');
    }
}
