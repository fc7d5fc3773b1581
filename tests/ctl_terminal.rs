//! `warmctl` on a real terminal and in a pipe: what a person sees there, and what is left when it ends.

#![expect(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]

mod scripted_daemon;
mod terminal;

use axum::response::{IntoResponse, Response};
use rustix::process::Signal;
use scripted_daemon::{Daemon, SNAPSHOT, Told, problem, warmctl};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use terminal::{BEFORE, Terminal, end_of};

/// A terminal as the oldest ones had it: rows and columns.
const USUAL: (u16, u16) = (24, 80);
/// One on which nothing is cut, however much is told.
const ENDLESS: u16 = 2000;
const CTRL_C: u8 = 0x03;
const CTRL_Z: u8 = 0x1a;

/// A name as long as they may be, and another that differs in its middle alone.
const LONG: &str = "customer-acme-production-stable-diffusion-xl-refiner-eu-west-01";
const TWIN: &str = "customer-acme-production-stable-delusions-xl-refiner-eu-west-01";

/// As many models, of all states, two of them with the longest of names.
fn models(count: usize) -> Value {
    let mut snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
    let kinds = snapshot["models"].as_array().unwrap().clone();
    let model = |n: usize| {
        let mut model = kinds[n % kinds.len()].clone();
        model["name"] = match n {
            1 => json!(LONG),
            3 => json!(TWIN),
            n => json!(format!("model-{n}")),
        };
        model
    };
    snapshot["models"] = (0..count).map(model).collect();
    snapshot
}

/// Answers as a daemon of so many models: status, the picture of [`LONG`], and what happened to it.
fn of_many(count: usize, request: &str) -> Option<Response> {
    if request.starts_with("GET /v1/status") {
        return Some(models(count).to_string().into_response());
    }
    if request.contains("/events?") {
        let event = |detail: Value| {
            let mut event = json!({"at": "2026-11-20T19:30:00.000Z", "model": LONG});
            event.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
            event
        };
        let error = "POST http://gpu-box:5000/predictions: connection refused: nobody listens there";
        let events = [
            event(json!({"event": "failure", "outcome": "unreachable", "error": error})),
            event(json!({"event": "boot", "took": 14.1})),
        ];
        let at = "2026-11-20T19:35:00.000Z";
        let history = json!({"version": 1, "at": at, "since": at, "more": true, "events": events});
        return Some(history.to_string().into_response());
    }
    if request.starts_with(&format!("GET /v1/models/{LONG}?")) {
        let mut snapshot = models(count);
        snapshot["models"].as_array_mut().unwrap().retain(|model| model["name"] == LONG);
        return Some(snapshot.to_string().into_response());
    }
    None
}

fn forty() -> Daemon {
    Daemon::scripted(|request| of_many(40, request))
}

/// `warmctl` as a person calls it on a terminal with colours.
fn ctl(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = warmctl(&daemon.folder);
    command.arg("--socket").arg(daemon.socket()).args(arguments).env("TERM", "xterm-256color");
    command
}

fn watch(daemon: &Daemon) -> Terminal {
    let terminal = Terminal::run(&ctl(daemon, &["status", "--watch"]), USUAL, None);
    terminal.until(|shown| shown.sees("warmd 0.1.0") && shown.screen().alternate_screen());
    terminal
}

