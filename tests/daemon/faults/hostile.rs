//! Answers made to hurt: terminal escapes, forged log lines, endless bodies, deep nesting.

mod costs;
mod scenes;

use super::network::peer::say;
use super::network::trial::{SICK, Trial, says};
use crate::support::{Home, PATIENCE, TOKEN, Warmd, text, wait_until};
use scenes::Scenes;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whether a terminal would do anything with a character but show it: `status` breaks lines itself.
fn acts(c: char) -> bool {
    c.is_control() && c != '\n'
        // Turned round, joined, cut off, without a width, tags.
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Ends the test where a text would act on a terminal, or has a line that is not its writer's own.
fn is_tame(whose: &str, text: &str) {
    if let Some(at) = text.find(acts) {
        let start = text[..at].char_indices().rev().nth(100).map_or(0, |(start, _)| start);
        panic!("{whose} acts on terminals: {:?}", text[start..].chars().take(200).collect::<String>());
    }
    for line in text.lines() {
        // Where a long sentence is broken, it goes on further in.
        assert!(
            !line.starts_with("FORGED") && !line.starts_with("{\"forged"),
            "{whose}: a forged line: {line}"
        );
    }
}

/// Everything that a person is shown of a daemon's models.
fn shown(home: &Home, names: &[String]) {
    let mut asked: Vec<Vec<&str>> = vec![vec!["status"], vec!["status", "--json"], vec!["check", "--online"]];
    for name in names {
        asked.extend([vec!["status", name], vec!["beat", name], vec!["beat", name, "--json"]]);
    }
    std::thread::scope(|scope| {
        for part in asked.chunks(asked.len().div_ceil(4)) {
            scope.spawn(move || {
                for arguments in part {
                    let output = home.ctl(arguments);
                    for said in [&output.stdout, &output.stderr] {
                        is_tame(&format!("warmctl {arguments:?}"), &text(said));
                    }
                }
            });
        }
    });
}

/// Every sentence about a model, of which none may be as long as its provider likes.
fn sentences(model: &Value) -> Vec<&str> {
    let notes = model["notes"].as_array().unwrap().iter();
    let all = [&model["reason"], &model["last"]["error"]].into_iter().chain(notes);
    all.filter_map(Value::as_str).collect()
}

fn wait_for_all(home: &Home, names: &[String]) {
    wait_until("each was asked", PATIENCE, || {
        let status = home.status();
        let models = status["models"].as_array().unwrap();
        models.len() == names.len() && models.iter().all(|model| !model["last"].is_null())
    });
}

#[test]
fn what_servers_say_moves_no_cursor_and_forges_no_line() {
    let scenes = Scenes::start();
    let home = Home::at_trace(&scenes.config());
    let warmd = home.start();
    let names = Scenes::names();
    wait_for_all(&home, &names);
    let status = home.status();
    let mut quoted = 0;
    for model in status["models"].as_array().unwrap() {
        for sentence in sentences(model) {
            println!("{}: {}", model["name"], sentence.chars().take(150).collect::<String>());
            assert!(sentence.chars().count() < 1_500, "{}: {} characters", model["name"], sentence.len());
            is_tame(model["name"].as_str().unwrap(), sentence);
            quoted += usize::from(sentence.contains("\\u{1b}") || sentence.contains("[2J"));
        }
    }
    assert!(quoted >= names.len() / 2, "what they say is quoted: {quoted} of {}", names.len());
    shown(&home, &names);
    for line in warmd.log() {
        is_tame("the log", &line);
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event: {line}"));
        assert!(event["timestamp"].is_string() && event["forged"].is_null(), "{line}");
        assert!(line.len() < 8_192, "{} bytes: {line:.200}", line.len());
    }
    assert!(warmd.stop().success());
}

#[test]
fn nor_in_a_log_that_people_read() {
    let scenes = Scenes::start();
    let home = Home::at_trace(&scenes.config());
    let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
    command.args(["--log-format", "text", "--config"]).arg(home.config());
    command.env("REPLICATE_API_TOKEN", TOKEN).env("RUST_LOG", "trace");
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status", "--json"]).status.success());
    wait_for_all(&home, &Scenes::names());
    for line in warmd.log() {
        is_tame("the log", &line);
        let (time, _) = line.trim_start().split_once(' ').unwrap_or_default();
        assert!(time.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "no event: {line}");
    }
    assert!(warmd.stop().success());
}

/// Eight MiB of zeroes in a list: as values they would be 300.
fn zeroes() -> String {
    format!("[{}0]", "0,".repeat(4 * 1024 * 1024))
}

fn nested() -> String {
    format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))
}

