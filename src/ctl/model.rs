//! `warmctl status MODEL`: the whole picture of one.

use super::look::{self, Look};
use super::overview;
use super::table::{Cell, Column, Row, Table};
use super::timing;
use super::words;
use crate::status::{ModelStatus, Percentiles, Snapshot};
use chrono::{DateTime, Utc};

/// The labels' column.
const LABEL: usize = 12;

/// The report of one model of a snapshot.
pub fn picture(snapshot: &Snapshot, model: &ModelStatus, look: &Look) -> String {
    let at = snapshot.at;
    let mut page = Page { text: overview::daemon(&snapshot.daemon, at, look), look };
    page.blank();
    title(&mut page, model, at);
    page.entry("model", &format!("{} {}", model.kind, model.reference));
    if let Some(reason) = &model.reason {
        page.entry("reason", reason);
    }
    page.entry("window", &window(model, at, look));
    page.entry("rhythm", &words::model::rhythm(model, at));
    last(&mut page, model, at);
    page.blank();
    page.line(&look.dim(&format!("since {}", overview::since(snapshot, look))));
    page.entry("hours", &words::model::hours(&model.hours));
    page.entry("heartbeats", &words::model::counts(model));
    distributions(&mut page, model);
    if !model.notes.is_empty() {
        page.blank();
    }
    for note in &model.notes {
        page.entry("note", note);
    }
    page.text
}

/// Lines, with labels before them.
struct Page<'a> {
    text: String,
    look: &'a Look,
}

impl Page<'_> {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A label, and words wrapped beside it.
    fn entry(&mut self, label: &str, words: &str) {
        let lines = words::wrap(words, self.look.width - LABEL - 2);
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            self.line(&format!("  {}{line}", self.look.dim(&format!("{label:LABEL$}"))));
        }
    }
}

/// Its name, whole, and its state: beside it where there is room.
fn title(page: &mut Page<'_>, model: &ModelStatus, at: DateTime<Utc>) {
    let (state, style) = look::state(model.state);
    let lasting = format!(" for {}", words::span(words::between(model.state_since, at)));
    let mut name = words::wrap(&model.name, page.look.width);
    let end = name.pop().unwrap_or_default();
    for part in name {
        page.line(&page.look.bold(&part));
    }
    let fits = end.chars().count() + 2 + state.len() + lasting.len() <= page.look.width;
    let gap = if fits { "  " } else { "\n  " };
    page.line(&format!("{}{gap}{}{lasting}", page.look.bold(&end), page.look.paint(style, state)));
}

fn window(model: &ModelStatus, at: DateTime<Utc>, look: &Look) -> String {
    let told = words::model::window(&model.window, at, &look.local);
    if model.window.opens_at.or(model.window.closes_at).is_none() {
        return told;
    }
    // Those are this machine's clocks; where they don't read UTC, it is told what they read.
    let offset = (look.local)(at).format("%:z").to_string();
    let zone = if offset == "+00:00" { "UTC".to_owned() } else { format!("UTC{offset}, the clock here") };
    format!("{told} ({zone})")
}

fn last(page: &mut Page<'_>, model: &ModelStatus, at: DateTime<Utc>) {
    let Some(last) = &model.last else {
        return page.entry("last", "no heartbeat has finished yet");
    };
    let ago = words::span(words::between(last.sent_at, at));
    page.entry("last", &format!("{}, sent {ago} ago", words::heartbeat::verdict(last)));
    for line in timing::lines(last, page.look.width - LABEL - 2) {
        page.line(&format!("  {:LABEL$}{line}", ""));
    }
}

/// The percentiles of what there is, and in words what there is not.
fn distributions(page: &mut Page<'_>, model: &ModelStatus) {
    let titles = ["COUNT", "MIN", "P50", "P90", "P99", "MAX", "MEAN"];
    let worth = [9, 3, 8, 5, 7, 6, 4];
    let columns = titles.iter().zip(worth);
    let columns = columns.map(|(title, worth)| Column { group: "", title, right: true, worth }).collect();
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    let answers = [("warm answers", &model.latency.warm), ("cold answers", &model.latency.cold)];
    for (name, answers) in answers {
        match answers {
            Some(Percentiles { count, min, p50, p90, p99, max, mean }) => {
                let times = [min, p50, p90, p99, max, mean].map(|time| Some(*time));
                rows.push(row(name, *count, times));
            }
            None => missing.push(format!("no {name}")),
        }
    }
    match &model.boot {
        Some(boot) => rows.push(row("boots", boot.count, [None, boot.p50, boot.p90, None, boot.max, None])),
        None => missing.push("no boots".to_owned()),
    }
    if !missing.is_empty() {
        page.entry("seen", &missing.join(", "));
    }
    if !rows.is_empty() {
        page.blank();
        let table = Table { title: "", columns, rows };
        let look = Look { width: page.look.width - 2, ..*page.look };
        for line in table.render(&look).lines() {
            page.line(&format!("  {line}"));
        }
    }
}

fn row(name: &str, count: u64, times: [Option<f64>; 6]) -> Row {
    let times = times.map(|time| Cell::maybe(time.map(words::measured)));
    Row {
        name: name.to_owned(),
        cells: std::iter::once(Cell::maybe(Some(count.to_string()))).chain(times).collect(),
    }
}