/// All that is said on a terminal so wide, without the codes of colours.
fn said(command: &Command, columns: u16) -> String {
    let mut terminal = Terminal::run(command, (ENDLESS, columns), None);
    terminal.ended();
    let mut said = String::new();
    let text = terminal.shown().text();
    for (n, part) in text.split('\x1b').enumerate() {
        said.push_str(if n == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    said
}

#[track_caller]
fn assert_given_back(terminal: &Terminal) {
    let shown = terminal.shown();
    assert!(!shown.screen().alternate_screen() && !shown.screen().hide_cursor(), "{:?}", shown.text());
    assert!(shown.sees(BEFORE) && !shown.sees("warmd 0.1.0"), "{}", shown.screen().contents());
    assert!(shown.text().contains("\x1b[?7h"), "lines are broken at the edge again: {:?}", shown.text());
}

#[test]
fn no_line_is_wider_than_the_terminal_and_names_stay_whole() {
    let daemon = forty();
    for arguments in [
        ["status", "--since=24h"].as_slice(),
        &["status", LONG],
        &["history", LONG],
        &["history"],
        &["beat", "llama"],
    ] {
        for columns in [40, 80, 200] {
            let said = said(&ctl(&daemon, arguments), columns);
            for line in said.lines() {
                assert!(line.chars().count() <= columns.into(), "{arguments:?} in {columns}: {line}");
            }
            let unbroken: String = said.split_whitespace().collect();
            let named = arguments[0] == "beat" || unbroken.contains(LONG);
            assert!(named, "{arguments:?} in {columns}: {said}");
            if arguments == ["status", "--since=24h"] {
                assert!(unbroken.contains(TWIN), "the two can be told apart in {columns}: {said}");
            }
        }
    }
}

#[test]
fn what_a_file_says_fits_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[defaults]\ntimezone = \"America/Argentina/ComodRivadavia\"\n\
         [models.{LONG}]\ncog = \"http://127.0.0.1:1\"\nactive = [\"Mon-Fri 22:00-06:30\"]\n\
         [models.always]\ncog = \"http://127.0.0.1:2\"\nactive = [\"always\"]\n"
    );
    std::fs::write(folder.path().join("warm.toml"), config).unwrap();
    for verb in ["check", "next"] {
        let mut command = warmctl(&folder);
        command.arg(verb).env("TERM", "xterm");
        for columns in [40, 80, 200] {
            let said = said(&command, columns);
            let widest = said.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns.into()), "{verb} in {columns}: {said}");
            assert!(said.split_whitespace().collect::<String>().contains(LONG), "{verb}: {said}");
            assert!(columns < 80 || said.contains("06:30 -03:00"), "{verb} in {columns}: {said}");
        }
        let piped = Told::from(command.output().unwrap()).stdout;
        assert!(piped.lines().any(|line| line.starts_with(LONG)) && !piped.contains('\x1b'), "{piped}");
    }
}

#[test]
fn colours_are_for_terminals_where_nobody_refuses_them() {
    let daemon = forty();
    let written = |arguments: &[&str], name: &str, value: &str| {
        let mut terminal = Terminal::run(ctl(&daemon, arguments).env(name, value), (ENDLESS, 80), None);
        terminal.ended();
        let shown = terminal.shown();
        assert!(shown.text().contains(LONG), "{arguments:?}: {}", shown.text());
        shown.text().contains('\x1b')
    };
    for arguments in [["status"].as_slice(), &["status", LONG], &["history"]] {
        assert!(written(arguments, "TERM", "xterm"), "{arguments:?}");
        assert!(!written(arguments, "TERM", "dumb"), "{arguments:?}");
        assert!(!written(arguments, "NO_COLOR", "1"), "{arguments:?}");
        assert!(!written(&[arguments, &["--no-color"]].concat(), "TERM", "xterm"), "{arguments:?}");
    }
}

#[test]
fn in_a_pipe_a_model_is_a_line_without_a_code() {
    let daemon = forty();
    for arguments in [["status"].as_slice(), &["status", LONG], &["history"]] {
        let told = daemon.ctl(arguments);
        assert!(!told.stdout.contains('\x1b') && told.stderr.is_empty(), "{told:?}");
        assert!(told.stdout.lines().any(|line| line.contains(LONG)), "{told:?}");
    }
    let told = daemon.ctl(&["status"]);
    let row = told.stdout.lines().find(|line| line.starts_with(LONG)).unwrap();
    assert!(row.contains("failing") && row.contains("92.5 %"), "{row}");
    let json = daemon.ctl(&["status", "--json"]).json();
    assert_eq!(json["models"][1]["name"], LONG);
}

