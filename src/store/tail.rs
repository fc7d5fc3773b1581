//! The tail: what came after the journal's last row, in a plain file beside the state file.
//!
//! Owns that file. SQLite writes whole pages, twice; here a write is as long as what it holds, so that
//! seldom heartbeats cost no more than frequent ones. Refuses to believe what another state file's tail
//! says, and whatever comes after a record that is torn.
//!
//! The file opens with a magic, a version in it, and the lineage of its state file. Records follow: the
//! number of the journal's row that they will be part of, their length, a checksum, and that part of the
//! row's body. All numbers are little-endian. A record of a row that the journal has already says nothing
//! any more. Once the disk keeps those rows, the next record overwrites the first: until then they stay, as
//! a power cut might take the rows. What is left behind the last record is of earlier rows than it.

use super::error::StoreError;
use super::place::{self, Id, Whereabouts};
use crate::quote;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most bytes in the file.
pub(super) const ROOM: u64 = 128 << 10;

const MAGIC: &[u8; 8] = b"wrmdtl1\n";
/// The magic, the lineage.
const HEADER: usize = MAGIC.len() + 8;
/// The row, the length, the checksum.
const RECORD: usize = 8 + 4 + 4;

#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    lineage: i64,
    file: Option<(File, Option<Id>)>,
    /// Where the records end.
    end: u64,
    /// The row of the last of them.
    row: i64,
    /// What is in the file is to be forgotten before anything is written to it.
    spoiled: bool,
    /// The disk was not told yet to keep what was written.
    unsynced: bool,
    /// Nor that there is such a file.
    unnamed: bool,
    /// That it can't be written was told.
    told: bool,
}

/// What a tail holds of one row: the beginning of its body, or all of it.
pub(super) type Part = (i64, Vec<u8>);

impl Tail {
    /// The tail at that path, and what it holds, in the order of the rows; nothing where there is none,
    /// or another's.
    pub(super) fn find(path: &Path, lineage: i64) -> (Self, Vec<Part>) {
        let mut tail = Self {
            path: path.to_owned(),
            lineage,
            file: None,
            end: 0,
            row: 0,
            spoiled: false,
            unsynced: false,
            unnamed: false,
            told: false,
        };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return (tail, Vec::new()),
            Err(error) => {
                tail.disbelieve(&format!("it can't be read: {error}"));
                return (tail, Vec::new());
            }
        };
        match parts(&bytes, lineage) {
            Ok(Found { parts, end, torn }) => {
                tail.end = end;
                tail.row = parts.last().map_or(0, |(row, _)| *row);
                if torn {
                    tracing::warn!("{} is torn: its end is left out", quote::path(path));
                }
                (tail, parts)
            }
            Err(why) => {
                tail.disbelieve(why);
                (tail, Vec::new())
            }
        }
    }

    /// Tells that nothing in it is believed; it is begun anew with the next record.
    pub(super) fn disbelieve(&mut self, why: &str) {
        tracing::warn!("what {} holds is left out: {why}", quote::path(&self.path));
        self.forget();
    }

    /// Tells that it is not in its place any more; the next record begins a new file.
    pub(super) fn lost(&mut self) {
        tracing::warn!(
            "{} was deleted or replaced while warmd runs: the state file takes what it held",
            quote::path(&self.path)
        );
        self.forget();
    }

    /// Begins a new file with the next record, or the one that lies there, whatever is in it.
    pub(super) fn forget(&mut self) {
        (self.file, self.end, self.row) = (None, 0, 0);
        (self.spoiled, self.unsynced) = (true, false);
    }

    /// Whether the file that is open is the one of its name.
    pub(super) fn is_in_place(&self) -> bool {
        match &self.file {
            Some((_, id)) => place::whereabouts(*id, &self.path) == Whereabouts::There,
            None => true,
        }
    }

    /// Whether there is room for so many bytes more; `kept` is the last row that no power cut can take from
    /// the journal.
    pub(super) fn has_room(&self, bytes: usize, kept: i64) -> bool {
        self.next(kept) + (HEADER + RECORD + bytes) as u64 <= ROOM
    }

    /// Adds a part of a row. Where that fails, it is as if it hadn't been tried.
    pub(super) fn append(&mut self, row: i64, part: &[u8], kept: i64) -> Result<(), StoreError> {
        let at = self.next(kept);
        let mut bytes = Vec::with_capacity(HEADER + RECORD + part.len());
        if at == 0 {
            add_header(&mut bytes, self.lineage);
        }
        add_record(&mut bytes, self.lineage, row, part);
        let written = self.open().and_then(|file| file.write_all_at(&bytes, at));
        written.map_err(StoreError::io("write", &self.path))?;
        (self.end, self.row) = (at + bytes.len() as u64, row);
        (self.unsynced, self.told) = (true, false);
        Ok(())
    }

    /// Tells, once, that it can't be written; what it would have held is in the journal instead.
    pub(super) fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!("each write goes into the state file, which takes more room: {error}");
        }
    }

    /// Has the disk keep what was written.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if let Some((file, _)) = &self.file
            && self.unsynced
        {
            file.sync_data().map_err(StoreError::io("sync", &self.path))?;
            if self.unnamed {
                let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                File::open(folder)
                    .and_then(|folder| folder.sync_all())
                    .map_err(StoreError::io("sync", folder))?;
            }
            (self.unsynced, self.unnamed) = (false, false);
        }
        Ok(())
    }

    /// Removes it, as the journal has all that it held.
    pub(super) fn remove(&mut self) {
        if self.is_in_place() && (self.file.is_some() || self.row > 0) {
            // One that can't be removed says nothing any more.
            let _ = fs::remove_file(&self.path);
        }
        self.forget();
    }

    /// Where the next record goes.
    fn next(&self, kept: i64) -> u64 {
        if self.row <= kept { 0 } else { self.end }
    }

    fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            self.unnamed |= match fs::metadata(&self.path) {
                Ok(there) if there.is_file() => false,
                Ok(_) => return Err(io::Error::other("it is no regular file")),
                Err(_) => true,
            };
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(self.spoiled)
                .mode(0o600)
                .open(&self.path)?;
            let id = file.metadata().ok().as_ref().map(place::id);
            self.file = Some((file, id));
            self.spoiled = false;
        }
        self.file.as_ref().map(|(file, _)| file).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn add_header(bytes: &mut Vec<u8>, lineage: i64) {
    bytes.extend(MAGIC);
    bytes.extend(lineage.to_le_bytes());
}

