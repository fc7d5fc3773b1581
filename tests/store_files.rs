//! The state file as a file: made, opened again, refused untouched, locked.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "store_files/half_made.rs"]
mod half_made;

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use warmd::config::value::ModelName;
use warmd::heartbeat::Outcome;
use warmd::journal::{Entry, What};
use warmd::store::{Recovered, Store, StoreError};

const RETENTION: Duration = Duration::from_hours(90 * 24);

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("warmd.db")
    }

    /// One that holds these files.
    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::new();
        for (name, bytes) in files {
            fs::write(folder.path().with_file_name(name), bytes).unwrap();
        }
        folder
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn open(path: &Path) -> Result<(Store, Recovered), StoreError> {
    Store::open(path, RETENTION)
}

fn refused(path: &Path) -> StoreError {
    open(path).expect_err("it must be refused")
}

/// Opens what must be refused, and makes sure that nothing in the folder has changed.
fn refused_untouched(folder: &Folder) -> StoreError {
    let look = || {
        (fs::read(folder.path()).unwrap(), fs::metadata(folder.path()).unwrap().mtime_nsec(), folder.names())
    };
    let before = look();
    let error = refused(&folder.path());
    assert_eq!(look(), before, "{error}");
    assert!(error.is_misconfiguration());
    error
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_660_000 + second, 123_456_000).unwrap()
}

fn aimed(number: i64) -> Entry {
    let model = "llama".parse().unwrap();
    Entry { model, at: at(number), what: What::Aimed { at: number.to_string() } }
}

