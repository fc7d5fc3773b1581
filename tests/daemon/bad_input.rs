//! What can't be run is told, with what to do, and nothing is touched.

use crate::support::{Home, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

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
    fs::set_permissions(home.path("token"), fs::Permissions::from_mode(0o644)).unwrap();
    let text_of = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text_of.replace("\"token\"", &format!("\"{}\"", home.path("token").display())));
    let warmd = home.start();
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("token"), "{notes}");
    assert!(!notes.contains("r8_secret") && !warmd.log().concat().contains("r8_secret"));
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
