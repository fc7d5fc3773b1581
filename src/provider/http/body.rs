//! A body's JSON, bounded in what it takes in memory: a body of `[0,0,0,…]` at the limit of its
//! length would take forty times that as values.

use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// How many values of a body are kept: schemas have some thousands.
const VALUES: usize = 100_000;

/// How many members a large answer may have at its top.
const MEMBERS: usize = 1_000;

/// The body as JSON; none where it isn't. A member of the top that is larger than what may be kept, or
/// nested too deep, reads as empty: what a model puts out must not hide that it did.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    // One this small can't hold too many, and is as a rule what it should be: it is read once.
    if body.len() <= VALUES
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Some(value);
    }
    if !is_object(body) {
        return (values(body) <= VALUES).then(|| serde_json::from_slice(body).ok()).flatten();
    }
    members(body, Members { wanted: None })
}

/// As [`read`], of an object's top only the members that are `wanted`: the others are passed over, and take no
/// memory.
pub(super) fn read_some(body: &[u8], wanted: &[&str]) -> Option<Value> {
    if is_object(body) { members(body, Members { wanted: Some(wanted) }) } else { read(body) }
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn members(body: &[u8], members: Members<'_>) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let members = reader.deserialize_map(members).ok()?;
    reader.end().ok()?;
    Some(Value::Object(members))
}

/// Reads the top of a body.
#[derive(Clone, Copy)]
struct Members<'a> {
    /// All, where it isn't said which.
    wanted: Option<&'a [&'a str]>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut body: A) -> Result<Self::Value, A::Error> {
        let (mut members, mut left) = (Map::new(), VALUES);
        while let Some(key) = body.next_key::<String>()? {
            if members.len() == MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            if self.wanted.is_some_and(|wanted| !wanted.contains(&key.as_str())) {
                body.next_value::<IgnoredAny>()?;
                continue;
            }
            let member = body.next_value::<&RawValue>()?;
            members.insert(key, keep(member.get(), &mut left));
        }
        Ok(members)
    }
}

/// A member as it is kept, of which `left` values may be.
fn keep(member: &str, left: &mut usize) -> Value {
    let values = values(member.as_bytes());
    let read = (values <= *left).then(|| serde_json::from_str(member).ok()).flatten();
    match (read, member.as_bytes().first()) {
        (Some(value), _) => {
            *left -= values;
            value
        }
        (None, Some(b'[')) => Value::Array(Vec::new()),
        (None, Some(b'{')) => Value::Object(Map::new()),
        (None, _) => Value::Null,
    }
}

/// How many values there are at the most in a text that may be JSON: as many as it has openings, and
/// commas between them, outside of its strings.
fn values(text: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' | b',' if !in_string => values += 1,
            _ => {}
        }
        escaped = in_string && !escaped && *byte == b'\\';
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(text: &str) -> Option<Value> {
        read(text.as_bytes())
    }

    #[test]
    fn a_usual_body_is_read_whole() {
        let body = json!({
            "id": "p", "status": "succeeded", "error": null, "metrics": {"predict_time": 0.5},
            "output": ["a, [b] {c}", "\"quoted\", \\"], "nested": [[{"a": [1, 2]}]],
        });
        assert_eq!(text(&format!(" \n{body} ")), Some(body));
        assert_eq!(text("[1, 2]"), Some(json!([1, 2])));
        assert_eq!(text("\"a\""), Some(json!("a")));
        for none in ["", " ", "<html>", "{", "{\"a\":1", "{\"a\":1} x", "{\"a\":}", "{a:1}", "[1", "nul"] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_hides_nothing_else() {
        let many = format!("[{}0]", "0,".repeat(VALUES));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for output in [&many, &deep] {
            let read = text(&format!(r#"{{"output":{output},"status":"succeeded"}}"#)).unwrap();
            assert_eq!(read, json!({"output": [], "status": "succeeded"}));
            assert_eq!(text(output), None);
        }
        let object = format!(r#"{{"a":{}1{},"b":2}}"#, r#"{"a":"#.repeat(200), "}".repeat(200));
        assert_eq!(text(&object), Some(json!({"a": {}, "b": 2})));
        let surrogate = r#"{"a":"\ud800","b":2}"#;
        assert_eq!(text(surrogate), Some(json!({"a": null, "b": 2})));
    }

    #[test]
    fn what_is_kept_is_bounded_in_all() {
        let half = format!("[{}0]", "0,".repeat(VALUES / 2));
        let read = text(&format!(r#"{{"a":{half},"b":{half},"c":3}}"#)).unwrap();
        assert_eq!(read["a"].as_array().unwrap().len(), VALUES / 2 + 1);
        assert_eq!((&read["b"], &read["c"]), (&json!([]), &json!(3)));
        let members: Vec<String> = (0..=MEMBERS).map(|n| format!("\"k{n}\":{n}")).collect();
        let large =
            |members: &[String]| text(&format!("{{\"a\":\"{}\",{}}}", "x".repeat(VALUES), members.join(",")));
        assert_eq!(large(&members[1..]), None);
        assert!(large(&members[2..]).is_some());
    }

    #[test]
    fn what_is_not_wanted_is_passed_over() {
        let some = |text: &str| read_some(text.as_bytes(), &["id", "output"]);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(r#" {{"logs":{deep},"id":"p","input":{{"id":1}},"output":[1]}} "#);
        assert_eq!(some(&body), Some(json!({"id": "p", "output": [1]})));
        assert_eq!(some("{}"), Some(json!({})));
        assert_eq!(some("[{\"id\":1}]"), Some(json!([{"id": 1}])));
        for none in ["", "{", r#"{"logs":}"#, r#"{"id":1}x"#, r#"{"logs":[}"#] {
            assert_eq!(some(none), None, "{none}");
        }
    }

    #[test]
    fn a_comma_in_a_string_is_no_value() {
        assert_eq!(values(br#"{"a":",,,[[[","b\"":[1,2]}"#), 5);
        assert_eq!(values(br#""\\","#), 2);
    }
}
