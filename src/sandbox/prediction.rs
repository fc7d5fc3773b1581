//! One prediction, and how a client sees it at an instant.
//!
//! Owns the oddities of the real thing: fields that are missing or null, fractions of any length,
//! a `created_at` that moves, a synchronous reply that says less than a later GET.

use super::chance::Chance;
use super::pool::Moment;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What will become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    Fails,
    /// As `Succeeds`, under a status that nobody has heard of until then.
    UnknownStatus,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded,
    Failed,
    Canceled,
    Aborted,
}

/// What differs from one real reply to the next for no reason that a client knows.
#[derive(Debug, Clone, Copy)]
struct Quirks {
    /// Digits of a second in created, started and completed.
    digits: [u32; 3],
    /// What is not known yet is null rather than missing.
    nulls: bool,
    /// By how much `created_at` moves once the prediction has started.
    skew: Duration,
    /// For how long after its end it still reads `processing`.
    settles: Duration,
}

impl Quirks {
    fn draw(chance: &mut Chance) -> Self {
        let mut digits = || 3 + chance.below(7) as u32;
        let digits = [digits(), digits(), digits()];
        Self {
            digits,
            nulls: chance.once_in(4),
            skew: Duration::from_millis(if chance.once_in(16) { 5 + chance.below(35) } else { 0 }),
            settles: Duration::from_millis(chance.below(15)),
        }
    }
}

/// One prediction.
#[derive(Debug)]
pub(super) struct Prediction {
    pub(super) id: String,
    /// What the reply calls its model, its version and its deployment.
    pub(super) labels: Labels,
    pub(super) input: Map<String, Value>,
    pub(super) output: Value,
    pub(super) error: Option<String>,
    pub(super) fate: Fate,
    pub(super) created: Moment,
    pub(super) deadline: Option<Moment>,
    pub(super) started: Option<Moment>,
    pub(super) ended: Option<(Moment, Ending)>,
    quirks: Quirks,
}

/// The names under which a prediction is shown.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) deployment: Option<String>,
}

/// 26 of these.
const ID_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Turns the sandbox's moments into civil time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    pub(super) base: DateTime<Utc>,
}

impl Calendar {
    pub(super) fn date(self, at: Moment) -> DateTime<Utc> {
        self.base + at
    }

    /// RFC 3339 in UTC with so many digits of a second.
    fn text(self, at: Moment, digits: u32) -> String {
        let full = self.date(at).to_rfc3339_opts(SecondsFormat::Nanos, false);
        // "2026-11-20T12:00:00.123456789+00:00": the fraction begins at 20.
        format!("{}Z", full.get(..20 + digits as usize).unwrap_or(&full))
    }
}

impl Prediction {
    pub(super) fn new(
        labels: Labels,
        input: Map<String, Value>,
        fate: Fate,
        created: Moment,
        chance: &mut Chance,
    ) -> Self {
        Self {
            id: chance.text(ID_LETTERS, 26),
            labels,
            input,
            output: Value::Null,
            error: None,
            fate,
            created,
            deadline: None,
            started: None,
            ended: None,
            quirks: Quirks::draw(chance),
        }
    }

