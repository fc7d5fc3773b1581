use super::*;
use serde_json::json;

fn read(bytes: &[u8], wanted: Wanted) -> Body {
    let whole = in_pieces(bytes, bytes.len().max(1), wanted);
    if bytes.len() < 10_000 {
        for size in [1, 2, 7] {
            assert_eq!(in_pieces(bytes, size, wanted).json, whole.json, "in pieces of {size}");
        }
    }
    whole
}

fn in_pieces(bytes: &[u8], size: usize, wanted: Wanted) -> Body {
    let mut reader = Reader::new(wanted);
    for piece in bytes.chunks(size) {
        reader.feed(piece).unwrap();
        assert!(reader.kept() <= KEPT);
    }
    reader.end()
}

fn json_of(text: &str) -> Option<Value> {
    read(text.as_bytes(), None).json
}

#[test]
fn a_usual_body_is_read_whole() {
    let body = json!({
        "id": "p", "status": "succeeded", "error": null, "metrics": {"predict_time": 0.5}, "ok": true, "n": -1.5e3,
        "output": ["a, [b] {c}", "\"quoted\", \\"], "nested": [[{"a": [1, 2]}]], "\u{e9}\"key": {}, "empty": "",
    });
    assert_eq!(json_of(&format!(" \n{body} ")), Some(body.clone()));
    assert_eq!(json_of(&serde_json::to_string_pretty(&body).unwrap()), Some(body));
    assert_eq!(json_of("{}"), Some(json!({})));
    assert_eq!(json_of("[1, 2]"), Some(json!([1, 2])));
    assert_eq!(json_of("\"a\""), Some(json!("a")));
    for none in [
        "",
        " ",
        "<html>",
        "{",
        "{\"a\":1",
        "{\"a\":1} x",
        "{\"a\":}",
        "{a:1}",
        "[1",
        "nul",
        "{,}",
        "{\"a\" 1}",
    ] {
        assert_eq!(json_of(none), None, "{none}");
    }
    for none in ["{\"a\":1,}", "{\"a\":1 2}", "{\"a\":1}}", "{\"a\":1}{}", "{\"a\":\"b}", "{\"a\"}"] {
        assert_eq!(json_of(none), None, "{none}");
    }
}

#[test]
fn the_start_of_any_body_is_kept_as_text() {
    assert_eq!(read(b"no available server", None).start(), "no available server");
    assert_eq!(read(b"<p>\xff</p>", None).start(), "<p>\u{fffd}</p>");
    assert_eq!(read(b"{\"a\":1}", None).start(), "{\"a\":1}");
    assert_eq!(read(&b"x".repeat(KEPT), None).start().len(), START - CUT);
    let mut reader = Reader::new(None);
    assert_eq!(reader.feed(&b"x".repeat(KEPT + 1)), Err(TooLarge(KEPT)));
}

#[test]
fn an_output_of_any_size_hides_nothing_beside_it() {
    let large = "x".repeat(KEPT);
    let many = format!("[{}0]", "0,".repeat(VALUES));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (output, empty) in [(format!("\"{large}\""), json!("")), (many, json!([])), (deep, json!([]))] {
        let body = format!(r#"{{"id":"p","output":{output},"status":"succeeded"}}"#);
        let expected = json!({"id": "p", "output": empty, "status": "succeeded"});
        assert_eq!(json_of(&body).as_ref(), Some(&expected));
        let wanted = read(body.as_bytes(), Some(&["id", "status"]));
        assert_eq!(wanted.json, Some(expected));
    }
}

#[test]
fn a_member_that_is_no_json_spoils_no_other() {
    for (output, empty) in [
        ("[NaN, 1]", json!([])),
        ("NaN", json!(null)),
        ("-Infinity", json!(0)),
        ("{\"a\": Infinity}", json!({})),
        (r#""\ud800""#, json!("")),
        ("tru", json!(true)),
    ] {
        let body = format!(r#"{{"output": {output}, "status": "succeeded"}}"#);
        assert_eq!(json_of(&body), Some(json!({"output": empty, "status": "succeeded"})), "{output}");
    }
    let bytes = read(
        b"\xef\xbb\xbf {\"output\": \"\xff\xfe\", \"status\": \"failed\", \"error\": \"caf\xe9\"}",
        None,
    );
    assert_eq!(
        bytes.json,
        Some(json!({"output": "\u{fffd}\u{fffd}", "status": "failed", "error": "caf\u{fffd}"}))
    );
    assert_eq!(read(b"\xef\xbb\xbf[1]", None).json, Some(json!([1])));
}

#[test]
fn what_is_not_wanted_leaves_an_empty_value() {
    let body =
        br#"{"logs":"x","id":"p","input":{"id":1},"output":null,"list":[1],"n":7,"yes":true,"id\u0020":1}"#;
    let kept = read(body, Some(&["id"])).json;
    let expected = json!({"logs": "", "id": "p", "input": {}, "output": null, "list": [], "n": 0, "yes": true, "id ": 0});
    assert_eq!(kept, Some(expected));
}

#[test]
fn what_is_kept_is_bounded_in_all() {
    let half = format!("[{}0]", "0,".repeat(VALUES / 2));
    let read = json_of(&format!(r#"{{"a":{half},"b":{half},"c":3}}"#)).unwrap();
    assert_eq!(read["a"].as_array().unwrap().len(), VALUES / 2 + 1);
    assert_eq!((&read["b"], &read["c"]), (&json!([]), &json!(3)));
    let members: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":{n}")).collect();
    assert_eq!(json_of(&format!("{{{}}}", members.join(","))).unwrap().as_object().unwrap().len(), 1_000);
    let key = "k".repeat(100_000);
    assert_eq!(json_of(&format!(r#"{{"a":1,"{key}":[2],"b":3}}"#)), Some(json!({"a": 1, "b": 3})));
    let halves = format!(r#"{{"a":"{0}","b":"{0}","c":3}}"#, "x".repeat(KEPT * 2 / 3));
    let read = json_of(&halves).unwrap();
    assert_eq!(read["a"].as_str().map(str::len), Some(KEPT * 2 / 3));
    assert_eq!((&read["b"], &read["c"]), (&json!(""), &json!(3)));
}

/// What is kept is what a server means; what is shown of it is struck where it is quoted. A word that a server uses
/// may be somebody's secret.
#[test]
fn a_secret_spoils_no_answer_and_is_in_no_start() {
    let secret = "setup-time-and-status";
    crate::secrets::Secret::new(secret);
    let body = format!(r#"{{"status":"{secret}"}}"#);
    assert_eq!(json_of(&body), Some(json!({"status": secret})));
    assert_eq!(read(body.as_bytes(), None).start(), r#"{"status":"[secret]"}"#);
    let cut = format!("{}{secret}", " ".repeat(START - 10));
    assert!(!read(cut.as_bytes(), None).start().contains("setup"));
}

#[test]
fn a_comma_in_a_string_is_no_value() {
    assert_eq!(values(br#"{"a":",,,[[[","b\"":[1,2]}"#), 5);
    assert_eq!(values(br#""\\","#), 2);
}
