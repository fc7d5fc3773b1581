//! An alert posted to a webhook. Its address is a secret: no failure tells more of it than its host.

use crate::alerts::event::Event;
use crate::alerts::format;
use crate::alerts::outbox::Failure;
use crate::clock;
use crate::config::alert::Format;
use crate::daemon::configuration::Aim;
use crate::provider::http::{Client, HttpError, Reply, Request};
use crate::quote;
use chrono::DateTime;
use reqwest::{Method, StatusCode};
use std::time::Duration;

/// How much of what a receiver says is told, in characters.
const SAID_LIMIT: usize = 100;

/// Posts an event, once.
pub(super) async fn post(
    client: &Client,
    aim: &Aim,
    format: Format,
    event: &Event,
    timeout: Duration,
) -> Result<(), Failure> {
    let mut url = aim.address.url().clone();
    let topic = aim.address.topic().unwrap_or_default();
    if format == Format::Ntfy {
        // JSON is published to the root, its topic within it.
        url.set_path("/");
    }
    let body = format::body(event, format, topic);
    let request = Request {
        method: Method::POST,
        url,
        token: aim.token.as_ref(),
        headers: Vec::new(),
        json: Some(&body),
        wanted: None,
    };
    match client.send(request, clock::instant() + timeout).await {
        Ok(reply) if reply.status.is_success() => Ok(()),
        Ok(reply) => Err(refused(&reply)),
        Err(error) => Err(Failure::of(lost(&error))),
    }
}

/// What is wrong with the event itself is not cured by time. What is wrong with the address, the token or the
/// channel may be mended within a day, and what waits would be told then.
fn refused(reply: &Reply) -> Failure {
    let status = reply.status;
    let hopeless = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    let more = if status.is_redirection() {
        ", which is not followed".to_owned()
    } else {
        said(reply).map(|said| format!(": \"{said}\"")).unwrap_or_default()
    };
    Failure {
        why: format!("{status}{more}"),
        hopeless: hopeless.contains(&status),
        retry_after: retry_after(reply),
    }
}

/// What the receiver says besides; none where that tells nothing.
fn said(reply: &Reply) -> Option<String> {
    let said = quote::start(&reply.start(), SAID_LIMIT);
    let is_status = reply.status.canonical_reason().is_some_and(|reason| reason.eq_ignore_ascii_case(&said));
    (!said.is_empty() && !is_status).then_some(said)
}

/// `Retry-After` in seconds, or until a date.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.header("retry-after")?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - clock::now()).to_std().ok()
}

/// Why there is no answer; the error's own words have the whole address.
fn lost(error: &HttpError) -> String {
    match error {
        HttpError::TimedOut { waited, begun: false, .. } => {
            format!("no answer within {} s", waited.as_secs_f64().ceil())
        }
        HttpError::TimedOut { waited, begun: true, .. } => {
            format!("the answer was not whole within {} s", waited.as_secs_f64().ceil())
        }
        HttpError::Connect { reason, .. } | HttpError::Broken { reason, .. } => reason.clone(),
        HttpError::TooLarge { what, .. } => what.clone(),
    }
}
