//! The minimal input of a model, made from its `OpenAPI` schema.
//!
//! Owns which keys a heartbeat sends: what is required, small files of the kind that is wanted, the cost
//! knobs made small, the seed pinned, and the user's own keys over all of it; and how a model that fails on
//! that is given more. Refuses to invent a secret, a string for a pattern it can't meet, a file of a kind that
//! it does not know, or anything where nothing is known of the model; it never sends null and never switches a
//! safety check off. Does no I/O.

mod files;
mod fit;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod invent;
mod kind;
mod knob;
mod ladder;
mod make;
mod names;
mod schema;
mod small;
mod strength;

pub use files::without_bytes;
pub use fit::misfits;
pub use ladder::{Borrowed, Ladder, Learned, Rung, Step};
pub use make::minimal;

use crate::quote;
use serde_json::{Map, Value};
use thiserror::Error;

/// An input that can be sent, and how it came about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MadeInput {
    /// What to send.
    pub input: Map<String, Value>,
    /// The keys whose values had to be made up: neither the user, nor a default, nor an enum told
    /// them, nor (where there is a schema) the model's own example.
    pub guessed: Vec<String>,
    /// The cost knobs that were made small.
    pub shrunk: Vec<String>,
    /// The cost knobs that the user has set.
    pub set_by_user: Vec<String>,
    /// Optional keys that were given a value beside them.
    pub added: Vec<String>,
    /// What can be tried where the model fails on it, in this order.
    pub steps: Vec<Step>,
}

impl MadeInput {
    /// The keys with which a model could do as well without what was chosen for them.
    pub fn chosen(&self) -> impl Iterator<Item = &String> {
        self.shrunk.iter().chain(&self.added)
    }
}

/// Why no input can be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputError {
    /// A secret is required.
    #[error(
        "the input \"{0}\" is a secret that the model requires: set input.{0} of this model in warm.toml",
        quote::name(.key)
    )]
    Secret {
        /// Its key.
        key: String,
    },
    /// A string is required, of a form that can't be guessed.
    #[error(
        "the model requires the input \"{0}\" and says nothing to send for it but the pattern \
         \"{1}\": set input.{0} of this model in warm.toml", quote::name(.key), quote::start(.pattern, 100)
    )]
    Pattern {
        /// Its key.
        key: String,
        /// What it must match, cut to a readable length.
        pattern: String,
    },
    /// A file is required, of a kind that can't be made up or is not known.
    #[error(
        "the model requires the file \"{0}\", and no small one of its kind can be made up: set input.{0} of this \
         model in warm.toml, to an address (\"https://…\") or to a data URL (\"data:…;base64,…\")",
        quote::name(.key)
    )]
    File {
        /// Its key.
        key: String,
    },
    /// A value is required that can't be made up.
    #[error(
        "no value can be made up for the input \"{0}\", {why}: set input.{0} of this model in warm.toml",
        quote::name(.key)
    )]
    Invent {
        /// Its key.
        key: String,
        /// What stands in the way.
        why: &'static str,
    },
    /// Neither a schema nor an example nor anything from the user.
    #[error(
        "the model publishes neither a schema nor an example of its input: \
         set input of this model in warm.toml, as in input = {{ prompt = \"hi\" }}"
    )]
    Unknown,
}

/// A short name for a text that is compared over restarts: a schema, the user's own keys.
pub fn fingerprint(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

#[cfg(test)]
mod tests;
