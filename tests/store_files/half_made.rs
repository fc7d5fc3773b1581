//! A file that was being made when a kill or a full disk ended that, and what only looks like one.

use super::{Folder, aimed, open, refused, refused_untouched, spoiled};
use rusqlite::Connection;
use std::fs;
use warmd::store::StoreError;

/// What the lock may say: nothing, a torn mark, the mark.
const LOCKS: [&str; 3] = ["", "warmd keeps its", "warmd keeps its state in the file beside this one\n"];

/// A database. Without tables, it is what earlier versions wrote first.
fn database(of: &str) -> Vec<u8> {
    let folder = Folder::new();
    let file = Connection::open(folder.path()).unwrap();
    file.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").unwrap();
    file.execute_batch(of).unwrap();
    fs::read(folder.path()).unwrap()
}

/// A rollback journal of SQLite's, which brings back the first page of that file, or makes it empty.
fn journal(before: &[u8]) -> Vec<u8> {
    let (page, pages) = (before.chunks(4096).next(), before.len() as u32 / 4096);
    let mut bytes = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    for number in [u32::from(page.is_some()), 0, pages, 512, 4096] {
        bytes.extend(u32::to_be_bytes(number));
    }
    bytes.resize(512, 0);
    if let Some(page) = page {
        let sum: u32 = page.iter().skip(96).step_by(200).skip(1).map(|byte| u32::from(*byte)).sum();
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(page);
        bytes.extend(sum.to_be_bytes());
    }
    bytes
}

#[test]
fn what_a_kill_left_of_a_file_that_was_being_made_is_made_whole() {
    let blank = database("");
    let mut with_id = blank.clone();
    with_id[68..72].copy_from_slice(b"wrmd");
    let (from_blank, from_nothing) = (journal(&blank), journal(&[]));
    let halves: [(&[u8], Option<&[u8]>); 8] = [
        // Of an earlier version, which wrote the first page by itself, and then the tables.
        (&blank, None),
        (&blank, Some(&from_blank)),
        (&with_id, Some(&from_blank)),
        // Of this one; also where the power failed, and the first page was not on the disk yet.
        (&[], Some(&from_nothing)),
        (&with_id, Some(&from_nothing)),
        (&[0; 8192], Some(&from_nothing)),
        (&blank[..60], Some(&from_nothing)),
        (&[], Some(&[0; 512])),
    ];
    for (half, journal) in halves {
        for lock in LOCKS {
            let mut files = vec![("warmd.db", half), ("warmd.db.lock", lock.as_bytes())];
            files.extend(journal.map(|journal| ("warmd.db-journal", journal)));
            let folder = Folder::with(&files);
            let (store, recovered) = open(&folder.path()).unwrap();
            assert!(recovered.tail.is_empty());
            let notes = store.health().notes();
            assert!(notes.is_empty() || half.is_empty() && notes[0].contains("was found empty"), "{notes:?}");
            store.append(aimed(1));
            drop(store);
            assert_eq!(open(&folder.path()).unwrap().1.tail, [aimed(1)]);
            assert_eq!(folder.names(), ["warmd.db", "warmd.db.lock"]);
        }
    }
}

#[test]
fn a_database_without_tables_is_another_programs_without_a_lock_of_warmds() {
    let (blank, from_nothing) = (database(""), journal(&[]));
    let folder = Folder::with(&[("warmd.db", &blank)]);
    assert!(matches!(refused_untouched(&folder), StoreError::NotOurs { .. }));
    let folder = Folder::with(&[("warmd.db", &blank), ("warmd.db.lock", b"4711\n")]);
    assert!(matches!(refused_untouched(&folder), StoreError::NotOurs { .. }));
    let folder = Folder::with(&[("warmd.db", b"notes\n"), ("warmd.db-journal", &from_nothing)]);
    assert!(matches!(refused_untouched(&folder), StoreError::NotOurs { .. }));
}

#[test]
fn tables_of_another_program_that_sqlite_alone_can_see_are_left_alone() {
    let (blank, table) = (database(""), database("CREATE TABLE diary (day INTEGER)"));
    // In the log.
    let folder = Folder::with(&[("warmd.db", &blank), ("warmd.db-wal", &[1; 5000]), ("warmd.db.lock", b"")]);
    assert!(matches!(refused_untouched(&folder), StoreError::NotOurs { .. }));
    // In the journal, to be brought back.
    let without = [&blank[..4096], &table[4096..]].concat();
    let folder = Folder::with(&[
        ("warmd.db", &without),
        ("warmd.db-journal", &journal(&table)),
        ("warmd.db.lock", b""),
    ]);
    let error = refused(&folder.path());
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    assert!(fs::read(folder.path()).unwrap() == table, "it holds what SQLite brought back");
}

#[test]
fn a_file_of_warmds_that_has_lost_its_version_is_set_aside() {
    let folder = spoiled(|bytes| bytes[60..64].fill(0));
    let (store, _) = open(&folder.path()).unwrap();
    assert!(store.health().notes()[0].contains("was damaged"), "{:?}", store.health());
}

#[test]
fn a_damaged_file_takes_its_journal_along() {
    let old = journal(&database(""));
    let files: [(&str, &[u8]); 3] =
        [("warmd.db", &[0x5a; 4096]), ("warmd.db-journal", &old), ("warmd.db.lock", LOCKS[2].as_bytes())];
    let folder = Folder::with(&files);
    let (store, _) = open(&folder.path()).unwrap();
    assert!(store.health().notes()[0].contains("was damaged"), "{:?}", store.health());
    drop(store);
    let aside = folder.names().into_iter().find(|name| name.ends_with("Z-journal")).unwrap();
    assert!(fs::read(folder.path().with_file_name(aside)).unwrap() == old);
    assert!(!folder.names().contains(&"warmd.db-journal".to_owned()));
}
