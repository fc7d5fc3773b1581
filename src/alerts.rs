//! Alerts: whom to tell of what, and when. Pure: takes `now`, and does no I/O.
//!
//! [`watch`] follows what happens and says what is to be told; what it says waits in the [`outbox`]
//! until it has arrived; [`mod@format`] gives it the shape that a receiver takes. The daemon carries it there.

pub mod event;
pub mod format;
pub mod incident;
pub mod outbox;
pub mod watch;

pub use event::Event;
pub use outbox::Outbox;
pub use watch::Watch;
