//! What goes wrong between warmd and the API, and whose hands it needs.
//!
//! A problem's sentence quotes the API's own `title` and `detail`, never a whole body, and never
//! the token.

use crate::clock;
use crate::heartbeat::{Answer, Limits, Rejection};
use crate::provider::http::{HttpError, Reply};
use crate::quote;
use chrono::DateTime;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How much of what the API says is quoted, in characters.
const QUOTE_LIMIT: usize = 300;

/// How much of it input keys are looked for in, in characters.
const COMPLAINT_LIMIT: usize = 20_000;

/// The longest a reply may hold an account back: beyond it, it is taken for nonsense.
const LONGEST_DELAY: Duration = Duration::from_hours(24);

/// A `ratelimit-reset` above this is no number of seconds but a time, in Unix seconds.
const EPOCH_SECONDS: f64 = 1e9;

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    /// What was tried and what came of it.
    pub(super) sentence: String,
    /// When the next call may be tried, where the API says.
    pub(super) retry_after: Option<Duration>,
    /// Everything that the API said of what it refused, in which input keys can be looked for.
    complaint: String,
}

/// The kinds of problems that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 401.
    Token,
    /// 402.
    Credit,
    /// 403 and 404: no such thing, or no right to it.
    Missing,
    /// 422, and what it refuses is the version.
    Version,
    /// 422 otherwise: the input.
    Input,
    /// 429.
    Throttled,
    /// The heartbeat's own time ran out.
    TimedOut,
    /// DNS, connection, TLS, 5xx, redirects, nonsense.
    Unreachable,
}

impl Problem {
    pub(super) fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), retry_after: None, complaint: String::new() }
    }

    /// There was no whole reply. Where time ran out before `deadline`, it was the call's own
    /// allowance, and the API is to blame.
    pub(super) fn of_transport(call: &str, error: &HttpError, deadline: Instant) -> Self {
        match error {
            HttpError::TimedOut { waited, begun, .. } => {
                let kind = if clock::instant() >= deadline { Kind::TimedOut } else { Kind::Unreachable };
                let whole = if *begun { "whole " } else { "" };
                Self::new(
                    kind,
                    format!("{call} brought no {whole}answer within {:.0} s", waited.as_secs_f64().ceil()),
                )
            }
            HttpError::Connect { reason, .. } => {
                Self::new(Kind::Unreachable, format!("{call} could not be sent: {reason}"))
            }
            HttpError::Broken { reason, .. } => {
                Self::new(Kind::Unreachable, format!("{call} brought no whole answer: {reason}"))
            }
            HttpError::TooLarge { what, .. } => Self::new(Kind::Unreachable, format!("{call}: {what}")),
        }
    }

    /// A success's JSON, or what is wrong with the reply.
    pub(super) fn check(call: &str, reply: &Reply) -> Result<Value, Self> {
        let status = reply.status;
        if status.is_success() {
            return reply.json().ok_or_else(|| {
                Self::new(Kind::Unreachable, format!("{call} was answered with {status} and no JSON"))
            });
        }
        let body = reply.json().unwrap_or_default();
        let (kind, advice) = match status {
            StatusCode::UNAUTHORIZED => (Kind::Token, "check the token"),
            StatusCode::PAYMENT_REQUIRED => (Kind::Credit, "add credit to the account, or raise its limit"),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                (Kind::Missing, "check the name in warm.toml, and that the token's account may use it")
            }
            StatusCode::UNPROCESSABLE_ENTITY if refuses_version(&body) => {
                (Kind::Version, "check the model and its version in warm.toml")
            }
            StatusCode::UNPROCESSABLE_ENTITY => (Kind::Input, "set input of this model in warm.toml"),
            StatusCode::TOO_MANY_REQUESTS => (Kind::Throttled, ""),
            _ if status.is_redirection() => (Kind::Unreachable, "redirects are not followed: check base_url"),
            _ => (Kind::Unreachable, ""),
        };
        let said = said(&body).map(|said| format!(": {said}")).unwrap_or_default();
        let target = reply.leads_to().filter(|_| status.is_redirection());
        let said = target.map_or(said, |target| format!(", to {target}"));
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        Err(Self {
            kind,
            sentence: format!("{call} was answered with {status}{said}{advice}"),
            retry_after: retry_after(reply, &body),
            complaint: quote::start(
                &format!("{} {}", body["detail"], body["invalid_fields"]),
                COMPLAINT_LIMIT,
            ),
        })
    }

    /// Whether an input key is named in what the API refused.
    pub(super) fn names(&self, key: &str) -> bool {
        let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.complaint.match_indices(key).any(|(start, _)| {
            let (before, after) = (&self.complaint[..start], &self.complaint[start + key.len()..]);
            !before.ends_with(part_of_word) && !after.starts_with(part_of_word)
        })
    }

    /// How a heartbeat that met it ended.
    pub(super) fn into_answer(self) -> Answer {
        let rejected = |why| Answer::Rejected(why, self.sentence.clone());
        match self.kind {
            Kind::Token => rejected(Rejection::Token),
            Kind::Credit => rejected(Rejection::Credit),
            Kind::Missing | Kind::Version => rejected(Rejection::Model),
            Kind::Input => rejected(Rejection::Input),
            Kind::Throttled => Answer::RateLimited(self.sentence),
            Kind::TimedOut => Answer::TimedOut(self.sentence),
            Kind::Unreachable => Answer::Unreachable(self.sentence),
        }
    }
}

