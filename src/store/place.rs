//! Whether the open files are still the ones of their names: who deletes, moves or replaces a file
//! that is open does not stop it from being written, but nobody will find it again.

use super::file::beside;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The state file and its lock, as they were when they were opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    file: Option<Id>,
    lock: Option<Id>,
}

/// A device and an inode.
pub(super) type Id = (u64, u64);

/// Where an open file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In its place.
    There,
    /// Nothing is in its place.
    Gone,
    /// Another file is.
    Replaced,
}

impl Place {
    pub(super) fn of(path: &Path, lock: &File) -> Self {
        Self { file: fs::metadata(path).ok().as_ref().map(id), lock: lock.metadata().ok().as_ref().map(id) }
    }

    pub(super) fn file(&self, path: &Path) -> Whereabouts {
        whereabouts(self.file, path)
    }

    pub(super) fn lock(&self, path: &Path) -> Whereabouts {
        whereabouts(self.lock, &beside(path, ".lock"))
    }
}

pub(super) fn whereabouts(ours: Option<Id>, path: &Path) -> Whereabouts {
    match fs::metadata(path) {
        Ok(there) if ours.is_some_and(|ours| ours != id(&there)) => Whereabouts::Replaced,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Whereabouts::Gone,
        // What can't be told is not to be acted upon.
        Ok(_) | Err(_) => Whereabouts::There,
    }
}

/// What is there, and its lock; none where either isn't.
pub(super) fn there(path: &Path) -> Option<(Id, Id)> {
    let there = |path: &Path| fs::metadata(path).ok().as_ref().map(id);
    Some((there(path)?, there(&beside(path, ".lock"))?))
}

pub(super) fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}