fn add_record(bytes: &mut Vec<u8>, lineage: i64, row: i64, part: &[u8]) {
    bytes.extend(row.to_le_bytes());
    bytes.extend((part.len() as u32).to_le_bytes());
    bytes.extend(checksum(lineage, row, part).to_le_bytes());
    bytes.extend(part);
}

/// A file with these parts, a record each.
#[cfg(any(test, fuzzing))]
pub(super) fn bytes(parts: &[Part], lineage: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    add_header(&mut bytes, lineage);
    for (row, part) in parts {
        add_record(&mut bytes, lineage, *row, part);
    }
    bytes
}

/// As much of it as one of ours can hold.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(ROOM).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a file's bytes hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) parts: Vec<Part>,
    /// Where the records end that are believed.
    end: u64,
    /// Another of the same row, or of the next, was begun.
    torn: bool,
}

pub(super) fn parts(bytes: &[u8], lineage: i64) -> Result<Found, &'static str> {
    let mut found = Found::default();
    if bytes.is_empty() {
        return Ok(found);
    }
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or("it is cut short")?;
    if magic != MAGIC {
        return Err("it is no tail of warmd's");
    }
    let (ours, mut rest) = rest.split_first_chunk().ok_or("it is cut short")?;
    if i64::from_le_bytes(*ours) != lineage {
        return Err("it belongs to another state file");
    }
    while let Some((row, len, sum, body)) = record(rest) {
        let last = found.parts.last().map_or(i64::MIN, |(last, _)| *last);
        let part = body.get(..len).filter(|part| row >= last && sum == checksum(lineage, row, part));
        let Some(part) = part else {
            found.torn = row == last || row.checked_sub(1) == Some(last);
            break;
        };
        match found.parts.last_mut() {
            Some((last, body)) if *last == row => body.extend(part),
            Some(_) | None => found.parts.push((row, part.to_vec())),
        }
        rest = &body[len..];
    }
    found.end = (bytes.len() - rest.len()) as u64;
    Ok(found)
}

/// A record's row, length and checksum, and what follows.
fn record(rest: &[u8]) -> Option<(i64, usize, u32, &[u8])> {
    let (row, rest) = rest.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    Some((i64::from_le_bytes(*row), u32::from_le_bytes(*len) as usize, u32::from_le_bytes(*sum), rest))
}

/// Over all that must be as it was written.
fn checksum(lineage: i64, row: i64, part: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&lineage.to_le_bytes());
    sum.update(&row.to_le_bytes());
    sum.update(part);
    sum.finalize()
}

#[cfg(test)]
mod tests;
