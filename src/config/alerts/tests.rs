//! `[[alerts]]`: what is taken, what is refused, and what is said then.

use super::*;
use crate::config::alert::{Format, Target};
use crate::config::{Config, Env, Problems, check_text};
use crate::hours::zone::Zones;
use std::path::Path;

fn checked(text: &str) -> Result<Config, Problems> {
    let text = format!("{text}\n[models.llama]\ncog = \"http://box:5000\"\nactive = [\"always\"]\n");
    let loaded = check_text(Path::new("warm.toml"), &text, &Env::default(), &Zones::built_in());
    loaded.map(|loaded| loaded.config)
}

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// What is wrong, each in a line.
fn refused(alert: &str) -> Vec<String> {
    let problems = checked(alert).unwrap_err();
    problems.0.iter().map(|problem| format!("{} {}", problem.line, problem.message)).collect()
}

#[test]
fn the_least_that_works_tells_of_everything_at_once() {
    let config = checked("[[alerts]]\nwebhook = \"https://example.com/hook\"\n").unwrap();
    let alert = &*config.alerts[0];
    assert_eq!((alert.name.as_str(), &alert.when, &alert.models), ("alert-1", &When::all(), &None));
    assert_eq!((alert.after, alert.repeat, alert.enabled), (After::Count(1), None, true));
    assert_eq!(alert.target.place(), "https://example.com");
}

#[test]
fn every_key_is_read() {
    let config = checked(
        "[[alerts]]\nname = \"ops\"\nwhen = [\"cold\", \"recovered\"]\nmodels = [\"llama\"]\n\
         after = \"2m\"\nrepeat = \"4h\"\nwebhook_env = \"HOOK\"\nwebhook_file = \"/hook\"\n\
         format = \"ntfy\"\ntoken_env = \"TOKEN\"\ntimeout = \"30s\"\nenabled = false\n\
         [[alerts]]\ncommand = [\"tell\", \"me\"]\nafter = 3\n",
    )
    .unwrap();
    let [ops, second] = config.alerts.as_slice() else { panic!("{:?}", config.alerts) };
    assert_eq!(ops.when.names(), ["cold", "recovered"]);
    assert_eq!((ops.after, ops.repeat), (After::Lasting(minutes(2)), Some(minutes(240))));
    assert_eq!(ops.target.place(), "the URL in $HOOK or /hook");
    assert_eq!((ops.target.format(), ops.enabled), (Some(Format::Ntfy), false));
    assert!(ops.models.as_ref().is_some_and(|names| names.len() == 1));
    assert_eq!((second.name.as_str(), second.after), ("alert-2", After::Count(3)));
    assert_eq!(second.target, Target::Command(vec!["tell".to_owned(), "me".to_owned()]));
}

#[test]
fn every_mistake_of_an_alert_is_told_at_once_in_its_place() {
    let told = refused(
        "[[alerts]]\nname = \"-\"\nwhen = [\"cold\", \"faling\"]\nmodels = [\"lama\"]\nafter = 0\n\
         repeat = \"1s\"\nwebhook = \"ftp://hush\"\nformat = \"slak\"\ntimeout = \"1h\"\nafer = 1\n",
    );
    let parts = [
        "2 `name`: a name starts with",
        "3 `when`: there is no `faling`; did you mean \"failing\"?",
        "4 `models`: no model is called `lama`; did you mean \"llama\"?",
        "5 `after`: as a number, from 1 to 1000000",
        "6 `repeat`: 1s is too short: at least 1m",
        "7 `webhook`: it is no URL that begins with http:// or https://",
        "8 `format`: there is no such format; did you mean \"slack\"?",
        "9 `timeout`: 1h is too long: at most 5m",
        "10 unknown key `afer` in [alerts[1]]; did you mean `after`?",
    ];
    assert_eq!(told.len(), parts.len(), "{told:#?}");
    for (told, part) in told.iter().zip(parts) {
        assert!(told.starts_with(part), "{told}\nis not\n{part}");
    }
    assert!(!told.concat().contains("hush"), "{told:#?}");
}

