//! The state file: who else has it, and which schema it holds.
//!
//! A new file is made in one transaction. If a kill or a full disk ends it, SQLite makes the file empty again at
//! the next opening. Until then, its first page has warmd's `application_id`.

use super::error::StoreError;
use super::owner::{Found, OTHERS_DATABASE, examine};
use super::schema::{APPLICATION_ID, MIGRATIONS, VERSION};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a write waits for someone who looks into the file with a tool of SQLite's.
const BUSY: Duration = Duration::from_secs(5);
/// What the write-ahead log shrinks back to, in bytes: twice what SQLite lets it grow to.
const LOG_LIMIT: i64 = 8 << 20;
/// Pages of the file that SQLite keeps in memory at the most, in KiB: a quarter of what it would.
const CACHE: i64 = 512;
/// What the name of the tail ends in: [`super::tail`].
pub(super) const TAIL: &str = "-tail";

/// Opens it, made anew or brought to the newest schema where need be. Wants the lock.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create(path)?;
    match connect(path, false) {
        // A full disk has no room for the index that is shared with others: one of our own will do.
        Err(StoreError::Sqlite { reason, .. })
            if reason.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) =>
        {
            connect(path, true)
        }
        connected => connected,
    }
}

/// Makes the file where there is none, for its owner alone.
fn create(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(StoreError::io("write", path))
}

fn connect(path: &Path, alone: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let doing = || StoreError::sqlite("open the database");
    let mut connection = Connection::open_with_flags(path, flags).map_err(doing())?;
    leave_as_it_is(&connection, true)?;
    if alone {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(doing())?;
    }
    let migrated = migrate(&mut connection, path)?;
    tune(&connection, migrated).map_err(StoreError::sqlite("set up the database"))?;
    leave_as_it_is(&connection, false)?;
    Ok(connection)
}

/// To close it leaves the file and its log as they are: what is damaged is to be seen as it was found.
pub(super) fn leave_as_it_is(connection: &Connection, so: bool) -> Result<(), StoreError> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, so)
        .map(drop)
        .map_err(StoreError::sqlite("set up the database"))
}

/// Opens it to be read, where it can't be written; none where it can't be read either.
pub(super) fn to_read(path: &Path) -> Option<Connection> {
    if !matches!(examine(path), Ok(Found::Ours)) {
        return None;
    }
    // Without its log, SQLite reads a file on a read-only filesystem only where nothing can change it.
    let still = !fs::exists(beside(path, "-wal")).unwrap_or(true);
    let name = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let name = format!("file:{name}{}", if still { "?immutable=1" } else { "" });
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags).ok()?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
    version.is_ok_and(|version| version == VERSION).then_some(connection)
}

/// An empty one in memory.
pub(super) fn in_memory() -> Result<Connection, StoreError> {
    let mut connection =
        Connection::open_in_memory().map_err(StoreError::sqlite("make a database in memory"))?;
    migrate(&mut connection, Path::new(":memory:"))?;
    Ok(connection)
}

/// Makes the file again, which was deleted, from what is still open of it.
pub(super) fn make_again(open: &Connection, path: &Path) -> Result<(), StoreError> {
    let copy = beside(path, ".copy");
    let remove = |file: PathBuf| match fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", file)(e)),
        Ok(()) | Err(_) => Ok(()),
    };
    remove(copy.clone())?;
    create(&copy)?;
    open.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(StoreError::sqlite("write a copy"))?;
    // Their changes are in the copy: with it, they would be taken for later ones.
    remove(beside(path, "-wal"))?;
    remove(beside(path, "-shm"))?;
    fs::rename(&copy, path).map_err(StoreError::io("put back", path))
}

pub(super) fn refuse_newer(path: &Path, found: u32) -> Result<(), StoreError> {
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Makes the folder where it is missing, for its owner alone.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
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
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let name = beside(path, ".lock");
    let file = OpenOptions::new()
        .read(true)
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

/// A file that belongs to this one: the same name, with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Brings the schema to [`VERSION`] in one transaction; returns whether there was anything to do.
fn migrate(connection: &mut Connection, path: &Path) -> Result<bool, StoreError> {
    let doing = || StoreError::sqlite("bring up the schema");
    connection.busy_timeout(BUSY).map_err(doing())?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(doing())?;
    refuse_newer(path, found)?;
    if found == VERSION {
        return Ok(false);
    }
    // Deferred: to take the lock at once would make the first page, before which `auto_vacuum` must come.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(doing())?;
    if found == 0 {
        tx.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(doing())?;
        refuse_tables(&tx, path)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(doing())?;
    for step in &MIGRATIONS[found as usize..] {
        tx.execute_batch(step).map_err(doing())?;
    }
    tx.pragma_update(None, "user_version", VERSION).map_err(doing())?;
    tx.commit().map_err(doing())?;
    Ok(true)
}

/// Refuses a database that has no version of ours and is not empty either.
fn refuse_tables(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let doing = || StoreError::sqlite("look at the tables");
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, u32>(0));
    if tables.map_err(doing())? == 0 {
        return Ok(());
    }
    let id = connection.pragma_query_value(None, "application_id", |row| row.get::<_, u32>(0));
    if id.map_err(doing())? == APPLICATION_ID {
        return Err(StoreError::Damaged { reason: "it has tables, and no version".to_owned() });
    }
    Err(StoreError::NotOurs { path: path.to_owned(), why: OTHERS_DATABASE })
}

fn tune(connection: &Connection, migrated: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Safe against a killed process; a power cut may cost what came since the last sync.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    // What is read again is in the system's own cache.
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.set_prepared_statement_cache_capacity(64);
    if migrated {
        // The version must stand in the file's own header, where `examine` looks for it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}
