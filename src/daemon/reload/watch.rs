//! Notices that the file has changed: by the system's word for the folders on the way to it, and by
//! looking now and then, since there are changes of which the system says nothing.

mod way;

use super::patience::Patience;
use crate::daemon::file_state::FileState;
use crate::daemon::{descriptor, looks};
use crate::quote;
use crate::regular_file;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// A changed file is read after this much quiet: editors save in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// How often the file is looked at where the system lets nobody watch files.
const LOOK_UNWATCHED: Duration = Duration::from_secs(1);

/// Files over this size, in bytes, are all alike: they are refused alike.
const LARGE: u64 = 2 << 20;

/// What may be a change, in a folder. That a file is opened is none: whoever looks for a change opens it. Nor is a
/// write, until its writer has closed the file: one into any other file there, such as the daemon's own, would
/// wake the daemon each time.
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What else is one, of the file itself: who writes to it may keep it open. Added, should it be one of the folders
/// by then, to what that one is watched for.
const WRITES: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::MASK_ADD);

/// What a file is, as far as a change of it shows.
#[derive(Debug, PartialEq, Eq)]
enum Fingerprint {
    /// It is another than any file.
    Unread,
    Text(Vec<u8>),
    Large,
    Unreadable(ErrorKind),
}

impl Fingerprint {
    fn of(path: &Path) -> Self {
        let read = regular_file::open(path).and_then(|(file, _)| {
            let mut text = Vec::new();
            file.take(LARGE).read_to_end(&mut text)?;
            Ok(if (text.len() as u64) < LARGE { Self::Text(text) } else { Self::Large })
        });
        read.unwrap_or_else(|error| Self::Unreadable(error.kind()))
    }
}

/// Watches one file.
///
/// On a drive that is gone, whoever looks at it is held for ever: that is done on threads that are there for it.
/// Were it one of the runtime's, all may be held: the others may wait for it to tell them of sockets and timers.
#[derive(Debug)]
pub(super) struct Watch {
    path: Arc<Path>,
    /// None where the system has none to give.
    events: Option<Arc<AsyncFd<OwnedFd>>>,
    /// Held by whoever follows it, and by nobody while there is word waited for.
    followed: Arc<Mutex<Followed>>,
    /// Rung when a look has found another file.
    seen: Arc<Notify>,
    /// Says where a look hangs.
    patience: Patience,
    /// The file when it was last read.
    read: Fingerprint,
}

/// What of its way is watched.
#[derive(Debug, Default)]
struct Followed {
    /// By the numbers of their watches, the folders on the way to the file: what of each is on it. And the file:
    /// nothing is in it.
    watched: HashMap<i32, HashSet<OsString>>,
    /// The folders that can't be watched: told once.
    unwatched: HashSet<PathBuf>,
}

/// Looks whether it is another file: a network drive says nothing, nor does a folder that was taken away and made
/// anew.
pub(in crate::daemon) fn look(path: PathBuf, seen: Arc<Notify>) -> impl FnMut() {
    let mut before = FileState::of(&path);
    move || {
        let now = FileState::of(&path);
        if now != before {
            before = now;
            seen.notify_one();
        }
    }
}