/// What a body of so many values costs is bounded; what else it says is read.
#[test]
fn answers_large_and_deep() {
    let trial = Trial::start("30s");
    for output in [zeroes(), nested()] {
        let out = output.clone();
        trial.sick.does(move |connection, heard| {
            let (status, body) = heard.well();
            let body = body.to_string().replace("\"output\":\"hi\"", &format!("\"output\":{out}"));
            say(connection, status, "", body.as_bytes())
        });
        let before = SICK.map(|name| trial.count(name, "warm"));
        for (name, before) in SICK.into_iter().zip(before) {
            wait_until("a model that puts out much is warm", PATIENCE, || {
                trial.count(name, "warm") >= before + 2
            });
        }
    }
    for name in SICK {
        assert_eq!(trial.count(name, "unreachable"), 0);
    }
    for output in [zeroes(), nested()] {
        for met in trial.meets(move |connection, _| say(connection, 200, "", output.as_bytes())) {
            says(&met, "unreachable", "200 OK");
        }
    }
    trial.recovers("answers large and deep");
}

/// What a model puts out may be larger than what is kept of an answer, and need be no JSON.
#[test]
fn an_output_of_any_size_and_content_hides_nothing() {
    let trial = Trial::start("1m");
    let file = format!("\"data:application/octet-stream;base64,{}\"", "QUJD".repeat(10 << 20)).into_bytes();
    for output in [file, b"[NaN, 1e999, -Infinity]".to_vec(), b"\"caf\xe9 \xff\"".to_vec()] {
        trial.sick.does(move |connection, heard| {
            let (status, body) = heard.well();
            let body = body.to_string();
            let (before, after) = body.split_once("\"hi\"").unwrap_or((&body, ""));
            let rest = if after.is_empty() { &b""[..] } else { &output };
            say(
                connection,
                status,
                "",
                &[b"\xef\xbb\xbf", before.as_bytes(), rest, after.as_bytes()].concat(),
            )
        });
        for name in SICK {
            let before = trial.count(name, "warm");
            wait_until("it is warm, whatever it puts out", PATIENCE, || {
                trial.count(name, "warm") >= before + 2
            });
            assert_eq!(trial.count(name, "unreachable"), 0);
        }
    }
    trial.recovers("an output of any size and content");
}

/// Compressed, a gigabyte takes a megabyte; nothing asks for that, and nothing is unpacked.
#[test]
fn a_body_that_unpacks_to_a_gigabyte() {
    let trial = Trial::start("10s");
    let met = trial.meets(|connection, _| {
        // The start of what gzip makes of zeroes, over and over: what it is does not matter.
        let body = [[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].as_slice(), &vec![0; 1 << 20]].concat();
        say(connection, 200, "content-encoding: gzip\r\n", &body)
    });
    for met in met {
        says(&met, "unreachable", "200 OK");
    }
    trial.recovers("a packed body");
}

/// Interim answers without an end: the connection is closed, and no other model waits for its heartbeats.
#[test]
fn interim_answers_without_an_end() {
    let trial = Trial::start("1m");
    let many = format!("x-long: {}\r\n", "y".repeat(100)).repeat(50);
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_owned(),
        format!("HTTP/1.1 102 Processing\r\n{many}\r\n"),
        format!("HTTP/1.1 102 Processing\r\n{}\r\n", ["X-1: y\r\n"; 95].concat()),
    ] {
        let well = trial.count("well", "warm");
        let flood = interim.repeat(1 + 100_000 / interim.len());
        let met = trial.meets(move |connection, _| {
            loop {
                connection.write_all(flood.as_bytes())?;
            }
        });
        for met in met {
            says(&met, "unreachable", "interim answers (1xx)");
        }
        wait_until("the well one goes on", PATIENCE, || trial.count("well", "warm") >= well + 2);
    }
    for outcome in ["busy", "skipped", "timed_out", "unreachable"] {
        assert_eq!(trial.count("well", outcome), 0, "{outcome}");
    }
    trial.recovers("interim answers without an end");
}

