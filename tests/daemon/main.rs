//! The real programs against real servers: `warmd` and `warmctl` as their user runs them.

mod bad_input;
mod lifecycle;
mod reload;
mod sandboxed;
mod support;
