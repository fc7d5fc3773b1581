//! Uploads: what a client does with a file that it gives as an input.

use super::super::problem::{Answer, Refusal, json_answer};
use super::Caller;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The most bytes of uploads that are kept; the oldest go.
const KEPT: usize = 64 * 1024 * 1024;

/// The most uploads that are kept.
const COUNT: usize = 1_000;

#[derive(Debug)]
struct File {
    id: String,
    name: String,
    content_type: String,
    content: Bytes,
    created_at: DateTime<Utc>,
}

/// The uploads, the oldest first.
#[derive(Debug, Default)]
pub(in super::super) struct Files {
    kept: VecDeque<File>,
    bytes: usize,
    next: u64,
}

impl Files {
    fn add(&mut self, part: Part, created_at: DateTime<Utc>) -> &File {
        self.next += 1;
        self.bytes += part.content.len();
        let id = format!("file{:022}", self.next);
        let Part { name, content_type, content } = part;
        self.kept.push_back(File { id, name, content_type, content, created_at });
        while self.kept.len() > 1 && (self.bytes > KEPT || self.kept.len() > COUNT) {
            self.bytes -= self.kept.pop_front().map_or(0, |file| file.content.len());
        }
        &self.kept[self.kept.len() - 1]
    }

    fn find(&self, id: &str) -> Option<&File> {
        self.kept.iter().find(|file| file.id == id)
    }
}

/// `POST /files`
pub(super) async fn upload(caller: Caller, headers: HeaderMap, body: Bytes) -> Answer {
    let part = content_type(&headers).and_then(|kind| Part::find(kind, &body));
    let part = part.ok_or_else(|| Refusal::bad_request("Missing content"))?;
    let (mut state, now) = caller.lock();
    let at = state.world.calendar.date(now);
    Ok(json_answer(StatusCode::CREATED, &file_json(state.files.add(part, at), &caller.origin)))
}

/// `GET /files`
pub(super) async fn list(caller: Caller) -> Answer {
    let (state, _) = caller.lock();
    let results: Vec<_> =
        state.files.kept.iter().rev().take(100).map(|file| file_json(file, &caller.origin)).collect();
    Ok(json_answer(StatusCode::OK, &json!({"next": null, "previous": null, "results": results})))
}

/// `GET /files/{id}`
pub(super) async fn get(caller: Caller, Path(id): Path<String>) -> Answer {
    let (state, _) = caller.lock();
    let file = state.files.find(&id).ok_or_else(Refusal::not_found)?;
    Ok(json_answer(StatusCode::OK, &file_json(file, &caller.origin)))
}

/// `GET /files/{id}/download`
pub(super) async fn download(caller: Caller, Path(id): Path<String>) -> Answer {
    let (state, _) = caller.lock();
    let file = state.files.find(&id).ok_or_else(Refusal::not_found)?;
    Ok(([(header::CONTENT_TYPE, file.content_type.clone())], file.content.clone()).into_response())
}

/// `DELETE /files/{id}`
pub(super) async fn delete(caller: Caller, Path(id): Path<String>) -> Answer {
    let files = &mut caller.lock().0.files;
    let at = files.kept.iter().position(|file| file.id == id).ok_or_else(Refusal::not_found)?;
    files.bytes -= files.kept.remove(at).map_or(0, |file| file.content.len());
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn file_json(file: &File, origin: &str) -> Value {
    let date = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.content.len(),
        "etag": file.id,
        "checksums": {},
        "metadata": {},
        "created_at": date(file.created_at),
        "expires_at": date(file.created_at + TimeDelta::hours(24)),
        "urls": {"get": format!("{origin}/v1/files/{}", file.id)},
    })
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// The `content` part of a form.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    name: String,
    content_type: String,
    content: Bytes,
}

impl Part {
    /// Reads as much of `multipart/form-data` (RFC 7578) as one file takes.
    fn find(kind: &str, body: &Bytes) -> Option<Self> {
        let (_, boundary) = kind.strip_prefix("multipart/form-data")?.split_once("boundary=")?;
        let boundary = boundary.split(';').next()?.trim().trim_matches('"');
        let delimiter = format!("--{boundary}");
        let mut at = position(body, delimiter.as_bytes(), 0)? + delimiter.len();
        let delimiter = format!("\r\n{delimiter}");
        loop {
            let head_end = position(body, b"\r\n\r\n", at)?;
            let end = position(body, delimiter.as_bytes(), head_end + 2)?;
            let head = String::from_utf8_lossy(&body[at..head_end]);
            if parameter(&head, "name").as_deref() == Some("content") {
                let kind = head.lines().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
                });
                return Some(Self {
                    name: parameter(&head, "filename").unwrap_or_else(|| "file".to_owned()),
                    content_type: kind.unwrap_or_else(|| "application/octet-stream".to_owned()),
                    content: body.slice(head_end + 4..end.max(head_end + 4)),
                });
            }
            at = end + delimiter.len();
        }
    }
}

fn parameter(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    rest.split('"').next().map(str::to_owned)
}

fn position(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_a_form_is_found_among_its_parts() {
        let body = Bytes::from_static(
            b"--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n--b\r\n\
              Content-Disposition: form-data; name=\"content\"; filename=\"a.txt\"\r\n\
              Content-Type: text/plain\r\n\r\nh\r\n-i\r\n--b--\r\n",
        );
        let part = Part::find("multipart/form-data; boundary=b", &body).unwrap();
        assert_eq!((part.name.as_str(), part.content_type.as_str()), ("a.txt", "text/plain"));
        assert_eq!(part.content, Bytes::from_static(b"h\r\n-i"));
    }

    #[test]
    fn what_is_no_form_holds_nothing() {
        let find = |kind: &str, body: &'static [u8]| Part::find(kind, &Bytes::from_static(body));
        assert_eq!(find("text/plain", b""), None);
        assert_eq!(find("multipart/form-data; boundary=b", b""), None);
        assert_eq!(find("multipart/form-data; boundary=b", b"--b"), None);
        assert_eq!(find("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n--b"), None);
        assert_eq!(find("multipart/form-data; boundary=", b"----\r\n\r\n--"), None);
    }
}
