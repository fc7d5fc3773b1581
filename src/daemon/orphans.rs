//! Orphans: where warmd is the first process of a container, the kernel makes it the parent of whatever an
//! alert's command left running. What has ended stays a zombie until its parent has waited for it.
//!
//! To wait for any child would take the end of a command from the task that waits for that command. So it is done
//! only while no command runs; a zombie stays for as long as one does, which its `timeout` bounds.

use rustix::process::{WaitOptions, child_subreaper, getpid, wait};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many commands of warmd's own run: the children of this process that somebody waits for.
static RUNNING: Mutex<usize> = Mutex::new(0);

/// Held from before a command is started until after its end was waited for.
#[derive(Debug)]
pub(super) struct Running(());

impl Running {
    pub(super) fn begin() -> Self {
        *running() += 1;
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
        // What ended meanwhile was left.
        reap();
    }
}

/// Waits for all orphans that have ended, unless a command runs.
pub(super) fn reap() {
    // Held to the end: no command is started meanwhile.
    let running = running();
    if *running == 0 && adopts() {
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
    }
}

/// Whether the kernel makes orphans children of this process.
fn adopts() -> bool {
    getpid().is_init() || matches!(child_subreaper(), Ok(Some(_)))
}

fn running() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
