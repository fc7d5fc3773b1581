//! The tables, and how each version of them is made from the one before.
//!
//! Times are whole seconds since 1970 unless a name says otherwise.

/// Marks a file as warmd's: "wrmd", at offset 68 of SQLite's header.
pub(super) const APPLICATION_ID: u32 = 0x7772_6d64;

/// The newest schema this program knows: SQLite's `user_version`.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// The step from each version to the next; never edited once released.
pub(super) const MIGRATIONS: [&str; 4] = [TO_1, TO_2, TO_3, TO_4];

/// - `model`: names, written once; `seen` is the last hour that has an entry.
/// - `journal`: a row for what was written together or gathered in the tail, `until` the latest instant its entries speak of, `body` the entries
///   ([`super::packed`]).
/// - `checkpoint`: what was known of a model after the journal's row `upto`; the greatest `upto`
///   is the latest checkpoint.
/// - `interval`: the sums of what has left the journal, an hour or a day (`width` in seconds) from
///   `start` on; `*_times` are histograms ([`crate::latency`]), null where empty.
/// - `event`: what people ask for later, one by one.
const TO_1: &str = "
CREATE TABLE model (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seen INTEGER NOT NULL
) STRICT;
CREATE TABLE journal (
    id    INTEGER PRIMARY KEY,
    until INTEGER NOT NULL,
    body  BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (
    model INTEGER PRIMARY KEY,
    upto  INTEGER NOT NULL,
    body  TEXT NOT NULL
) STRICT;
CREATE TABLE interval (
    model INTEGER NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    warm INTEGER NOT NULL, cold INTEGER NOT NULL, busy INTEGER NOT NULL,
    failed INTEGER NOT NULL, rejected INTEGER NOT NULL, rate_limited INTEGER NOT NULL,
    timed_out INTEGER NOT NULL, unreachable INTEGER NOT NULL, skipped INTEGER NOT NULL,
    cold_in_hours INTEGER NOT NULL,
    boots INTEGER NOT NULL,
    spent_warm_ns INTEGER NOT NULL, spent_cold_ns INTEGER NOT NULL, spent_unknown_ns INTEGER NOT NULL,
    warm_times BLOB, cold_times BLOB, boot_times BLOB,
    PRIMARY KEY (model, width, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX interval_by_age ON interval (width, start);
CREATE TABLE event (
    id     INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    model  INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
";

/// - `note`: what others keep by names of their own (the alerts: what is told, and what is to be sent yet);
///   the latest `body` of each.
const TO_2: &str = "
CREATE TABLE note (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// - `lineage`: a number by chance, the file's own: what was written beside it ([`super::tail`]) bears it, and is
///   never taken for another file's. Copies have it too; the numbers of the journal's rows tell those apart.
const TO_3: &str = "
CREATE TABLE lineage (
    id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO lineage VALUES (random());
";

/// - `interval.calibration`: the heartbeats of that outcome.
const TO_4: &str = "
ALTER TABLE interval ADD COLUMN calibration INTEGER NOT NULL DEFAULT 0;
";
