//! `warmd --demo`: the same daemon on the embedded sandbox, with a live status.
//!
//! Needs no token, no model and no network; state, socket and file lie in a temporary folder that
//! goes with it. On a terminal the status is redrawn; in a pipe each event is a line, and the table
//! comes at the end.

use super::Daemon;
use super::configuration;
use crate::clock::{self, Stopwatch};
use crate::config::Env;
use crate::ctl::{Look, Screen, overview};
use crate::hours::zone::Zones;
use crate::quote;
use crate::sandbox::demo;
use crate::status::{LastHeartbeat, ModelStatus, Snapshot};
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Handle;

/// How often the picture is taken: shorter than any of the demo's intervals, so that no heartbeat
/// goes by unseen.
const PICTURE: Duration = Duration::from_millis(500);

/// Runs the demo until it is stopped, or `length` is over.
pub(super) async fn run(length: Option<Duration>, heartbeats: &Handle) -> anyhow::Result<()> {
    let folder = Folder::new().context("can't make a temporary folder for the demo")?;
    let world = demo::start(&folder.0).await.context("can't start the demo's servers on loopback")?;
    let path = folder.0.join("warm.toml");
    std::fs::write(&path, &world.config_toml).context("can't write the demo's configuration")?;
    let (env, zones) = (Env::process(), Zones::system());
    let configuration = configuration::read(&path, &env, &zones)?;
    let daemon = Daemon::start(configuration, env, heartbeats).await?;
    let shown = match watch(&daemon, length, &path).await {
        Err(error) if unread(&error) => Ok(()),
        shown => shown,
    };
    daemon.stop.cancel();
    let ended = daemon.wait().await;
    world.stop().await;
    shown.and(ended)
}

/// Shows what happens until the daemon stops or `length` is over.
async fn watch(daemon: &Daemon, length: Option<Duration>, path: &Path) -> anyhow::Result<()> {
    let (watch, started_at) = (Stopwatch::start(), clock::now());
    let terminal = std::io::stdout().is_terminal() && !Env::process().has_dumb_terminal();
    let (mut events, mut screen) = (Events::default(), Screen::default());
    if !terminal {
        let config = quote::path(path);
        print(&format!("six models on a sandbox that goes cold within seconds; their file: {config}\n"))?;
    }
    let mut latest = None;
    loop {
        let picture = tokio::select! {
            biased;
            () = daemon.stop.cancelled() => break,
            picture = daemon.engine.snapshot(started_at) => picture?,
        };
        let look = Look::of_stdout(false);
        let left = length.map(|length| length.saturating_sub(watch.elapsed()));
        if terminal {
            print(&screen.frame(&(heading(left) + &overview(&picture, &look))))?;
        } else {
            print(&events.since_the_last(&picture, &look))?;
        }
        latest = Some(picture);
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        tokio::select! {
            () = daemon.stop.cancelled() => {}
            () = tokio::time::sleep(PICTURE) => {}
        }
    }
    // A daemon that stops gives no more pictures: the latest is the end.
    if let Some(picture) = latest {
        let table = overview(&picture, &Look::of_stdout(false));
        print(&if terminal { screen.last(&table) } else { format!("\n{table}") })?;
    }
    Ok(())
}

/// What stands over the table on a terminal, short enough for a narrow one.
fn heading(left: Option<Duration>) -> String {
    let ends = match left {
        Some(left) => format!("ends in {:.0} s, or with Ctrl-C", left.as_secs_f64().ceil()),
        None => "Ctrl-C ends it".to_owned(),
    };
    format!("A demo on a sandbox; {ends}\n\n")
}

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whoever read has seen enough: the demo ends as it does after its time.
fn unread(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// What was already told of each model.
#[derive(Debug, Default)]
struct Events {
    told: HashMap<String, DateTime<Utc>>,
}

impl Events {
    /// A line for each heartbeat that has ended since the last picture.
    fn since_the_last(&mut self, picture: &Snapshot, look: &Look) -> String {
        let mut fresh: Vec<(&ModelStatus, &LastHeartbeat)> = Vec::new();
        for model in &picture.models {
            if let Some(last) = &model.last
                && self.told.insert(model.name.clone(), last.sent_at) != Some(last.sent_at)
            {
                fresh.push((model, last));
            }
        }
        fresh.sort_by_key(|(_, last)| done_at(last));
        let mut lines = String::new();
        for (model, last) in fresh {
            // Writing to a String can't fail.
            let time = (look.local)(done_at(last)).format("%H:%M:%S");
            let _ = writeln!(lines, "{time}  {}", line(model, last));
        }
        lines
    }
}

/// When a heartbeat's answer had come.
fn done_at(last: &LastHeartbeat) -> DateTime<Utc> {
    last.sent_at + TimeDelta::milliseconds((last.total.unwrap_or_default() * 1000.0) as i64)
}

fn line(model: &ModelStatus, last: &LastHeartbeat) -> String {
    let (name, outcome) = (&model.name, last.outcome.name());
    match (last.total, last.wait, &last.error) {
        (Some(total), Some(wait), _) => {
            format!("{name:<10} {outcome:<12} {total:>6.2} s, of which it waited {wait:.2} s")
        }
        (_, _, Some(error)) => format!("{name:<10} {outcome:<12} {error}"),
        (_, _, None) => format!("{name:<10} {outcome}"),
    }
}

/// A temporary folder of this process's own, removed when it ends.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let stamp = clock::now().timestamp_micros();
        let path = std::env::temp_dir().join(format!("warmd-demo-{}-{stamp}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed now, the system's own tidying will.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
