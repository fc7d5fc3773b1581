//! Hot reload: the file is read again when it changes, at SIGHUP, and when it is asked for; checked
//! first, swapped whole. A bad file leaves the old one running, and says so.

use super::command::{Command, Handle, Stopping};
use super::configuration::{self, Configuration, ConfigurationError};
use super::systemd;
use crate::config::env::Env;
use crate::hours::zone::Zones;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A changed file is read after this much quiet: editors save in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// Where the system lets nobody watch files, they are looked at this often.
const POLL: Duration = Duration::from_secs(1);

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
    pub(super) async fn hang_up(&self) -> Result<(), Stopping> {
        self.0.send(None).await.map_err(|_| Stopping)
    }
}

/// Serves requests and watches the file, until `stop`.
pub(super) async fn run(
    path: PathBuf,
    env: Env,
    engine: Handle,
    mut requests: Requests,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut watch = Watch::start(&path);
    let mut seen = Fingerprint::of(&path);
    loop {
        let request = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            request = requests.0.recv() => match request {
                Some(request) => request,
                None => return Ok(()),
            },
            // Whoever asks meanwhile is not kept waiting, and is told what this change was.
            () = watch.settled() => {
                if Fingerprint::of(&path) == seen {
                    continue;
                }
                None
            }
        };
        // Taken before the file is read: what changes while it is read is read again.
        seen = Fingerprint::of(&path);
        let Ok(outcome) = reload(&path, &env, &engine).await else { return Ok(()) };
        watch.follow(&path);
        if let Some(reply) = request {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(outcome);
        }
    }
}

async fn reload(path: &Path, env: &Env, engine: &Handle) -> Result<Outcome, Stopping> {
    systemd::reloading();
    let outcome = match read(path, env).await {
        Ok(configuration) => {
            let warnings = configuration.warnings.clone();
            let load = |reply| Command::Load(Box::new(configuration), reply);
            let changes = engine.ask(load).await?;
            tracing::info!("{} reloaded: {} changes", path.display(), changes.len());
            for change in &changes {
                tracing::info!("{change}");
            }
            for warning in &warnings {
                tracing::warn!("{warning}");
            }
            Outcome::Loaded { changes, warnings }
        }
        Err(error) => {
            let rendered = error.0.render(false, 100);
            let problems = serde_json::to_value(&error.0).unwrap_or_default();
            tracing::error!("the changed configuration is refused, the one before it goes on: {error}");
            for line in rendered.lines().filter(|line| !line.trim().is_empty()) {
                tracing::error!("{line}");
            }
            engine.tell(Command::LoadFailed(error.to_string())).await?;
            Outcome::Refused { summary: error.to_string(), rendered, problems }
        }
    };
    systemd::ready();
    Ok(outcome)
}

/// Off the runtime's threads: a large file takes its time.
async fn read(path: &Path, env: &Env) -> Result<Configuration, ConfigurationError> {
    let (path, env) = (path.to_owned(), env.clone());
    let read = tokio::task::spawn_blocking(move || configuration::read(&path, &env, &Zones::system()));
    match read.await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What a file is, as far as a change of it shows without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Fingerprint(Option<Vec<u8>>);

impl Fingerprint {
    fn of(path: &Path) -> Self {
        // Files over the size that is read are all alike: they are refused alike.
        let small = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() < 2 << 20);
        Self(small.then(|| std::fs::read(path).ok()).flatten())
    }
}

/// Watches the folders in which a change of the file would show.
#[derive(Debug)]
struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    folders: HashSet<PathBuf>,
}

impl Watch {
    fn start(path: &Path) -> Self {
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let read_only = event.as_ref().is_ok_and(|event| event.kind.is_access());
            if !read_only {
                // A full queue has a change in it already.
                let _ = sender.try_send(());
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(
                    "files can't be watched ({error}); the configuration is looked at every second"
                );
                None
            }
        };
        let mut watch = Self { watcher, events, folders: HashSet::new() };
        watch.follow(path);
        watch
    }

    /// Watches the folder of the file, and of every link on the way to it: an editor renames, a
    /// deployment swaps links.
    fn follow(&mut self, path: &Path) {
        let mut folders = HashSet::new();
        let mut hop = path.to_owned();
        // As many links as Linux itself follows.
        for _ in 0..40 {
            let parent = match hop.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                Some(_) | None => PathBuf::from("."),
            };
            let Ok(target) = std::fs::read_link(&hop) else {
                folders.insert(parent);
                break;
            };
            hop = parent.join(target);
            folders.insert(parent);
        }
        folders.extend(std::fs::canonicalize(path).ok().and_then(|real| real.parent().map(Path::to_owned)));
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            // It may be gone for good, and its watch with it.
            let _ = watcher.unwatch(gone);
        }
        let new: Vec<PathBuf> = folders.difference(&self.folders).cloned().collect();
        self.folders = folders;
        for folder in new {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                let named = folder.display();
                tracing::warn!("{named} can't be watched ({error}); changes need SIGHUP or `warmctl reload`");
                self.folders.remove(&folder);
            }
        }
    }

    /// Ends once something has changed, and is quiet again.
    async fn settled(&mut self) {
        self.changed().await;
        self.until_quiet().await;
    }

    async fn changed(&mut self) {
        if self.watcher.is_none() {
            return tokio::time::sleep(POLL).await;
        }
        if self.events.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    async fn until_quiet(&mut self) {
        if self.watcher.is_none() {
            return;
        }
        // A folder in which something is written all the time must not put it off for ever.
        let patience = async { while tokio::time::timeout(QUIET, self.events.recv()).await.is_ok() {} };
        let _ = tokio::time::timeout(QUIET * 3, patience).await;
    }
}
