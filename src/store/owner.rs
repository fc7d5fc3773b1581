//! Whose file lies where the state file is to be.
//!
//! Refuses, without touching it, whatever isn't a state file of warmd or comes from a newer one:
//! this is told from the first 100 bytes, before SQLite sees the file. One that begins with nothing
//! that SQLite knows is warmd's own, damaged, where the lock beside it says so. A file that warmd was
//! making when it was killed holds nothing yet, and counts as none.

use super::error::StoreError;
use super::file::{beside, refuse_newer};
use super::schema::APPLICATION_ID;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// SQLite's file header: the magic at 0, `user_version` at 60, `application_id` at 68.
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What follows the header where there is no table: the schema's page is a leaf without free blocks and without cells.
const NO_TABLES: &[u8] = &[0x0d, 0, 0, 0, 0];
/// SQLite's rollback journal: the magic at 0, and at 16 how many pages the file had before.
const JOURNAL: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// What the lock says once a state file of warmd's lay beside it.
const MARK: &[u8] = b"warmd keeps its state in the file beside this one\n";

/// Why it is refused.
pub(super) const OTHERS_DATABASE: &str = "it is another program's SQLite database";

/// What lies where the state file is to be.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing, an empty file, or one that warmd had begun to make and that holds nothing yet.
    Nothing,
    /// An empty file, where there was a state file once.
    Emptied,
    /// What looks like a state file.
    Ours,
    /// A state file once: what is wrong with it.
    Spoiled(&'static str),
}

/// Refuses what isn't ours; what isn't there, or is empty, will be.
pub(super) fn examine(path: &Path) -> Result<Found, StoreError> {
    let not_ours = |why| Err(StoreError::NotOurs { path: path.to_owned(), why });
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(StoreError::io("look at", path)(e)),
    };
    if kind.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    if !kind.is_file() {
        return not_ours("it is no regular file");
    }
    let begin = beginning(path, HEADER + NO_TABLES.len()).map_err(StoreError::io("read", path))?;
    if begin.is_empty() {
        if !is_marked(path) {
            return Ok(Found::Nothing);
        }
        return Ok(if has_log(path) {
            Found::Spoiled("it is empty, but for its log")
        } else {
            Found::Emptied
        });
    }
    if begin.len() < HEADER || !begin.starts_with(MAGIC) {
        if has_lock(path) && was_empty(path) {
            return Ok(Found::Nothing);
        }
        // What a file system makes of one that was not whole when the power failed.
        if has_lock(path) && begin.iter().all(|byte| *byte == 0) {
            return Ok(Found::Spoiled("it begins with zeros"));
        }
        let why = "it is no SQLite database";
        return if is_marked(path) { Ok(Found::Spoiled(why)) } else { not_ours(why) };
    }
    let u32_at = |i: usize| u32::from_be_bytes([begin[i], begin[i + 1], begin[i + 2], begin[i + 3]]);
    if u32_at(68) != APPLICATION_ID {
        // Earlier versions made a file in several steps. A kill after the first left this.
        let blank = u32_at(60) == 0 && u32_at(68) == 0 && begin[HEADER..] == *NO_TABLES;
        if blank && has_lock(path) && !has_log(path) {
            return Ok(Found::Nothing);
        }
        return not_ours(OTHERS_DATABASE);
    }
    refuse_newer(path, u32_at(60))?;
    Ok(Found::Ours)
}

/// Says in the lock that a state file of warmd's lies beside it. Where that can't be said now, it will
/// be at the next start.
pub(super) fn mark(lock: &File, path: &Path) {
    if has_lock(path)
        && let Err(e) = lock.write_all_at(MARK, 0)
    {
        tracing::debug!("the lock can't be marked: {e}");
    }
}

fn is_marked(path: &Path) -> bool {
    said(path) == Some(MARK.to_vec())
}

/// Whether a lock of warmd's lies beside it, marked or not.
fn has_lock(path: &Path) -> bool {
    said(path).is_some_and(|said| MARK.starts_with(&said))
}

/// What the lock says; none where there is none.
fn said(path: &Path) -> Option<Vec<u8>> {
    beginning(&beside(path, ".lock"), MARK.len() + 1).ok()
}

/// Whether a write-ahead log with anything in it lies beside it.
fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Whether the journal says that the file was empty before: SQLite will make it empty again.
fn was_empty(path: &Path) -> bool {
    let journal = beginning(&beside(path, "-journal"), 20).unwrap_or_default();
    journal.starts_with(JOURNAL) && journal.get(16..) == Some(&[0; 4])
}

/// The first bytes of a file, at most so many.
fn beginning(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    File::open(path)?.take(bytes as u64).read_to_end(&mut begin)?;
    Ok(begin)
}