#[test]
fn a_locale_without_utf_8_is_told_in_ascii_and_programs_in_json() {
    let daemon = forty();
    let in_c =
        |arguments: &[&str]| Told::from(ctl(&daemon, arguments).env("LC_ALL", "C").output().unwrap()).stdout;
    for arguments in [["status"].as_slice(), &["status", LONG], &["history"], &["beat", "llama"]] {
        let (plain, any) = (in_c(arguments), daemon.ctl(arguments).stdout);
        assert!(plain.is_ascii() && !plain.is_empty(), "{plain}");
        assert_eq!(plain.chars().count(), any.chars().count(), "{plain}\n{any}");
    }
    assert_eq!(in_c(&["status", "--json"]), daemon.ctl(&["status", "--json"]).stdout);
    let mut terminal = Terminal::run(ctl(&daemon, &["status", "--watch"]).env("LC_ALL", "C"), USUAL, None);
    terminal.until(|shown| shown.sees("models are left out"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert!(terminal.shown().text().is_ascii());
}

#[test]
fn a_watch_draws_over_itself_and_clears_the_screen_once() {
    let daemon = forty();
    let mut terminal = watch(&daemon);
    terminal.until(|shown| shown.times("\x1b[H") >= 3);
    {
        let shown = terminal.shown();
        assert_eq!(shown.times("\x1b[2J"), 1, "{:?}", shown.text());
        assert!(shown.screen().hide_cursor());
        let rows: Vec<String> = shown.screen().rows(0, USUAL.1).collect();
        assert!(rows[0].starts_with("warmd 0.1.0"), "nothing has scrolled: {rows:#?}");
        let first = rows.iter().position(|row| row.starts_with("MODEL")).unwrap() + 1;
        // Under a name as long as that.
        assert!(rows[first + 1].contains("blocked"), "the worst are first: {rows:#?}");
        assert!(shown.sees(" of 40 models are left out"), "{rows:#?}");
    }
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert_given_back(&terminal);
}

#[test]
fn however_a_watch_ends_the_terminal_is_as_before() {
    let daemon = forty();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut terminal = watch(&daemon);
        terminal.signal(signal);
        assert_eq!(terminal.ended().code(), Some(0), "{signal:?}");
        assert_given_back(&terminal);
    }
}

#[test]
fn what_ends_a_watch_is_told_where_it_stays() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let daemon = Daemon::scripted(|request| {
        let removed = ASKED.fetch_add(1, Ordering::SeqCst) > 0;
        let refusal = || problem(404, &json!({"detail": "no model is called `llama`"}));
        if removed { Some(refusal()) } else { of_many(3, request) }
    });
    let mut terminal = Terminal::run(&ctl(&daemon, &["status", "--watch"]), USUAL, None);
    assert_eq!(terminal.ended().code(), Some(1));
    assert_given_back(&terminal);
    assert!(terminal.shown().sees("warmctl: no model is called `llama`"));
    assert_eq!(terminal.shown().times("\x1b[?1049h"), 1);
}