    /// Whether it has come to an end of any kind; a synchronous reply goes out then.
    pub(super) const fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// The status that a GET reads.
    fn status(&self, now: Moment) -> &'static str {
        match (self.ended, self.fate) {
            (Some((at, Ending::Succeeded | Ending::Failed)), _) if now < at + self.quirks.settles => {
                "processing"
            }
            (Some((_, Ending::Succeeded)), _) => "succeeded",
            (Some((_, Ending::Failed)), _) => "failed",
            (Some((_, Ending::Canceled)), _) => "canceled",
            (Some((_, Ending::Aborted)), _) => "aborted",
            (None, Fate::UnknownStatus) => "hibernating",
            (None, Fate::Succeeds | Fate::Fails) if self.started.is_some() => "processing",
            (None, Fate::Succeeds | Fate::Fails) => "starting",
        }
    }

    /// As a GET, a list or a cancel shows it.
    pub(super) fn seen(&self, now: Moment, calendar: Calendar, origin: &str) -> Value {
        let status = self.status(now);
        let over = self.ended.filter(|_| status != "processing");
        let mut body = self.body(status, over.is_some() || self.started.is_some(), calendar, origin);
        let text = |at: Moment, which: usize| json!(calendar.text(at, self.quirks.digits[which]));
        if let Some((ended, ending)) = over {
            if let Some(started) = self.started {
                let seconds = |d: Duration| json!(d.as_secs_f64());
                body.insert("started_at".to_owned(), text(started, 1));
                let metrics = json!({
                    "predict_time": seconds(ended.saturating_sub(started)),
                    "total_time": seconds(ended.saturating_sub(self.created)),
                });
                body.insert("metrics".to_owned(), metrics);
            } else {
                self.unknown(&mut body, &["started_at", "metrics"]);
            }
            body.insert("completed_at".to_owned(), text(ended, 2));
            self.result(&mut body, ending);
        } else {
            self.unknown(&mut body, &["started_at", "completed_at", "metrics", "output"]);
            if let Some((_, Ending::Succeeded)) = self.ended {
                body.insert("output".to_owned(), self.output.clone());
            }
        }
        Value::Object(body)
    }

    /// As the reply to a create shows it that waited for the end: the whole output, and no word of
    /// when it started and ended.
    pub(super) fn seen_at_once(&self, calendar: Calendar, origin: &str) -> Value {
        let ending = self.ended.map_or(Ending::Canceled, |(_, ending)| ending);
        let status = match ending {
            Ending::Succeeded => "processing",
            Ending::Failed => "failed",
            Ending::Canceled => "canceled",
            Ending::Aborted => "aborted",
        };
        let mut body = self.body(status, false, calendar, origin);
        self.result(&mut body, ending);
        Value::Object(body)
    }

    /// As the reply to a create shows it that did not wait, or not for long enough: as if it were
    /// waiting still.
    pub(super) fn seen_starting(&self, calendar: Calendar, origin: &str) -> Value {
        let status = if self.fate == Fate::UnknownStatus { "hibernating" } else { "starting" };
        let mut body = self.body(status, false, calendar, origin);
        self.unknown(&mut body, &["started_at", "completed_at", "metrics", "output"]);
        Value::Object(body)
    }

    /// How many bytes its data take, roughly.
    pub(super) fn weight(&self) -> usize {
        // A record without data is some 600 bytes.
        600 + self.input.values().map(weight).sum::<usize>() + weight(&self.output)
    }

    fn body(&self, status: &str, started: bool, calendar: Calendar, origin: &str) -> Map<String, Value> {
        let created = if started { self.created + self.quirks.skew } else { self.created };
        let url = format!("{origin}/v1/predictions/{}", self.id);
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        put("id", json!(self.id));
        put("model", json!(self.labels.model));
        put("version", json!(self.labels.version));
        put("input", json!(self.input));
        put("logs", json!(""));
        put("error", Value::Null);
        put("status", json!(status));
        put("created_at", json!(calendar.text(created, self.quirks.digits[0])));
        put("data_removed", json!(false));
        put("source", json!("api"));
        if let Some(deadline) = self.deadline {
            put("deadline", json!(calendar.text(deadline, 3)));
        }
        if let Some(deployment) = &self.labels.deployment {
            put("deployment", json!(deployment));
        }
        put(
            "urls",
            json!({
                "cancel": format!("{url}/cancel"),
                "get": url,
                "web": format!("{origin}/p/{}", self.id),
            }),
        );
        body
    }

    fn result(&self, body: &mut Map<String, Value>, ending: Ending) {
        match ending {
            Ending::Succeeded => {
                body.insert("output".to_owned(), self.output.clone());
            }
            Ending::Failed => {
                body.insert("output".to_owned(), Value::Null);
                body.insert("error".to_owned(), json!(self.error));
            }
            Ending::Canceled | Ending::Aborted => {
                body.insert("output".to_owned(), Value::Null);
            }
        }
    }

    fn unknown(&self, body: &mut Map<String, Value>, keys: &[&str]) {
        if self.quirks.nulls {
            body.extend(keys.iter().map(|key| ((*key).to_owned(), Value::Null)));
        }
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALENDAR: Calendar = Calendar { base: DateTime::UNIX_EPOCH };

    fn prediction(seed: u64) -> Prediction {
        let labels = Labels { model: "a/b".to_owned(), version: "v".to_owned(), deployment: None };
        Prediction::new(labels, Map::new(), Fate::Succeeds, Duration::from_secs(1), &mut Chance::new(seed))
    }

    fn ended(seed: u64) -> Prediction {
        let mut prediction = prediction(seed);
        prediction.output = json!("out");
        prediction.started = Some(Duration::from_millis(1_020));
        prediction.ended = Some((Duration::from_millis(1_500), Ending::Succeeded));
        prediction
    }

    #[test]
    fn before_the_end_what_is_unknown_is_missing_or_null_and_never_said() {
        let (mut missing, mut null) = (0, 0);
        for seed in 0..100 {
            let seen = prediction(seed).seen(Duration::from_secs(2), CALENDAR, "http://h");
            for key in ["started_at", "completed_at", "metrics", "output"] {
                match seen.get(key) {
                    None => missing += 1,
                    Some(Value::Null) => null += 1,
                    Some(other) => panic!("{key}: {other}"),
                }
            }
            assert_eq!(seen["status"], "starting");
        }
        assert!(missing > 0 && null > 0);
    }

    #[test]
    fn fractions_have_three_to_nine_digits_and_created_at_may_move_behind_started_at() {
        let (mut lengths, mut moved) = (std::collections::BTreeSet::new(), 0);
        for seed in 0..300 {
            let prediction = ended(seed);
            let seen = prediction.seen(Duration::from_secs(9), CALENDAR, "http://h");
            let time = |key: &str| seen[key].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
            lengths.insert(seen["created_at"].as_str().unwrap().len());
            moved += usize::from(time("created_at") > time("started_at"));
            assert_eq!(seen["status"], "succeeded");
            assert_eq!(seen["metrics"]["predict_time"], 0.48);
            let first = prediction.seen_starting(CALENDAR, "http://h");
            assert!(first["created_at"].as_str().unwrap().starts_with("1970-01-01T00:00:01.000"));
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), (24..=30).collect::<Vec<_>>());
        assert!(moved > 0);
    }

    #[test]
    fn a_synchronous_reply_has_the_output_and_no_times() {
        let seen = ended(3).seen_at_once(CALENDAR, "http://h");
        assert_eq!((&seen["status"], &seen["output"]), (&json!("processing"), &json!("out")));
        for key in ["started_at", "completed_at", "metrics"] {
            assert_eq!(seen.get(key), None, "{key}");
        }
    }
}
