//! Every key of `warm.toml`: what it takes, what it refuses, and what is said then.

#![expect(clippy::unwrap_used, reason = "what a test unwraps is what it tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use warmd::config::value::TokenSource;
use warmd::config::{self, ColdAfter, Config, Env, Lead, Loaded, Probe, Problems};
use warmd::hours::zone::Zones;

fn check_in(text: &str, env: &Env) -> Result<Loaded, Problems> {
    config::check_text(Path::new("warm.toml"), text, env, &Zones::built_in())
}

fn check(text: &str) -> Result<Loaded, Problems> {
    check_in(text, &Env::default())
}

fn config(text: &str) -> Config {
    check(text).unwrap_or_else(|problems| panic!("{}", problems.render(false, 100))).config
}

const MODEL: &str = "[models.m]\ncog = \"http://box:5000\"\nactive = [\"always\"]\n";

/// A file in which `line` stands in `section`, and all else is right.
fn with(section: &str, line: &str) -> String {
    match section {
        "models.m" if line.starts_with("active") => {
            format!("[models.m]\ncog = \"http://box:5000\"\n{line}\n")
        }
        "models.m" if line.starts_with("cog") => format!("[models.m]\nactive = [\"always\"]\n{line}\n"),
        "models.m" if line.starts_with("replicate") || line.starts_with("deployment") => {
            format!("[models.m]\nactive = [\"always\"]\n{line}\n")
        }
        "models.m" => format!("{MODEL}{line}\n"),
        "hours.h" if line.starts_with("open") => format!("[hours.h]\n{line}\n{MODEL}"),
        "hours.h" => format!("[hours.h]\nopen = [\"always\"]\n{line}\n{MODEL}"),
        _ => format!("[{section}]\n{line}\n{MODEL}"),
    }
}

/// That a line is refused with one problem, of which the message holds `expected`.
fn refused(section: &str, line: &str, expected: &str) {
    let text = with(section, line);
    let problems = match check(&text) {
        Err(problems) => problems.0,
        Ok(_) => panic!("accepted: [{section}] {line}"),
    };
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 1, "[{section}] {line}: {messages:#?}");
    assert!(messages[0].contains(expected), "[{section}] {line}: {}", messages[0]);
    let (key, at) = (line.split(' ').next().unwrap(), text.lines().position(|other| other == line).unwrap());
    assert_eq!(problems[0].line as usize, at + 1, "[{section}] {line}");
    assert_eq!(problems[0].key, format!("{section}.{key}"), "[{section}] {line}");
}

#[test]
fn the_least_that_works_has_every_default() {
    let env = Env::from([("HOME", "/home/me")]);
    let config = check_in(MODEL, &env).unwrap().config;
    assert_eq!(config.daemon.state, Path::new("/home/me/.local/state/warmd/warmd.db"));
    assert_eq!(config.daemon.socket, Path::new("/home/me/.local/state/warmd/warmd.sock"));
    assert_eq!(config.daemon.listen, "127.0.0.1:9845".parse().ok());
    assert_eq!(config.daemon.retention, Duration::from_hours(90 * 24));
    assert_eq!(config.daemon.shutdown_grace, Duration::from_secs(20));
    assert_eq!(config.replicate.base_url.as_str(), "https://api.replicate.com/v1");
    assert_eq!(config.replicate.creates_per_minute, 300);
    assert_eq!(config.replicate.token, TokenSource::replicate());
    let model = &config.models[0];
    assert_eq!((model.interval, model.timeout), (Duration::from_secs(30), Duration::from_mins(10)));
    assert_eq!((model.lead, model.cold_after, model.calibrate), (Lead::Auto, ColdAfter::Auto, true));
    assert_eq!((model.probe, model.enabled, &model.token), (Probe::Predict, true, &None));
    assert_eq!((model.timezone.as_str(), model.input.len()), ("UTC", 0));
}