impl Watch {
    /// Watches `path`, of which `read` was the state before it was last read: a change since then counts.
    pub(super) async fn start(
        path: &Path,
        read: FileState,
        seen: Arc<Notify>,
        patience: Patience,
    ) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(descriptor::awaited)
            .inspect_err(|error| {
                tracing::warn!(
                    "files can't be watched ({error}); the configuration is looked at every second"
                );
            })
            .ok();
        let mut watch = Self {
            path: path.into(),
            events: events.map(Arc::new),
            followed: Arc::default(),
            seen,
            patience,
            read: Fingerprint::Unread,
        };
        watch.reading().await?;
        if watch.state().await? != read {
            watch.read = Fingerprint::Unread;
            watch.seen.notify_one();
        }
        Ok(watch)
    }

    /// The file is about to be read: what changes from here on is read again.
    pub(super) async fn reading(&mut self) -> io::Result<()> {
        self.follow().await?;
        self.read = self.look().await?;
        Ok(())
    }

    async fn follow(&self) -> io::Result<()> {
        let Some(events) = self.events.clone() else { return Ok(()) };
        let (path, followed) = (self.path.clone(), self.followed.clone());
        let follow = move || locked(&followed).follow(&path, &events);
        let follow = async |_| tokio::task::spawn_blocking(follow).await;
        Ok(self.patience.with(&self.path, follow).await?)
    }

    async fn look(&self) -> io::Result<Fingerprint> {
        self.blocking(Fingerprint::of).await
    }

    async fn state(&self) -> io::Result<FileState> {
        self.blocking(FileState::of).await
    }

    async fn blocking<T: Send + 'static>(&self, look: fn(&Path) -> T) -> io::Result<T> {
        let path = self.path.clone();
        let look = async |_| tokio::task::spawn_blocking(move || look(&path)).await;
        Ok(self.patience.with(&self.path, look).await?)
    }

    /// Comes back once the file is another than when it was last read, and has been for the quiet.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.woken().await?;
            // First: of what changes after it is looked at, there is to be word.
            self.follow().await?;
            if self.settled().await? != self.read {
                return Ok(());
            }
        }
    }

    /// There may have been a change.
    async fn woken(&self) -> io::Result<()> {
        let Some(events) = &self.events else {
            tokio::time::sleep(LOOK_UNWATCHED).await;
            return Ok(());
        };
        let on_the_way = async {
            loop {
                let mut ready = events.readable().await?;
                match self.told(events.get_ref()) {
                    Ok(false) => {}
                    Ok(true) => return Ok(()),
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        tokio::select! {
            told = on_the_way => told,
            () = self.seen.notified() => Ok(()),
        }
    }

    /// Reads some of what the system has to say: whether any of it is of the way to the file, and not of others
    /// in the same folders. `AGAIN` where it has nothing to say.
    fn told(&self, events: &OwnedFd) -> Result<bool, Errno> {
        let followed = locked(&self.followed);
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(events, &mut buffer);
        loop {
            let event = reader.next()?;
            // What is lost may have been of it.
            let any = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let is_of_it = match (followed.watched.get(&event.wd()), event.file_name()) {
                // The folder itself, or the file.
                (Some(_), None) => true,
                (Some(names), Some(name)) => names.contains(OsStr::from_bytes(name.to_bytes())),
                // One that is watched no more.
                (None, _) => false,
            };
            if any || is_of_it {
                return Ok(true);
            }
            if reader.is_buffer_empty() {
                return Ok(false);
            }
        }
    }

    /// The file, once it stays as it is: however long whoever writes it takes.
    async fn settled(&self) -> io::Result<Fingerprint> {
        let mut before = self.look().await?;
        while before != self.read {
            tokio::time::sleep(QUIET).await;
            let now = self.look().await?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }
}

fn locked(followed: &Mutex<Followed>) -> MutexGuard<'_, Followed> {
    followed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Followed {
    /// Watches the folder of the file, and of every link on the way to it: an editor renames, a
    /// deployment swaps links. And the file, which may be another each time. Of what is watched already,
    /// nothing changes.
    fn follow(&mut self, path: &Path, events: &AsyncFd<OwnedFd>) {
        let mut way = way::to(path);
        loop {
            self.watch(path, events, way.clone());
            // Of what was on it before it was watched, there is no word.
            let now = way::to(path);
            if now == way {
                break;
            }
            way = now;
        }
    }

    fn watch(&mut self, path: &Path, events: &AsyncFd<OwnedFd>, way: HashMap<PathBuf, HashSet<OsString>>) {
        let mut watched: HashMap<i32, HashSet<OsString>> = HashMap::new();
        for (folder, names) in way {
            match inotify::add_watch(events, &folder, CHANGES) {
                Ok(watch) => {
                    self.unwatched.remove(&folder);
                    // Two ways may lead to one folder.
                    watched.entry(watch).or_default().extend(names);
                }
                Err(error) if self.unwatched.insert(folder.clone()) => tracing::warn!(
                    "{} can't be watched ({error}); it is looked at every {} s",
                    quote::path(&folder),
                    looks::LOOK.as_secs()
                ),
                Err(_) => {}
            }
        }
        // After its folder: where another takes its place from here on, there is word of that, and that one is
        // watched next. Only what is a file: in a folder every write would be told, and a pipe is never read.
        // Where it can't be watched, its folder is, and whoever writes to it closes it some time.
        if std::fs::metadata(path).is_ok_and(|meta| meta.is_file())
            && let Ok(watch) = inotify::add_watch(events, path, WRITES)
        {
            watched.entry(watch).or_default();
        }
        for gone in self.watched.keys().filter(|watch| !watched.contains_key(watch)) {
            // It may be gone for good, and its watch with it.
            let _ = inotify::remove_watch(events, *gone);
        }
        self.watched = watched;
    }
}

#[cfg(test)]
mod tests;
