//! The two listeners, the Unix socket and the TCP address: who is let in, and what a connection may
//! cost.
//!
//! A peer is bounded in what it sends, in how long it takes to send it, and in how long it takes to
//! read its answer; and all peers together in their number, and in the memory that their answers take.
//! Where that is used up, those go who keep the others waiting.

mod connection;
mod desk;
mod order;
mod serve;
pub(super) mod socket;
mod stream;
pub(super) mod tcp;
#[cfg(test)]
mod tests;

pub(super) use serve::{Limits, serve};
