//! A prediction, as Replicate's answers tell it: read tolerantly, since before the end most keys
//! are absent in some answers and null in others.

use crate::heartbeat::Signs;
use crate::quote;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;
use std::time::Duration;

/// The longest id taken; Replicate's have 26 characters.
const ID_LIMIT: usize = 64;

/// The members of an answer whose values are read. Of its output only whether there is any.
pub(super) const READ: [&str; 7] =
    ["id", "status", "error", "created_at", "started_at", "completed_at", "metrics"];

/// How much of a prediction's own error is kept, in characters.
const ERROR_LIMIT: usize = 500;

/// A prediction that ended before it ran can bear a run of some microseconds, which is made up.
const SHORTEST_RUN: Duration = Duration::from_micros(100);

/// How far apart the clocks may be that write one prediction's times: 33 ms were seen.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(1);

/// An id that can't lead a URL astray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PredictionId(String);

impl PredictionId {
    fn parse(text: &str) -> Option<Self> {
        let fits = (1..=ID_LIMIT).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a prediction stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    Starting,
    Processing,
    Succeeded,
    Failed,
    Canceled,
    Aborted,
    /// One that is not known here, and so not known to be an end.
    Other(String),
}

impl Status {
    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("starting") => Self::Starting,
            Some("processing") => Self::Processing,
            Some("succeeded") => Self::Succeeded,
            Some("failed") => Self::Failed,
            Some("canceled") => Self::Canceled,
            Some("aborted") => Self::Aborted,
            Some(other) => Self::Other(quote::start(other, 40)),
            None => Self::Other("without a status".to_owned()),
        }
    }

    /// Whether nothing more will happen to it, by this word alone.
    fn is_end(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Aborted)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Aborted => "aborted",
            Self::Other(text) => text,
        })
    }
}

/// A prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prediction {
    pub(super) id: PredictionId,
    pub(super) status: Status,
    /// Its own error, cut to a readable length.
    pub(super) error: Option<String>,
    pub(super) has_output: bool,
    created_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    predict_time: Option<Duration>,
    total_time: Option<Duration>,
}

impl Prediction {
    /// None where the answer has no id, and so isn't one.
    pub(super) fn parse(body: &Value) -> Option<Self> {
        let id = PredictionId::parse(body.get("id")?.as_str()?)?;
        let time = |key: &str| body.get(key).and_then(Value::as_str).and_then(parse_time);
        let metric = |key: &str| {
            let seconds = body.get("metrics")?.get(key)?.as_f64()?;
            Duration::try_from_secs_f64(seconds.max(0.0)).ok()
        };
        let error = match body.get("error") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.trim().is_empty() => None,
            Some(Value::String(text)) => Some(quote::start(text, ERROR_LIMIT)),
            Some(other) => Some(quote::start(&other.to_string(), ERROR_LIMIT)),
        };
        Some(Self {
            id,
            status: Status::parse(body.get("status").and_then(Value::as_str)),
            error,
            has_output: body.get("output").is_some_and(|output| !output.is_null()),
            created_at: time("created_at"),
            started_at: time("started_at"),
            completed_at: time("completed_at"),
            predict_time: metric("predict_time"),
            total_time: metric("total_time"),
        })
    }

    /// The same without what can't be: no part of it took longer than all of it did here, from before
    /// its creation until it was read.
    pub(super) fn within(mut self, elapsed: Duration) -> Self {
        let longest = elapsed + CLOCK_SLACK.to_std().unwrap_or_default();
        let possible = |part: Option<Duration>| part.is_none_or(|part| part <= longest);
        if !possible(self.predict_time) || !possible(self.total_time) {
            (self.predict_time, self.total_time) = (None, None);
        }
        let parts = [
            (self.created_at, self.started_at),
            (self.started_at, self.completed_at),
            (self.created_at, self.completed_at),
        ];
        let in_order = |(from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>)| {
            from.zip(to).is_none_or(|(from, to)| to - from >= -CLOCK_SLACK)
        };
        if !parts.into_iter().all(|(from, to)| in_order((from, to)) && possible(between(from, to))) {
            (self.created_at, self.started_at, self.completed_at) = (None, None, None);
        }
        self
    }

    /// From its creation to its start: queue and boot. The clocks that wrote the two times can be
    /// tens of milliseconds apart, so that it may have started before it was created.
    pub(super) fn queue_wait(&self) -> Option<Duration> {
        between(self.created_at, self.started_at)
            .or_else(|| Some(self.total_time?.saturating_sub(self.predict_time?)))
    }

    /// How long it ran, by the provider's own account.
    pub(super) fn predict(&self) -> Option<Duration> {
        self.predict_time.or_else(|| between(self.started_at, self.completed_at))
    }

    /// From its creation to its end.
    pub(super) fn total(&self) -> Option<Duration> {
        between(self.created_at, self.completed_at).or(self.total_time)
    }

    /// Whether nothing more will happen to it: also where it says so in a word that is not known here.
    pub(super) fn has_ended(&self) -> bool {
        let said_otherwise = matches!(self.status, Status::Other(_)) && self.completed_at.is_some();
        self.status.is_end() || said_otherwise
    }

    /// Whether everything is there that tells cold from warm.
    pub(super) fn is_timed(&self) -> bool {
        self.queue_wait().is_some() && self.total().is_some()
    }

    /// What it tells of cold and warm. Only a prediction that ran to its own end tells anything: a
    /// cancelled one can bear a start that was made up.
    pub(super) fn signs(&self) -> Signs {
        match self.status {
            Status::Failed if !self.has_run() => Signs::default(),
            Status::Succeeded | Status::Failed => self.times(),
            // Its time ran out before it had started.
            Status::Aborted => Signs { met_starting: true, ..Signs::default() },
            Status::Other(_) if self.has_output => self.times(),
            Status::Starting | Status::Processing | Status::Canceled | Status::Other(_) => Signs::default(),
        }
    }

    /// Whether the model ran it: one that failed may have done so while it waited.
    fn has_run(&self) -> bool {
        self.started_at.is_some() && self.predict().is_some_and(|ran| ran >= SHORTEST_RUN)
    }

    fn times(&self) -> Signs {
        Signs { queue_wait: self.queue_wait(), predict: self.predict(), ..Signs::default() }
    }
}

