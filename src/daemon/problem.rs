//! Why a request was not answered as asked: `application/problem+json`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// One refusal.
#[derive(Debug)]
pub(super) struct Problem {
    /// The answer's status.
    pub(super) status: StatusCode,
    /// What is wrong, in few words.
    pub(super) title: &'static str,
    /// What is wrong, in a sentence that says what to do.
    pub(super) detail: String,
    /// Further members.
    pub(super) more: Option<Value>,
}

impl Problem {
    /// One without further members.
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl std::fmt::Display) -> Self {
        Self { status, title, detail: detail.to_string(), more: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(body), Some(Value::Object(more))) = (body.as_object_mut(), self.more) {
            body.extend(more);
        }
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}
