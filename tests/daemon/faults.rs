//! Faults, injected for real: what warmd does when what it stands on gives way.
//!
//! `docs/faults.md` has a row for each of these tests. All run with the log at its fullest, and a token
//! that is looked for in whatever the daemon wrote: see `support`.

mod cog;
mod config_file;
mod disk;
mod hostile;
pub(crate) mod isolation;
mod kills;
mod listener;
pub(crate) mod network;
mod orphans;
mod process;
mod replicate;
mod secrets;
mod socket;
mod time;
