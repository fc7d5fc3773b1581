//! The figures as tables of Markdown, their columns aligned.

use crate::aged::Aged;
use crate::fairness::Fairness;
use crate::row::Row;
use crate::tally::Tally;
use std::fmt::Write as _;
use std::time::Duration;

/// When heartbeats came, and how they were counted.
pub(crate) fn rhythm(rows: &[Row]) -> String {
    let head = ["models", "way", "due", "lost", "doubled", "came, warm-up included", "lag p50", "p99", "max"];
    let lines = rows.iter().map(|row| {
        let Row { setting, tally, whole, counted, came, .. } = row;
        let counted = if row.is_counted() {
            format!("{came}, all counted")
        } else {
            format!("{came}; {} counted as answered, {} as failed", counted.answered, counted.otherwise)
        };
        vec![
            models(row),
            setting.way().to_owned(),
            whole.due.to_string(),
            whole.lost.to_string(),
            whole.doubled.to_string(),
            counted,
            ms(tally.lag(0.5)),
            ms(tally.lag(0.99)),
            ms(tally.lag(1.0)),
        ]
    });
    markdown(&head, &lines.collect::<Vec<_>>())
}

/// What heartbeats cost the daemon, and what the same calls cost the bare loop and the peers.
pub(crate) fn cpu(rows: &[Row]) -> String {
    let head = [
        "models",
        "way",
        "warmd",
        "bare loop",
        "ratio",
        "blackbox_exporter, a probe",
        "ratio",
        "curl",
        "ratio",
    ];
    let lines = rows.iter().map(|row| {
        let ratio = |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let blackbox = row.blackbox;
        vec![
            models(row),
            row.setting.way().to_owned(),
            us(Some(row.bare.warmd)),
            us(Some(row.bare.other)),
            ratio(Some(row.bare.ratio)),
            us(blackbox.map(|beside| beside.other)),
            ratio(blackbox.map(|beside| beside.ratio)),
            us(row.curl),
            ratio(row.curl.map(|curl| row.bare.warmd / curl)),
        ]
    });
    markdown(&head, &lines.collect::<Vec<_>>())
}

/// Lags of those who are well beside those who aren't.
pub(crate) fn fairness(row: &Fairness) -> String {
    let head = ["the others", "due", "lost", "doubled", "lag p50", "p99", "max"];
    let line = |name: &str, tally: &Tally| {
        let lags = [0.5, 0.99, 1.0].map(|quantile| ms(tally.lag(quantile)));
        let counts = [tally.due, tally.lost, tally.doubled].map(|count| count.to_string());
        [vec![name.to_owned()], counts.to_vec(), lags.to_vec()].concat()
    };
    markdown(&head, &[line("well", &row.without), line("in trouble", &row.with)])
}

/// What a long history takes.
pub(crate) fn aged(rows: &[Aged]) -> String {
    let head = [
        "models",
        "history",
        "state file",
        "exec to first heartbeat",
        "to an answered status",
        "status",
        "status --since 7d",
        "status of all",
        "status again",
        "RSS",
    ];
    let lines = rows.iter().map(|row| {
        let [day, week, whole] = row.looks.map(ms);
        vec![
            row.models.to_string(),
            format!("{} d", row.days),
            format!("{:.1} MB", row.size as f64 / 1e6),
            ms(row.first),
            ms(row.answers),
            day,
            week,
            whole,
            ms(row.again),
            mb(row.memory.now),
        ]
    });
    markdown(&head, &lines.collect::<Vec<_>>())
}

/// What it takes otherwise.
pub(crate) fn costs(rows: &[Row]) -> String {
    let head = [
        "models",
        "way",
        "RSS",
        "the program of it",
        "peak",
        "written a heartbeat",
        "state grows a heartbeat",
        "exec to first heartbeat",
        "warmctl status",
    ];
    let lines = rows.iter().map(|row| {
        vec![
            models(row),
            row.setting.way().to_owned(),
            mb(row.memory.now),
            mb(row.memory.program),
            mb(row.memory.peak),
            row.written.map_or("–".to_owned(), |written| format!("{written:.0} B")),
            format!("{:.0} B", row.grown),
            ms(row.first),
            ms(row.look),
        ]
    });
    markdown(&head, &lines.collect::<Vec<_>>())
}

fn models(row: &Row) -> String {
    format!("{} / {} s", row.setting.models, row.setting.interval.as_secs())
}

fn us(figure: Option<f64>) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{figure:.0} µs"))
}

fn mb(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1024.0 / 1e6)
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn markdown(head: &[&str], lines: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(lines).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let mut text = String::new();
    let mut add = |line: &[String]| {
        for (column, cell) in line.iter().enumerate() {
            // Writing to a String can't fail.
            let _ = write!(text, "| {cell:>width$} ", width = width(column));
        }
        text.push_str("|\n");
    };
    add(&head);
    add(&(0..head.len()).map(|column| format!("{}:", "-".repeat(width(column) - 1))).collect::<Vec<_>>());
    for line in lines {
        add(line);
    }
    text
}
