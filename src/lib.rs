//! warmd keeps hosted models warm in the hours when people use them, and proves it.
//!
//! ```text
//! warm.toml → config → schedule → heartbeat → classify → state → status → socket → warmctl
//!                         ↑        (provider)               ├──→ latency → store     → listen
//!                         └──── what the state allows ──────┘
//! ```
//!
//! Imports follow the flow; none points back. Decisions are pure functions of what is known and
//! of `now`; the daemon around them does the I/O.
//!
//! The rooms, in the order of the flow:
//!
//! - [`clock`]: the one place that reads time; [`memory`]: what keeps others out of the process's own
//! - [`config`]: `warm.toml`, as written and as checked
//! - [`hours`]: active hours, civil time and its edges
//! - [`schedule`]: when a model's next heartbeat is due, and whether it may go; [`pace`]: how many
//!   creates an account allows
//! - `secrets`: what must not be shown; `quote`: what others wrote, made fit to be shown; `words`: figures as people
//!   say them
//! - `regular_file`: opens what is read while the daemon runs, and waits for nothing that takes its place
//! - [`provider`]: Replicate and Cog, and the minimal input; [`heartbeat`]: one of them, as observed
//! - [`classify`]: cold or warm, by evidence
//! - [`journal`]: what happened, entry by entry; [`state`]: what is known of a model, a fold over it
//! - [`latency`] and [`store`]: histograms, and what outlives the process
//! - [`status`]: the one Snapshot that everything shown is made from
//! - [`metrics`]: what Prometheus scrapes; [`page`]: what people look at in a browser
//! - [`alerts`]: whom to tell of what, and when
//! - [`daemon`]: the wiring, and [`ctl`]: the tool
//! - [`sandbox`]: the embedded stand-in for Replicate and Cog

pub mod alerts;
pub mod classify;
pub mod clock;
mod command_line;
pub mod config;
pub mod ctl;
pub mod daemon;
mod drill;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod heartbeat;
pub mod hours;
pub mod journal;
pub mod latency;
pub mod memory;
pub mod metrics;
pub mod pace;
pub mod page;
pub mod provider;
mod quote;
mod regular_file;
pub mod sandbox;
pub mod schedule;
mod secrets;
pub mod state;
pub mod status;
pub mod store;
mod words;
