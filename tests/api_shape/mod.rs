//! The shape of Replicate's HTTP API, as far as warmd uses it: one table of calls, against which
//! every recorded request is held.

#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

use serde_json::Value;

/// A request as a server received it.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: String,
    /// Below the API's base, so without `/v1`.
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A call of the API.
struct Call {
    method: &'static str,
    /// Segments in braces stand for what [`fits`] says.
    path: &'static str,
    body: Body,
}

enum Body {
    None,
    /// Creates a prediction, and so may bear the headers of one.
    Create {
        required: &'static [&'static str],
    },
}

/// Every call that warmd may send.
const CALLS: [Call; 9] = [
    Call { method: "GET", path: "/account", body: Body::None },
    Call { method: "GET", path: "/models/{owner}/{name}", body: Body::None },
    Call { method: "GET", path: "/models/{owner}/{name}/versions/{version}", body: Body::None },
    Call { method: "GET", path: "/deployments/{owner}/{name}", body: Body::None },
    Call { method: "GET", path: "/predictions/{id}", body: Body::None },
    Call { method: "POST", path: "/predictions/{id}/cancel", body: Body::None },
    Call { method: "POST", path: "/predictions", body: Body::Create { required: &["version", "input"] } },
    Call {
        method: "POST",
        path: "/models/{owner}/{name}/predictions",
        body: Body::Create { required: &["input"] },
    },
    Call {
        method: "POST",
        path: "/deployments/{owner}/{name}/predictions",
        body: Body::Create { required: &["input"] },
    },
];

/// What a create's body may have besides what it must have.
const OPTIONAL_KEYS: [&str; 3] = ["webhook", "webhook_events_filter", "stream"];

/// What any request may bear.
const PLAIN_HEADERS: [&str; 8] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "authorization",
];

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `METHOD /path`.
    pub fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What is wrong with a request, a sentence each.
pub fn violations(request: &Recorded) -> Vec<String> {
    let Some(call) =
        CALLS.iter().find(|call| call.method == request.method && fits(call.path, &request.path))
    else {
        return vec![format!("{}: no such call", request.call())];
    };
    let mut found = Vec::new();
    if request.query.is_some() {
        found.push("takes no query".to_owned());
    }
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if token.is_none_or(|token| token.is_empty() || token.contains(char::is_whitespace)) {
        found.push("needs Authorization: Bearer and a token".to_owned());
    }
    let create = matches!(call.body, Body::Create { .. });
    for (name, value) in &request.headers {
        let valid = match name.as_str() {
            "prefer" => create && is_wait(value),
            "cancel-after" => create && seconds(value).is_some_and(|seconds| seconds >= 5),
            "content-type" => value == "application/json",
            other => PLAIN_HEADERS.contains(&other),
        };
        if !valid {
            found.push(format!("must not bear {name}: {value}"));
        }
    }
    match call.body {
        Body::None if !request.body.is_empty() => found.push("takes no body".to_owned()),
        Body::None => {}
        Body::Create { required } => found.extend(of_create(request, required)),
    }
    found.into_iter().map(|what| format!("{} {what}", request.call())).collect()
}

fn of_create(request: &Recorded, required: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if request.header("content-type").is_none() {
        found.push("needs Content-Type: application/json".to_owned());
    }
    let body = request.json();
    let Some(body) = body.as_object() else {
        found.push("needs a JSON object as its body".to_owned());
        return found;
    };
    for key in required.iter().filter(|key| !body.contains_key(**key)) {
        found.push(format!("needs {key} in its body"));
    }
    for key in body.keys().filter(|key| !required.contains(&key.as_str())) {
        if !OPTIONAL_KEYS.contains(&key.as_str()) {
            found.push(format!("takes no {key} in its body"));
        }
    }
    match body.get("input").and_then(Value::as_object) {
        None => found.push("needs an object as its input".to_owned()),
        Some(input) if input.values().any(Value::is_null) => {
            found.push("must not send null in its input".to_owned());
        }
        Some(_) => {}
    }
    if let Some(version) = body.get("version") {
        let version = version.as_str().unwrap_or_default();
        let (model, id) = version.rsplit_once(':').map_or((None, version), |(model, id)| (Some(model), id));
        let named =
            |model: &str| model.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name));
        let valid = (is_version(id) && model.is_none_or(named)) || (model.is_none() && named(id));
        if !valid {
            found.push(format!("names no version: {version}"));
        }
    }
    found
}

/// Whether a path is of a pattern.
fn fits(pattern: &str, path: &str) -> bool {
    pattern.split('/').count() == path.split('/').count()
        && pattern.split('/').zip(path.split('/')).all(|(wanted, given)| match wanted {
            "{owner}" | "{name}" => is_name(given),
            "{version}" => is_version(given),
            "{id}" => {
                !given.is_empty() && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            }
            fixed => fixed == given,
        })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_version(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `wait`, or `wait=N` with N from 1 to 60.
fn is_wait(value: &str) -> bool {
    let seconds = |digits: &str| digits.parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds));
    value == "wait" || value.strip_prefix("wait=").is_some_and(seconds)
}

/// `30`, `30s`, `5m`, `1h30m45s`.
fn seconds(value: &str) -> Option<u64> {
    if let Ok(seconds) = value.parse() {
        return Some(seconds);
    }
    let (mut total, mut digits, mut last) = (0, String::new(), u64::MAX);
    for c in value.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        if unit >= last {
            return None;
        }
        total += digits.parse::<u64>().ok()? * unit;
        digits.clear();
        last = unit;
    }
    (digits.is_empty() && last < u64::MAX).then_some(total)
}

/// Fails with every violation of every request.
pub fn assert_shapes(requests: &[Recorded]) {
    let found: Vec<String> = requests.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "requests that the API does not take:\n{}", found.join("\n"));
}
