//! A damaged state file, set aside: renamed with its date, never over an earlier one.

use super::error::StoreError;
use super::file::{TAIL, beside};
use crate::clock;
use crate::quote;
use chrono::{DateTime, TimeDelta, Utc};
use std::fs;
use std::path::{Path, PathBuf};

/// The most that are kept; the oldest go first.
const KEPT: usize = 5;

/// What is kept beside a file: the tail, and what SQLite has there. They are moved before it: were it the other way round, an end of the
/// process in between would leave a log for the new file to mistake for its own.
const COMPANIONS: [&str; 4] = [TAIL, "-journal", "-wal", "-shm"];

/// Renames the file, which nobody has open any more, and what belongs to it; says to what.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let name = |at: DateTime<Utc>| beside(path, &format!(".damaged-{}", at.format("%Y-%m-%dT%H-%M-%S%.3fZ")));
    // The lock is ours, so no other warmd takes the name meanwhile.
    let mut at = clock::now();
    while fs::exists(name(at)).unwrap_or(false) {
        at += TimeDelta::milliseconds(1);
    }
    let aside = name(at);
    for suffix in COMPANIONS {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        match fs::rename(&from, to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("set aside", from)(e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(path, &aside).map_err(StoreError::io("set aside", path))?;
    forget_the_oldest(path);
    Ok(aside)
}

/// Removes what is more than is kept.
fn forget_the_oldest(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let start = beside(Path::new(path.file_name().unwrap_or_default()), ".damaged-");
    let start = start.to_string_lossy();
    let mut kept: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&*start) && !COMPANIONS.iter().any(|suffix| name.ends_with(suffix)))
        .collect();
    // Their dates sort them.
    kept.sort_unstable();
    for name in &kept[..kept.len().saturating_sub(KEPT)] {
        let oldest = folder.join(name);
        tracing::warn!("{} is removed: {KEPT} later ones are kept", quote::path(&oldest));
        for suffix in COMPANIONS.into_iter().chain([""]) {
            // One that can't be removed is in nobody's way.
            let _ = fs::remove_file(beside(&oldest, suffix));
        }
    }
}