/// Takes from a create's reply what it says of the account's limits.
pub(super) fn note_limits(limits: &mut Limits, reply: &Reply) {
    let number = |name| reply.header(name).and_then(|text| text.trim().parse::<f64>().ok());
    limits.remaining = number("ratelimit-remaining").filter(|left| *left >= 0.0).map(|left| left as u32);
    limits.reset_in = number("ratelimit-reset").and_then(|reset| {
        let now = clock::now().timestamp_millis() as f64 / 1000.0;
        delay(if reset > EPOCH_SECONDS { reset - now } else { reset })
    });
}

/// When to try again: the header, else the body, else its text.
fn retry_after(reply: &Reply, body: &Value) -> Option<Duration> {
    let header = || {
        let text = reply.header("retry-after")?.trim();
        text.parse().ok().and_then(delay).or_else(|| {
            let at = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
            delay((at - clock::now()).as_seconds_f64())
        })
    };
    let field = || {
        let told = body.get("retry_after")?;
        delay(told.as_f64().or_else(|| told.as_str()?.trim().parse().ok())?)
    };
    let text = || {
        let (_, from) = body.get("detail")?.as_str()?.split_once('~')?;
        let (seconds, _) = from.split_once('s')?;
        delay(seconds.trim().parse().ok()?)
    };
    header().or_else(field).or_else(text)
}

fn delay(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0)).ok().map(|delay| delay.min(LONGEST_DELAY))
}

fn refuses_version(body: &Value) -> bool {
    let says = |key: &str, what: &str| {
        body.get(key).and_then(Value::as_str).is_some_and(|text| text.to_ascii_lowercase().contains(what))
    };
    body.get("invalid_fields").is_none()
        && (says("title", "invalid version") || says("detail", "version does not exist"))
}

/// `title` and `detail` of a problem, as one line.
fn said(body: &Value) -> Option<String> {
    let text = |key: &str| match body.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.trim().trim_end_matches('.').to_owned()),
        Some(other) => Some(other.to_string()),
    };
    let parts: Vec<String> = [text("title"), text("detail")].into_iter().flatten().collect();
    let joined = quoted(&parts.join(": "));
    (!joined.is_empty()).then_some(joined)
}