fn between(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<Duration> {
    Some((to? - from?).to_std().unwrap_or_default())
}

/// RFC 3339 with any number of fractional digits; without an offset it is UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let aware = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    aware.or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &Value) -> Prediction {
        Prediction::parse(body).unwrap()
    }

    #[test]
    fn a_whole_one() {
        let whole = parse(&json!({
            "id": "3hs7xk2dd5rgp0cgk0v9hx1yz4", "status": "succeeded", "output": ["x"], "error": null,
            "created_at": "2026-11-20T08:00:00.125Z", "started_at": "2026-11-20T08:00:09.625123Z",
            "completed_at": "2026-11-20T09:00:10.625123456+01:00",
            "metrics": {"predict_time": 0.75, "total_time": 10.5}
        }));
        assert_eq!(whole.queue_wait(), Some(Duration::from_micros(9_500_123)));
        assert_eq!(whole.predict(), Some(Duration::from_millis(750)));
        assert_eq!(whole.total(), Some(Duration::from_nanos(10_500_123_456)));
        assert!(whole.is_timed() && whole.has_output && whole.has_ended());
    }

    #[test]
    fn absent_and_null_are_alike() {
        let keys = ["output", "error", "created_at", "started_at", "completed_at", "metrics", "status"];
        let mut nulls = json!({"id": "a1"});
        for key in keys {
            nulls[key] = Value::Null;
        }
        assert_eq!(parse(&nulls), parse(&json!({"id": "a1"})));
        assert_eq!(parse(&nulls).signs(), Signs::default());
        let nonsense = json!({"id": "a1", "metrics": {"predict_time": "x", "total_time": -1e300},
            "created_at": 5, "started_at": "yesterday", "status": 7, "error": " "});
        assert_eq!(parse(&nonsense).predict(), None);
        assert_eq!(parse(&nonsense).error, None);
    }

    #[test]
    fn a_start_before_the_creation_is_no_wait() {
        let early = parse(&json!({"id": "a1", "status": "succeeded",
            "created_at": "2026-11-20T08:00:00.033Z", "started_at": "2026-11-20T08:00:00.000Z"}));
        assert_eq!(early.queue_wait(), Some(Duration::ZERO));
    }

    #[test]
    fn metrics_stand_in_for_missing_times() {
        let metrics = json!({"predict_time": 0.5, "total_time": 8.0});
        let told = parse(&json!({"id": "a1", "status": "succeeded", "metrics": metrics}));
        assert_eq!(told.queue_wait(), Some(Duration::from_millis(7_500)));
        assert_eq!(told.total(), Some(Duration::from_secs(8)));
    }

    #[test]
    fn what_can_not_be_is_not_believed() {
        let elapsed = Duration::from_secs(20);
        let told = |created: &str, started: &str, completed: &str, metrics: Value| {
            parse(&json!({"id": "a1", "status": "succeeded", "created_at": created, "started_at": started,
                "completed_at": completed, "metrics": metrics}))
            .within(elapsed)
        };
        let (created, started, completed) =
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:09Z", "2026-11-20T08:00:10Z");
        let whole = told(created, started, completed, json!({"predict_time": 1.0, "total_time": 10.0}));
        assert_eq!(
            (whole.queue_wait(), whole.total()),
            (Some(Duration::from_secs(9)), Some(Duration::from_secs(10)))
        );
        for (created, started, completed) in [
            (created, "2126-11-20T08:00:09Z", completed),
            ("1926-11-20T08:00:00Z", started, completed),
            (created, "2026-11-20T07:00:00Z", completed),
            (created, started, "1970-01-01T00:00:00Z"),
            (created, started, "+262142-12-31T23:59:59"),
            ("-262143-01-01T00:00:00", "+262142-12-31T23:59:59", completed),
        ] {
            let odd = told(created, started, completed, Value::Null);
            assert_eq!((odd.queue_wait(), odd.predict(), odd.total()), (None, None, None), "{odd:?}");
            let metrics = json!({"predict_time": 1.0, "total_time": 10.0});
            let by_metrics = told(created, started, completed, metrics);
            assert_eq!(by_metrics.queue_wait(), Some(Duration::from_secs(9)), "they stand in for the times");
        }
        for metrics in [json!({"predict_time": 1e18}), json!({"predict_time": 1.0, "total_time": 1e9})] {
            let odd = told(created, started, completed, metrics);
            assert_eq!(
                (odd.queue_wait(), odd.predict()),
                (Some(Duration::from_secs(9)), Some(Duration::from_secs(1)))
            );
        }
    }

    #[test]
    fn an_end_in_a_word_that_nobody_knows_is_one() {
        let under_way = parse(&json!({"id": "a1", "status": "expired", "completed_at": null}));
        assert!(!under_way.has_ended());
        let ended = parse(&json!({"id": "a1", "status": "expired", "completed_at": "2026-11-20T08:00:00Z"}));
        assert!(ended.has_ended());
        let odd = parse(&json!({"id": "a1", "status": "starting", "completed_at": "2026-11-20T08:00:00Z"}));
        assert!(!odd.has_ended(), "this word is known");
    }

    #[test]
    fn one_cancelled_before_its_start_is_no_evidence() {
        let made_up = parse(&json!({"id": "a1", "status": "canceled",
            "created_at": "2026-11-20T08:00:00.000Z", "started_at": "2026-11-20T08:00:30.000Z",
            "completed_at": "2026-11-20T08:00:30.000Z", "metrics": {"predict_time": 3e-06}}));
        assert_eq!(made_up.signs(), Signs::default());
    }

    #[test]
    fn one_that_failed_before_it_ran_is_no_evidence() {
        let ran = json!({"id": "a1", "status": "failed", "error": "NSFW content detected",
            "created_at": "2026-11-20T08:00:00.000Z", "started_at": "2026-11-20T08:00:00.500Z",
            "completed_at": "2026-11-20T08:00:01.500Z", "metrics": {"predict_time": 1.0}});
        let signs = parse(&ran).signs();
        assert_eq!(
            (signs.predict, signs.queue_wait),
            (Some(Duration::from_secs(1)), Some(Duration::from_millis(500)))
        );
        let with = |key: &str, value: Value| {
            let mut other = ran.clone();
            other[key] = value;
            parse(&other).signs()
        };
        assert_eq!(with("started_at", Value::Null), Signs::default());
        assert_eq!(with("metrics", json!({"predict_time": 3e-06})), Signs::default());
        assert_eq!(with("metrics", Value::Null).predict, Some(Duration::from_secs(1)));
    }

    #[test]
    fn ids_that_would_change_the_path_are_refused() {
        for id in ["", "..", "../account", "a/b", "a.b", "a?b", "a%2fb", &"a".repeat(65)] {
            assert_eq!(Prediction::parse(&json!({"id": id, "status": "starting"})), None, "{id}");
        }
        assert_eq!(Prediction::parse(&json!({"status": "starting"})), None);
        assert_eq!(Prediction::parse(&json!([])), None);
    }

    #[test]
    fn statuses_and_errors_are_kept_readable() {
        let odd = parse(&json!({"id": "a1", "status": "que\u{1b}ued", "error": {"code": "E6716"}}));
        assert_eq!(odd.status, Status::Other("que\\u{1b}ued".to_owned()));
        assert!(!odd.has_ended());
        assert_eq!(odd.error.as_deref(), Some(r#"{"code":"E6716"}"#));
        let long = parse(&json!({"id": "a1", "error": "x".repeat(10_000)}));
        assert_eq!(long.error.unwrap().chars().count(), ERROR_LIMIT);
    }
}