#[test]
fn everything_the_contract_has() {
    let config = config(include_str!("config/everything.toml"));
    assert_eq!(config.daemon.state, Path::new("/var/lib/warmd/warmd.db"));
    assert_eq!(config.daemon.listen, None);
    assert_eq!(config.replicate.token.file, Some(PathBuf::from("/etc/token")));
    let [llama, dream, box_] = config.models.as_slice() else { panic!("{:?}", config.models) };
    assert_eq!(
        (llama.name.as_str(), llama.target.kind(), llama.interval.as_secs()),
        ("llama", "replicate", 15)
    );
    assert_eq!(
        (llama.lead, llama.cold_after),
        (Lead::Fixed(Duration::from_mins(2)), ColdAfter::Fixed(Duration::from_millis(2500)))
    );
    assert_eq!((llama.calibrate, dream.calibrate), (true, false));
    assert!(!llama.may_calibrate(), "its cold_after is a duration");
    assert_eq!(llama.timezone, "Asia/Kathmandu");
    assert_eq!(
        serde_json::to_value(&llama.input).unwrap(),
        serde_json::json!({"prompt": "hi", "max_tokens": 1})
    );
    assert_eq!(
        (dream.target.kind(), dream.timezone.as_str(), dream.interval.as_secs()),
        ("deployment", "Europe/Berlin", 20)
    );
    assert_eq!(
        (box_.target.to_string(), box_.probe, box_.enabled),
        ("http://host:5000/a".into(), Probe::Health, false)
    );
    assert_eq!(box_.token.as_ref().and_then(|token| token.env.as_deref()), Some("BOX_TOKEN"));
}

#[test]
fn durations() {
    for key in ["interval", "timeout", "lead", "cold_after"] {
        for section in ["models.m", "defaults"] {
            refused(section, &format!("{key} = 30"), "a number has no unit; write \"30s\" for seconds");
            refused(section, &format!("{key} = 1.5"), "a number has no unit");
            refused(section, &format!("{key} = \"\""), "empty");
            refused(section, &format!("{key} = \"30\""), "the unit is missing: write \"30s\"");
            refused(section, &format!("{key} = \"1x\""), "`x` is no unit");
            if key != "lead" {
                refused(section, &format!("{key} = \"0s\""), "0s is too short");
            }
            refused(section, &format!("{key} = \"400d\""), "400d is too long");
            refused(section, &format!("{key} = true"), "true or false is no duration");
            refused(section, &format!("{key} = [\"30s\"]"), "a list is no duration");
        }
    }
    refused("models.m", "interval = \"999ms\"", "999ms is too short: at least 1s");
    refused("models.m", "interval = \"1d1ms\"", "1d1ms is too long: at most 1d");
    refused("models.m", "timeout = \"999ms\"", "999ms is too short: at least 1s");
    refused("models.m", "timeout = \"2h\"", "2h is too long: at most 1h");
    refused("models.m", "lead = \"automatic\"", "it is neither \"auto\" nor a duration");
    refused("daemon", "retention = \"23h\"", "23h is too short: at least 1d");
    refused("daemon", "retention = \"3651d\"", "3651d is too long: at most 3650d");
    refused("daemon", "retention = \"auto\"", "a whole number is missing before `auto`");
}

