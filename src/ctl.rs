//! `warmctl`: its verbs and exit codes.

pub mod check;
/// `warmctl next`.
pub mod next;
mod peak;
