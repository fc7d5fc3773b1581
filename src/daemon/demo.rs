//! `warmd --demo`: the same daemon on the embedded sandbox, with a live status.
//!
//! Needs no token, no model and no network; state, socket and file lie in a temporary folder that
//! goes with it. On a terminal the status is redrawn; in a pipe each event is a line, and the table
//! comes at the end.

use super::Daemon;
use super::command::Command;
use super::configuration;
use crate::clock::{self, Stopwatch};
use crate::config::{Env, check_text};
use crate::ctl::{Look, overview};
use crate::hours::zone::Zones;
use crate::sandbox::demo;
use crate::state::delta;
use crate::status::assemble::assemble;
use crate::status::{LastHeartbeat, ModelStatus, Snapshot};
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the picture is taken: shorter than any of the demo's intervals, so that no heartbeat
/// goes by unseen.
const PICTURE: Duration = Duration::from_millis(500);

/// The report's span: the whole demo.
const SPAN: Duration = Duration::from_hours(1);

/// Runs the demo until it is stopped, or `length` is over.
pub(super) async fn run(length: Option<Duration>) -> anyhow::Result<()> {
    let folder = Folder::new().context("can't make a temporary folder for the demo")?;
    let world = demo::start(&folder.0).await.context("can't start the demo's servers on loopback")?;
    let path = folder.0.join("warm.toml");
    std::fs::write(&path, &world.config_toml).context("can't write the demo's configuration")?;
    let (env, zones) = (Env::process(), Zones::system());
    let loaded = check_text(&path, &world.config_toml, &env, &zones)?;
    let daemon = Daemon::start(configuration::equip(loaded, &env, &zones)?, env).await?;
    let shown = watch(&daemon, length, &path).await;
    daemon.stop.cancel();
    let ended = daemon.wait().await;
    world.stop().await;
    shown.and(ended)
}

/// Shows what happens until the daemon stops or `length` is over.
async fn watch(daemon: &Daemon, length: Option<Duration>, path: &Path) -> anyhow::Result<()> {
    let (watch, terminal) = (Stopwatch::start(), std::io::stdout().is_terminal());
    let mut events = Events::default();
    if !terminal {
        let config = path.display();
        print(&format!("six models on a sandbox that goes cold within seconds; their file: {config}\n"))?;
    }
    loop {
        let picture = tokio::select! {
            () = daemon.stop.cancelled() => return Ok(()),
            picture = snapshot(daemon) => picture?,
        };
        let look = Look::of_stdout(false);
        let over = length.is_some_and(|length| watch.elapsed() >= length);
        let ends = daemon.stop.is_cancelled() || over;
        if terminal {
            print(&redrawn(&overview(&picture, &look), length.is_none()))?;
        } else {
            print(&events.since_the_last(&picture))?;
            if ends {
                print(&format!("\n{}", overview(&picture, &look)))?;
            }
        }
        if ends {
            return Ok(());
        }
        tokio::select! {
            // Once more, for the table at the end.
            () = daemon.stop.cancelled() => {}
            () = tokio::time::sleep(PICTURE) => {}
        }
    }
}

async fn snapshot(daemon: &Daemon) -> anyhow::Result<Snapshot> {
    let live = daemon.engine.ask(Command::Live).await?;
    let sums = daemon.store.summaries(clock::now() - delta(SPAN), live.at).await?;
    Ok(assemble(&live, &sums))
}

/// The picture over the one before: the cursor goes home, each line clears what was behind it, and
/// what was below is cleared. Nothing is blanked first, so nothing flickers.
fn redrawn(picture: &str, endless: bool) -> String {
    let mut screen = String::from("\x1b[H");
    for line in picture.lines() {
        // Writing to a String can't fail.
        let _ = write!(screen, "{line}\x1b[K\r\n");
    }
    if endless {
        screen.push_str("\x1b[K\r\nCtrl-C ends the demo\x1b[K\r\n");
    }
    screen.push_str("\x1b[J");
    screen
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// What was already told of each model.
#[derive(Debug, Default)]
struct Events {
    told: HashMap<String, DateTime<Utc>>,
}

impl Events {
    /// A line for each heartbeat that has ended since the last picture.
    fn since_the_last(&mut self, picture: &Snapshot) -> String {
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
            let _ = writeln!(lines, "{}", line(model, last));
        }
        lines
    }
}

/// When a heartbeat's answer had come.
fn done_at(last: &LastHeartbeat) -> DateTime<Utc> {
    last.sent_at + TimeDelta::milliseconds((last.total.unwrap_or_default() * 1000.0) as i64)
}

fn line(model: &ModelStatus, last: &LastHeartbeat) -> String {
    let time = done_at(last).format("%H:%M:%S");
    let (name, outcome) = (&model.name, last.outcome.name());
    match (last.total, last.wait, &last.error) {
        (Some(total), Some(wait), _) => {
            format!("{time}  {name:<10} {outcome:<12} {total:>6.2} s, of which it waited {wait:.2} s")
        }
        (_, _, Some(error)) => format!("{time}  {name:<10} {outcome:<12} {error}"),
        (_, _, None) => format!("{time}  {name:<10} {outcome}"),
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
