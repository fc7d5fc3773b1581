//! What can go wrong with the state file.

use crate::quote;
use rusqlite::ErrorCode;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// `ErrorKind` has no name for "input/output error", as a dying disk answers.
const EIO: i32 = 5;

/// Why the state file can't be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It holds something else; it was not touched.
    #[error(
        "{} is not a state file of warmd ({why}); nothing in it was changed: name another `state`, or move it away",
        quote::path(path)
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A later warmd wrote it; it was not touched.
    #[error(
        "{} was written by a newer warmd (schema {found}, this one knows {known}); nothing in it was changed: install that warmd again, or name another `state`",
        quote::path(path)
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
    #[error(
        "another warmd runs on this state file ({}): stop it first, or name another `state`",
        quote::path(path)
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("{} is a directory: `state` names a file", quote::path(path))]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// This user may not.
    #[error(
        "no permission to {doing} {}: run warmd as the user that owns it, or name another `state`",
        quote::path(path)
    )]
    Permission {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// The system refused.
    #[error("can't {doing} {}: {reason}", quote::path(path))]
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
    /// It is ours, and can't be read any more.
    #[error("the state file is damaged ({reason})")]
    Damaged {
        /// What shows it.
        reason: String,
    },
    /// The most commands wait already.
    #[error("too many requests wait for the state file: try again later")]
    Busy,
    /// The disk keeps the answer back.
    #[error("the disk of the state file gives no answer: look after it; heartbeats go on meanwhile")]
    Silent,
    /// The store's thread has ended.
    #[error("the store has stopped: warmd must be restarted")]
    Stopped,
}

impl StoreError {
    /// Whether a restart can't help: a person must name another file or install another warmd.
    pub const fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::NotOurs { .. } | Self::Newer { .. } | Self::Directory { .. })
    }

    /// Whether it lies with the disk, and may pass by itself: no room, a read-only filesystem, a disk
    /// that can't be read. Models are kept warm meanwhile.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Io { reason, .. } => {
                let known = matches!(
                    reason.kind(),
                    ErrorKind::StorageFull
                        | ErrorKind::QuotaExceeded
                        | ErrorKind::ReadOnlyFilesystem
                        | ErrorKind::StaleNetworkFileHandle
                );
                known || reason.raw_os_error() == Some(EIO)
            }
            Self::Sqlite { .. } | Self::Damaged { .. } => true,
            Self::NotOurs { .. }
            | Self::Newer { .. }
            | Self::Locked { .. }
            | Self::Directory { .. }
            | Self::Permission { .. }
            | Self::Busy
            | Self::Silent
            | Self::Stopped => false,
        }
    }

    /// What a person can do about it, to the path that follows.
    pub(super) fn advice(&self) -> Option<&'static str> {
        if let Self::Io { reason, .. } = self {
            let full = matches!(reason.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            return full.then_some("make room on the disk of");
        }
        let Self::Sqlite { reason, .. } = self else { return None };
        let code = reason.sqlite_error_code()?;
        if code == ErrorCode::DiskFull {
            return Some("make room on the disk of");
        }
        let disk = [ErrorCode::SystemIoFailure, ErrorCode::ReadOnly, ErrorCode::CannotOpen];
        disk.contains(&code).then_some("look after the disk of")
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
        move |reason| match damage(&reason) {
            Some(reason) => Self::Damaged { reason },
            None => Self::Sqlite { doing, reason },
        }
    }
}

/// What shows that the file's content is at fault: what SQLite calls corrupt, a table that is gone, or
/// a value that no warmd has written.
fn damage(reason: &rusqlite::Error) -> Option<String> {
    let told = reason.to_string();
    if told.starts_with("no such table") || told.starts_with("no such column") {
        // The statement in which it is missed comes after that.
        return told.split(" in ").next().map(str::to_owned);
    }
    let code = reason.sqlite_error_code();
    let corrupt = matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    let strange = matches!(
        reason,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    );
    (corrupt || strange).then_some(told)
}
