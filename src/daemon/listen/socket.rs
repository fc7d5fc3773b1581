//! The Unix socket: with the right mode from the start, a stale one replaced, a live one respected.

use super::stream::Listener;
use crate::quote;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// Owner and group may command the daemon.
const MODE: u32 = 0o660;

/// A folder that is made for it can be entered by all, and written to by its owner, whatever the umask.
const FOLDER_MODE: u32 = 0o755;

/// The longest path that a socket can be bound at, in bytes: `sun_path`, less its final zero.
const LONGEST: usize = 107;

/// Why there is no socket.
#[derive(Debug, Error)]
pub(in crate::daemon) enum SocketError {
    /// A daemon answers there.
    #[error("another daemon answers on the socket {}; stop it, or set `socket` in [daemon]", quote::path(.0))]
    Live(PathBuf),
    /// Something else than a socket is in its place.
    #[error("{} is there already, and is not a socket; remove it, or set `socket` in [daemon]", quote::path(.0))]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("can't open the socket {}: {reason}; make its folder one that warmd may write to, or set `socket` in [daemon]", quote::path(.path))]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// The socket: makes its file anew where that was taken away, as a logout takes a user's folder for such files.
#[derive(Debug)]
pub(in crate::daemon) struct Socket {
    file: SocketFile,
    listener: Mutex<Arc<UnixListener>>,
    /// Rung when the file is not as it was any more.
    lost: Notify,
    /// That it is missing was told.
    told: AtomicBool,
}

/// The socket's file, told from any other that takes its place.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct SocketFile {
    path: PathBuf,
    identity: Arc<Mutex<(u64, u64)>>,
}

impl Socket {
    /// Opens it at `path`.
    pub(in crate::daemon) async fn open(path: &Path) -> Result<Self, SocketError> {
        let (listener, identity) = open(path).await?;
        Ok(Self {
            file: SocketFile { path: path.to_owned(), identity: Arc::new(Mutex::new(identity)) },
            listener: Mutex::new(Arc::new(listener)),
            lost: Notify::new(),
            told: AtomicBool::new(false),
        })
    }

    /// Its file.
    pub(in crate::daemon) fn file(&self) -> SocketFile {
        self.file.clone()
    }

    /// Looks whether the file is as it was.
    pub(in crate::daemon) fn look(&self) {
        let found = std::fs::symlink_metadata(&self.file.path);
        let is_there = found.is_ok_and(|meta| identity(&meta) == *locked(&self.file.identity));
        // Once it is well again, that is to be noted too.
        if !is_there || self.told.load(Ordering::Relaxed) {
            self.lost.notify_one();
        }
    }

    /// Makes the file anew where there is none any more. Whatever else is in its place stays.
    async fn mend(&self) {
        let path = &self.file.path;
        let found = std::fs::symlink_metadata(path);
        let wrong = match found {
            Ok(meta) if identity(&meta) == *locked(&self.file.identity) => None,
            Ok(_) => Some("something else is in its place".to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => match open(path).await {
                Ok((listener, identity)) => {
                    *locked(&self.file.identity) = identity;
                    *locked(&self.listener) = Arc::new(listener);
                    tracing::warn!("the socket {} was taken away, and is made again", quote::path(path));
                    None
                }
                Err(error) => Some(format!("it was taken away, and can't be made again: {error}")),
            },
            Err(error) => Some(error.to_string()),
        };
        let tell = !self.told.swap(wrong.is_some(), Ordering::Relaxed);
        if let Some(wrong) = wrong.filter(|_| tell) {
            tracing::error!("nobody reaches warmd at the socket {} any more: {wrong}", quote::path(path));
        }
    }
}

impl Listener for Arc<Socket> {
    type Stream = UnixStream;

    async fn accept(&self) -> std::io::Result<UnixStream> {
        loop {
            let listener = Arc::clone(&locked(&self.listener));
            tokio::select! {
                accepted = listener.accept() => return Ok(accepted?.0),
                () = self.lost.notified() => self.mend().await,
            }
        }
    }
}

impl SocketFile {
    /// Takes it away, unless it is another daemon's by now.
    pub(in crate::daemon) fn remove(&self) {
        let own = *locked(&self.identity);
        if std::fs::symlink_metadata(&self.path).is_ok_and(|meta| identity(&meta) == own) {
            // One that is left behind is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What is behind it stays whole: nothing panics while it is held.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Opens the socket at `path`.
async fn open(path: &Path) -> Result<(UnixListener, (u64, u64)), SocketError> {
    let refused = |reason| SocketError::Refused { path: path.to_owned(), reason };
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => match UnixStream::connect(path).await {
            Ok(_) => return Err(SocketError::Live(path.to_owned())),
            // So many wait there to be let in that there is no room for one more.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(SocketError::Live(path.to_owned()));
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {}
            Err(error) => return Err(refused(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
    }
    // Bound in a folder that nobody else can enter, and moved into place once its mode is right.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(refused)?;
    let private = folder.join(format!(".warmd-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&private);
    DirBuilder::new().mode(0o700).create(&private).map_err(refused)?;
    let opened = bind(&private, path).map_err(refused);
    let _ = std::fs::remove_dir_all(&private);
    opened
}

fn bind(private: &Path, path: &Path) -> std::io::Result<(UnixListener, (u64, u64))> {
    // A umask may have left less than is needed.
    std::fs::set_permissions(private, Permissions::from_mode(0o700))?;
    let at = private.join("s");
    let listener = if at.as_os_str().as_bytes().len() <= LONGEST {
        UnixListener::bind(&at)?
    } else {
        // The socket's own path may fit where this one doesn't.
        let folder = File::open(private)?;
        UnixListener::bind(format!("/proc/self/fd/{}/s", folder.as_raw_fd()))?
    };
    std::fs::set_permissions(&at, Permissions::from_mode(MODE))?;
    let identity = identity(&std::fs::symlink_metadata(&at)?);
    std::fs::rename(&at, path)?;
    Ok((listener, identity))
}
