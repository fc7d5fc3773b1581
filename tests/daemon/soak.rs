//! The soak: a hundred models at an interval of a second for an hour, as many heartbeats as one model has in
//! four months; and what the memory, the file descriptors and the counts do meanwhile.
//!
//! `cargo test --release --test daemon soak -- --ignored --nocapture`; `WARMD_SOAK` has it last shorter or
//! longer. What it saw is in `soak/` of the target folder: `memory.csv`, `memory.txt` and the daemon's log.

mod samples;
mod stand_in;

use crate::support::{Home, PATIENCE, TOKEN, Warmd, model_of, wait_until};
use samples::{Sample, Samples};
use serde_json::Value;
use stand_in::StandIn;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warmd::clock::Stopwatch;
use warmd::config::value::parse_duration;

/// Half of the models are on Replicate, half are Cog servers.
const OF_EACH: usize = 50;
/// Five models at an interval of a second are 300 creates a minute, the default share of an account.
const MODELS_AN_ACCOUNT: usize = 5;

const SAMPLE_EVERY: Duration = Duration::from_secs(10);
const RELOAD_EVERY: Duration = Duration::from_mins(1);
/// The sandbox keeps its last 100,000 predictions, and 50 a second come.
const COUNT_EVERY: Duration = Duration::from_mins(10);

/// What the daemon says became of its heartbeats, and what the sandbox saw of them.
#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    without_answer: u64,
    not_sent: u64,
    lost: u64,
    doubled: u64,
}

