//! What a refused request is answered with, as Replicate words it.

use super::schema::InvalidField;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// An answer that ends a request early.
#[derive(Debug)]
pub(super) struct Refusal(Box<Response>);

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

/// Where a 429 says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Header,
    Body,
    Text,
    /// In all three, as the newest replies do.
    All,
}

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// An answer that is JSON.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn problem(status: StatusCode, title: &str, detail: &str) -> Value {
    json!({"title": title, "detail": detail, "status": status.as_u16()})
}

fn problem_answer(status: StatusCode, body: &Value) -> Refusal {
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response().into()
}

impl Refusal {
    pub(super) fn unauthenticated() -> Self {
        let status = StatusCode::UNAUTHORIZED;
        let detail = "You did not pass a valid authentication token";
        problem_answer(status, &problem(status, "Unauthenticated", detail))
    }

    pub(super) fn no_credit() -> Self {
        let status = StatusCode::PAYMENT_REQUIRED;
        let detail = "You have insufficient credit to run this model.";
        problem_answer(status, &problem(status, "Insufficient credit", detail))
    }

    pub(super) fn not_found() -> Self {
        let body = json!({"detail": "The requested resource could not be found.", "status": 404});
        json_answer(StatusCode::NOT_FOUND, &body).into()
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        json_answer(StatusCode::BAD_REQUEST, &json!({"detail": detail, "status": 400})).into()
    }

    pub(super) fn invalid_version() -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = "The specified version does not exist (or perhaps you don't have permission to use it?)";
        problem_answer(status, &problem(status, "Invalid version or not permitted", detail))
    }

    pub(super) fn invalid_input(fields: &[InvalidField]) -> Self {
        let line = |field: &InvalidField| format!("- {}: {}\n", field.field, field.description);
        let detail: String = fields.iter().map(line).collect();
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut body = problem(status, "Input validation failed", &detail);
        let told = |f: &InvalidField| json!({"type": f.rule, "field": f.field, "description": f.description});
        body["invalid_fields"] = fields.iter().map(told).collect();
        problem_answer(status, &body)
    }

    pub(super) fn throttled(form: Form, wait: Duration) -> Self {
        let seconds = (wait.as_secs_f64().ceil() as u64).max(1);
        let mut body = match form {
            Form::Header | Form::Body => json!({"detail": "Request was throttled."}),
            Form::Text | Form::All => {
                json!({"detail": format!("Request was throttled. Your rate limit resets in ~{seconds}s.")})
            }
        };
        if matches!(form, Form::Body | Form::All) {
            body["status"] = json!(429);
            body["retry_after"] = json!(seconds);
        }
        let mut response = json_answer(StatusCode::TOO_MANY_REQUESTS, &body);
        if matches!(form, Form::Header | Form::All) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.into()
    }

    pub(super) fn server_error() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        problem_answer(status, &problem(status, "Internal server error", "Something went wrong."))
    }

    pub(super) fn bad_gateway() -> Self {
        let page = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\n";
        (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response().into()
    }

    pub(super) fn garbage(status: StatusCode) -> Self {
        let body = "{\"id\": \"half an ans";
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response().into()
    }
}
