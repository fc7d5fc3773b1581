//! Notices that a file with a token or a webhook's address has changed: whoever rotates one replaces the file, and
//! nothing else.

use super::Reloader;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A changed file is read after this much quiet: it may be written in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// How often the quiet is waited for at a look; a file that changes on and on is read all the same.
const PATIENCE: u32 = 10;

/// The files that the configuration in force reads secrets from.
#[derive(Debug, Clone, Default)]
pub(in crate::daemon) struct SecretFiles(Arc<Mutex<BTreeSet<PathBuf>>>);

/// What of a file changes when its content does; none where there is no file.
type State = Option<(u64, u64, u64, i64, i64)>;

impl SecretFiles {
    /// The configuration in force reads these from now on.
    pub(in crate::daemon) fn are(&self, files: BTreeSet<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }

    fn states(&self) -> Vec<(PathBuf, State)> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        files.into_iter().map(|file| (file.clone(), state(&file))).collect()
    }

    /// Looks whether one of them has changed since the last look, and has all of them read again then. Blocks.
    pub(in crate::daemon) fn look(self, reloader: Reloader) -> impl FnMut() {
        let mut before = self.states();
        move || {
            let mut now = self.states();
            let changed =
                now.iter().find(|(file, now)| before.iter().any(|(old, was)| old == file && was != now));
            if let Some((file, _)) = changed {
                tracing::info!("{} has changed: the secrets are read again", crate::quote::path(file));
                for _ in 0..PATIENCE {
                    std::thread::sleep(QUIET);
                    let then = std::mem::replace(&mut now, self.states());
                    if then == now {
                        break;
                    }
                }
                reloader.hang_up();
            }
            before = now;
        }
    }
}

fn state(file: &Path) -> State {
    let meta = fs::metadata(file).ok()?;
    Some((meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}
