//! `warmctl`: its verbs and exit codes.
