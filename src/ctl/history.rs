//! `warmctl history`: what happened, a line each, the latest at the end.

use super::args;
use super::failure::Failure;
use super::look::{self, Look};
use super::output;
use super::session::Session;
use super::table::shorten;
use super::words;
use crate::heartbeat::Outcome;
use crate::status::State;
use crate::status::history::{History, PastEvent};
use crate::store::EventKind;
use anstyle::Style;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::IsTerminal;

/// Names up to this long have a column; a longer one moves its line's words to the right.
const NAMES: usize = 24;

/// On a terminal words have at least so much room: below, they begin on a line of their own.
const WORDS: usize = 24;

pub(super) async fn run(session: &Session, args: &args::History) -> Result<(), Failure> {
    let client = session.client().await?;
    let body = client.events(args.model.as_deref(), &args.since, args.limit).await?;
    if session.json {
        return output::text(&body.text());
    }
    // A line stays a line for those who look for something in them.
    let wraps = std::io::stdout().is_terminal();
    output::text(&lines(&client.read(&body)?, &session.look, wraps))
}

/// A line each; words that are too long are broken where it `wraps`.
pub fn lines(history: &History, look: &Look, wraps: bool) -> String {
    let clock = |at: DateTime<Utc>| (look.local)(at).format("%Y-%m-%d %H:%M:%S").to_string();
    let since = (look.local)(history.since).format("%Y-%m-%d %H:%M");
    if history.events.is_empty() {
        return format!("nothing has happened since {since}\n");
    }
    let mut text = String::new();
    if history.more {
        let told = history.events.len();
        let older = format!("older ones since {since} are left out: --limit tells more than {told}\n");
        text.push_str(&look.dim(&older));
    }
    let length = |event: &PastEvent| event.model.as_str().chars().count();
    let names = history.events.iter().map(length).filter(|length| *length <= NAMES).max().unwrap_or(0);
    for event in &history.events {
        let name = shorten(event.model.as_str(), look.width);
        let (told, style) = told(event, look);
        let head = format!("{}  {}  ", clock(event.at), look.bold(&format!("{name:names$}")));
        let used = clock(event.at).len() + 4 + name.chars().count().max(names);
        let (head, indent, lines) = match look.width.saturating_sub(used) {
            _ if !wraps => (head, used, vec![words::tame(&told)]),
            room if room >= WORDS => (head, used, words::wrap(&told, room)),
            _ => (format!("{}\n    ", head.trim_end()), 4, words::wrap(&told, look.width - 4)),
        };
        let lines: Vec<_> = lines.iter().map(|line| look.paint(style, line)).collect();
        text.push_str(&head);
        text.push_str(&lines.join(&format!("\n{}", " ".repeat(indent))));
        text.push('\n');
    }
    text
}

/// What happened, in words, and its colour.
fn told(event: &PastEvent, look: &Look) -> (String, Style) {
    let seconds = |key: &str| get::<f64>(event, key).map(words::measured);
    match event.event {
        EventKind::Cold => {
            let waited =
                seconds("wait").map(|wait| format!(", waited {wait} for its boot")).unwrap_or_default();
            let outside =
                if get::<bool>(event, "in_hours") == Some(false) { ", outside its hours" } else { "" };
            (format!("cold{waited}{outside}"), look::outcome(Outcome::Cold).1)
        }
        EventKind::Boot => {
            let took = seconds("took").map(|took| format!(" of {took}")).unwrap_or_default();
            (format!("a boot{took}"), Style::new())
        }
        EventKind::Failure => {
            let (outcome, style) = look::outcome(get(event, "outcome").unwrap_or(Outcome::Failed));
            let error = get::<String>(event, "error").map(|error| format!(": {error}")).unwrap_or_default();
            (format!("{outcome}{error}"), style)
        }
        EventKind::State => {
            let state = |key| look::state(get(event, key).unwrap_or(State::Unknown));
            let (from, (to, style)) = (state("from").0, state("to"));
            let reason = get::<String>(event, "reason").map(|why| format!(": {why}")).unwrap_or_default();
            (format!("{from} → {to}{reason}"), style)
        }
        EventKind::Paused => {
            let until = get::<DateTime<Utc>>(event, "until");
            let until = until.map(|until| words::clock((look.local)(until), (look.local)(event.at)));
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            (format!("paused{until}"), look::WARNING)
        }
        EventKind::Resumed => ("resumed".to_owned(), Style::new()),
        EventKind::Aimed => {
            let target = get::<String>(event, "target").unwrap_or_default();
            (format!("keeps {target} warm from now on"), Style::new())
        }
    }
}

fn get<T: DeserializeOwned>(event: &PastEvent, key: &str) -> Option<T> {
    serde_json::from_value(event.detail.get(key).filter(|value| **value != Value::Null)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn history(more: bool) -> History {
        let event = |at: &str, model: &str, event: &str, mut detail: Value| {
            for (key, value) in [("at", at), ("model", model), ("event", event)] {
                detail[key] = json!(value);
            }
            detail
        };
        let long = "n".repeat(63);
        serde_json::from_value(json!({
            "version": 1, "at": "2026-11-21T12:00:00.000Z", "since": "2026-11-20T12:00:00.000Z", "more": more,
            "events": [
                event("2026-11-21T07:59:00.000Z", "sdxl", "aimed", json!({"target": "replicate acme/sdxl"})),
                event("2026-11-21T08:00:14.100Z", "sdxl", "cold", json!({"total": 14.5, "wait": 14.1, "in_hours": false})),
                event("2026-11-21T08:00:14.100Z", "sdxl", "boot", json!({"took": 14.1})),
                event("2026-11-21T08:00:15.000Z", "sdxl", "state",
                    json!({"from": "booting", "to": "failing", "reason": "the last 3 brought no\nanswer; \u{1b}[31m"})),
                event("2026-11-21T09:00:00.000Z", &long, "failure",
                    json!({"outcome": "unreachable", "error": "connection refused: nobody listens there"})),
                event("2026-11-21T10:00:00.000Z", "whisper", "paused", json!({"until": "2026-11-22T10:00:00Z"})),
                event("2026-11-21T10:00:00.000Z", "whisper", "resumed", json!({})),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_line_each_in_a_pipe() {
        let long = "n".repeat(63);
        assert_eq!(
            lines(&history(false), &Look::plain(80), false),
            format!(
                "2026-11-21 07:59:00  sdxl     keeps replicate acme/sdxl warm from now on\n\
                 2026-11-21 08:00:14  sdxl     cold, waited 14.1 s for its boot, outside its hours\n\
                 2026-11-21 08:00:14  sdxl     a boot of 14.1 s\n\
                 2026-11-21 08:00:15  sdxl     booting → failing: the last 3 brought no answer; \\u{{1b}}[31m\n\
                 2026-11-21 09:00:00  {long}  unreachable: connection refused: nobody listens there\n\
                 2026-11-21 10:00:00  whisper  paused until Sun 10:00\n\
                 2026-11-21 10:00:00  whisper  resumed\n"
            )
        );
    }

    #[test]
    fn a_terminal_is_not_overrun() {
        for width in [56, 80, 100] {
            let text = lines(&history(true), &Look::plain(width), true);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            // A name of 63 characters is told whole wherever it can be.
            assert!(longest <= width.max(84), "{width}: {text}");
            assert!(text.starts_with("older ones since"), "{text}");
        }
    }

    #[test]
    fn nothing_is_told_as_that() {
        let none = History { events: Vec::new(), ..history(false) };
        assert_eq!(lines(&none, &Look::plain(80), true), "nothing has happened since 2026-11-20 12:00\n");
    }
}
