//! Hot reload: the file is read again when it changes, at SIGHUP, and when it is asked for; checked
//! first, swapped whole. A bad file leaves the old one running, and says so.

mod patience;
mod secrets;
pub(super) mod watch;

use super::command::{Command, Handle, Stopping};
use super::configuration::{self, Configuration, ConfigurationError};
use super::file_state::FileState;
use super::{panics, systemd};
use crate::config::env::Env;
use crate::config::{Problem, Problems, Severity};
use crate::drill;
use crate::hours::zone::Zones;
use crate::{quote, words};
use patience::{Patience, Reading};
pub(super) use secrets::SecretFiles;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use watch::Watch;

/// A file that was refused is tried again this often: what it lacked, a token's file or a descriptor to
/// open it with, may be there by then.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// How a reload went.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It runs.
    Loaded {
        /// What changed, a line each.
        changes: Vec<String>,
        /// What the user should know.
        warnings: Vec<String>,
    },
    /// It doesn't; the one before goes on.
    Refused {
        /// In a line.
        summary: String,
        /// With places, for people.
        rendered: String,
        /// With places, for programs.
        problems: serde_json::Value,
    },
}

/// The way to ask for a reload.
#[derive(Debug, Clone)]
pub(super) struct Reloader(mpsc::Sender<Option<oneshot::Sender<Outcome>>>);

/// The other end.
#[derive(Debug)]
pub(super) struct Requests(mpsc::Receiver<Option<oneshot::Sender<Outcome>>>);

impl Reloader {
    /// A way, and its other end.
    pub(super) fn new() -> (Self, Requests) {
        let (sender, receiver) = mpsc::channel(8);
        (Self(sender), Requests(receiver))
    }

    /// Reloads, and tells how it went.
    pub(super) async fn reload(&self) -> Result<Outcome, Stopping> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(Some(sender)).await.map_err(|_| Stopping)?;
        receiver.await.map_err(|_| Stopping)
    }

    /// Reloads, as SIGHUP asks for it.
    pub(super) fn hang_up(&self) {
        // Where eight wait already, the file will be read later than now: that is what was asked for.
        let _ = self.0.try_send(None);
    }
}

/// What makes the file be read.
enum Cause {
    Asked(oneshot::Sender<Outcome>),
    HungUp,
    Changed,
    /// It was refused a while ago.
    Again,
}

/// Rereads one file.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    pub(super) env: Env,
    /// As the calendar knows them: where they have not changed, files that are read are looked at by it.
    pub(super) zones: Arc<Mutex<Zones>>,
    pub(super) engine: Handle,
    /// Rung when a look has found that the file is another.
    pub(super) seen: Arc<Notify>,
    /// The file, before the daemon read it to start.
    pub(super) started_with: FileState,
    /// What it reads besides.
    pub(super) secret_files: SecretFiles,
}

