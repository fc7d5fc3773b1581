//! What can go wrong with the state file.

use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;

/// Why the state file can't be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It holds something else; it was not touched.
    #[error(
        "{path} is not a state file of warmd ({why}); nothing in it was changed: name another `state`, or move it away"
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A later warmd wrote it; it was not touched.
    #[error(
        "{path} was written by a newer warmd (schema {found}, this one knows {known}); nothing in it was changed: install that warmd again, or name another `state`"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// Another daemon has it.
    #[error("another warmd runs on this state file ({path}): stop it first, or name another `state`")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("{path} is a directory: `state` names a file")]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// This user may not.
    #[error("no permission to {doing} {path}: run warmd as the user that owns it, or name another `state`")]
    Permission {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// The system refused.
    #[error("can't {doing} {path}: {reason}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        reason: io::Error,
    },
    /// SQLite refused.
    #[error("can't {doing} of the state file: {reason}")]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// Its answer.
        reason: rusqlite::Error,
    },
    /// It was ours, and can't be read any more.
    #[error("the state file is damaged ({reason}): move it away, and warmd starts with a new one")]
    Damaged {
        /// SQLite's answer.
        reason: rusqlite::Error,
    },
    /// The most commands wait already.
    #[error("too many requests wait for the state file: try again later")]
    Busy,
    /// The store's thread has ended.
    #[error("the store has stopped: warmd must be restarted")]
    Stopped,
}

impl StoreError {
    /// Whether a restart can't help: a person must name another file or install another warmd.
    pub const fn is_misconfiguration(&self) -> bool {
        matches!(
            self,
            Self::NotOurs { .. } | Self::Newer { .. } | Self::Directory { .. } | Self::Damaged { .. }
        )
    }

    /// For `map_err`: an I/O error, told apart where it is a lack of permission.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| {
            if reason.kind() == io::ErrorKind::PermissionDenied {
                return Self::Permission { doing, path };
            }
            Self::Io { doing, path, reason }
        }
    }

    /// For `map_err`: SQLite's, a damaged file told apart.
    pub(super) fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |reason| match reason.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { reason },
            Some(_) | None => Self::Sqlite { doing, reason },
        }
    }
}