/// What stands in a file, in whatever place, right or wrong.
#[test]
fn what_a_file_says_moves_no_cursor() {
    let nasty = "\\u001b[2J\\u001b]0;mine\\u0007\\u009b31m\\nFORGED\\u2028FORGED \\u202etxet\\u2066\\u200b\\ufeff\\u007f";
    let raw = "\u{202e}txet\u{2066}\u{200b}\u{9b}31m\u{2028}FORGED";
    let right = format!(
        "[models.box]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"] # {raw}\n\
         input = {{ \"{nasty}\" = \"{nasty}\", prompt = \"{raw}\" }}\n"
    );
    let home = Home::at_trace(&right);
    let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
    command.args(["--log-format", "text", "--config"]).arg(home.config());
    command.env("RUST_LOG", "trace");
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status", "--json"]).status.success());
    let look = || {
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["check", "--online"],
            &["next"],
            &["reload"],
            &["reload", "--json"],
            &["status"],
            &["status", "box"],
            &["status", "--json"],
            &["beat", "box"],
        ] {
            let output = home.ctl(arguments);
            for said in [&output.stdout, &output.stderr] {
                is_tame(&format!("warmctl {arguments:?}"), &text(said));
            }
        }
    };
    look();
    let places = [
        format!("[models.\"{nasty}\"]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n"),
        format!("{right}\"{nasty}\" = 1\n"),
        format!("{right}timezone = \"{nasty}\"\n"),
        format!("{right}timezone = \"{raw}\"\n"),
        format!("{right}interval = \"{nasty}\"\n"),
        format!("{right}token_env = \"{nasty}\"\n"),
        format!("{right}token_file = \"/{nasty}\"\n"),
        format!("{right}token_file = \"{raw}\"\n"),
        format!("{right}token_credential = \"{raw}\"\n"),
        format!("{right}[[alerts]]\ncommand = [\"/{nasty}\"]\n"),
        format!("{right}[[alerts]]\nwebhook_file = \"/{nasty}\"\n"),
        format!("{right}[[alerts]]\nwebhook_credential = \"{raw}\"\n"),
        format!("{right}closed = [\"{nasty}\", \"{raw}\"]\n"),
        format!("{right}[hours.\"{nasty}\"]\nopen = [\"always\"]\n"),
        right.replace("always", nasty),
        right.replace("127.0.0.1", nasty),
        right.replace("127.0.0.1", raw),
        right.replace("cog = \"http://127.0.0.1:9\"", &format!("replicate = \"{nasty}/{raw}\"")),
        format!("{right}\u{1b}[2J = \u{7}\n"),
        format!("{right}x = \"{raw}\n"),
        format!("{right}{raw}\n"),
    ];
    for place in places {
        home.write(&place);
        look();
    }
    for line in warmd.log() {
        is_tame("the log", &line);
    }
    assert!(warmd.stop().success());
}

/// Paths that were made so, and names as they are typed.
#[test]
fn paths_and_names_move_no_cursor() {
    let nasty = "x\nFORGED\u{1b}[2J\u{202e}txet\u{9b}31m\u{200b}";
    let home = Home::at_trace("");
    let folder = home.path(nasty);
    let at = |name: &str| folder.join(name);
    fs::create_dir(&folder).unwrap();
    let toml = |path: &Path| Value::from(path.to_str().unwrap()).to_string();
    let (config, socket) = (at(&format!("{nasty}.toml")), at("s.sock"));
    let file = |more: &str| {
        let text = format!(
            "[daemon]\nstate = {}\nsocket = {}\nlisten = \"off\"\n\
             [models.box]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\ntoken_file = {}\n{more}",
            toml(&at("warmd.db")),
            toml(&socket),
            toml(&at("token")),
        );
        fs::write(&config, text).unwrap();
    };
    fs::write(at("token"), TOKEN).unwrap();
    fs::set_permissions(at("token"), Permissions::from_mode(0o666)).unwrap();
    file("");
    let ctl = |arguments: &[&OsStr]| {
        let mut command = home.program(env!("CARGO_BIN_EXE_warmctl"));
        command.arg("--socket").arg(&socket).arg("--config").arg(&config);
        let output = command.args(arguments).output().unwrap();
        for said in [&output.stdout, &output.stderr] {
            is_tame(&format!("warmctl {arguments:?}"), &text(said));
        }
        output.status.success()
    };
    let warmd = || {
        let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
        command.args(["--log-format", "text", "--config"]).arg(&config).env("RUST_LOG", "trace");
        command
    };
    let running = Warmd::spawn(warmd());
    wait_until("the daemon answers", PATIENCE, || ctl(&["status".as_ref()]));
    let name: &OsStr = nasty.as_ref();
    let look = || {
        let json: &OsStr = "--json".as_ref();
        for verb in ["status", "check", "next", "reload"].map(OsStr::new) {
            ctl(&[verb]);
            ctl(&[verb, json]);
        }
        for verb in
            ["status", "history", "export", "next", "beat", "pause", "resume", "check"].map(OsStr::new)
        {
            assert!(!ctl(&[verb, name]), "{verb:?}");
            ctl(&[verb, name, json]);
        }
        for wrong in [
            vec![name],
            vec!["status".as_ref(), "--since".as_ref(), name],
            vec!["alert".as_ref(), "test".as_ref(), name],
        ] {
            assert!(!ctl(&wrong), "{wrong:?}");
        }
    };
    look();
    // Another one has the same file.
    let second = warmd().output().unwrap();
    is_tame("a second daemon", &text(&second.stderr));
    for wrong in ["intervl = 1\n", "token_env = 1\n", "timezone = \"Nowhere\"\n"] {
        file(wrong);
        look();
    }
    fs::remove_file(at("token")).unwrap();
    file("");
    look();
    fs::remove_file(&config).unwrap();
    look();
    for (variable, flag) in [("WARMD_CONFIG", "-q"), ("X", nasty), ("RUST_LOG", "-v")] {
        let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
        let ended = command.arg(flag).env("WARMD_CONFIG", "/none").env(variable, nasty).output().unwrap();
        assert!(!ended.status.success());
        is_tame(&format!("warmd by {variable}"), &text(&ended.stderr));
    }
    for line in running.log() {
        is_tame("the log", &line);
    }
    assert!(running.stop().success());
}
