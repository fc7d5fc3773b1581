//! Notices that the file has changed: by the system's word for the folders on the way to it, and by
//! looking now and then, since there are changes of which the system says nothing.

use crate::daemon::looks;
use crate::drill;
use anyhow::bail;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{HashMap, HashSet};
use std::fs::FileType;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// A changed file is read after this much quiet: editors save in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// How often the file is looked at where the system lets nobody watch files.
const LOOK_UNWATCHED: Duration = Duration::from_secs(1);

/// Files over this size, in bytes, are all alike: they are refused alike.
const LARGE: u64 = 2 << 20;

/// What a file is, as far as a change of it shows.
#[derive(Debug, PartialEq, Eq)]
enum Fingerprint {
    Text(Vec<u8>),
    Large,
    NoFile(FileType),
    Unreadable(ErrorKind),
}

impl Fingerprint {
    fn of(path: &Path) -> Self {
        // Only what is a file is opened: a pipe would wait for whoever writes to it.
        let read = std::fs::metadata(path).and_then(|meta| match (meta.is_file(), meta.len() < LARGE) {
            (true, true) => std::fs::read(path).map(Self::Text),
            (true, false) => Ok(Self::Large),
            (false, _) => Ok(Self::NoFile(meta.file_type())),
        });
        read.unwrap_or_else(|error| Self::Unreadable(error.kind()))
    }
}

/// Watches one file.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    /// In these a change would show; what each was when its watch was set, if it could be.
    folders: HashMap<PathBuf, Option<Identity>>,
    /// Those that can't be watched: told once.
    unwatched: HashSet<PathBuf>,
    /// The file when it was last read.
    read: Fingerprint,
}

impl Watch {
    pub(super) fn start(path: &Path) -> Self {
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let read_only = event.as_ref().is_ok_and(|event| event.kind.is_access());
            if !read_only {
                drill::panic_in("watcher");
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
        let read = Fingerprint::of(path);
        let (folders, unwatched) = (HashMap::new(), HashSet::new());
        let mut watch = Self { path: path.to_owned(), watcher, events, folders, unwatched, read };
        watch.follow();
        watch
    }

    /// The file is about to be read: what changes from here on is read again.
    pub(super) fn reading(&mut self) {
        self.read = Fingerprint::of(&self.path);
    }

    /// Comes back once the file is another than when it was last read, and has been for the quiet.
    pub(super) async fn changed(&mut self) -> anyhow::Result<()> {
        loop {
            self.woken().await?;
            if self.settled().await != self.read {
                return Ok(());
            }
            self.follow();
        }
    }

    /// There may have been a change.
    async fn woken(&mut self) -> anyhow::Result<()> {
        if self.watcher.is_none() {
            tokio::time::sleep(LOOK_UNWATCHED).await;
            return Ok(());
        }
        tokio::select! {
            event = self.events.recv() => match event {
                Some(()) => Ok(()),
                None => bail!("the thread that watches files has ended"),
            },
            // A network drive says nothing, nor does a folder that was taken away and made anew.
            () = looks::come() => Ok(()),
        }
    }

    /// The file, once it stays as it is: however long whoever writes it takes.
    async fn settled(&self) -> Fingerprint {
        let mut before = Fingerprint::of(&self.path);
        while before != self.read {
            tokio::time::sleep(QUIET).await;
            let now = Fingerprint::of(&self.path);
            if now == before {
                break;
            }
            before = now;
        }
        before
    }

    /// Watches the folder of the file, and of every link on the way to it: an editor renames, a
    /// deployment swaps links.
    pub(super) fn follow(&mut self) {
        // Where its thread is gone, it would panic.
        if self.events.is_closed() {
            return;
        }
        let folders = folders(&self.path);
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.keys().filter(|folder| !folders.contains(*folder)) {
            // It may be gone for good, and its watch with it.
            let _ = watcher.unwatch(gone);
        }
        let mut watched = HashMap::new();
        for folder in folders {
            let now = identity(&folder);
            // One that was taken away and made anew is another, and has no watch.
            let is_watched = now.is_some() && self.folders.get(&folder) == Some(&now);
            let refused =
                if is_watched { None } else { watcher.watch(&folder, RecursiveMode::NonRecursive).err() };
            match &refused {
                None => drop(self.unwatched.remove(&folder)),
                Some(error) if self.unwatched.insert(folder.clone()) => tracing::warn!(
                    "{} can't be watched ({error}); it is looked at every {} s",
                    folder.display(),
                    looks::LOOK.as_secs()
                ),
                Some(_) => {}
            }
            watched.insert(folder, now.filter(|_| refused.is_none()));
        }
        self.folders = watched;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It panics where its thread has ended before it.
        if self.events.is_closed() {
            std::mem::forget(self.watcher.take());
        }
    }
}

/// What tells a folder from one that is made anew at its place, which may well get its inode: a device, an inode,
/// and when it last changed. To watch it wakes the thread that watches, and is spared where nothing has.
type Identity = (u64, u64, i64, i64);

fn identity(folder: &Path) -> Option<Identity> {
    let meta = std::fs::metadata(folder).ok()?;
    Some((meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

/// The folder of a file, and of every link on the way to it.
fn folders(path: &Path) -> HashSet<PathBuf> {
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
    folders
}
