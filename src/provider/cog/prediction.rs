//! `POST /predictions`: what is sent, and what the answer means, version by version.

use super::{quote, refusal};
use crate::clock;
use crate::heartbeat::Answer;
use crate::provider::http::Reply;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The path of predictions, as messages name it.
pub(super) const PATH: &str = "/predictions";

/// The members of a successful answer whose values are read; its output may be of any size.
pub(super) const READ: [&str; 5] = ["status", "error", "metrics", "started_at", "completed_at"];

/// What the answer to a prediction means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It ended; with the provider's own predict time, where it tells one.
    Ended(Answer, Option<Duration>),
    /// 409: no slot for it. Alone it never means warm: so answers a server that is starting (up to
    /// 0.16), one that is busy, and one whose worker is dead (since 0.17).
    Conflict,
    /// Cog's own 503: the setup has not finished, or failed.
    NotReady,
    /// A proxy's, which has no server to ask at the moment.
    Gateway {
        /// In words.
        said: String,
        /// Whether it may have taken the prediction all the same: a 202, or a page.
        accepted: bool,
    },
    /// 500: what came of the server, its health check must tell.
    Crashed(Answer),
    /// 422: which keys it names, and its words.
    Invalid {
        /// As the input has them.
        keys: BTreeSet<String>,
        /// Fit for a message.
        detail: String,
    },
}