#[test]
#[ignore = "takes an hour"]
fn memory_over_an_hour() {
    let lasts =
        std::env::var("WARMD_SOAK").map_or(Duration::from_hours(1), |text| parse_duration(&text).unwrap());
    let folder = folder();
    let mut sandbox = StandIn::start(OF_EACH);
    let home = Home::new("");
    for account in 0..OF_EACH / MODELS_AN_ACCOUNT {
        let path = home.path(&format!("token-{account}"));
        fs::write(&path, format!("{TOKEN}-{account}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    home.write_whole(&config(&home, &sandbox, 0));
    let warmd = started(&home, &folder);

    let mut samples = Samples::new(&folder.join("memory.csv"));
    let (mut reloads, mut counted) = (0, Duration::ZERO);
    let watch = Stopwatch::start();
    while watch.elapsed() < lasts {
        let due = SAMPLE_EVERY * (samples.len() as u32 + 1);
        std::thread::sleep(due.saturating_sub(watch.elapsed()));
        let heartbeats = asked_as_users_do(&home);
        samples.add(Sample::of(warmd.id(), &home.path("warmd.db"), watch.elapsed(), heartbeats));
        if watch.elapsed() >= RELOAD_EVERY * (reloads + 1) {
            reloads += 1;
            home.write_whole(&config(&home, &sandbox, reloads));
            assert!(home.ctl(&["reload"]).status.success());
        }
        if watch.elapsed() >= counted + COUNT_EVERY {
            counted = watch.elapsed();
            sandbox.count();
        }
    }

    let tally = tally(&home, &mut sandbox);
    let log = warmd.log();
    assert!(warmd.stop().success());
    let report = report(&samples, &tally, reloads);
    println!("{report}");
    fs::write(folder.join("memory.txt"), &report).unwrap();
    fs::write(folder.join("memory.log"), log.join("\n")).unwrap();

    assert_eq!((tally.lost, tally.doubled), (0, 0), "{tally:?}");
    assert!(tally.answered > 0 && tally.without_answer == 0, "{tally:?}");
    samples.assert_flat();
}

/// Where its output goes: `soak` in the target folder.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("soak");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `warmd` as a service runs it: at the default log level, the report open for reading.
fn started(home: &Home, folder: &Path) -> Warmd {
    let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
    command.args(["--log-format", "json", "--config"]).arg(home.config());
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status", "--json"]).status.success());
    println!("samples come every {SAMPLE_EVERY:?}, in {}", folder.join("memory.csv").display());
    warmd
}

fn config(home: &Home, sandbox: &StandIn, round: u32) -> String {
    let mut text = format!(
        "[daemon]\nstate = \"{}\"\nsocket = \"{}\"\nlisten = \"127.0.0.1:0\"\n\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1s\"\n# What an edit may change; it keeps the rhythm.\n\
         timeout = \"{}s\"\n\n[replicate]\nbase_url = \"{}\"\n",
        home.path("warmd.db").display(),
        home.path("warmd.sock").display(),
        60 + round % 2,
        sandbox.base_url,
    );
    for number in 0..OF_EACH {
        let token = home.path(&format!("token-{}", number / MODELS_AN_ACCOUNT));
        let (name, token) = (replicate(number), token.display());
        write!(text, "\n[models.{name}]\nreplicate = \"acme/{name}\"\ntoken_file = \"{token}\"\n").unwrap();
    }
    for (number, url) in sandbox.cogs.iter().enumerate() {
        write!(text, "\n[models.{}]\ncog = \"{url}\"\n", cog(number)).unwrap();
    }
    text
}

fn replicate(number: usize) -> String {
    format!("replicate-{number:02}")
}

fn cog(number: usize) -> String {
    format!("cog-{number:02}")
}

/// What users ask for again and again; returns how many heartbeats were sent so far.
fn asked_as_users_do(home: &Home) -> u64 {
    assert!(home.ctl(&["status", &replicate(7)]).status.success());
    let status = home.status();
    status["models"].as_array().unwrap().iter().map(|model| answered(model) + without_answer(model)).sum()
}

fn count(model: &Value, outcomes: &[&str]) -> u64 {
    outcomes.iter().map(|outcome| model["counts"][outcome].as_u64().unwrap()).sum()
}

fn answered(model: &Value) -> u64 {
    count(model, &["warm", "cold", "failed"])
}

fn without_answer(model: &Value) -> u64 {
    count(model, &["rejected", "timed_out", "unreachable"])
}

/// Holds all heartbeats, and compares what the daemon counted with what the sandbox saw.
fn tally(home: &Home, sandbox: &mut StandIn) -> Tally {
    assert!(home.ctl(&["pause", "--all"]).status.success());
    let mut before = Value::Null;
    wait_until("the last heartbeats land", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(2));
        let counts =
            home.status()["models"].as_array().unwrap().iter().map(|m| m["counts"].clone()).collect();
        std::mem::replace(&mut before, counts) == before
    });
    sandbox.count();
    let seen = sandbox.seen();
    let of_replicate = (0..OF_EACH).map(|number| (replicate(number), format!("acme/{}", replicate(number))));
    let of_cog = sandbox.cogs.iter().enumerate().map(|(number, url)| (cog(number), url.clone()));
    let asked: BTreeMap<String, String> = of_replicate.chain(of_cog).collect();
    let status = home.status();
    let mut tally = Tally::default();
    for (name, asked) in asked {
        let model = model_of(&status, &name);
        let (told, truly) = (answered(&model), seen.get(&asked).copied().unwrap_or_default());
        tally.answered += told;
        tally.without_answer += without_answer(&model);
        tally.not_sent += count(&model, &["skipped", "rate_limited", "busy"]);
        tally.lost += truly.saturating_sub(told);
        tally.doubled += told.saturating_sub(truly);
    }
    tally
}

fn report(samples: &Samples, tally: &Tally, reloads: u32) -> String {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!(
        "{} models for {}, {build} build: {} heartbeats answered, {} without an answer, {} not sent (the one before \
         was in flight, or the pace); of those that the sandbox saw, {} lost and {} counted twice; {reloads} \
         reloads, {} looks at the status\n{}",
        2 * OF_EACH,
        samples.lasted(),
        tally.answered,
        tally.without_answer,
        tally.not_sent,
        tally.lost,
        tally.doubled,
        2 * samples.len(),
        samples.told(),
    )
}