/// One that may wait in the tail, once its model is known.
fn plain(number: i64) -> Entry {
    Entry { what: What::Tracked, ..aimed(number) }
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart() {
    let folder = Folder::new();
    let (store, recovered) = open(&folder.path()).unwrap();
    assert!(recovered.checkpoints.is_empty() && recovered.tail.is_empty());
    store.append(aimed(1));
    store.append_all([aimed(2), aimed(3)]);
    store.flush().await.unwrap();
    assert_eq!(store.health().pending, 0);
    store.append(aimed(4));
    drop(store);

    let (store, recovered) = open(&folder.path()).unwrap();
    assert_eq!(recovered.tail, [1, 2, 3, 4].map(aimed));
    let state = r#"{"pi":3}"#.to_owned();
    store.checkpoint([("llama".parse().unwrap(), state.clone())].into()).await.unwrap();
    store.append(aimed(5));
    drop(store);

    let (_, recovered) = open(&folder.path()).unwrap();
    assert_eq!(recovered.checkpoints, [("llama".parse().unwrap(), state)].into());
    assert_eq!(recovered.tail, [aimed(5)]);
}

#[tokio::test]
async fn entries_reach_the_file_within_a_second_or_so_by_themselves() {
    let folder = Folder::new();
    let (store, _) = open(&folder.path()).unwrap();
    for number in 1..=3 {
        store.append(aimed(number));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut waited = 0;
    while store.health().pending > 0 {
        assert!(waited < 200, "still pending after 10 s");
        waited += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let rows: i64 = Connection::open(folder.path())
        .unwrap()
        .query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
        .unwrap();
    assert!((1..=3).contains(&rows), "{rows} rows");
}

#[tokio::test]
async fn a_missing_folder_is_made_for_its_owner_alone() {
    let folder = Folder::new();
    let path = folder.0.path().join("a/b/warmd.db");
    let store = open(&path).unwrap().0;
    // The second goes into the tail: the first brings a model that is new.
    for number in 1..=2 {
        store.append(plain(number));
        store.flush().await.unwrap();
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["warmd.db", "warmd.db.lock", "warmd.db-wal", "warmd.db-tail"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    drop(store);
    for name in ["warmd.db-wal", "warmd.db-tail"] {
        assert!(!path.with_file_name(name).exists(), "{name}");
    }
}

#[test]
fn an_empty_file_is_a_new_one() {
    let folder = Folder::new();
    fs::write(folder.path(), "").unwrap();
    assert!(open(&folder.path()).unwrap().1.tail.is_empty());
    assert!(fs::read(folder.path()).unwrap().starts_with(b"SQLite format 3\0"));
}

#[test]
fn another_programs_file_is_refused_untouched() {
    let folder = Folder::new();
    for bytes in
        [b"x".as_slice(), &[0; 5000], b"SQLite format 3\0 cut short", "notes\n".repeat(500).as_bytes()]
    {
        fs::write(folder.path(), bytes).unwrap();
        let error = refused_untouched(&folder);
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    }
}

#[test]
fn another_programs_database_is_refused_untouched() {
    for (id, version) in [(0, 0), (0, 1), (0x4750_5348, 1)] {
        for mode in ["delete", "wal"] {
            let folder = Folder::new();
            let other = Connection::open(folder.path()).unwrap();
            other.pragma_update(None, "journal_mode", mode).unwrap();
            other.execute_batch("CREATE TABLE journal (id INTEGER PRIMARY KEY)").unwrap();
            other.pragma_update(None, "application_id", id).unwrap();
            other.pragma_update(None, "user_version", version).unwrap();
            drop(other);
            let error = refused_untouched(&folder);
            assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
            assert!(error.to_string().contains("another program's SQLite database"), "{error}");
        }
    }
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let folder = Folder::new();
    drop(open(&folder.path()).unwrap());
    fs::remove_file(folder.path().with_file_name("warmd.db.lock")).unwrap();
    let newer = Connection::open(folder.path()).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let error = refused_untouched(&folder);
    assert!(matches!(error, StoreError::Newer { found: 99, known: 4, .. }), "{error}");
    assert_eq!(folder.names(), ["warmd.db"]);
}

/// Made by the warmd that knew schema 1, as it ended: three heartbeats, a checkpoint, a model that fails.
#[tokio::test]
async fn a_file_of_schema_1_is_brought_up_with_all_that_it_holds() {
    is_brought_up(include_bytes!("store/schema-1.db")).await;
}

/// The same, as the warmd that knew schema 2 took it over.
#[tokio::test]
async fn a_file_of_schema_2_is_brought_up_with_all_that_it_holds() {
    is_brought_up(include_bytes!("store/schema-2.db")).await;
}

/// The same again, with the judge of before: what that had learned is left out.
#[tokio::test]
async fn a_file_of_schema_3_is_brought_up_with_all_that_it_holds() {
    is_brought_up(include_bytes!("store/schema-3.db")).await;
}

async fn is_brought_up(file: &[u8]) {
    let folder = Folder::new();
    fs::write(folder.path(), file).unwrap();
    let model: ModelName = "llama".parse().unwrap();
    let since = DateTime::UNIX_EPOCH;
    let now = "2026-11-21T16:40:00Z".parse().unwrap();
    let kept = {
        let (store, recovered) = open(&folder.path()).unwrap();
        assert!(recovered.checkpoints[&model].contains("\"failing\""), "{recovered:?}");
        assert!(recovered.tail.is_empty() && recovered.notes.is_empty());
        let events = store.events(None, since, 10).await.unwrap();
        assert!(!events.is_empty());
        store.note([("a".to_owned(), Some("b".to_owned()))]);
        (store.summary(model.clone(), since, now).await.unwrap(), events)
    };
    let header = fs::read(folder.path()).unwrap();
    assert_eq!(header[60..64], 4_u32.to_be_bytes());
    let (store, recovered) = open(&folder.path()).unwrap();
    assert_eq!(recovered.notes, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    assert_eq!(store.summary(model, since, now).await.unwrap().models, kept.0.models);
    assert_eq!(store.events(None, since, 10).await.unwrap(), kept.1);
    assert_eq!(kept.0.models.values().next().unwrap().count(Outcome::Unreachable), 3);
}

#[tokio::test]
async fn of_each_name_the_latest_note_is_there_after_a_restart() {
    let folder = Folder::new();
    let note = |name: &str, body: Option<&str>| (name.to_owned(), body.map(str::to_owned));
    let (store, _) = open(&folder.path()).unwrap();
    store.note([note("a", Some("1")), note("b", Some("1")), note("c", Some("1"))]);
    store.flush().await.unwrap();
    store.note([note("a", Some("2")), note("b", None)]);
    drop(store);
    let (_, recovered) = open(&folder.path()).unwrap();
    let kept: Vec<_> = recovered.notes.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    assert_eq!(kept, [("a", "2"), ("c", "1")]);
}

#[test]
fn the_schema_stands_in_the_header_while_the_file_is_in_use() {
    let folder = Folder::new();
    let _store = open(&folder.path()).unwrap();
    let header = fs::read(folder.path()).unwrap();
    assert_eq!(header[60..64], 4_u32.to_be_bytes());
    assert_eq!(&header[68..72], b"wrmd");
}

#[test]
fn a_second_daemon_is_kept_out_and_told_why() {
    let folder = Folder::new();
    let first = open(&folder.path()).unwrap();
    let error = refused(&folder.path());
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().starts_with("another warmd runs on this state file"), "{error}");
    assert!(!error.is_misconfiguration());
    drop(first);
    open(&folder.path()).unwrap();
}

#[test]
fn directories_and_what_lies_below_files_are_refused() {
    let folder = Folder::new();
    let error = refused(folder.0.path());
    assert!(matches!(error, StoreError::Directory { .. }), "{error}");
    let link = folder.0.path().join("link");
    symlink(folder.0.path(), &link).unwrap();
    assert!(matches!(refused(&link), StoreError::Directory { .. }));
    fs::write(folder.path(), "a file").unwrap();
    let error = refused(&folder.path().join("warmd.db"));
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let error = refused(Path::new("/dev/null"));
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
}

/// What is left of a state file, and what there should be of it once it was set aside.
fn spoiled(how: impl Fn(&mut Vec<u8>)) -> Folder {
    let folder = Folder::new();
    drop(open(&folder.path()).unwrap());
    let mut bytes = fs::read(folder.path()).unwrap();
    how(&mut bytes);
    fs::write(folder.path(), bytes).unwrap();
    folder
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let spoils: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[100..].fill(0x5a),
        |bytes| bytes.fill(0),
        |bytes| bytes[..4096].fill(0x5a),
        |bytes| bytes.truncate(5000),
        |bytes| bytes.truncate(60),
    ];
    for spoil in spoils {
        let folder = spoiled(spoil);
        let before = fs::read(folder.path()).unwrap();
        let (store, recovered) = open(&folder.path()).unwrap();
        assert!(recovered.tail.is_empty());
        let notes = store.health().notes();
        assert!(notes.len() == 1 && notes[0].contains("was damaged"), "{notes:?}");
        let aside = folder.names().into_iter().find(|name| name.starts_with("warmd.db.damaged-20")).unwrap();
        assert!(notes[0].contains(&aside) && fs::read(folder.0.path().join(aside)).unwrap() == before);
        store.append(aimed(1));
        store.flush().await.unwrap();
        drop(store);
        assert_eq!(open(&folder.path()).unwrap().1.tail, [aimed(1)]);
    }
}

#[tokio::test]
async fn what_is_in_the_tail_alone_outlives_the_state_file() {
    let deleted = |path: &Path| fs::remove_file(path).unwrap();
    let with_its_tail = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::remove_file(path.with_file_name("warmd.db-tail")).unwrap();
    };
    let damaged = |path: &Path| Connection::open(path).unwrap().execute_batch("DROP TABLE event").unwrap();
    let ends = [
        (deleted as fn(&Path), "was deleted while warmd runs", vec![aimed(1)]),
        (with_its_tail, "was deleted while warmd runs", vec![aimed(1)]),
        (damaged, "was damaged", Vec::new()),
    ];
    for (end, told, before) in ends {
        let folder = Folder::new();
        let (store, _) = open(&folder.path()).unwrap();
        for entry in [aimed(1), plain(2)] {
            store.append(entry);
            store.flush().await.unwrap();
        }
        assert!(folder.names().contains(&"warmd.db-tail".to_owned()));
        end(&folder.path());
        store.append_all([plain(3), aimed(4)]);
        store.flush().await.unwrap();
        assert!(store.health().notes()[0].contains(told), "{:?}", store.health());
        drop(store);
        assert_eq!(
            open(&folder.path()).unwrap().1.tail,
            [before, vec![plain(2), plain(3), aimed(4)]].concat()
        );
        let aside = folder.names().into_iter().find(|name| name.ends_with("Z-tail"));
        assert_eq!(aside.is_some(), told == "was damaged", "{aside:?}");
    }
}

#[test]
fn damaged_files_are_never_set_aside_over_each_other_and_not_without_end() {
    let folder = Folder::new();
    let mut all = Vec::new();
    for round in 0..8_u8 {
        drop(open(&folder.path()).unwrap());
        let mut bytes = fs::read(folder.path()).unwrap();
        bytes[100..].fill(round);
        fs::write(folder.path(), bytes).unwrap();
        drop(open(&folder.path()).unwrap());
        let aside = folder.names().into_iter().filter(|name| name.contains(".damaged-"));
        let aside = aside.filter(|name| !["-wal", "-shm", "-tail"].iter().any(|end| name.ends_with(end)));
        let kept: Vec<u8> = aside.map(|name| fs::read(folder.0.path().join(name)).unwrap()[4096]).collect();
        all.push(round);
        assert_eq!(kept, all[all.len().saturating_sub(5)..], "the five latest, in the order of their names");
    }
}

#[test]
fn an_emptied_file_is_a_new_one_and_told() {
    let folder = spoiled(Vec::clear);
    let (store, _) = open(&folder.path()).unwrap();
    assert!(store.health().notes()[0].contains("was found empty"), "{:?}", store.health());
    assert_eq!(folder.names(), ["warmd.db", "warmd.db-shm", "warmd.db-wal", "warmd.db.lock"]);
}

#[test]
fn a_lock_of_another_program_makes_no_file_ours() {
    let folder = Folder::new();
    fs::write(folder.path(), "notes\n".repeat(500)).unwrap();
    for said in ["", "4711\n"] {
        fs::write(folder.path().with_file_name("warmd.db.lock"), said).unwrap();
        assert!(matches!(refused_untouched(&folder), StoreError::NotOurs { .. }));
    }
}

#[tokio::test]
async fn damaged_rows_are_left_out_and_the_rest_is_kept() {
    let folder = Folder::new();
    let (store, _) = open(&folder.path()).unwrap();
    for number in 1..=3 {
        store.append(aimed(number));
        store.flush().await.unwrap();
    }
    drop(store);
    let other = Connection::open(folder.path()).unwrap();
    other.execute("UPDATE journal SET body = x'ff00' WHERE id = 2", []).unwrap();
    drop(other);
    let (_, recovered) = open(&folder.path()).unwrap();
    assert_eq!(recovered.tail, [aimed(1), aimed(3)]);
}

#[tokio::test]
async fn entries_wait_while_the_file_cant_be_written_and_are_kept() {
    let folder = Folder::new();
    let (store, _) = open(&folder.path()).unwrap();
    // A row that the store means to write next stands in its way.
    let other = Connection::open(folder.path()).unwrap();
    other.execute("INSERT INTO journal (id, until, body) VALUES (1, 0, x'')", []).unwrap();
    store.append(aimed(1));
    let error = store.flush().await.unwrap_err();
    assert!(matches!(error, StoreError::Sqlite { .. }), "{error}");
    store.append(aimed(2));
    let health = store.health();
    assert_eq!((health.pending, health.dropped), (2, 0));
    assert!(health.notes()[0].contains("2 entries wait in memory"), "{health:?}");
    assert!(health.failing_since.is_some());
    // Questions are still answered.
    assert_eq!(store.summaries(at(0), at(60)).await.unwrap().models.len(), 0);
    other.execute("DELETE FROM journal", []).unwrap();
    store.flush().await.unwrap();
    assert_eq!(store.health(), warmd::store::Health::default());
    drop(store);
    assert_eq!(open(&folder.path()).unwrap().1.tail, [aimed(1), aimed(2)]);
}