#[test]
fn a_watch_outlasts_its_daemon() {
    let mut daemon = forty();
    let mut terminal = watch(&daemon);
    daemon.go_away();
    terminal.until(|shown| shown.sees("went away"));
    assert!(terminal.shown().sees("MODEL"), "what it said last is still there");
    daemon.come_back();
    terminal.until(|shown| !shown.sees("went away"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert_given_back(&terminal);
}

#[test]
fn a_watch_follows_the_size_of_its_window() {
    let daemon = Daemon::scripted(|request| of_many(3, request));
    let mut terminal = watch(&daemon);
    assert!(!terminal.shown().sees("left out"));
    terminal.resize(9, 50);
    terminal.until(|shown| shown.sees("left out") || shown.sees("… "));
    terminal.until(|shown| shown.screen().contents().starts_with("warmd 0.1.0"));
    terminal.resize(60, 160);
    terminal.until(|shown| shown.sees("UNKNOWN") && !shown.sees("left out"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert_given_back(&terminal);
}

#[test]
fn a_watch_steps_aside_at_ctrl_z() {
    let daemon = forty();
    let mut terminal = watch(&daemon);
    terminal.press(CTRL_Z);
    terminal.until_stopped();
    terminal.until(|shown| !shown.screen().alternate_screen() && !shown.screen().hide_cursor());
    terminal.signal(Signal::CONT);
    terminal.until(|shown| shown.screen().alternate_screen() && shown.sees("warmd 0.1.0"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert_given_back(&terminal);
}

#[test]
fn a_watch_on_a_dumb_terminal_writes_one_report_under_the_other() {
    let daemon = forty();
    let command = &mut ctl(&daemon, &["status", "--watch"]);
    let mut terminal = Terminal::run(command.env("TERM", "dumb"), USUAL, None);
    terminal.until(|shown| shown.times("warmd 0.1.0") == 2);
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().code(), Some(0));
    assert!(!terminal.shown().text().contains('\x1b'));
}

#[test]
fn a_watch_nobody_reads_ends() {
    let daemon = forty();
    let mut child = ctl(&daemon, &["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("warmd 0.1.0"), "{line}");
    assert_eq!(end_of(&mut child).code(), Some(0));
}

#[test]
fn a_heartbeat_that_waits_for_a_boot_says_so_in_one_line_that_goes() {
    static BOOTED: AtomicBool = AtomicBool::new(false);
    let daemon = Daemon::scripted(|request| {
        while request.contains("/heartbeat") && !BOOTED.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    });
    let mut terminal = Terminal::run(&ctl(&daemon, &["beat", "llama"]), USUAL, None);
    terminal.until(|shown| shown.times("waiting ") >= 2);
    assert!(terminal.shown().sees(" for llama"));
    assert_eq!(terminal.shown().screen().contents().matches("waiting ").count(), 1);
    BOOTED.store(true, Ordering::SeqCst);
    assert_eq!(terminal.ended().code(), Some(0));
    let shown = terminal.shown();
    assert!(!shown.sees("waiting ") && shown.sees("llama: cold"), "{}", shown.screen().contents());
}

#[test]
fn a_long_export_tells_how_far_it_is_beside_its_file() {
    static READ: AtomicBool = AtomicBool::new(false);
    let daemon = Daemon::scripted(|request| {
        if !request.contains("/intervals") {
            return of_many(40, request);
        }
        while request.contains("/model-5/") && !READ.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let at = "2026-11-20T19:35:00.000Z";
        let name = request.split('/').nth(3).unwrap();
        let intervals = json!({"version": 1, "at": at, "since": at, "model": name, "intervals": []});
        Some(intervals.to_string().into_response())
    });
    let file = std::fs::File::create(daemon.folder.path().join("export.csv")).unwrap();
    let mut terminal = Terminal::run(&ctl(&daemon, &["export"]), USUAL, Some(file.into()));
    terminal.until(|shown| shown.sees("written 5 of 40 models, "));
    READ.store(true, Ordering::SeqCst);
    assert_eq!(terminal.ended().code(), Some(0));
    assert!(!terminal.shown().sees("written"));
    let written = std::fs::read_to_string(daemon.folder.path().join("export.csv")).unwrap();
    assert!(written.starts_with("model,") && !written.contains('\x1b'), "{written}");
}

#[test]
fn a_check_of_many_models_tells_how_far_it_is() {
    // Takes connections, and never says a word.
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[replicate]\nbase_url = \"http://{}/v1\"\n\
         [models.a]\nreplicate = \"acme/a\"\nactive = [\"always\"]\n\
         [models.b]\nreplicate = \"acme/b\"\nactive = [\"always\"]\n",
        provider.local_addr().unwrap()
    );
    std::fs::write(folder.path().join("warm.toml"), config).unwrap();
    let mut command = warmctl(&folder);
    command.args(["check", "--online"]).env("REPLICATE_API_TOKEN", "r8_none").env("TERM", "xterm");
    let mut terminal = Terminal::run(&command, USUAL, None);
    terminal.until(|shown| shown.sees("asked the providers about 0 of 2 models, "));
    terminal.press(CTRL_C);
    terminal.ended();
}

#[test]
fn what_takes_long_is_silent_in_a_pipe_and_on_a_dumb_terminal() {
    static WAITED: AtomicUsize = AtomicUsize::new(0);
    // Longer than it takes to lose patience.
    let daemon = Daemon::scripted(|request| {
        if request.contains("/heartbeat") {
            WAITED.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1500));
        }
        None
    });
    assert_eq!(daemon.ctl(&["beat", "llama"]).stderr, "");
    let mut terminal = Terminal::run(ctl(&daemon, &["beat", "llama"]).env("TERM", "dumb"), USUAL, None);
    assert_eq!(terminal.ended().code(), Some(0));
    assert!(!terminal.shown().text().contains("waiting"), "{}", terminal.shown().text());
    assert_eq!(WAITED.load(Ordering::SeqCst), 2);
}
