//! The process's memory, which holds tokens: out of reach of everyone but root.
//!
//! Both programs seal it before they read anything. The unit's `LimitCORE=0` says the same of core
//! files alone, and only where systemd starts the daemon.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::io;

/// From now on the process leaves no core file, whatever `ulimit -c` and `core_pattern` say, and no
/// other process of its user may trace it, or read its memory or its environment in `/proc`.
pub fn seal() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
