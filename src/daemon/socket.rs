//! The listeners: the Unix socket, with the right mode from the start, and the TCP address.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::net::UnixListener;

/// Owner and group may command the daemon.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, Error)]
pub(super) enum SocketError {
    /// A daemon answers there.
    #[error("another daemon answers on the socket {}; stop it, or set `socket` in [daemon]", .0.display())]
    Live(PathBuf),
    /// Something else than a socket is in its place.
    #[error("{} is there already, and is not a socket; remove it, or set `socket` in [daemon]", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("can't open the socket {}: {reason}", .path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// Opens the socket at `path`: a stale one is replaced, a live one respected.
pub(super) fn open(path: &Path) -> Result<UnixListener, SocketError> {
    let refused = |reason| SocketError::Refused { path: path.to_owned(), reason };
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(SocketError::Live(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(refused(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
    }
    // Bound in a folder that nobody else can enter, and moved into place once its mode is right.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(refused)?;
    let private = folder.join(format!(".warmd-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&private);
    std::fs::DirBuilder::new().mode(0o700).create(&private).map_err(refused)?;
    let opened = bind(&private.join("s"), path).map_err(refused);
    let _ = std::fs::remove_dir_all(&private);
    opened
}

fn bind(at: &Path, path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(at)?;
    std::fs::set_permissions(at, Permissions::from_mode(MODE))?;
    std::fs::rename(at, path)?;
    Ok(listener)
}
