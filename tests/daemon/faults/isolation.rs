//! One bad model doesn't touch the others.

use super::network::peer::{Heard, Peer, Then, hang, well};
use crate::support::{Home, PATIENCE, wait_until};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::TcpStream;
use std::time::Duration;

/// How many models are well, as Cog servers and on Replicate: what an account's limit carries at 1 s.
const WELL: [usize; 2] = [8, 6];

/// How many beside them hang: a third of all.
const SICK: [usize; 2] = [4, 3];

/// How many of the former meet their time-out over and over; the others hang all the while.
const SHORT: usize = 2;

/// How many heartbeats of each model that is well are compared.
const HEARTBEATS: usize = 12;

/// The lags of models that are well, in seconds, each heartbeat's once: by model, and by when it was due.
pub(crate) type Lags = BTreeMap<(String, DateTime<Utc>), f64>;

fn file(cog: &Peer, sick: &Peer, replicate: &Peer, with_sick: bool) -> String {
    let mut file = format!(
        "[replicate]\nbase_url = \"{}/v1\"\ncreates_per_minute = 600\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1s\"\ntimeout = \"10m\"\n",
        replicate.url()
    );
    let sick_ones = if with_sick { SICK } else { [0, 0] };
    for number in 0..sick_ones[0] {
        let timeout = if number < SHORT { "timeout = \"2s\"" } else { "" };
        writeln!(file, "[models.cog-{number}-sick]\ncog = \"{}\"\n{timeout}", sick.url()).unwrap();
    }
    for number in 0..sick_ones[1] {
        writeln!(file, "[models.rep-{number}-sick]\nreplicate = \"acme/m{number}-sick\"").unwrap();
    }
    for number in 0..WELL[0] {
        writeln!(file, "[models.cog-{number}]\ncog = \"{}\"", cog.url()).unwrap();
    }
    for number in 0..WELL[1] {
        writeln!(file, "[models.rep-{number}]\nreplicate = \"acme/m{number}\"").unwrap();
    }
    file
}

/// A server that the account's models share hangs for those that are sick.
fn hangs_for_the_sick(connection: &mut TcpStream, heard: &Heard) -> std::io::Result<Then> {
    if heard.is_create() && heard.is_about_the_sick() { hang(connection) } else { well(connection, heard) }
}

/// Notes the last heartbeat of each model that is well; those that went otherwise than well end the test.
pub(crate) fn note(home: &Home, lags: &mut Lags) {
    for model in home.status()["models"].as_array().unwrap() {
        let name = model["name"].as_str().unwrap();
        let last = &model["last"];
        if name.ends_with("sick") || last.is_null() {
            continue;
        }
        assert_eq!(last["outcome"], "warm", "{model}");
        let time = |key: &str| -> DateTime<Utc> { last[key].as_str().unwrap().parse().unwrap() };
        let (due, sent) = (time("due_at"), time("sent_at"));
        lags.insert((name.to_owned(), due), (sent - due).as_seconds_f64());
    }
}

/// The lag that a share of all heartbeats stay within.
fn at(lags: &Lags, share: f64) -> f64 {
    let mut sorted: Vec<f64> = lags.values().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() as f64 * share).ceil() as usize).max(1) - 1]
}

pub(crate) fn print(what: &str, lags: &Lags) {
    let [p50, p90, max] = [0.5, 0.9, 1.0].map(|share| at(lags, share) * 1e3);
    println!(
        "measured: {what}: {} heartbeats, lag p50 {p50:.1} ms, p90 {p90:.1} ms, at most {max:.0} ms",
        lags.len()
    );
}

/// Held up, they would lag by seconds more than those of the daemon beside it: a hanging server holds for two
/// seconds or for ever. A busy machine delays either daemon by tenths of a second.
pub(crate) fn assert_not_held_up(lags: &Lags, without: &Lags) {
    for (share, allowed) in [(0.5, 0.3), (0.9, 0.5), (1.0, 1.5)] {
        let (with, without) = (at(lags, share), at(without, share));
        assert!(with <= without + allowed, "at {share}: {with} s, without them {without} s");
    }
}

/// Both daemons run side by side, so that whatever else the machine does falls on both.
#[test]
fn a_third_of_the_models_hang() {
    let (cog, sick, replicate) = (Peer::start(), Peer::start(), Peer::start());
    sick.does(|connection, _| hang(connection));
    replicate.does(hangs_for_the_sick);
    let home = Home::at_trace(&file(&cog, &sick, &replicate, true));
    let control = Home::at_trace(&file(&cog, &sick, &replicate, false));
    let daemons = [home.start(), control.start()];
    let sick_for_long = SICK.iter().sum::<usize>() - SHORT;
    let hanging = || {
        let status = home.status();
        let models = status["models"].as_array().unwrap();
        // A create that is held says nothing of a boot, a health check that is held does.
        let hangs = |model: &&Value| {
            model["last"].is_null() && ["booting", "unknown"].iter().any(|state| model["state"] == *state)
        };
        models.iter().filter(hangs).count()
    };
    wait_until("a third hangs", PATIENCE, || hanging() == sick_for_long);
    let [mut lags, mut without] = [Lags::new(), Lags::new()];
    let enough = WELL.iter().sum::<usize>() * HEARTBEATS;
    wait_until("enough heartbeats", PATIENCE * 2, || {
        note(&home, &mut lags);
        note(&control, &mut without);
        lags.len().min(without.len()) >= enough
    });
    print("beside a third that hangs", &lags);
    print("without them", &without);
    assert_eq!(hanging(), sick_for_long, "they hang on");
    let timed_out = home.model("cog-0-sick")["counts"]["timed_out"].as_u64();
    assert!(timed_out >= Some(2), "{timed_out:?}");
    assert_not_held_up(&lags, &without);
    let skipped = |home: &Home| -> u64 {
        let status = home.status();
        let of = |model: &Value| model["counts"]["skipped"].as_u64().unwrap();
        let well = status["models"].as_array().unwrap().iter();
        well.filter(|model| !model["name"].as_str().unwrap().ends_with("sick")).map(of).sum()
    };
    // A pause of the machine, of more than an interval, may cost each model one.
    let (with, without, a_pause) = (skipped(&home), skipped(&control), WELL.iter().sum::<usize>() as u64);
    assert!(with <= without + a_pause, "none is left out: {with} skipped, without them {without}");
    // Nor do they hold up whoever asks, or the end.
    assert!(home.ctl(&["beat", "cog-0"]).status.success());
    let stopping = warmd::clock::Stopwatch::start();
    for daemon in daemons {
        assert!(daemon.stop().success());
    }
    assert!(stopping.elapsed() < Duration::from_secs(20), "{:?}", stopping.elapsed());
}
