//! Predictions that exist: one of them, all of them, and ending one.

use super::super::problem::{Answer, Refusal, json_answer};
use super::Caller;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

/// Predictions a page.
const PAGE: usize = 100;

/// `GET /predictions/{id}`
pub(super) async fn get(caller: Caller, Path(id): Path<String>) -> Answer {
    let (mut state, now) = caller.lock();
    let seq = state.world.find(&id).ok_or_else(Refusal::not_found)?;
    let calendar = state.world.calendar;
    let prediction = state.world.look(seq, now).ok_or_else(Refusal::not_found)?;
    Ok(json_answer(StatusCode::OK, &prediction.seen(now, calendar, &caller.origin)))
}

/// `POST /predictions/{id}/cancel`
pub(super) async fn cancel(caller: Caller, Path(id): Path<String>) -> Answer {
    let (mut state, now) = caller.lock();
    let seq = state.world.find(&id).ok_or_else(Refusal::not_found)?;
    let calendar = state.world.calendar;
    let prediction = state.world.cancel(seq, now).ok_or_else(Refusal::not_found)?;
    let answer = json_answer(StatusCode::OK, &prediction.seen(now, calendar, &caller.origin));
    caller.shared.changed.notify_waiters();
    Ok(answer)
}

/// What a list is narrowed to, and where it goes on.
#[derive(Debug, Default)]
struct Query {
    after: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    web_only: bool,
    cursor: Cursor,
    /// All but the cursor, as it came.
    kept: Vec<(String, String)>,
}

/// Opaque to clients: the number of the prediction at the edge of the page that they have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    #[default]
    Newest,
    OlderThan(u64),
    NewerThan(u64),
}

impl Query {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let date = || {
                value
                    .parse::<DateTime<Utc>>()
                    .map_err(|_| Refusal::bad_request(&format!("{key} is not an ISO 8601 date-time.")))
            };
            match key.as_ref() {
                "created_after" => parsed.after = Some(date()?),
                "created_before" => parsed.before = Some(date()?),
                "source" => parsed.web_only = value == "web",
                "cursor" => {
                    let edge = |prefix| value.strip_prefix(prefix).and_then(|seq| seq.parse().ok());
                    parsed.cursor = match (edge("o"), edge("n")) {
                        (Some(seq), _) => Cursor::OlderThan(seq),
                        (_, Some(seq)) => Cursor::NewerThan(seq),
                        (None, None) => return Err(Refusal::bad_request("Invalid cursor")),
                    };
                    continue;
                }
                _ => continue,
            }
            parsed.kept.push((key.into_owned(), value.into_owned()));
        }
        Ok(parsed)
    }

    fn url(&self, origin: &str, cursor: &str) -> Value {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.kept).append_pair("cursor", cursor);
        json!(format!("{origin}/v1/predictions?{}", query.finish()))
    }
}

/// `GET /predictions`
pub(super) async fn list(caller: Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(&query.unwrap_or_default())?;
    let (mut state, now) = caller.lock();
    let wanted = |created: DateTime<Utc>| {
        !query.web_only
            && query.after.is_none_or(|after| created >= after)
            && query.before.is_none_or(|before| created < before)
    };
    let (before, after) = match query.cursor {
        Cursor::Newest => (u64::MAX, None),
        Cursor::OlderThan(seq) => (seq, None),
        Cursor::NewerThan(seq) => (u64::MAX, Some(seq)),
    };
    let mut page = state.world.page(now, before, after, PAGE, wanted);
    let more = page.len() > PAGE;
    let newer = after.is_some();
    if more {
        // The one too many lies on the far side.
        page.remove(if newer { 0 } else { PAGE });
    }
    let calendar = state.world.calendar;
    let mut results = Vec::with_capacity(page.len());
    for seq in &page {
        if let Some(prediction) = state.world.look(*seq, now) {
            results.push(prediction.seen(now, calendar, &caller.origin));
        }
    }
    let has_next = if newer { !page.is_empty() } else { more };
    let has_previous = if newer { more } else { query.cursor != Cursor::Newest };
    let edge = |present: bool, seq: Option<&u64>, prefix: &str| match seq {
        Some(seq) if present => query.url(&caller.origin, &format!("{prefix}{seq}")),
        _ => Value::Null,
    };
    let body = json!({
        "next": edge(has_next, page.last(), "o"),
        "previous": edge(has_previous, page.first(), "n"),
        "results": results,
    });
    Ok(json_answer(StatusCode::OK, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_kept_from_page_to_page() {
        let query = Query::parse("created_after=2026-01-01T00:00:00Z&x=1&source=api&cursor=o12").unwrap();
        assert_eq!(query.cursor, Cursor::OlderThan(12));
        let url = query.url("http://h", "n7");
        assert_eq!(
            url,
            "http://h/v1/predictions?created_after=2026-01-01T00%3A00%3A00Z&source=api&cursor=n7"
        );
        for bad in ["created_before=yesterday", "cursor=", "cursor=o", "cursor=x1", "cursor=o-1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
