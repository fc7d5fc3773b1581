//! What can't be run is told, with what to do, and nothing is touched.

use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};

const MODEL: &str = "[models.llama]\nreplicate = \"acme/llama\"\nactive = [\"always\"]\n";

/// Runs the daemon on what can't be run, to its end.
fn refused(home: &Home) -> (Option<i32>, String) {
    told(&home.program(env!("CARGO_BIN_EXE_warmd")).arg("--config").arg(home.config()).output().unwrap())
}

fn told(output: &Output) -> (Option<i32>, String) {
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code(), error)
}

#[test]
fn a_missing_token_is_fatal_for_the_daemon_and_a_warning_in_check() {
    let home = Home::new(MODEL);
    let (code, error) = refused(&home);
    assert_eq!(code, Some(78), "{error}");
    assert!(error.contains("REPLICATE_API_TOKEN"), "{error}");
    let check = home.ctl(&["check"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let warned = home.json(&["check"])["warnings"].clone();
    assert_eq!((&warned[0]["line"], &warned[0]["key"]), (&json!(8), &json!("models.llama.replicate")));
}

#[test]
fn every_missing_token_is_told_where_it_is_named() {
    let other =
        "[models.box]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ntoken_env = \"BOX_TOKEN\"\n";
    let home = Home::new(&format!("{MODEL}token_env = \"LLAMA_TOKEN\"\n{other}"));
    let (code, error) = refused(&home);
    assert_eq!(code, Some(78), "{error}");
    for said in
        ["$LLAMA_TOKEN (not set)", "warm.toml:10:1", "$BOX_TOKEN (not set)", "warm.toml:14:1", "2 problems"]
    {
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn files_that_are_no_configuration() {
    let home = Home::new(MODEL);
    for (contents, word) in [(&b""[..], "no models"), (&b"\x00\xff\xfe binary"[..], "UTF-8")] {
        fs::write(home.config(), contents).unwrap();
        let (code, error) = refused(&home);
        assert_eq!(code, Some(78), "{error}");
        assert!(error.contains(word), "{word}: {error}");
    }
    fs::remove_file(home.config()).unwrap();
    let (code, error) = refused(&home);
    assert_eq!(code, Some(78), "{error}");
    fs::create_dir(home.config()).unwrap();
    let (code, error) = refused(&home);
    assert_eq!(code, Some(78), "{error}");
    assert!(error.contains("directory"), "{error}");
}

#[test]
fn state_files_that_are_not_warmds_stay_untouched() {
    let home = Home::new("[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n");
    let state = home.path("warmd.db");
    fs::write(&state, "dear diary, ".repeat(400)).unwrap();
    let before = fs::read(&state).unwrap();
    let (code, error) = refused(&home);
    assert_eq!(code, Some(78), "{error}");
    assert!(error.contains("not a state file of warmd"), "{error}");
    assert_eq!(fs::read(&state).unwrap(), before);
}

#[test]
fn a_token_file_that_anyone_may_read_is_warned_of() {
    let home = Home::new(&format!("{MODEL}token_file = \"token\"\n"));
    fs::write(home.path("token"), "r8_secret_of_a_test\n").unwrap();
    fs::set_permissions(home.path("token"), Permissions::from_mode(0o644)).unwrap();
    let text_of = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text_of.replace("\"token\"", &format!("\"{}\"", home.path("token").display())));
    let warmd = home.start();
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("token"), "{notes}");
    assert!(!notes.contains("r8_secret") && !warmd.log().concat().contains("r8_secret"));
    assert!(warmd.stop().success());
}

#[test]
fn files_that_others_may_write_are_warned_of() {
    let home = Home::new("");
    let folder = home.path("conf");
    let (config, token, hook) = (folder.join("warm.toml"), folder.join("token"), folder.join("hook"));
    fs::create_dir(&folder).unwrap();
    fs::write(&token, "r8_hush0hush1").unwrap();
    fs::write(&hook, "http://127.0.0.1:9/x").unwrap();
    let file = format!(
        "[models.llama]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ntoken_file = \"{}\"\n\
         [[alerts]]\nwebhook_file = \"{}\"\n",
        token.display(),
        hook.display()
    );
    home.write(&file);
    fs::rename(home.config(), &config).unwrap();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let modes = |of_folder: u32, of_config: u32, of_secrets: u32| {
        mode(&folder, of_folder);
        mode(&config, of_config);
        mode(&token, of_secrets);
        mode(&hook, of_secrets);
    };
    let chown = |owner: &str| {
        let paths = [&folder, &config, &token, &hook];
        Command::new("chown").arg(owner).args(paths).status().unwrap().success()
    };
    let check = |arguments: &[&str]| {
        let config = config.display().to_string();
        let output = home.ctl(&[&["check", &config], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    modes(0o755, 0o644, 0o600);
    let warmd = Warmd::spawn(home.warmd_on(&config));
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let notes = || {
        assert!(home.ctl(&["reload"]).status.success());
        home.status()["daemon"]["notes"].to_string()
    };
    assert_eq!(notes(), "[]");
    assert!(!check(&[]).contains("warning"), "{}", check(&[]));
    let told = |sentences: &[String]| {
        let (notes, drawn, json) = (notes(), check(&[]), check(&["--json"]));
        for sentence in sentences {
            // Drawn, it may be broken over two lines.
            let drawn = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in [&notes, &drawn, &json] {
                assert!(said.contains(sentence), "{sentence}\nis not in\n{said}");
            }
            warmd.tells(&["WARN", sentence]);
        }
    };
    let shown = |path: &Path| path.display().to_string();
    modes(0o755, 0o664, 0o622);
    told(&[
        format!("others may write {0} (mode 0664): chmod go-w {0}", shown(&config)),
        format!("{0} can be written by others (mode 0622): chmod 600 {0}", shown(&token)),
        format!("{0} can be written by others (mode 0622): chmod 600 {0}", shown(&hook)),
    ]);
    modes(0o777, 0o640, 0o600);
    told(&[&config, &token, &hook].map(|path| {
        format!(
            "others may write to the folder {0} (mode 0777), and so replace {1}: chmod go-w {0}",
            shown(&folder),
            shown(path)
        )
    }));
    modes(0o1777, 0o644, 0o600);
    assert_eq!(notes(), "[]");
    // For root alone to try.
    modes(0o755, 0o644, 0o600);
    if chown("12345") {
        told(&[&config, &token, &hook].map(|path| {
            format!(
                "{0} belongs to the user 12345, neither to root nor to the user of warmd: chown root {0}",
                shown(path)
            )
        }));
        assert!(chown("root"));
        assert_eq!(notes(), "[]");
    }
    assert!(warmd.stop().success());
}

#[test]
fn a_token_with_something_around_it_is_named_and_never_shown() {
    let hush = "r8_hush0hush1hush2";
    for (held, named) in [
        (format!("\"{hush}\""), "quotes around it: take the quotes away"),
        (format!("export REPLICATE_API_TOKEN={hush}"), "`export NAME=…`"),
        (format!("REPLICATE_API_TOKEN={hush}"), "`NAME=…`"),
        (format!("Bearer {hush}"), "`Bearer …`"),
        ("${REPLICATE_API_TOKEN}".to_owned(), "the name of a variable"),
        ("r8_xxxxxxxxxxxxxxxx".to_owned(), "a placeholder"),
        ("<your token>".to_owned(), "a placeholder"),
    ] {
        let home = Home::new(MODEL);
        fs::write(home.path("token"), format!("{held}\n")).unwrap();
        fs::set_permissions(home.path("token"), Permissions::from_mode(0o600)).unwrap();
        let warmd = |variable: &str, value: &OsStr| {
            let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
            told(&command.arg("--config").arg(home.config()).env(variable, value).output().unwrap())
        };
        let (code, of_variable) = warmd("REPLICATE_API_TOKEN", held.as_ref());
        assert_eq!(code, Some(78), "{of_variable}");
        assert!(of_variable.contains("$REPLICATE_API_TOKEN does not hold a token alone"), "{of_variable}");
        fs::copy(home.path("token"), home.path("replicate-token")).unwrap();
        let (code, of_credential) = warmd("CREDENTIALS_DIRECTORY", home.path("").as_ref());
        assert_eq!(code, Some(78), "{of_credential}");
        home.write(&format!("{MODEL}token_file = \"{}\"\n", home.path("token").display()));
        let (code, of_file) = warmd("X", "".as_ref());
        assert_eq!(code, Some(78), "{of_file}");
        let check = home.ctl(&["check"]);
        assert!(check.status.success(), "{}", text(&check.stderr));
        for said in [of_variable, of_credential, of_file, text(&check.stdout)] {
            assert!(said.contains(named) && !said.contains("hush"), "{named}: {said}");
        }
    }
}

#[test]
fn a_zone_that_says_an_offset_is_warned_of_or_refused() {
    let model = |zone: &str| {
        format!(
            "[models.llama]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ntimezone = \"{zone}\"\n"
        )
    };
    let home = Home::new(&model("Etc/GMT+2"));
    let warmd = home.start();
    let meant = "`Etc/GMT+2` is UTC-2: the sign in these names is inverted";
    assert!(home.status()["daemon"]["notes"].to_string().contains(meant));
    warmd.tells(&["WARN", meant]);
    home.write(&model("GMT+2"));
    let refused = home.ctl(&["reload"]);
    assert_eq!(refused.status.code(), Some(78));
    let error = text(&refused.stderr);
    assert!(error.contains("`GMT+2` is no IANA name") && !error.contains("did you mean"), "{error}");
    assert!(warmd.stop().success());
}

#[test]
fn no_daemon_and_unknown_names() {
    let home = Home::new("[models.llama]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n");
    let (code, error) = told(&home.ctl(&["status"]));
    assert_eq!(code, Some(69), "{error}");
    assert!(error.contains("warmd.sock"), "{error}");
    let warmd = home.start();
    for verb in ["beat", "pause", "resume", "status"] {
        let (code, error) = told(&home.ctl(&[verb, "lama"]));
        assert_eq!(code, Some(1), "{verb}: {error}");
        assert!(error.contains("llama"), "{verb}: {error}");
    }
    let (code, error) = told(&home.ctl(&["stauts"]));
    assert_eq!(code, Some(2), "{error}");
    assert!(warmd.stop().success());
}

/// A request on the daemon's socket, as it goes over the wire; the whole answer.
fn asked(home: &Home, request: &str) -> String {
    let mut socket = UnixStream::connect(home.path("warmd.sock")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    text(&answer)
}

#[test]
fn every_refusal_on_the_socket_is_a_problem_document() {
    let home = Home::new("[models.llama]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n");
    let warmd = home.start();
    let pause = |body: &str| {
        format!(
            "POST /v1/models/llama/pause HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    for (request, status) in [
        (get("/v1/status?since=5"), 400),
        (get("/v1/status?since=1h&since=2h"), 400),
        (get("/v1/status?sicne=7d"), 400),
        (get("/v1/events?sicne=7d"), 400),
        (get("/v1/events?limit=many"), 400),
        (get("/v1/models/nobody/intervals"), 404),
        (get("/v1/models/%ff"), 400),
        (get("/v1/models/lama"), 404),
        (get("/v2/status"), 404),
        (get("/v1/reload"), 405),
        (pause("{\"for\":\"0s\"}"), 400),
        (pause("{\"for\":\"9999999d\"}"), 400),
        (pause("{\"for\":"), 400),
        (pause(&"x".repeat(20_000)), 413),
    ] {
        let answer = asked(&home, &request);
        let first = request.lines().next().unwrap_or_default();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{first}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{first}: {answer}");
    }
    assert_eq!(home.model("llama")["paused_until"], Value::Null);
    assert!(warmd.stop().success());
}
