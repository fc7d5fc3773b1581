//! `warmctl`: its verbs and exit codes.

/// `warmctl next`.
pub mod next;
