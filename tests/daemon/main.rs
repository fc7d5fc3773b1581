//! The real programs against real servers: `warmd` and `warmctl` as their user runs them.

#![expect(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]

mod account;
mod alerts;
mod bad_input;
mod browser;
mod cog;
mod cogs;
mod export;
mod faults;
mod history;
mod inputs;
mod judge;
mod leak;
mod lifecycle;
mod metrics;
mod page;
mod past;
mod port;
#[path = "../python/mod.rs"]
mod python;
#[path = "../real_cog/mod.rs"]
mod real_cog;
mod reload;
mod sandboxed;
mod small_disk;
mod soak;
mod support;
mod wall;
mod web;