#[test]
fn the_daemon() {
    for key in ["state", "socket"] {
        refused("daemon", &format!("{key} = 1"), "a number is no string");
        refused("daemon", &format!("{key} = \" \""), "it is empty");
        refused("daemon", &format!("{key} = \"~/warmd\""), "`~` means nothing here");
        refused("daemon", &format!("{key} = \"/var/lib/\""), "this is a directory's path");
    }
    refused("daemon", &format!("socket = \"/{}\"", "s".repeat(200)), "at most 107 bytes, this has 201");
    refused(
        "daemon",
        "listen = 9845",
        "a number is no string; accepted here: an address such as \"127.0.0.1:9845\", or \"off\"",
    );
    refused("daemon", "listen = \":9845\"", "write \"127.0.0.1:9845\", or \"0.0.0.0:9845\"");
    refused("daemon", "listen = \"localhost:80\"", "write \"127.0.0.1:80\"");
    refused("daemon", "listen = \"127.0.0.1\"", "it is neither an IP address with a port nor \"off\"");
    let same = check(&with("daemon", "state = \"/x/a\"\nsocket = \"/x/a\"")).unwrap_err();
    assert!(same.to_string().contains("can't be the same file"), "{same}");
    assert_eq!(config(&with("daemon", "state = \"/x/a.db\"")).daemon.socket, Path::new("/x/warmd.sock"));
    assert_eq!(config(&with("daemon", "listen = \"[::1]:0\"")).daemon.listen, "[::1]:0".parse().ok());
    let long = Env::from([("XDG_RUNTIME_DIR", format!("/{}", "d".repeat(120)))]);
    let problems = check_in(MODEL, &long).unwrap_err();
    assert!(problems.to_string().contains("a socket's path has at most 107 bytes"), "{problems}");
}

#[test]
fn replicate() {
    refused("replicate", "base_url = \"http://api.replicate.com/v1\"", "the token would travel in the clear");
    refused("replicate", "base_url = \"api.replicate.com\"", "a URL begins with http:// or https://");
    refused("replicate", "base_url = \"https://x/v1?a=b\"", "no place");
    for wrong in ["0", "100001", "-1", "99999999999999999999"] {
        refused(
            "replicate",
            &format!("creates_per_minute = {wrong}"),
            "out of range; accepted here: a whole number from 1 to",
        );
    }
    refused("replicate", "creates_per_minute = \"300\"", "a string is no whole number");
    refused("replicate", "creates_per_minute = 1.5", "a number is no whole number");
    let warned = |line: &str| {
        let loaded = check(&with("replicate", line)).unwrap();
        loaded.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>().join("\n")
    };
    assert!(warned("creates_per_minute = 601").contains("Replicate allows 600"));
    assert_eq!(warned("creates_per_minute = 600"), "");
    assert_eq!(warned("creates_per_minute = 9000\nbase_url = \"http://127.0.0.1:1/v1\""), "");
    assert!(
        warned("base_url = \"https://api.replicate.com\"").contains("write \"https://api.replicate.com/v1\"")
    );
    let url = |line: &str| config(&with("replicate", line)).replicate.base_url.to_string();
    assert_eq!(url("base_url = \"http://localhost:80/v1/\""), "http://localhost/v1");
}

#[test]
fn the_base_url_of_the_environment() {
    let url = |value: &str| check_in(MODEL, &Env::from([("REPLICATE_BASE_URL", value)]));
    for (value, expected) in [
        ("", "https://api.replicate.com/v1"),
        ("https://proxy.example.com", "https://proxy.example.com/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/api", "http://127.0.0.1:8000/api/v1"),
    ] {
        assert_eq!(url(value).unwrap().config.replicate.base_url.as_str(), expected, "{value}");
    }
    let problems = url("http://me:hush@example.com").unwrap_err();
    assert!(
        problems.to_string().contains("$REPLICATE_BASE_URL: a URL has no place for a password"),
        "{problems}"
    );
    assert!(!problems.render(false, 100).contains("hush"));
    let written = with("replicate", "base_url = \"https://x/v1\"");
    assert!(check_in(&written, &Env::from([("REPLICATE_BASE_URL", "nonsense")])).is_ok(), "the file's wins");
}

