//! Whether a file is the one that was read.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What of a file changes when its content, its place or its permissions do; or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState(Result<Stat, ErrorKind>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    /// The state of the file that `path` leads to, over links. Taken before the file is read, it shows every
    /// change that the reading may have missed.
    pub fn of(path: &Path) -> Self {
        let stat = fs::metadata(path).map(|meta| Stat {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        });
        Self(stat.map_err(|error| error.kind()))
    }
}