/// An id of our own, by which the prediction can be cancelled: versions up to 0.16 let it run on
/// when the connection closes.
pub(super) fn id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = clock::now().timestamp_micros();
    format!("warmd-{now:x}-{:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The request's body. Keys without a value are left out of `input` where it is made: 0.23 takes
/// no null.
pub(super) fn body(id: &str, input: &Map<String, Value>) -> Value {
    json!({ "id": id, "input": input })
}

impl Verdict {
    /// What `reply` means.
    pub(super) fn of(reply: &Reply) -> Self {
        let body = reply.json();
        let text = |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
        let own = match text("status") {
            Some("succeeded" | "failed" | "canceled" | "aborted") => true,
            // The id is the one that was sent.
            Some("starting" | "processing") => text("id").is_some(),
            Some(_) | None => false,
        };
        match reply.status.as_u16() {
            200..=299 if own => Self::of_success(reply.status, body.as_ref()),
            409 => Self::Conflict,
            422 => Self::of_invalid(body.as_ref()),
            500 => Self::Crashed(refusal::answer(reply, PATH)),
            503 if text("status") == Some("failed") && text("error").is_some() => Self::NotReady,
            _ => match refusal::gateway(reply) {
                Some(said) => Self::Gateway { said, accepted: reply.status.is_success() },
                None if reply.status.is_success() => Self::of_success(reply.status, body.as_ref()),
                None => Self::Ended(refusal::answer(reply, PATH), None),
            },
        }
    }

    fn of_success(status: StatusCode, body: Option<&Value>) -> Self {
        let text = |key: &str| body.and_then(|body| body.get(key)).and_then(Value::as_str);
        let answer = match text("status") {
            Some("succeeded") => Answer::Succeeded,
            Some("failed") => Answer::Failed(
                text("error").map_or_else(|| "the prediction failed".to_owned(), quote::message),
            ),
            Some(cancelled @ ("canceled" | "aborted")) => {
                Answer::Failed(format!("the prediction was {cancelled} by somebody else"))
            }
            Some("starting" | "processing") => Answer::Unreachable(format!(
                "{PATH} answers {status} before the prediction has ended, and Cog tells the end to nobody \
                 who asks later: something on the way asks for an asynchronous answer"
            )),
            Some(_) | None => {
                Answer::Unreachable(format!("{PATH} answers {status}, but not as a Cog server does"))
            }
        };
        Self::Ended(answer, body.and_then(predict_time))
    }

    /// `{"detail":[{"loc":["body","input","prompt"],"msg":"field required",…}]}`, in all versions.
    fn of_invalid(body: Option<&Value>) -> Self {
        let detail = body.and_then(|body| body.get("detail"));
        let problems = detail.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut keys = BTreeSet::new();
        let mut words = Vec::new();
        for problem in problems {
            let place = problem.get("loc").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let key = match place {
                [body, input, key, ..] if body == "body" && input == "input" => key.as_str(),
                _ => None,
            };
            let said = problem.get("msg").and_then(Value::as_str).unwrap_or("not accepted");
            match key {
                Some(key) => words.push(format!("input.{key}: {said}")),
                None => words.push(said.to_owned()),
            }
            keys.extend(key.map(str::to_owned));
        }
        if words.is_empty() {
            let said = detail.and_then(Value::as_str).unwrap_or("it says no more than 422");
            words.push(said.to_owned());
        }
        Self::Invalid { keys, detail: quote::message(&words.join("; ")) }
    }
}

/// `metrics.predict_time`, else `completed_at − started_at`.
fn predict_time(body: &Value) -> Option<Duration> {
    let metric = body.get("metrics").and_then(|metrics| metrics.get("predict_time"));
    if let Some(seconds) = metric.and_then(Value::as_f64) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let time = |key: &str| {
        let text = body.get(key)?.as_str()?;
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
    };
    (time("completed_at")? - time("started_at")?).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::Rejection;
    use reqwest::header::HeaderMap;

    fn of(status: u16, body: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        Verdict::of(&Reply::new(status, HeaderMap::new(), body.as_bytes()))
    }

    #[test]
    fn each_versions_success() {
        assert_eq!(
            of(
                200,
                r#"{"id":"p","logs":"","metrics":{"predict_time":0.5},"output":"hi","status":"succeeded"}"#
            ),
            Verdict::Ended(Answer::Succeeded, Some(Duration::from_millis(500)))
        );
        assert_eq!(
            of(
                200,
                r#"{"output":"hi","id":null,"started_at":"2026-11-20T19:18:32.629535+00:00",
                   "completed_at":"2026-11-20T19:18:32.879535+00:00","error":null,"status":"succeeded","metrics":null}"#
            ),
            Verdict::Ended(Answer::Succeeded, Some(Duration::from_millis(250)))
        );
        assert_eq!(of(201, r#"{"status":"succeeded"}"#), Verdict::Ended(Answer::Succeeded, None));
        assert_eq!(
            of(200, r#"{"status":"succeeded","metrics":{"predict_time":-1e300}}"#),
            Verdict::Ended(Answer::Succeeded, None)
        );
    }

    #[test]
    fn a_model_that_raises_has_failed() {
        let Verdict::Ended(Answer::Failed(why), _) =
            of(200, r#"{"error":"Prediction failed: ValueError:\n clay","status":"failed"}"#)
        else {
            panic!("not failed")
        };
        assert_eq!(why, "Prediction failed: ValueError: clay");
        assert!(matches!(of(200, r#"{"status":"canceled"}"#), Verdict::Ended(Answer::Failed(_), None)));
    }

    fn gateway(said: &str, accepted: bool) -> Verdict {
        Verdict::Gateway { said: format!("a proxy answers {said}"), accepted }
    }

    #[test]
    fn a_202_is_cogs_or_a_proxys() {
        for other in ["", "<html>", r#"{"status":"scaling"}"#, r#"{"status":"starting"}"#, "[]"] {
            assert_eq!(of(202, other), gateway("202 Accepted", true), "{other}");
        }
        let own = r#"{"id":"p","status":"starting"}"#;
        assert!(matches!(of(202, own), Verdict::Ended(Answer::Unreachable(_), None)));
        let ended = r#"{"status":"succeeded"}"#;
        assert_eq!(of(202, ended), Verdict::Ended(Answer::Succeeded, None));
    }

    #[test]
    fn a_503_is_cogs_or_a_proxys() {
        let own = r#"{"error":"Setup has not finished yet. Wait until it has.","status":"failed"}"#;
        assert_eq!(of(503, own), Verdict::NotReady);
        for other in ["", "<html>", r#"{"error":"no healthy upstream"}"#, r#"{"status":"failed"}"#] {
            assert_eq!(of(503, other), gateway("503 Service Unavailable", false), "{other}");
        }
        assert_eq!(of(502, own), gateway("502 Bad Gateway", false));
        assert_eq!(of(524, own), gateway("524", false));
        assert_eq!(of(409, r#"{"detail":"Already running a prediction"}"#), Verdict::Conflict);
        assert!(matches!(of(500, "Internal Server Error"), Verdict::Crashed(Answer::Unreachable(_))));
    }

    #[test]
    fn a_422_names_its_keys() {
        let Verdict::Invalid { keys, detail } = of(
            422,
            r#"{"detail":[{"loc":["body","input","prompt"],"msg":"field required","type":"value_error.missing"},
               {"loc":["body","input","width"],"msg":"too small"},{"loc":["body"],"msg":"odd"},{"loc":7}]}"#,
        ) else {
            panic!("not invalid")
        };
        assert_eq!(keys, BTreeSet::from(["prompt".into(), "width".into()]));
        assert_eq!(detail, "input.prompt: field required; input.width: too small; odd; not accepted");
        for odd in ["", "[]", "{}", r#"{"detail":[]}"#, r#"{"detail":null}"#] {
            assert!(matches!(of(422, odd), Verdict::Invalid { keys, .. } if keys.is_empty()), "{odd}");
        }
    }

    #[test]
    fn nonsense_is_unreachable() {
        for body in ["", "OK", "null", "[]", "{}", r#"{"status":"processing"}"#, r#"{"status":null}"#] {
            assert!(matches!(of(200, body), Verdict::Ended(Answer::Unreachable(_), None)), "{body}");
        }
        assert!(matches!(of(307, ""), Verdict::Ended(Answer::Unreachable(_), None)));
        assert!(matches!(of(404, ""), Verdict::Ended(Answer::Rejected(Rejection::Model, _), None)));
        assert!(matches!(of(418, ""), Verdict::Ended(Answer::Unreachable(_), None)));
    }

    #[test]
    fn no_two_predictions_share_an_id() {
        assert_ne!(id(), id());
    }
}