#[test]
fn an_alert_goes_to_one_place() {
    for (alert, said) in [
        ("", "1 this alert says nothing of where to tell it"),
        ("webhook = \"http://a\"\ncommand = [\"b\"]", "3 `command`: an alert goes to one place"),
        ("webhook = \"http://a\"\nwebhook_env = \"B\"", "3 `webhook_env`: an alert goes to one place"),
        ("command = [\"b\"]\nformat = \"slack\"", "3 `format`: a command takes the event as JSON"),
        ("command = [\"b\"]\ntoken_env = \"B\"", "3 `token_env`: a command takes the event as JSON"),
        ("command = []", "2 `command`: the program is missing"),
        ("command = [\"./b\"]", "2 `command`: the program's path begins with `/`"),
        ("command = \"b\"", "2 `command`: a string is no list"),
        ("webhook = \"http://a/b/c\"\nformat = \"ntfy\"", "2 `webhook`: with format = \"ntfy\""),
        ("webhook = \"http://a\"\nwhen = []", "3 `when`: this alert would tell of nothing"),
        ("webhook = \"http://a\"\nwhen = [\"recovered\"]", "3 `when`: what is not told of"),
        ("webhook = \"http://a\"\nmodels = []", "3 `models`: this alert would be of no model"),
        ("url = \"http://hush\"", "2 unknown key `url` in [alerts[1]]; it is called `webhook` here"),
    ] {
        let told = refused(&format!("[[alerts]]\n{alert}\n"));
        assert_eq!(told.len(), 1, "{alert}: {told:#?}");
        assert!(told[0].starts_with(said), "{alert}: {told:#?}");
        assert!(!told[0].contains("hush"), "{told:#?}");
    }
    let twice = "[[alerts]]\nname = \"a\"\ncommand = [\"b\"]\n[[alerts]]\nname = \"a\"\ncommand = [\"b\"]\n";
    assert_eq!(
        refused(twice),
        ["5 two alerts are called `a` (first in line 2); give one of them another `name`"]
    );
    let told = refused("[alerts]\nwebhook = \"http://a\"\n");
    assert!(told[0].starts_with("1 `alerts`: a single table stands where tables should"), "{told:?}");
}

/// What is warned of, a line each.
fn warned(alert: &str) -> Vec<String> {
    let text = format!("{alert}\n[models.llama]\ncog = \"http://127.0.0.1:5000\"\nactive = [\"always\"]\n");
    let loaded = check_text(Path::new("warm.toml"), &text, &Env::default(), &Zones::built_in()).unwrap();
    loaded.warnings.iter().map(|problem| format!("{} {}", problem.line, problem.message)).collect()
}

#[test]
fn a_webhook_in_the_clear_is_warned_of_and_taken() {
    for (alert, what) in [
        ("webhook = \"http://hooks.lan/hush\"", "the URL and all"),
        ("webhook = \"http://10.0.0.7/hush\"\ntoken_env = \"TOKEN\"", "the URL, the token and all"),
    ] {
        let told = warned(&format!("[[alerts]]\n{alert}\n"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("2 `webhook`: {what} that is posted there travel")), "{told:?}");
        assert!(told[0].contains("use https://") && !told[0].contains("hush"), "{told:?}");
    }
    for url in ["https://hooks.lan/x", "http://127.0.0.1/x", "http://localhost:8080/x"] {
        let told = warned(&format!("[[alerts]]\nwebhook = \"{url}\"\ntoken_env = \"TOKEN\"\n"));
        assert!(told.is_empty(), "{told:?}");
    }
}

#[test]
fn a_secret_is_drawn_nowhere() {
    for line in [
        "webhook = \"https://hooks.slack.com/services/T/B/hush\"\ntimeuot = 1",
        "webhok = \"https://example.com/hush\"",
        "webhook = \"https://example.com/hush",
        "webhook_env = \"https://example.com/hush\"",
        "name = \"https://hooks.slack.com/services/T/B/hush\"",
    ] {
        let drawn = checked(&format!("[[alerts]]\n{line}\n")).unwrap_err().render(false, 100);
        assert!(!drawn.contains("hush"), "{line}:\n{drawn}");
    }
}
