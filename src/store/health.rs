//! How the store is doing, and what a person should know of it.

use chrono::{DateTime, Utc};

/// The most incidents that are told; the oldest go first.
const INCIDENTS: usize = 5;

/// How the store is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Entries that are not in the file yet.
    pub pending: usize,
    /// Entries that will never be, as too many waited.
    pub dropped: u64,
    /// Why the last write failed; none where it did not.
    pub failing: Option<String>,
    /// Since when writes fail.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why what is written is gone when this process ends; none where it stays.
    pub adrift: Option<String>,
    /// What has befallen the file since this process started, a sentence each.
    pub incidents: Vec<String>,
    /// The store's thread has ended: nothing is kept any more.
    pub stopped: bool,
}

impl Health {
    /// What a person should know, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        if self.stopped {
            return vec!["the store has stopped: nothing is kept any more".to_owned()];
        }
        let mut notes = self.incidents.clone();
        notes.extend(self.adrift.clone());
        notes.extend(self.failing.as_ref().map(|why| {
            let since =
                self.failing_since.map(|since| format!(" since {}", minute(since))).unwrap_or_default();
            format!(
                "the state file can't be written{since}; {} entries wait in memory, and are saved once it \
                 can be: {why}",
                self.pending
            )
        }));
        if self.dropped > 0 {
            notes.push(format!(
                "{} entries were dropped, as the state file couldn't be written for long: counts and hours \
                 lack them",
                self.dropped
            ));
        }
        notes
    }

    /// Whether what happens goes into the file, and stays there.
    pub fn is_saved(&self) -> bool {
        !self.stopped && self.failing.is_none() && self.adrift.is_none()
    }

    /// What is lost if the process ends now; none where all is saved.
    pub fn lost(&self) -> Option<String> {
        if let Some(adrift) = &self.adrift {
            return Some(adrift.clone());
        }
        let why = self.failing.as_deref().unwrap_or("the store has stopped");
        (self.pending > 0).then(|| {
            format!("{} entries of the history could not be saved, and are lost: {why}", self.pending)
        })
    }

    /// Takes in what has befallen the file.
    pub(super) fn befell(&mut self, incident: String) {
        if self.incidents.len() == INCIDENTS {
            self.incidents.remove(0);
        }
        self.incidents.push(incident);
    }
}

/// `2026-11-21 10:15 UTC`.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