#[test]
fn tokens_are_named_and_never_told() {
    for section in ["replicate", "models.m"] {
        refused(section, "token_env = \"MY TOKEN\"", "no name of an environment variable");
        refused(section, "token_env = \"$TOKEN\"", "without its `$`");
        refused(section, "token_env = 1", "a number is no string");
        refused(section, "token_file = \"~/token\"", "`~` means nothing here");
        refused(section, "token_credential = \"/run/token\"", "a name, not a path");
        for (line, secret) in [
            ("token = \"r8_hushhushhush\"", "hush"),
            ("api_token = 'correct horse'", "horse"),
            ("token_env = \"r8_hushhushhush\"", "hush"),
            ("token_env = \"0123456789abcdef0123456789\"", "0123"),
            ("token_env = \"Bearer hush\"", "hush"),
            ("token_env = \"correct-horse\"", "horse"),
            ("token_file = \"r8_hushhushhush\"", "hush"),
            ("token_credential = \"r8_hushhushhush\"", "hush"),
            ("tokenenv = \"correct-horse\"", "horse"),
            ("tokn_env = \"correct-horse\"", "horse"),
            ("bearr = \"correcthorsebatterystaple\"", "horse"),
            ("interval = \"r8_hushhushhush\"", "hush"),
            ("timezone = \"r8_hushhushhush\"", "hush"),
            ("token = hushhush", "hush"),
            ("token = \"\"\"\nhush\nhush\n", "hush"),
            ("cog = \"http://me:hush@host\"", "hush"),
        ] {
            let problems = check(&with(section, line)).unwrap_err();
            let shown = format!(
                "{}{problems}{}",
                problems.render(false, 200),
                serde_json::to_string(&problems).unwrap()
            );
            assert!(!shown.contains(secret), "[{section}] {line}:\n{shown}");
        }
    }
    let source = |line: &str| config(&with("replicate", line)).replicate.token;
    assert_eq!(source("token_env = \"A\""), TokenSource { env: Some("A".into()), ..TokenSource::default() });
    assert_eq!(
        source("token_credential = \"replicate-token\"\ntoken_env = \"A\""),
        TokenSource { credential: Some("replicate-token".into()), env: Some("A".into()), file: None }
    );
}

#[test]
fn targets() {
    refused("models.m", "replicate = \"sdxl\"", "the owner is missing; write \"owner/name\"");
    refused("models.m", "replicate = \"a/b:1234\"", "a version has 64 hex digits, this has 4");
    refused("models.m", "replicate = \"https://replicate.com/a/b\"", "write replicate = \"a/b\"");
    refused("models.m", "replicate = [\"a/b\"]", "a list is no string");
    refused("models.m", "deployment = \"a/b:c\"", "a deployment takes no version");
    refused(
        "models.m",
        "cog = \"gpu-box:5000\"",
        "a URL begins with http:// or https://; write one such as \"http://gpu-box:5000\"",
    );
    refused("models.m", "cog = \"http://me:pass@box\"", "no place for a password");
    refused("models.m", "cog = \"http://box/r8_0123456789abcdef\"", "this looks like a secret");
    for path in ["sk-learn-model", "hf_whisper-large-v3", "models/@me/x"] {
        assert!(check(&with("models.m", &format!("cog = \"http://box:5000/{path}\""))).is_ok(), "{path}");
    }
    refused("models.m", "cog = \"http://box?x\"", "no place");
    refused(
        "models.m",
        "cog = \"http://box:5000/a/predictions/\"",
        "`/predictions` is added to this URL, which is the server's base; write \"http://box:5000/a\"",
    );
    let version = "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc";
    for page in [
        format!("r8.im/a/b@sha256:{version}"),
        format!("https://r8.im/a/b@sha256:{version}"),
        format!("a/b@sha256:{version}"),
        format!("https://replicate.com/a/b/versions/{version}"),
        format!("https://replicate.com/a/b/versions/{version}/api?tab=http"),
    ] {
        refused(
            "models.m",
            &format!("replicate = \"{page}\""),
            &format!("write replicate = \"a/b:{version}\""),
        );
    }
    let none = check("[models.m]\nactive = [\"always\"]\n").unwrap_err();
    assert!(none.to_string().contains("says nothing of what is to be kept warm"), "{none}");
    assert_eq!((none.0[0].line, none.0[0].column, none.0[0].key.as_str()), (1, 9, "models.m"));
    let two =
        check(&with("models.m", "deployment = \"a/b\"").replace("active", "cog = \"http://x\"\nactive"))
            .unwrap_err();
    assert!(two.to_string().contains("first in line 2"), "{two}");
    assert_eq!((two.0[0].line, two.0[0].key.as_str()), (4, "models.m.deployment"));
}

