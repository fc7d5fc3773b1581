//! `warmctl export`: what was measured, by the hour and the day, as other programs read it.

use super::args::{self, ExportFormat};
use super::client::Client;
use super::failure::Failure;
use super::output;
use super::progress::{Count, Progress};
use super::session::Session;
use crate::heartbeat::Outcome;
use crate::status::intervals::{IntervalStatus, Intervals};
use crate::status::{Percentiles, Snapshot, rfc3339_millis};
use std::fmt::Write;

pub(super) async fn run(session: &Session, args: &args::Export) -> Result<(), Failure> {
    let client = session.client().await?;
    let (models, since) = models(&client, args).await?;
    let format = if session.json { ExportFormat::Json } else { args.format };
    let count = Count::to(models.len());
    // A model at a time: neither side ever holds more.
    let written = async {
        for (number, model) in models.iter().enumerate() {
            let body = client.intervals(model, &since).await?;
            let intervals: Intervals = client.read(&body)?;
            let first = number == 0;
            match format {
                ExportFormat::Json => output::text(&body.text())?,
                ExportFormat::Csv => output::text(&csv(&intervals, first))?,
                ExportFormat::Hlog => output::text(&hlog(&intervals, first))?,
            }
            count.one_more();
        }
        Ok(())
    };
    let told = |waited: &str| format!("written {}, {waited}", count.told());
    Progress::beside_output(session).during(written, told).await
}

/// Which models, and from when on: the same instant for all.
async fn models(client: &Client, args: &args::Export) -> Result<(Vec<String>, String), Failure> {
    if let Some(model) = &args.model {
        return Ok((vec![model.clone()], args.since.clone()));
    }
    let snapshot: Snapshot = client.read(&client.status(None, &args.since).await?)?;
    let names = snapshot.models.into_iter().map(|model| model.name);
    Ok((names.collect(), rfc3339_millis(snapshot.since)))
}

/// The columns of the table, in order: those of the interval, of hours, of counts by outcome, of distributions.
const INTERVAL: [&str; 3] = ["model", "start", "end"];
const HOURS: [&str; 4] = ["hours_warm_s", "hours_cold_s", "hours_unknown_s", "cold_in_hours"];
const OF_ANSWERS: [&str; 7] = ["count", "min_s", "p50_s", "p90_s", "p99_s", "max_s", "mean_s"];
const BOOT: [&str; 4] = ["boot_count", "boot_p50_s", "boot_p90_s", "boot_max_s"];

/// A line an interval, times in seconds; under a line of titles, where it is the `first`. No value holds a
/// comma or a quote: a model's name can't.
fn csv(intervals: &Intervals, first: bool) -> String {
    let mut text = String::new();
    if first {
        let answers = ["warm", "cold"].iter().flat_map(|of| OF_ANSWERS.map(|title| format!("{of}_{title}")));
        let titles = INTERVAL.into_iter().chain(HOURS).chain(Outcome::ALL.map(Outcome::name));
        let titles: Vec<String> =
            titles.map(str::to_owned).chain(answers).chain(BOOT.map(str::to_owned)).collect();
        line(&mut text, &titles);
    }
    for interval in &intervals.intervals {
        line(&mut text, &cells(intervals.model.as_str(), interval));
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

fn cells(model: &str, interval: &IntervalStatus) -> Vec<String> {
    let mut cells = vec![model.to_owned(), rfc3339_millis(interval.start), rfc3339_millis(interval.end)];
    let hours = &interval.hours;
    cells.extend([hours.warm, hours.cold, hours.unknown].map(|time| time.to_string()));
    cells.push(hours.cold_heartbeats.to_string());
    let counts = Outcome::ALL.iter().map(|outcome| interval.counts.get(outcome).copied().unwrap_or(0));
    cells.extend(counts.map(|count| count.to_string()));
    for answers in [&interval.latency.warm, &interval.latency.cold] {
        let Some(Percentiles { count, min, p50, p90, p99, max, mean }) = answers else {
            cells.push("0".to_owned());
            cells.extend(vec![String::new(); OF_ANSWERS.len() - 1]);
            continue;
        };
        cells.push(count.to_string());
        cells.extend([min, p50, p90, p99, max, mean].map(ToString::to_string));
    }
    let boot = interval.boot.as_ref();
    cells.push(boot.map_or(0, |boot| boot.count).to_string());
    let times = [boot.and_then(|b| b.p50), boot.and_then(|b| b.p90), boot.and_then(|b| b.max)];
    cells.extend(times.map(|time| time.map(|time| time.to_string()).unwrap_or_default()));
    cells
}

/// An interval log of version 1.2 as the `HdrHistogram` libraries write and read it: a line a distribution,
/// with its tag, start and length in seconds, its longest in seconds, and the histogram of microseconds.
fn hlog(intervals: &Intervals, first: bool) -> String {
    let mut text = String::new();
    if first {
        let since = intervals.since;
        text.push_str("#[Histogram log format version 1.2]\n");
        text.push_str("#[tags: model.warm, model.cold and model.boot; values in microseconds]\n");
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "#[StartTime: {:.3} (seconds since epoch), {}]",
            since.timestamp_millis() as f64 / 1000.0,
            rfc3339_millis(since)
        );
        text.push_str(
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        );
    }
    for interval in &intervals.intervals {
        let start = interval.start.timestamp_millis() as f64 / 1000.0;
        let length = (interval.end - interval.start).as_seconds_f64();
        let (latency, histograms) = (&interval.latency, &interval.histograms);
        let kinds = [
            ("warm", latency.warm.map(|warm| warm.max), &histograms.warm),
            ("cold", latency.cold.map(|cold| cold.max), &histograms.cold),
            ("boot", interval.boot.and_then(|boot| boot.max), &histograms.boot),
        ];
        for (kind, longest, histogram) in kinds {
            let (Some(longest), Some(histogram)) = (longest, histogram) else { continue };
            let model = intervals.model.as_str();
            let _ = writeln!(text, "Tag={model}.{kind},{start:.3},{length:.3},{longest:.3},{histogram}");
        }
    }
    text
}
