//! `GET /health-check`: what it says, and what a long wait for it means.

use super::{quote, refusal};
use crate::heartbeat::{Answer, Setup};
use crate::provider::http::Reply;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::time::Duration;

/// A request that takes longer than this was held, by a proxy that had to start a server, or by a
/// server that was predicting: Cog itself answers its health check within milliseconds.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// The path of the health check, as messages name it.
pub(super) const PATH: &str = "/health-check";

/// A health check's answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Cog's own.
    Health(Health),
    /// A proxy's, which has no server to ask at the moment; in words.
    Gateway(String),
    /// Anything else: what it means.
    Refused(Answer),
}

/// What Cog says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) state: State,
    /// None in versions up to 0.16 until the setup is done.
    pub(super) setup: Option<Setup>,
    /// The server's version, since 0.17.
    pub(super) version: Option<String>,
}

/// Cog's states, as far as a heartbeat tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// STARTING, and UNKNOWN, which comes before it.
    Starting,
    /// READY
    Ready,
    /// BUSY
    Busy,
    /// `SETUP_FAILED`, DEFUNCT, UNHEALTHY: it takes no predictions; why.
    Down(String),
}

impl Said {
    /// What `reply` says. A health check in the body counts whatever the status: what a proxy
    /// makes of the server's state there is worth less than the server's own word.
    pub(super) fn of(reply: &Reply) -> Self {
        let is_final = reply.status.is_success() || reply.status.is_server_error();
        if let Some(health) = reply.json().filter(|_| is_final).as_ref().and_then(Health::of) {
            return Self::Health(health);
        }
        if let Some(said) = refusal::gateway(reply) {
            return Self::Gateway(said);
        }
        Self::Refused(if reply.status.is_success() {
            let body = reply.json().unwrap_or_default();
            Answer::Unreachable(match body.get("status").and_then(Value::as_str) {
                Some(word) => {
                    format!(
                        "{PATH} answers the status {}, which is none of Cog's known ones",
                        quote::message(word)
                    )
                }
                None => format!("{PATH} answers {}, but not as a Cog server does", reply.status),
            })
        } else {
            refusal::answer(reply, PATH)
        })
    }
}

impl Health {
    /// Lenient in all but the state: a time that can't be read is a setup that isn't told.
    fn of(body: &Value) -> Option<Self> {
        let at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let state = match at("/status")? {
            "STARTING" | "UNKNOWN" => State::Starting,
            "READY" => State::Ready,
            "BUSY" => State::Busy,
            "SETUP_FAILED" => {
                State::Down(match at("/setup/logs").map(quote::log_tail).filter(|log| !log.is_empty()) {
                    Some(log) => format!("its setup failed: {log}"),
                    None => "its setup failed".to_owned(),
                })
            }
            "DEFUNCT" => State::Down("its worker died (DEFUNCT): restart it".to_owned()),
            "UNHEALTHY" => State::Down(match at("/user_healthcheck_error") {
                Some(error) => format!("it calls itself UNHEALTHY: {}", quote::message(error)),
                None => "it calls itself UNHEALTHY, as after its worker died: restart it".to_owned(),
            }),
            _ => return None,
        };
        let time =
            |pointer| DateTime::parse_from_rfc3339(at(pointer)?).ok().map(|time| time.with_timezone(&Utc));
        let setup = time("/setup/started_at")
            .map(|started_at| Setup { started_at, completed_at: time("/setup/completed_at") });
        let version = at("/version/python_sdk").or_else(|| at("/version/coglet")).map(quote::message);
        Some(Self { state, setup, version })
    }
}

