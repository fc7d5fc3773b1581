//! `warmctl` as its user runs it, against a scripted daemon on a real Unix socket: what it asks, what
//! it prints where, and its exit codes.

mod scripted_daemon;

use axum::response::IntoResponse;
use scripted_daemon::{Daemon, SNAPSHOT, Told, problem, warmctl};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn status_tells_all_models_or_one() {
    let daemon = Daemon::start();
    let all = daemon.ctl(&["status"]);
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), ""), "{all:?}");
    assert!(all.stdout.contains("whisper-large-v3") && all.stdout.contains("99.8 %"), "{all:?}");
    assert!(!all.stdout.contains('\u{1b}'), "no colour in a pipe: {all:?}");
    let one = daemon.ctl(&["status", "llama", "--since", "7d"]);
    assert!(one.stdout.contains("queue wait") && !one.stdout.contains("whisper"), "{one:?}");
    daemon.ctl(&["status", "--since", "2026-11-20T08:00:00+01:00"]);
    assert_eq!(
        daemon.asked(),
        [
            "GET /v1/status?since=24h",
            "GET /v1/models/llama?since=7d",
            "GET /v1/models/llama/intervals?since=7d",
            "GET /v1/status?since=2026-11-20T08%3A00%3A00%2B01%3A00"
        ]
    );
}

#[test]
fn status_as_json_is_what_the_daemon_said() {
    let daemon = Daemon::start();
    let told = daemon.ctl(&["--json", "status"]);
    assert_eq!(told.stdout.trim_end(), SNAPSHOT.trim_end());
    assert_eq!(told.code, Some(0));
}

#[test]
fn history_asks_for_a_span_of_a_model_and_tells_a_line_an_event() {
    let daemon = Daemon::scripted(|request| {
        let history = json!({
            "version": 1, "at": "2026-11-21T12:00:00.000Z", "since": "2026-11-14T12:00:00.000Z", "more": false,
            "events": [{
                "at": "2026-11-21T08:00:14.100Z", "model": "llama", "event": "cold",
                "total": 14.5, "wait": 14.1, "in_hours": true
            }],
        });
        request.starts_with("GET /v1/events").then(|| history.to_string().into_response())
    });
    let told = daemon.ctl(&["history", "llama", "--since", "7d", "--limit", "5"]);
    assert_eq!(told.stdout, "2026-11-21 08:00:14  llama  cold, waited 14.1 s for its boot\n", "{told:?}");
    assert_eq!(daemon.ctl(&["history", "--json"]).json()["events"][0]["wait"], 14.1);
    assert_eq!(
        daemon.asked(),
        ["GET /v1/events?since=7d&limit=5&model=llama", "GET /v1/events?since=24h&limit=1000"]
    );
}