fn quoted(text: &str) -> String {
    quote::start(text, QUOTE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Reply {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        Reply::new(StatusCode::from_u16(status).unwrap(), headers, body)
    }

    fn problem(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Problem {
        Problem::check("POST /predictions", &reply(status, headers, body.to_string().as_bytes())).unwrap_err()
    }

    #[test]
    fn every_status_has_its_kind() {
        for (status, kind) in [
            (301, Kind::Unreachable),
            (400, Kind::Unreachable),
            (401, Kind::Token),
            (402, Kind::Credit),
            (403, Kind::Missing),
            (404, Kind::Missing),
            (422, Kind::Input),
            (429, Kind::Throttled),
            (500, Kind::Unreachable),
            (503, Kind::Unreachable),
        ] {
            assert_eq!(problem(status, &[], &json!({})).kind, kind, "{status}");
            let html = reply(status, &[], b"<html>busy</html>");
            assert_eq!(Problem::check("GET /x", &html).unwrap_err().kind, kind, "{status} as HTML");
        }
        let no_json = Problem::check("GET /x", &reply(200, &[], b"<html>")).unwrap_err();
        assert_eq!(no_json.sentence, "GET /x was answered with 200 OK and no JSON");
    }

    #[test]
    fn a_422_says_what_it_refuses() {
        let version = json!({"title": "Invalid version or not permitted", "status": 422,
            "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)"});
        assert_eq!(problem(422, &[], &version).kind, Kind::Version);
        let input = json!({"detail": "- input.num_inference_steps: Must be greater than or equal to 10\n",
            "title": "Input validation failed",
            "invalid_fields": [{"type": "number_gte", "field": "input.num_inference_steps", "description": "…"}]});
        let refused = problem(422, &[], &input);
        assert_eq!(refused.kind, Kind::Input);
        assert!(refused.names("num_inference_steps"));
        assert!(!refused.names("steps"), "a part of a word is not the word");
    }

    #[test]
    fn a_429_says_when_in_three_forms_and_the_header_goes_first() {
        let text = json!({"detail": "Request was throttled. Your rate limit resets in ~30s."});
        let seconds = |problem: Problem| problem.retry_after.map(|delay| delay.as_secs());
        assert_eq!(seconds(problem(429, &[], &text)), Some(30));
        let mut field = text.clone();
        field["retry_after"] = json!(5);
        assert_eq!(seconds(problem(429, &[], &field)), Some(5));
        assert_eq!(seconds(problem(429, &[("retry-after", "7")], &field)), Some(7));
        let past = problem(429, &[("retry-after", "Fri, 20 Nov 2020 08:00:00 GMT")], &field);
        assert_eq!(seconds(past), Some(0));
        let at = (clock::now() + Duration::from_mins(1)).to_rfc2822();
        let dated = seconds(problem(429, &[("retry-after", &at)], &field)).unwrap();
        assert!((30..=60).contains(&dated), "{dated}");
        assert_eq!(seconds(problem(429, &[("retry-after", "soon")], &field)), Some(5));
        assert_eq!(seconds(problem(429, &[("retry-after", "1e300")], &json!({}))), None);
        assert_eq!(seconds(problem(429, &[("retry-after", "1e9")], &json!({}))), Some(24 * 3600));
        assert_eq!(seconds(problem(429, &[], &json!({"detail": "no ~ here", "retry_after": null}))), None);
    }

    #[test]
    fn limits_come_from_headers_as_seconds_or_as_a_time() {
        let mut limits = Limits::default();
        note_limits(&mut limits, &reply(201, &[("ratelimit-remaining", "5"), ("ratelimit-reset", "3")], b""));
        assert_eq!((limits.remaining, limits.reset_in), (Some(5), Some(Duration::from_secs(3))));
        let at = (clock::now().timestamp() + 60).to_string();
        note_limits(&mut limits, &reply(201, &[("ratelimit-reset", &at), ("ratelimit-remaining", "x")], b""));
        assert_eq!(limits.remaining, None);
        assert!((30..=60).contains(&limits.reset_in.unwrap().as_secs()));
    }

    #[test]
    fn a_sentence_is_one_bounded_line() {
        let told = problem(401, &[], &json!({"title": "Unauthenticated", "detail": "You did\n\u{1b} not."}));
        assert_eq!(
            told.sentence,
            "POST /predictions was answered with 401 Unauthorized: Unauthenticated: You did \\u{1b} not; check the token"
        );
        let long = problem(500, &[], &json!({"detail": ["x".repeat(100_000)]}));
        assert!(long.sentence.chars().count() < 400);
    }
}
