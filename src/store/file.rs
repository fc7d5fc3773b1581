//! Opening the state file: whose it is, who else has it, and which schema it holds.
//!
//! Refuses, without touching it, whatever isn't a state file of warmd or comes from a newer one:
//! this is told from the first 100 bytes, before SQLite sees the file.

use super::error::StoreError;
use super::schema::{APPLICATION_ID, MIGRATIONS, VERSION};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a write waits for someone who looks into the file with a tool of SQLite's.
const BUSY: Duration = Duration::from_secs(5);
/// What the write-ahead log shrinks back to, in bytes: twice what SQLite lets it grow to.
const LOG_LIMIT: i64 = 8 << 20;
/// SQLite's file header: the magic at 0, `user_version` at 60, `application_id` at 68.
const HEADER: u64 = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// An open state file. The lock is let go after the connection is closed.
#[derive(Debug)]
pub(super) struct StateFile {
    pub(super) connection: Connection,
    _lock: File,
}

/// Opens it, made anew or brought to the newest schema where need be.
pub(super) fn open(path: &Path) -> Result<StateFile, StoreError> {
    examine(path)?;
    make_folder(path)?;
    let lock = lock(path)?;
    // Again: another daemon may have made or migrated it before the lock was ours.
    examine(path)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::io("write", path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(StoreError::sqlite("open the database"))?;
    let migrated = migrate(&mut connection, path)?;
    tune(&connection, migrated).map_err(StoreError::sqlite("set up the database"))?;
    Ok(StateFile { connection, _lock: lock })
}

/// Refuses what isn't ours; what isn't there, or is empty, will be.
fn examine(path: &Path) -> Result<(), StoreError> {
    let not_ours = |why| Err(StoreError::NotOurs { path: path.to_owned(), why });
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StoreError::io("look at", path)(e)),
    };
    if kind.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    if !kind.is_file() {
        return not_ours("it is no regular file");
    }
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEADER).read_to_end(&mut header))
        .map_err(StoreError::io("read", path))?;
    if header.is_empty() {
        return Ok(());
    }
    if header.len() < HEADER as usize || !header.starts_with(MAGIC) {
        return not_ours("it is no SQLite database");
    }
    let u32_at = |i: usize| u32::from_be_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
    if u32_at(68) != APPLICATION_ID {
        return not_ours("it is another program's SQLite database");
    }
    refuse_newer(path, u32_at(60))
}

fn refuse_newer(path: &Path, found: u32) -> Result<(), StoreError> {
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Makes the folder where it is missing, for its owner alone.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(StoreError::io("make the folder", folder)),
        _ => Ok(()),
    }
}

/// Takes the lock beside the file, for as long as the answer lives; the system frees it at the
/// end of the process, however that comes. The file itself stays: to remove it would let two in.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(StoreError::io("write", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &name)(e)),
    }
}

/// Brings the schema to [`VERSION`], a transaction a step; says whether there was anything to do.
fn migrate(connection: &mut Connection, path: &Path) -> Result<bool, StoreError> {
    let doing = || StoreError::sqlite("bring up the schema");
    connection.busy_timeout(BUSY).map_err(doing())?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(doing())?;
    refuse_newer(path, found)?;
    if found == 0 {
        // Must come before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(doing())?;
    }
    for (version, step) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(doing())?;
        tx.execute_batch(step).map_err(doing())?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(doing())?;
        tx.pragma_update(None, "user_version", version).map_err(doing())?;
        tx.commit().map_err(doing())?;
    }
    Ok(found < VERSION)
}

fn tune(connection: &Connection, migrated: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Safe against a killed process; a power cut may cost what came since the last checkpoint.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    connection.set_prepared_statement_cache_capacity(64);
    if migrated {
        // The version must stand in the file's own header, where `examine` looks for it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}
