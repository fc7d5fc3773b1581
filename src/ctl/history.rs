//! `warmctl history`: what happened, a line each, the latest at the end.

use super::args;
use super::failure::Failure;
use super::look::{self, Look};
use super::output;
use super::session::Session;
use super::words::{self, event::get};
use crate::heartbeat::Outcome;
use crate::status::State;
use crate::status::history::{History, PastEvent};
use crate::store::EventKind;
use anstyle::Style;
use chrono::{DateTime, Utc};

/// Names up to this long have a column; a longer one moves its line's words to the right.
const NAMES: usize = 24;

/// On a terminal words have at least so much room: below, they begin on a line of their own.
const WORDS: usize = 24;

/// Before what stands on a line of its own.
const INDENT: usize = 4;

pub(super) async fn run(session: &Session, args: &args::History) -> Result<(), Failure> {
    let client = session.client().await?;
    let body = client.events(args.model.as_deref(), &args.since, args.limit).await?;
    if session.json {
        return output::text(&body.text());
    }
    session.tell(&lines(&client.read(&body)?, &session.look, true))
}

/// A line each; with the models' `names`, unless they are told already.
pub fn lines(history: &History, look: &Look, names: bool) -> String {
    let clock = |at: DateTime<Utc>| (look.local)(at).format("%Y-%m-%d %H:%M:%S").to_string();
    let since = (look.local)(history.since).format("%Y-%m-%d %H:%M");
    if history.events.is_empty() {
        return format!("nothing has happened since {since}\n");
    }
    let mut text = String::new();
    if history.more {
        let told = history.events.len();
        let older = format!("older ones since {since} are left out: --limit tells more than {told}");
        for line in words::wrap(&older, look.room()) {
            text.push_str(&look.dim(&line));
            text.push('\n');
        }
    }
    let length = |event: &PastEvent| event.model.as_str().len();
    let column = history.events.iter().map(length).filter(|length| *length <= NAMES).max().unwrap_or(0);
    for event in &history.events {
        let mut line = Line { text: clock(event.at), used: clock(event.at).len(), look };
        if names {
            line.name(event.model.as_str(), column);
        }
        line.words(&words::event::told(event, &look.local), style(event));
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// An event's line while it grows; what finds no room in it goes under it, and stays whole.
struct Line<'a> {
    text: String,
    /// Columns of the last line.
    used: usize,
    look: &'a Look,
}

impl Line<'_> {
    fn name(&mut self, name: &str, column: usize) {
        let padded = format!("{name:column$}");
        if self.used + 2 + padded.len() <= self.look.room() {
            self.text.push_str("  ");
            self.text.push_str(&self.look.bold(&padded));
            self.used += 2 + padded.len();
            return;
        }
        for part in words::wrap(name, self.look.width - INDENT) {
            self.under(INDENT);
            self.text.push_str(&self.look.bold(&part));
        }
        // Nothing else goes beside a name as long as that.
        self.used = self.look.width;
    }

    fn words(&mut self, words: &str, style: Style) {
        let beside = self.look.room().saturating_sub(self.used + 2);
        let (indent, room) = match beside {
            room if room >= WORDS => (self.used + 2, room),
            _ => (INDENT, self.look.width - INDENT),
        };
        for (n, line) in words::wrap(words, room).iter().enumerate() {
            if n == 0 && indent > INDENT {
                self.text.push_str("  ");
            } else {
                self.under(indent);
            }
            self.text.push_str(&self.look.paint(style, line));
        }
    }

    fn under(&mut self, indent: usize) {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text.push_str(&" ".repeat(indent));
    }
}

/// The colour of what happened.
fn style(event: &PastEvent) -> Style {
    match event.event {
        EventKind::Cold => look::outcome(Outcome::Cold).1,
        EventKind::Failure => look::outcome(get(event, "outcome").unwrap_or(Outcome::Failed)).1,
        EventKind::State => look::state(get(event, "to").unwrap_or(State::Unknown)).1,
        EventKind::Paused => look::WARNING,
        EventKind::Boot | EventKind::Resumed | EventKind::Aimed => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
            lines(&history(false), &Look { breaks: false, ..Look::plain(80) }, true),
            format!(
                "2026-11-21 07:59:00  sdxl     its target is replicate acme/sdxl now\n\
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
        for width in [40, 56, 80, 84, 100] {
            let text = lines(&history(true), &Look::plain(width), true);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{width}: {text}");
            assert_eq!(text.replace("\n    ", "").matches(&"n".repeat(63)).count(), 1, "{width}: {text}");
            assert!(text.starts_with("older ones since"), "{text}");
        }
    }

    #[test]
    fn nothing_is_told_as_that() {
        let none = History { events: Vec::new(), ..history(false) };
        assert_eq!(lines(&none, &Look::plain(80), true), "nothing has happened since 2026-11-20 12:00\n");
    }
}
