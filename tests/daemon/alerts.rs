//! Alerts, as those get them who are to be told: posted to a real receiver, handed to a real program.

mod command;
mod conditions;
mod formats;
mod lag;
mod moody;
mod outbox;
pub(crate) mod receiver;
mod verb;
