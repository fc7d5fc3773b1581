//! Notices that a file with a token or a webhook's address has changed: whoever rotates one replaces the file, and
//! nothing else.

use super::Reloader;
use crate::daemon::file_state::FileState;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A changed file is read after this much quiet: it may be written in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// How often the quiet is waited for at a look; a file that changes on and on is read all the same.
const PATIENCE: u32 = 10;

/// The files that the configuration in force reads secrets from, as they were before they were last read or
/// looked at.
#[derive(Debug, Clone, Default)]
pub(in crate::daemon) struct SecretFiles(Arc<Mutex<Files>>);

type Files = BTreeMap<PathBuf, FileState>;

impl SecretFiles {
    /// The configuration in force reads these from now on, and has read them when they were like this.
    pub(in crate::daemon) fn are(&self, files: Files) {
        *self.locked() = files;
    }

    /// Looks whether one of them has changed since it was read or looked at, and has all of them read again then.
    /// Blocks.
    pub(in crate::daemon) fn look(&self, reloader: &Reloader) {
        let before = self.locked().clone();
        let mut now = states(&before);
        let Some((file, _)) = now.iter().find(|(file, now)| before.get(*file) != Some(*now)) else { return };
        tracing::info!("{} has changed: the secrets are read again", crate::quote::path(file));
        for _ in 0..PATIENCE {
            std::thread::sleep(QUIET);
            let then = std::mem::replace(&mut now, states(&before));
            if then == now {
                break;
            }
        }
        // Another configuration may be in force by now: its files were read as it says.
        let mut files = self.locked();
        if *files == before {
            *files = now;
        }
        drop(files);
        reloader.hang_up();
    }

    fn locked(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn states(files: &Files) -> Files {
    files.keys().map(|file| (file.clone(), FileState::of(file))).collect()
}