#[test]
fn beat_breaks_its_timing_down() {
    let daemon = Daemon::start();
    let told = daemon.ctl(&["beat", "llama"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(
        told.stdout,
        "llama: cold, by its queue wait of 14.1 s
  wait     14.10 s  queue and boot
  predict   0.31 s  as the provider tells it
  rest      0.11 s  network and provider
  total    14.52 s
"
    );
    assert_eq!(told.stderr, "");
    assert_eq!(daemon.ctl(&["beat", "llama", "--json"]).json()["heartbeat"]["outcome"], "cold");
}

#[test]
fn a_beat_that_brings_no_answer_exits_1() {
    let daemon = Daemon::start();
    let told = daemon.ctl(&["beat", "whisper-large-v3", "--json"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.json()["heartbeat"]["outcome"], "unreachable");
    assert_eq!(told.stderr.lines().count(), 1, "{told:?}");
    assert!(told.stderr.contains("connection refused") && told.stderr.contains("warmctl status"), "{told:?}");
}

#[test]
fn models_are_paused_and_resumed_each() {
    let daemon = Daemon::start();
    let told = daemon.ctl(&["pause", "llama", "whisper-large-v3", "--for", "90m"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(
        told.stdout,
        "llama: paused until 2099-01-01 12:00\nwhisper-large-v3: paused until 2099-01-01 12:00\n"
    );
    assert_eq!(daemon.ctl(&["pause", "llama"]).stdout, "llama: paused until `warmctl resume llama`\n");
    assert_eq!(
        daemon.ctl(&["pause", "llama", "--json"]).json(),
        json!({"version": 1, "models": [{"name": "llama", "paused_until": null}]})
    );
    assert_eq!(daemon.ctl(&["resume", "llama"]).stdout, "llama: resumed\n");
    assert_eq!(
        daemon.asked(),
        [
            "POST /v1/models/llama/pause {\"for\":\"1h30m\"}",
            "POST /v1/models/whisper-large-v3/pause {\"for\":\"1h30m\"}",
            "POST /v1/models/llama/pause {}",
            "POST /v1/models/llama/pause {}",
            "POST /v1/models/llama/resume"
        ]
    );
}

#[test]
fn all_means_each_model_of_the_report() {
    let daemon = Daemon::scripted(|request| {
        let mut snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
        snapshot["models"].as_array_mut().unwrap().truncate(2);
        request.starts_with("GET /v1/status").then(|| snapshot.to_string().into_response())
    });
    let told = daemon.ctl(&["resume", "--all"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), "llama: resumed\nwhisper-large-v3: resumed\n"));
}

#[test]
fn an_unknown_model_fails_with_the_nearest_name_and_keeps_no_other_from_its_turn() {
    let daemon = Daemon::start();
    for verb in ["status", "beat", "pause", "resume"] {
        let told = daemon.ctl(&[verb, "lama"]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert_eq!(told.stderr, "warmctl: no model is called `lama`; did you mean `llama`?\n");
    }
    let told = daemon.ctl(&["pause", "lama", "llama"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.stdout, "llama: paused until `warmctl resume llama`\n");
    for odd in ["..", "", "a/b", "llama?x", "ü"] {
        let told = daemon.ctl(&["beat", odd]);
        assert_eq!((told.code, told.stderr.lines().count()), (Some(1), 1), "{odd}: {told:?}");
        assert!(told.stderr.contains("no model is called"), "{odd}: {told:?}");
    }
}

#[test]
fn reload_tells_what_changed_or_what_is_wrong() {
    let daemon = Daemon::start();
    let told = daemon.ctl(&["reload"]);
    assert_eq!(told.stdout, "reloaded, 1 change:\n  models.llama: interval 30s → 1m\n");
    assert_eq!(told.code, Some(0));
    drop(daemon);
    let daemon = Daemon::scripted(|_| {
        let problems = json!([{"file": "warm.toml", "line": 3, "column": 1, "key": "models.a.intervl", "message": "unknown"}]);
        let rendered = "error: unknown key\n  intervl = 1\n  ^^^^^^^\n1 problem in warm.toml\n";
        Some(problem(422, &json!({"detail": "bad", "problems": problems, "rendered": rendered})))
    });
    let told = daemon.ctl(&["reload"]);
    assert_eq!(told.code, Some(78), "{told:?}");
    assert_eq!(told.stdout, "");
    assert!(told.stderr.contains("  ^^^^^^^\n1 problem in warm.toml\nwarmctl: "), "{told:?}");
    let told = daemon.ctl(&["reload", "--json"]);
    assert_eq!((told.code, &told.json()["problems"][0]["line"]), (Some(78), &json!(3)), "{told:?}");
}

#[test]
fn without_a_daemon_every_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("runtime");
    std::fs::create_dir(&runtime).unwrap();
    let own = folder.path().join("own.sock");
    drop(std::os::unix::net::UnixListener::bind(&own).unwrap());
    let config = format!(
        "[daemon]\nsocket = \"{}\"\n[models.a]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n",
        own.display()
    );
    std::fs::write(folder.path().join("warm.toml"), config).unwrap();
    let output = warmctl(&folder).env("XDG_RUNTIME_DIR", &runtime).arg("status").output().unwrap();
    let told = Told::from(output);
    assert_eq!((told.code, told.stdout.as_str()), (Some(69), ""), "{told:?}");
    assert_eq!(told.stderr.lines().count(), 1, "{told:?}");
    let tried = format!(
        "{} (nobody listens there), {} (no such socket), /run/warmd/warmd.sock (",
        own.display(),
        runtime.join("warmd.sock").display()
    );
    assert!(told.stderr.contains(&tried), "{told:?}");
    assert!(told.stderr.contains("systemctl start warmd"), "{told:?}");
    let named =
        Told::from(warmctl(&folder).args(["beat", "a", "--socket", "/nowhere/x.sock"]).output().unwrap());
    assert_eq!(named.code, Some(69));
    assert!(named.stderr.contains("/nowhere/x.sock (no such socket)"), "{named:?}");
    assert!(!named.stderr.contains("own.sock"), "{named:?}");
}

#[test]
fn the_socket_is_found_in_its_order() {
    let daemon = Daemon::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("warm.toml"), "this is = = broken").unwrap();
    let status =
        |command: &mut Command| Told::from(command.args(["status", "--json"]).output().unwrap()).code;
    assert_eq!(status(warmctl(&folder).env("WARMD_SOCKET", daemon.socket())), Some(0));
    assert_eq!(
        status(warmctl(&folder).env("XDG_RUNTIME_DIR", daemon.folder.path())),
        Some(0),
        "a broken file has no say"
    );
    for (model, why) in [("cog", "the file's own"), ("cgo", "the file is broken, but not there")] {
        let config = format!(
            "[daemon]\nsocket = \"{}\"\n[models.a]\n{model} = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n",
            daemon.socket().display()
        );
        std::fs::write(folder.path().join("warm.toml"), config).unwrap();
        assert_eq!(status(&mut warmctl(&folder)), Some(0), "{why}");
    }
}

#[test]
fn nonsense_and_silence_are_told_apart_from_no_daemon() {
    let daemon = Daemon::scripted(|request| {
        Some(if request.starts_with("GET") { "<html>".into_response() } else { problem(500, &json!("oh")) })
    });
    for verb in [["status", "--no-color"], ["beat", "llama"]] {
        let told = daemon.ctl(&verb);
        assert_eq!((told.code, told.stderr.lines().count()), (Some(1), 1), "{told:?}");
        assert!(told.stderr.contains("one version?"), "{told:?}");
    }
}

#[test]
fn wrong_usage_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    for line in [&["stauts"][..], &[], &["status", "--since", "5"], &["pause"], &["completions", "tcsh"]] {
        assert_eq!(warmctl(&folder).args(line).output().unwrap().status.code(), Some(2), "{line:?}");
    }
    for line in [&["--help"][..], &["--version"], &["pause", "--help"]] {
        assert_eq!(warmctl(&folder).args(line).output().unwrap().status.code(), Some(0), "{line:?}");
    }
}

#[test]
fn completions_know_the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let told = Told::from(warmctl(&folder).args(["completions", shell]).output().unwrap());
        assert_eq!(told.code, Some(0));
        for verb in ["status", "check", "next", "beat", "pause", "resume", "reload", "sandbox", "completions"]
        {
            assert!(told.stdout.contains(verb), "{shell}: {verb}");
        }
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let daemon = Daemon::start();
    let mut command = warmctl(&daemon.folder);
    command.arg("--socket").arg(daemon.socket()).args(["status", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let told = Told::from(child.wait_with_output().unwrap());
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
}

#[test]
fn next_needs_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"
[defaults]
timezone = "Europe/Berlin"
[models.llama]
cog = "http://127.0.0.1:1"
active = ["Mon-Fri 08:00-20:00"]
[models.tokyo]
cog = "http://127.0.0.1:2"
active = ["09:00-17:00"]
timezone = "Asia/Tokyo"
"#;
    std::fs::write(folder.path().join("warm.toml"), config).unwrap();
    let next =
        |arguments: &[&str]| Told::from(warmctl(&folder).arg("next").args(arguments).output().unwrap());
    let told = next(&["llama", "--from", "2026-11-23", "--days", "1", "--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.json()["from"], "2026-11-22T23:00:00Z", "a date is one of the model's zone");
    let window = &told.json()["models"][0]["windows"][0];
    assert_eq!(window["opens_local"], "2026-11-23T08:00:00+01:00");
    assert_eq!(next(&["--days", "1", "--json"]).json()["models"].as_array().unwrap().len(), 2);
    assert!(next(&["--from", "2026-11-23T00:00:00Z"]).stdout.contains("Asia/Tokyo"));
    let told = next(&["--from", "2026-11-23"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("Asia/Tokyo, Europe/Berlin"), "{told:?}");
    let told = next(&["lama"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("did you mean `llama`?"), "{told:?}");
    std::fs::write(folder.path().join("warm.toml"), config.replace("active", "actve")).unwrap();
    let told = next(&["llama"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(78), ""), "{told:?}");
    assert!(told.stderr.contains("actve") && told.stderr.contains("active"), "{told:?}");
}

#[test]
fn check_exits_by_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let check =
        |arguments: &[&str]| Told::from(warmctl(&folder).arg("check").args(arguments).output().unwrap());
    let good = "[models.a]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n";
    std::fs::write(folder.path().join("warm.toml"), good).unwrap();
    let told = check(&[]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{told:?}");
    assert!(told.stdout.contains("always open") && told.stdout.contains("2880"), "{told:?}");
    let json = check(&["--json"]).json();
    assert_eq!((&json["version"], &json["ok"], &json["problems"]), (&json!(1), &json!(true), &json!([])));
    assert_eq!((&json["models"][0]["name"], json.get("online")), (&json!("a"), None));

    let told = check(&["--online"]);
    assert_eq!((told.code, told.stderr.lines().count()), (Some(1), 1), "{told:?}");
    assert!(told.stdout.contains("\na\n  problem  ") && told.stdout.contains("refused"), "{told:?}");
    let told = check(&["--online", "--json"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.json()["online"][0]["name"], "a");

    let bad = "[models.a]\ncgo = \"http://127.0.0.1:1\"\nintervl = 3\nactive = [\"always\"]\n";
    std::fs::write(folder.path().join("bad.toml"), bad).unwrap();
    let told = check(&["bad.toml", "--online"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(78), ""), "{told:?}");
    assert!(told.stderr.contains("intervl") && told.stderr.contains("cgo"), "{told:?}");
    let told = check(&["bad.toml", "--json"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(78), ""), "{told:?}");
    assert!(told.json()["problems"].as_array().unwrap().len() >= 2, "{told:?}");
    assert_eq!(check(&["missing.toml"]).code, Some(78));
}

#[test]
fn help_is_what_was_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut help = String::new();
    for verb in [
        "",
        "status",
        "history",
        "export",
        "check",
        "next",
        "beat",
        "pause",
        "resume",
        "reload",
        "alert",
        "alert test",
        "completions",
    ] {
        let arguments = verb.split_whitespace().chain(["--help"]);
        let told = Told::from(warmctl(&folder).args(arguments).output().unwrap());
        assert_eq!(told.code, Some(0), "{told:?}");
        let line = ["warmctl", verb, "--help"].join(" ").replace("  ", " ");
        help.extend(["$ ", &line, "\n", &told.stdout, "\n"]);
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/ctl_verbs/help.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &help).unwrap();
    }
    assert_eq!(help, std::fs::read_to_string(file).unwrap_or_default());
}
