//! Answers that end a heartbeat whatever was asked: the statuses that Cog itself never gives, or
//! gives only to requests that can't succeed.

use super::quote;
use crate::clock;
use crate::heartbeat::{Answer, Rejection};
use crate::provider::http::Reply;
use chrono::DateTime;
use reqwest::StatusCode;
use std::time::Duration;

/// What to do about a server that wants a token.
const SET_A_TOKEN: &str = "set token_env, token_file or token_credential";

/// Where a proxy of the environment is named: it is asked for plain `http://`.
const NAMED: &str = "named by HTTP_PROXY or ALL_PROXY in the environment";

/// What a proxy answers while it has no server to ask, in words; none where it is something else.
/// Cloudflare's own statuses are among them, and a waiting page. Whether a 202 is Cog's own, who asks
/// must know.
pub(super) fn gateway(reply: &Reply) -> Option<String> {
    let answered = match reply.status.as_u16() {
        202 | 502..=504 | 520..=524 | 530 => shown(reply.status),
        200 | 201 | 203 if is_page(reply) => format!("{} with a page of HTML", shown(reply.status)),
        _ => return None,
    };
    Some(match reply.proxy() {
        Some(proxy) => format!("the proxy {proxy}, {NAMED}, or one behind it answers {answered}"),
        None => format!("a proxy answers {answered}"),
    })
}

/// Whether it is a page for people: its header says so, or its text begins as one.
fn is_page(reply: &Reply) -> bool {
    let kind = reply.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    match kind.trim().to_ascii_lowercase().as_str() {
        "text/html" | "application/xhtml+xml" => true,
        "application/json" => false,
        _ => {
            let start = reply.start().trim_start().to_ascii_lowercase();
            start.starts_with("<!doctype html") || start.starts_with("<html")
        }
    }
}

/// A status with its reason, where it has one that is known.
fn shown(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(_) => status.to_string(),
        None => status.as_str().to_owned(),
    }
}

/// What a reply that brings neither a health check nor a prediction means; `asked` is its path.
pub(super) fn answer(reply: &Reply, asked: &str) -> Answer {
    let said = said(reply);
    let status = reply.status;
    match status.as_u16() {
        300..=399 => Answer::Unreachable(format!(
            "{asked} redirects ({status}){}, which is not followed, for the token would travel: \
             write the server's own address",
            reply.leads_to().map(|target| format!(" to {target}")).unwrap_or_default()
        )),
        401 => Answer::Rejected(Rejection::Token, format!("{asked} answers {status}{said}: {SET_A_TOKEN}")),
        // A proxy may say so for a moment, as it may say 404.
        403 => {
            let first = reply
                .proxy()
                .map_or("", |_| "see whether that proxy lets requests to this server pass; else ");
            Answer::Rejected(
                Rejection::Model,
                format!("{asked} answers {status}{said}: {first}{SET_A_TOKEN}"),
            )
        }
        402 => Answer::Rejected(Rejection::Credit, format!("{asked} answers {status}{said}")),
        404 => Answer::Rejected(
            Rejection::Model,
            format!("{asked} answers {status}{said}: is there a Cog server at this address?"),
        ),
        429 => Answer::RateLimited(format!("{asked} answers {status}{said}")),
        _ => Answer::Unreachable(format!("{asked} answers {}{said}", shown(status))),
    }
}

/// What a 429 says of when to come again: `Retry-After` in seconds, or as a date.
pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    if reply.status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let text = reply.header("retry-after")?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - clock::now()).to_std().ok(),
    }
}

/// The server's own words, as `: …`; nothing where it has none. Before them the proxy that may have answered instead.
fn said(reply: &Reply) -> String {
    let proxy = reply.proxy().map(|proxy| {
        let wants = if reply.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            "wants a user and a password: write them there as http://user:password@host:port"
        } else {
            "may have answered instead of the server"
        };
        format!(" (the proxy {proxy}, {NAMED}, {wants})")
    });
    let words = reply.json().and_then(|body| {
        let of = |key: &str| body.get(key)?.as_str().map(quote::message);
        of("detail").or_else(|| of("error")).or_else(|| of("message"))
    });
    let words = words.map(|words| format!(": {words}"));
    [proxy, words].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply::new(status, HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn who_must_act_is_told_by_the_status() {
        let of = |status| answer(&reply(status, r#"{"detail":"no"}"#), "/health-check");
        assert!(matches!(of(401), Answer::Rejected(Rejection::Token, _)));
        assert!(matches!(of(403), Answer::Rejected(Rejection::Model, why) if why.contains("token_env")));
        assert!(matches!(of(402), Answer::Rejected(Rejection::Credit, _)));
        assert!(matches!(of(404), Answer::Rejected(Rejection::Model, _)));
        assert!(matches!(of(429), Answer::RateLimited(_)));
        assert!(matches!(of(308), Answer::Unreachable(_)));
        assert!(matches!(of(500), Answer::Unreachable(_)));
        assert_eq!(
            of(500),
            Answer::Unreachable("/health-check answers 500 Internal Server Error: no".into())
        );
    }

    #[test]
    fn what_proxies_say_without_a_server_is_known() {
        let of = |status, kind: &'static str| {
            let mut said = reply(status, "<html>starting");
            said.headers.insert("content-type", HeaderValue::from_static(kind));
            gateway(&said)
        };
        for status in [202, 502, 503, 504, 520, 521, 522, 523, 524, 530] {
            assert!(of(status, "text/plain").is_some_and(|said| said.contains(&status.to_string())));
        }
        assert_eq!(of(521, "text/html").as_deref(), Some("a proxy answers 521"));
        assert_eq!(of(502, "text/html").as_deref(), Some("a proxy answers 502 Bad Gateway"));
        let page = Some("a proxy answers 200 OK with a page of HTML");
        assert_eq!(of(200, "Text/HTML; charset=utf-8").as_deref(), page);
        assert_eq!(of(200, "text/plain").as_deref(), page);
        assert!(gateway(&reply(203, "\n<!DOCTYPE html>")).is_some());
        assert_eq!(gateway(&reply(200, "Welcome")), None);
        for (status, kind) in [(200, "application/json"), (404, "text/html"), (500, "text/html")] {
            assert_eq!(of(status, kind), None, "{status} {kind}");
        }
    }

    #[test]
    fn a_429_says_when_to_come_again() {
        let mut limited = reply(429, "slow down");
        assert_eq!(retry_after(&limited), None);
        limited.headers.insert("retry-after", HeaderValue::from_static(" 30"));
        assert_eq!(retry_after(&limited), Some(Duration::from_secs(30)));
        let date = (clock::now() + Duration::from_secs(90)).to_rfc2822();
        limited.headers.insert("retry-after", HeaderValue::from_str(&date).unwrap());
        assert!(retry_after(&limited).unwrap() > Duration::from_mins(1));
        limited.headers.insert("retry-after", HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&limited), None);
        limited.status = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(retry_after(&limited), None);
    }
}