#[test]
fn hours() {
    let bad = "there is no time 25:00";
    refused("models.m", "active = [\"25:00-26:00\"]", bad);
    refused("hours.h", "open = [\"25:00-26:00\"]", bad);
    refused("models.m", "closed = [\"25:00-26:00\"]", bad);
    refused("models.m", "active = []", "nothing is ever open");
    refused("defaults", "active = []", "nothing is ever open");
    refused("hours.h", "open = []", "nothing is ever open");
    refused("models.m", "active = \"always\"", "write active = [\"always\"]");
    refused("models.m", "active = [8]", "a number is no string");
    refused("models.m", "active = [\"00:00-00:00\"]", "00:00-24:00");
    refused(
        "models.m",
        "active = [\"office\"]",
        "there are no hours `office`; add [hours.office], or write a window",
    );
    refused("models.m", "active = [\"Mon-Fry 08:00-20:00\"]", "did you mean `Fri`?");
    refused("models.m", "closed = [\"2026-02-30\"]", "2026-02-30");
    refused("models.m", "closed = [\"christmas\"]", "christmas");
    refused("models.m", "timezone = \"Europe/Berlni\"", "did you mean Europe/Berlin?");
    refused("hours.h", "timezone = 1", "a number is no string");
    refused("models.m", &format!("active = [\"{}:\"]", "x".repeat(5000)), "5001 characters are no window");
    let near =
        check(&format!("[hours.office]\nopen = [\"always\"]\n{}", with("models.m", "active = [\"offce\"]")));
    assert!(near.unwrap_err().to_string().contains("did you mean `office`?"));
    for name in ["always", "Monday", "sat", "weekdays", "mon-fri"] {
        let named = check(&format!("[hours.{name}]\nopen = [\"12:00-13:00\"]\n{MODEL}")).unwrap_err();
        assert!(named.to_string().contains("would be read as a window"), "{name}: {named}");
    }
    let unused = check(&with("hours.h", "closed = []")).unwrap();
    assert_eq!(unused.warnings.len(), 1);
    assert!(unused.warnings[0].message.contains("nothing uses the hours `h`"));
    let without = check("[models.m]\ncog = \"http://box\"\n").unwrap_err();
    assert!(without.to_string().contains("no active hours"), "{without}");
    let wrong_hours =
        check("[hours.h]\nopen = [\"x:\"]\n[models.m]\ncog = \"http://b\"\nactive = [\"h\"]\n").unwrap_err();
    assert_eq!(wrong_hours.0.len(), 1, "whoever names wrong hours is not to blame: {wrong_hours:?}");
}

#[test]
fn the_rest_of_a_model() {
    refused("models.m", "enabled = \"yes\"", "a string is neither true nor false");
    refused("models.m", "enabled = 1", "a number is neither true nor false");
    refused("models.m", "probe = \"helth\"", "did you mean \"health\"?");
    refused("models.m", "probe = true", "true or false is no string");
    refused("models.m", "input = \"hi\"", "a string is no table");
    refused("models.m", "input = { a = nan }", "no number that JSON has");
    refused("models.m", "input = { a = [{ b = 12:00:00 }] }", "the value of `b` is a date");
    let probe =
        check("[models.m]\nreplicate = \"a/b\"\nactive = [\"always\"]\nprobe = \"health\"\n").unwrap_err();
    assert!(probe.to_string().contains("only a Cog server can be probed"), "{probe}");
    for name in ["\"a b\"", "\"\"", "-a", "\"ü\"", &"n".repeat(64)] {
        let named = check(&MODEL.replace("models.m", &format!("models.{name}"))).unwrap_err();
        assert!(named.to_string().contains("a model can't be called"), "{name}: {named}");
    }
    let dotted = check(&MODEL.replace("models.m", "models.llama-3.1")).unwrap_err();
    assert_eq!(dotted.0.len(), 1, "{dotted:?}");
    assert!(dotted.to_string().contains("[models.\"llama-3.1\"]"), "{dotted}");
    assert_eq!(
        config(&MODEL.replace("models.m", "models.\"llama-3.1\"")).models[0].name.as_str(),
        "llama-3.1"
    );
    let clear = check(&with("models.m", "token_env = \"BOX\"")).unwrap();
    assert!(clear.warnings[0].message.contains("in the clear"), "{:?}", clear.warnings);
    let unsent = check(&with("models.m", "probe = \"health\"\ninput = { a = 1 }")).unwrap();
    assert!(unsent.warnings[0].message.contains("no prediction is sent"), "{:?}", unsent.warnings);
}

