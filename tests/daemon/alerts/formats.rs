//! The shapes that receivers take, as they come; the documents show them so. And what is secret of the way.

use super::moody::{Mood, Moody};
use super::receiver::Receiver;
use crate::support::{Home, PATIENCE, TOKEN, wait_until};
use serde_json::Value;
use std::fs;

const DOCUMENT: &str = include_str!("../../../docs/alerts.md");

/// The example of a format in the document.
fn example(format: &str) -> Value {
    let heading = format!("### `{format}`\n");
    let (_, section) = DOCUMENT.split_once(&heading).unwrap_or_else(|| panic!("no section on {format}"));
    let (_, block) = section.split_once("```json\n").unwrap();
    serde_json::from_str(block.split_once("```").unwrap().0).unwrap()
}

/// Each value by what kind it is: the document's times, figures and names are others.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

#[test]
fn each_format_is_what_the_document_shows() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let alert = |format: &str| receiver.alert(format, &format!("format = \"{format}\"\nwhen = [\"cold\"]"));
    let formats = ["json", "slack", "discord", "ntfy"];
    let alerts: String = formats.iter().map(|format| alert(format)).collect();
    let home = Home::at_trace(&(alerts + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    let _warmd = home.start();
    receiver.wait_for(4);
    let of = |path: &str| receiver.heard().into_iter().find(|heard| heard.path == path).unwrap();
    // ntfy takes JSON at its root, where the topic is within it.
    for (format, path) in formats.iter().zip(["/json", "/slack", "/discord", "/"]) {
        let heard = of(path);
        assert_eq!(shape(&heard.body), shape(&example(format)), "{format}: {}", heard.body);
        assert_eq!(heard.headers["content-type"], "application/json");
    }
    assert_eq!(of("/").body["topic"], "ntfy");
    // Each field of the event has its line.
    for field in of("/json").body.as_object().unwrap().keys() {
        assert!(DOCUMENT.contains(&format!("| `{field}` |")), "{field} is not documented");
    }
}

#[test]
fn the_address_of_a_webhook_and_its_token_are_nowhere_but_in_the_request() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    let secret = "T0000/B0000/hushhushhushhush";
    let home = Home::at_trace(&cogs.always("llama"));
    // Names that begin so hold secrets on purpose.
    fs::write(home.path("token-url"), receiver.url(&format!("/services/{secret}"))).unwrap();
    fs::write(home.path("token"), TOKEN).unwrap();
    let own = format!(
        "webhook_file = \"{}\"\ntoken_file = \"{}\"",
        home.path("token-url").display(),
        home.path("token").display()
    );
    let gone = format!("[[alerts]]\nname = \"gone\"\nwebhook = \"http://127.0.0.1:1/services/{secret}\"\n");
    let alerts = format!("{gone}\n[[alerts]]\nname = \"ops\"\n{own}\n\n");
    home.write(&(alerts + &cogs.always("llama")));
    cogs.is("llama", Mood::Cold);
    // It repeats the path in what it says.
    receiver.does(super::receiver::Conduct::Answers(500, Vec::new(), format!("no /services/{secret} here")));
    let warmd = home.start();
    warmd.tells(&["alert ops: not sent", "500"]);
    warmd.tells(&["alert gone: not sent", "refused"]);
    let mut shown = String::new();
    for arguments in
        [&["check"][..], &["check", "--json"], &["status"], &["status", "--json"], &["alert", "test"]]
    {
        let output = home.ctl(arguments);
        shown.push_str(&String::from_utf8_lossy(&output.stdout));
        shown.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    assert!(shown.contains("http://127.0.0.1:1") && !shown.contains("hushhush"), "{shown}");
    receiver.does(super::receiver::Conduct::Takes);
    receiver.wait_for(1);
    let heard = receiver.heard().pop().unwrap();
    assert_eq!(heard.path, format!("/services/{secret}"));
    assert_eq!(heard.headers["authorization"], format!("Bearer {TOKEN}"));
    // A file that is wrong elsewhere is drawn without it too.
    home.write(&format!("{gone}timeuot = \"1s\"\n{}", cogs.always("llama")));
    let refused = home.ctl(&["check"]);
    assert_eq!(refused.status.code(), Some(78));
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("hushhush"));
    wait_until("it is refused", PATIENCE, || !home.status()["daemon"]["config_error"].is_null());
    assert!(!warmd.log().concat().contains("hushhush"), "it is logged");
    fs::write(home.config(), "").unwrap();
    assert!(warmd.stop().success());
    for file in ["warmd.db", "warmd.db-wal", "warmd.db-tail"] {
        let bytes = fs::read(home.path(file)).unwrap_or_default();
        assert!(!bytes.windows(8).any(|window| window == b"hushhush"), "it is in {file}");
    }
}