impl Reload {
    /// Serves requests and watches the file, until `stop`.
    pub(super) async fn run(self, requests: Requests, stop: CancellationToken) -> anyhow::Result<()> {
        // A look or a read that hangs, on a drive that is gone, must not hold up the end.
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            served = self.serve_all(requests) => served,
        }
    }

    async fn serve_all(&self, mut requests: Requests) -> anyhow::Result<()> {
        let patience = Patience::new(self.engine.clone());
        let mut watch =
            Watch::start(&self.path, self.started_with, Arc::clone(&self.seen), patience.clone()).await?;
        let mut refused = None;
        loop {
            let again = tokio::time::sleep(TRY_AGAIN);
            let cause = tokio::select! {
                request = requests.0.recv() => match request {
                    Some(Some(reply)) => Cause::Asked(reply),
                    Some(None) => Cause::HungUp,
                    None => return Ok(()),
                },
                // Whoever asks meanwhile is not kept waiting, and is told what this change was.
                changed = watch.changed() => {
                    changed?;
                    Cause::Changed
                }
                () = again, if refused.is_some() => Cause::Again,
            };
            watch.reading().await?;
            if self.serve(cause, &patience, &mut refused).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads the file, has it run, and tells whoever asked how it went. `refused` is why the last one was.
    async fn serve(
        &self,
        cause: Cause,
        patience: &Patience,
        refused: &mut Option<String>,
    ) -> Result<(), Stopping> {
        if !matches!(cause, Cause::Again) {
            systemd::reloading();
        }
        let known = self.known();
        let outcome = match self.read(&known, patience).await {
            Ok(configuration) => {
                *refused = None;
                let outcome = self.load(configuration).await?;
                self.rezone(known).await?;
                outcome
            }
            Err(error) => {
                let told = error.to_string();
                if matches!(cause, Cause::Again) && refused.as_ref() == Some(&told) {
                    return Ok(());
                }
                *refused = Some(told);
                self.refuse(&error).await?
            }
        };
        systemd::ready();
        if let Cause::Asked(reply) = cause {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(outcome);
        }
        Ok(())
    }

    async fn load(&self, configuration: Configuration) -> Result<Outcome, Stopping> {
        let warnings = configuration.warnings.clone();
        self.secret_files.are(configuration.secret_files.clone());
        let changes = self.engine.ask(|reply| Command::Load(Box::new(configuration), reply)).await?;
        let count = words::count(changes.len() as u64, "change", "changes");
        tracing::info!("{} reloaded: {count}", quote::path(&self.path));
        for change in &changes {
            tracing::info!("{change}");
        }
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        Ok(Outcome::Loaded { changes, warnings })
    }

    /// What was loaded has the zones that were known when its reading began: where the calendar has found others
    /// since, the engine had those, and has to have them again. It may find others still while it is told.
    async fn rezone(&self, mut told: Zones) -> Result<(), Stopping> {
        loop {
            let known = self.known();
            if known.is(&told) {
                return Ok(());
            }
            self.engine.tell(Command::Rezone(known.clone())).await?;
            told = known;
        }
    }

    async fn refuse(&self, error: &ConfigurationError) -> Result<Outcome, Stopping> {
        let rendered = error.0.render(false, 100);
        let problems = serde_json::to_value(&error.0).unwrap_or_default();
        tracing::error!("the changed configuration is refused, the one before it goes on: {error}");
        for line in rendered.lines().filter(|line| !line.trim().is_empty()) {
            tracing::error!("{line}");
        }
        self.engine.tell(Command::LoadFailed(error.to_string())).await?;
        Ok(Outcome::Refused { summary: error.to_string(), rendered, problems })
    }

    /// Off the runtime's threads: a large file takes its time. A panic on the way is a refusal like any
    /// other: what runs must not end by a file that can't be read.
    async fn read(&self, known: &Zones, patience: &Patience) -> Result<Configuration, ConfigurationError> {
        // The calendar's zones, unless their files have changed since: it takes them up within the minute.
        let zones = if known.changed() { known.reread() } else { known.clone() };
        let (path, env) = (self.path.clone(), self.env.clone());
        let read = async |reading: Reading| {
            let read = move || {
                drill::panic_in("reading");
                configuration::read_again(&path, &env, &zones, &|what| reading.note(what))
            };
            tokio::task::spawn_blocking(read).await
        };
        match patience.with(&self.path, read).await {
            Ok(result) => result,
            Err(error) => {
                let why = match error.try_into_panic() {
                    Ok(payload) => {
                        format!("a fault of warmd's, to be reported: {}", panics::words(&*payload))
                    }
                    Err(error) => error.to_string(),
                };
                Err(unusable(&self.path, &format!("reading it failed by {why}")))
            }
        }
    }

    /// The calendar's zones.
    fn known(&self) -> Zones {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn unusable(path: &Path, message: &str) -> ConfigurationError {
    let file = quote::path(path);
    ConfigurationError(Problems(vec![Problem::placeless(&file, "", Severity::Error, message)]))
}

#[cfg(test)]
mod tests;