/// Whether a health check that was held waited for this setup, rather than for a prediction that
/// was running on it: Cog 0.9 answers no health check while it predicts.
///
/// A setup that was not known before is a new one. Where none is known yet, it is new if it began
/// after the health check was sent. Without a setup to go by, waiting is the plain reading.
pub(super) fn held_by_boot(setup: Option<Setup>, known: &[DateTime<Utc>], sent_at: DateTime<Utc>) -> bool {
    match setup {
        None => true,
        Some(setup) if known.is_empty() => setup.started_at >= sent_at,
        Some(setup) => !known.contains(&setup.started_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    fn said(status: u16, body: &str) -> Said {
        let status = StatusCode::from_u16(status).unwrap();
        Said::of(&Reply::new(status, HeaderMap::new(), body.as_bytes()))
    }

    fn health(body: &str) -> Health {
        match said(200, body) {
            Said::Health(health) => health,
            other @ (Said::Gateway(_) | Said::Refused(_)) => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn each_versions_words_are_understood() {
        let old = health(r#"{"status":"STARTING","setup":{}}"#);
        assert_eq!((old.state, old.setup, old.version), (State::Starting, None, None));

        let old = health(
            r#"{"status":"READY","setup":{"started_at":"2026-11-20T19:17:57.298745+00:00",
               "completed_at":"2026-11-20T19:18:00.665525+00:00","logs":"x\n","status":"succeeded"}}"#,
        );
        let setup = old.setup.unwrap();
        assert_eq!(old.state, State::Ready);
        assert_eq!((setup.completed_at.unwrap() - setup.started_at).num_milliseconds(), 3366);

        let new = health(
            r#"{"status":"STARTING","setup":{"started_at":"2026-11-20T19:17:57.010450007+00:00",
               "status":"starting"},"version":{"coglet":"0.23.1","python_sdk":"0.23.1","python":"3.11.7"}}"#,
        );
        assert_eq!(new.version.as_deref(), Some("0.23.1"));
        assert_eq!(new.setup.unwrap().completed_at, None);
        assert_eq!(health(r#"{"status":"UNKNOWN"}"#).state, State::Starting);
        assert_eq!(health(r#"{"status":"BUSY","setup":null,"version":null}"#).state, State::Busy);
    }

    #[test]
    fn what_is_down_says_why() {
        let failed = health(r#"{"status":"SETUP_FAILED","setup":{"logs":"a\nRuntimeError: no weights\n"}}"#);
        assert_eq!(failed.state, State::Down("its setup failed: a | RuntimeError: no weights".into()));
        let sick = health(r#"{"status":"UNHEALTHY","user_healthcheck_error":"gpu fell\noff the bus"}"#);
        assert_eq!(sick.state, State::Down("it calls itself UNHEALTHY: gpu fell off the bus".into()));
        assert!(matches!(health(r#"{"status":"DEFUNCT","setup":{}}"#).state, State::Down(_)));
    }

    #[test]
    fn a_proxys_words_are_not_cogs() {
        assert_eq!(
            said(503, "no available server"),
            Said::Gateway("a proxy answers 503 Service Unavailable".into())
        );
        assert_eq!(said(502, "<html>"), Said::Gateway("a proxy answers 502 Bad Gateway".into()));
        assert_eq!(
            said(504, r#"{"status":"fine"}"#),
            Said::Gateway("a proxy answers 504 Gateway Timeout".into())
        );
        assert!(matches!(said(503, r#"{"status":"STARTING"}"#), Said::Health(_)));
        assert!(matches!(said(202, r#"{"status":"STARTING"}"#), Said::Health(_)));
        assert_eq!(
            said(202, r#"{"status":"scaling"}"#),
            Said::Gateway("a proxy answers 202 Accepted".into())
        );
        for nonsense in ["", "null", "[]", "{}", "OK", r#"{"status":7}"#, r#"{"status":"healthy"}"#] {
            assert!(matches!(said(200, nonsense), Said::Refused(Answer::Unreachable(_))), "{nonsense}");
        }
        assert!(matches!(said(302, r#"{"status":"READY"}"#), Said::Refused(Answer::Unreachable(_))));
        assert!(matches!(said(401, r#"{"status":"READY"}"#), Said::Refused(Answer::Rejected(..))));
        assert!(matches!(said(500, "oops"), Said::Refused(Answer::Unreachable(_))));
    }

    #[test]
    fn a_held_health_check_waited_for_a_new_setup_or_behind_an_old_one() {
        let at = |s: i64| DateTime::from_timestamp(1_800_000_000 + s, 0).unwrap();
        let setup = |s| Some(Setup { started_at: at(s), completed_at: Some(at(s + 5)) });
        assert!(!held_by_boot(setup(0), &[at(-500), at(0)], at(900)), "an old one: it was predicting");
        assert!(held_by_boot(setup(901), &[at(0)], at(900)), "a new one: it was started for this request");
        assert!(held_by_boot(setup(899), &[at(0)], at(900)), "the clocks of two machines differ");
        assert!(held_by_boot(setup(901), &[], at(900)), "the first heartbeat started it");
        assert!(!held_by_boot(setup(10), &[], at(900)), "the first heartbeat met it at work");
        assert!(held_by_boot(None, &[], at(900)), "nothing but the wait to go by");
    }
}
