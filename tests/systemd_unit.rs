//! The unit as systemd itself judges it: free of mistakes, and shut tight.

use std::path::Path;
use std::process::{Command, Output};

/// The exposure that the unit may have at most, on systemd's scale from 0 (none) to 10 (all).
const MOST_EXPOSED: f64 = 1.5;

const UNIT: &str = include_str!("../systemd/warmd.service");

fn systemd_analyze(args: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(args).arg(unit).env("SYSTEMD_COLORS", "0").output().unwrap_or_else(
        |error| panic!("systemd-analyze could not be run ({error}): `apt-get install -y systemd` brings it"),
    )
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The values that the unit gives to `key`, in its order.
fn values(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A span as the unit writes them: `30s`.
fn seconds(key: &str) -> u64 {
    let value = values(key)[0];
    value.strip_suffix('s').and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{key}={value}"))
}

/// The unit, its programs those that were just built: `verify` asks whether they can be executed.
fn installed(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("warmd.service");
    let unit = UNIT
        .replace("/usr/bin/warmd", env!("CARGO_BIN_EXE_warmd"))
        .replace("/usr/bin/warmctl", env!("CARGO_BIN_EXE_warmctl"));
    std::fs::write(&path, unit).expect("a temporary folder takes a file");
    path
}

#[test]
fn systemd_finds_nothing_to_mend() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = systemd_analyze(&["verify", "--man=no", "--recursive-errors=no"], &installed(folder.path()));
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn its_exposure_stays_low() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = systemd_analyze(&["security", "--offline=true", "--no-pager"], &installed(folder.path()));
    let report = said(&output);
    let figure = report
        .lines()
        .find_map(|line| {
            line.split_once("Overall exposure level for ")?.1.split(' ').nth(1)?.parse::<f64>().ok()
        })
        .unwrap_or_else(|| panic!("no figure in:\n{report}"));
    println!("systemd-analyze security: {figure}");
    assert!(figure <= MOST_EXPOSED, "{figure} is above {MOST_EXPOSED}:\n{report}");
}

#[test]
fn it_comes_back_from_anything_but_a_bad_configuration() {
    assert_eq!(values("Restart"), ["always"]);
    assert_eq!(values("RestartSec"), ["2s"]);
    assert_eq!(values("RestartPreventExitStatus"), ["78"]);
    assert_eq!(values("StartLimitIntervalSec"), ["0"]);
    let unit_section = UNIT.split("[Service]").next().unwrap_or_default();
    assert!(unit_section.contains("StartLimitIntervalSec=0"), "it is heeded in [Unit] alone");
}

#[test]
fn a_reload_waits_and_fails_with_a_bad_file() {
    // A signal tells neither when it is heeded nor how; and a minimal Debian has no /bin/kill.
    assert_eq!(values("ExecReload"), ["/usr/bin/warmctl reload"]);
}

#[test]
fn a_host_without_a_token_can_start_it() {
    let loaded = values("LoadCredential");
    assert_eq!(loaded, ["replicate-token"], "with a path, a missing file fails the start with status 243");
}

#[test]
fn heartbeats_in_flight_may_end_before_it_is_killed() {
    const DEFAULT_GRACE: u64 = 20; // `shutdown_grace` in warm.toml
    assert!(seconds("TimeoutStopSec") > DEFAULT_GRACE);
}

#[test]
fn the_user_it_runs_as_is_the_one_that_is_made() {
    let made = include_str!("../systemd/warmd.sysusers");
    let user = values("User")[0];
    assert_eq!(values("Group"), [user]);
    assert!(made.lines().any(|line| line.starts_with(&format!("u {user} "))), "{made}");
}
