//! `warmctl status MODEL`: the whole picture of one.

use super::look::{self, Look};
use super::overview;
use super::table::{Cell, Column, Row, Table};
use super::timing;
use super::words;
use crate::heartbeat::Outcome;
use crate::status::{HoursSpent, ModelStatus, Percentiles, Snapshot, WindowStatus};
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
    page.entry("window", &window(&model.window, at, look));
    page.entry("rhythm", &rhythm(model, at));
    last(&mut page, model, at);
    page.blank();
    page.line(&look.dim(&format!("since {}", overview::since(snapshot, look))));
    page.entry("hours", &hours(&model.hours));
    page.entry("heartbeats", &counts(model));
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

fn window(window: &WindowStatus, at: DateTime<Utc>, look: &Look) -> String {
    let clock = |t: DateTime<Utc>| words::clock((look.local)(t), (look.local)(at));
    let until = |t: DateTime<Utc>| words::span(words::between(at, t));
    let told = match (window.open, window.opens_at, window.closes_at) {
        (true, None, None) => return "always open".to_owned(),
        (true, None, Some(closes)) => format!("open, closes {}, in {}", clock(closes), until(closes)),
        (true, Some(opens), None) => format!("open since {}, for good", clock(opens)),
        (true, Some(opens), Some(closes)) => {
            format!("open since {}, closes {}, in {}", clock(opens), clock(closes), until(closes))
        }
        (false, None, _) => return "closed, and never opens again".to_owned(),
        (false, Some(opens), None) => {
            format!("closed, opens {}, in {}, for good", clock(opens), until(opens))
        }
        (false, Some(opens), Some(closes)) => {
            format!("closed, opens {}, in {}, closes {}", clock(opens), until(opens), clock(closes))
        }
    };
    // Those are this machine's clocks; where they don't read UTC, it is told what they read.
    let offset = (look.local)(at).format("%:z").to_string();
    let zone = if offset == "+00:00" { "UTC".to_owned() } else { format!("UTC{offset}, the clock here") };
    format!("{told} ({zone})")
}

fn rhythm(model: &ModelStatus, at: DateTime<Utc>) -> String {
    let next = match model.next_at {
        None => "none to come".to_owned(),
        Some(next) => match words::between(at, next) {
            seconds if seconds < 0.5 => "the next now".to_owned(),
            seconds => format!("the next in {}", words::span(seconds)),
        },
    };
    format!(
        "every {}, {next}; cold after a wait of {}; starts {} before an opening",
        words::span(model.interval),
        words::measured(model.cold_after),
        words::span(model.lead)
    )
}

fn last(page: &mut Page<'_>, model: &ModelStatus, at: DateTime<Utc>) {
    let Some(last) = &model.last else {
        return page.entry("last", "no heartbeat has finished yet");
    };
    let ago = words::span(words::between(last.sent_at, at));
    page.entry("last", &format!("{}, sent {ago} ago", timing::verdict(last)));
    for line in timing::lines(last, page.look.width - LABEL - 2) {
        page.line(&format!("  {:LABEL$}{line}", ""));
    }
}

fn hours(hours: &HoursSpent) -> String {
    if hours.open <= 0.0 {
        return "no active hours in this span".to_owned();
    }
    let met = match hours.cold_heartbeats {
        0 => "no heartbeat found it cold".to_owned(),
        1 => "1 heartbeat found it cold".to_owned(),
        many => format!("{many} heartbeats found it cold"),
    };
    format!(
        "{} active, {} warm: {} warm, {} cold, {} unknown; {met}",
        words::span(hours.open),
        words::share(hours.warm, hours.open).unwrap_or_default(),
        words::span(hours.warm),
        words::span(hours.cold),
        words::span(hours.unknown)
    )
}

fn counts(model: &ModelStatus) -> String {
    let told: Vec<String> = Outcome::ALL
        .iter()
        .filter_map(|outcome| Some((outcome, model.counts.get(outcome).filter(|count| **count > 0)?)))
        .map(|(outcome, count)| format!("{count} {}", look::outcome(*outcome).0))
        .collect();
    if told.is_empty() { "none in this span".to_owned() } else { told.join(", ") }
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