#[test]
fn zones_that_say_an_offset() {
    for section in ["defaults", "hours.h", "models.m"] {
        refused(section, "timezone = \"GMT+2\"", "`GMT+2` is no IANA name; write an IANA name of a place: ");
        refused(section, "timezone = \"UTC-05:30\"", "`UTC-05:30` is no IANA name");
        refused(section, "timezone = \"PST\"", "America/Los_Angeles (UTC-8, in summer UTC-7)");
        for (name, meant) in [
            ("Etc/GMT+2", "`timezone`: `Etc/GMT+2` is UTC-2: the sign in these names is inverted"),
            ("EST", "`timezone`: `EST` is UTC-5 all year, without daylight saving"),
            ("CET", "`timezone`: `CET` follows the clocks of Europe/Brussels"),
        ] {
            let loaded = check(&with(section, &format!("timezone = \"{name}\""))).unwrap();
            let told: Vec<_> = loaded.warnings.iter().filter(|told| told.key.ends_with("timezone")).collect();
            assert_eq!(told.len(), 1, "[{section}] {name}: {:?}", loaded.warnings);
            assert!(told[0].message.starts_with(meant), "[{section}] {name}: {}", told[0].message);
            assert!(told[0].message.contains("write an IANA name of a place: "), "{}", told[0].message);
        }
    }
    for name in ["UTC", "GMT", "Etc/UTC", "Europe/Berlin"] {
        assert_eq!(
            check(&with("models.m", &format!("timezone = \"{name}\""))).unwrap().warnings,
            [],
            "{name}"
        );
    }
}

#[test]
fn variables_are_not_replaced() {
    let said = "variables are not replaced in this file";
    for form in ["${X}", "$X", "%{X}", "{{ X }}", "$(x)"] {
        for key in ["state", "socket", "listen", "retention"] {
            refused("daemon", &format!("{key} = \"/a/{form}\""), said);
        }
        for key in ["cog", "replicate", "deployment"] {
            refused("models.m", &format!("{key} = \"http://{form}:5000\""), said);
        }
        for line in
            ["timezone = \"F\"", "probe = \"F\"", "interval = \"F\"", "lead = \"xF\"", "closed = [\"F\"]"]
        {
            refused("models.m", &line.replace('F', form), said);
        }
        refused("models.m", &format!("active = [\"{form}\"]"), said);
        refused("hours.h", &format!("open = [\"{form}\"]"), said);
        refused("replicate", &format!("base_url = \"https://{form}/v1\""), "$REPLICATE_BASE_URL is read");
        refused("replicate", &format!("token_file = \"/a/{form}\""), said);
    }
    refused("replicate", "token_file = \"${TOKEN}\"", "token_env = \"TOKEN\" reads it from the environment");
    refused("replicate", "token_file = \"${CREDENTIALS_DIRECTORY}/x\"", "token_credential = \"NAME\" names");
    refused("replicate", "token_env = \"${TOKEN}\"", "the name stands without its `$`, and without braces");
    let alert = |line: &str| check(&format!("{MODEL}[[alerts]]\n{line}\n"));
    for (line, said) in [
        ("webhook = \"https://x/${HOOK}\"", "webhook_env = \"HOOK\" reads it"),
        ("webhook_file = \"$HOME/x\"", said),
        ("command = [\"$HOME/tell\"]", said),
    ] {
        let problems = alert(line).unwrap_err();
        assert!(problems.0.len() == 1 && problems.to_string().contains(said), "{line}: {problems}");
    }
    assert!(alert("command = [\"sh\", \"-c\", \"echo $HOME\"]").is_ok());
    let warned = |input: &str| {
        let loaded = check(&with("models.m", &format!("input = {{ {input} }}"))).unwrap();
        loaded.warnings.iter().map(|warning| warning.message.clone()).collect::<String>()
    };
    for input in ["a = \"${X}\"", "a = \"see ${X}\"", "a = \"$X\"", "a = { b = [\"{{ X }}\"] }"] {
        assert!(warned(input).contains("the value of `a` is sent as it is"), "{input}: {}", warned(input));
    }
    let two = warned("a = \"${X}\", b = \"${Y}\"");
    assert!(two.contains("the value of `a`, `b` is sent as it is"), "{two}");
    for input in ["a = \"for $5 or $x, and {{ y }}\"", "a = \"100 %\"", "a = 1"] {
        assert_eq!(warned(input), "", "{input}");
    }
}

#[test]
fn unknown_keys() {
    refused("models.m", "intervl = \"30s\"", "unknown key `intervl` in [models.m]; did you mean `interval`?");
    refused("models.m", "schedule = \"always\"", "it is called `active` here");
    refused("models.m", "listen = \"off\"", "it belongs in [daemon]");
    refused(
        "daemon",
        "retension = \"90d\"",
        "did you mean `retention`? accepted here: state, socket, listen",
    );
    refused("defaults", "cog = \"http://x\"", "it belongs in [models.NAME]");
    refused("replicate", "interval = \"30s\"", "it belongs in [defaults] or [models.NAME]");
    refused("hours.h", "active = [\"always\"]", "it belongs in [defaults] or [models.NAME]");
    refused("hours.h", "windows = [\"always\"]", "it is called `open` here");
    refused("daemon", "listen = 127.0.0.1:9845", "strings stand in quotes");
    refused("models.m", "closed = [2026-11-27..2026-11-28]", "write \"2026-11-27..2026-11-28\"");
    let top = check(&format!("interval = \"30s\"\n[modles.x]\n{MODEL}")).unwrap_err();
    let messages: Vec<_> = top.0.iter().map(|problem| problem.message.as_str()).collect();
    assert!(
        messages[0].contains("unknown key `interval` at the top; it belongs in [defaults]"),
        "{messages:?}"
    );
    assert!(messages[1].contains("did you mean `models`?"), "{messages:?}");
    let only = check("[model.sdxl]\ncog = \"http://x\"\nactive = [\"always\"]\n").unwrap_err();
    assert_eq!(only.0.len(), 1, "no word of missing models: {only:?}");
    // Within a model it is a word for `replicate`; at the top, a misspelt table.
    assert!(only.0[0].message.contains("did you mean `models`?"), "{only:?}");
}

#[test]
fn tables_that_are_none() {
    for (text, expected) in [
        ("models = 1", "a number stands where a table should"),
        ("[[models]]\ncog = \"x\"", "a list stands where a table should; write [models.NAME]"),
        ("[models]\nsdxl = \"a/b\"", "`sdxl` is a string, where a table stands"),
        ("hours = []", "a list stands where a table should"),
        ("[models.m]\ncog = \"http://x\"\nactive=[\"always\"]\n[[daemon]]\n", "write [daemon]"),
    ] {
        let problems = check(text).unwrap_err();
        assert!(problems.0.iter().any(|problem| problem.message.contains(expected)), "{text}: {problems:?}");
    }
    let inline = "models = { m = { cog = \"http://x\", active = [\"always\"] } }";
    assert_eq!(config(inline).models.len(), 1);
    assert_eq!(config("models.m.cog = \"http://x\"\nmodels.m.active = [\"always\"]").models.len(), 1);
}
