//! The minimal input of a model, made from its `OpenAPI` schema.
//!
//! Owns which keys a heartbeat sends: what is required, the cost knobs made small, the seed
//! pinned, and the user's own keys over all of it. Refuses to invent a secret, a string for a
//! pattern it can't meet, or anything where nothing is known of the model; it never sends null and
//! never switches a safety check off. Does no I/O.

mod fit;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod invent;
mod knob;
mod schema;

pub use fit::misfits;

use crate::quote;
use schema::{Field, Input};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use thiserror::Error;

/// Any value does, as long as it stays the same from one heartbeat to the next.
const SEED: f64 = 42.0;

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

/// Makes the smallest input that the model should take.
///
/// `schema` is the whole `OpenAPI` document, null where there is none; `example` the model's own
/// example of an input; `user` the keys of `warm.toml`; `unshrunk` the cost knobs to leave alone,
/// because the model refused them small.
pub fn minimal(
    schema: &Value,
    example: Option<&Value>,
    user: &Map<String, Value>,
    unshrunk: &BTreeSet<String>,
) -> Result<MadeInput, InputError> {
    let example = example.and_then(Value::as_object);
    let Some(input) = Input::of(schema) else {
        return unschemed(example, user);
    };
    let (mut made, mut room) = (MadeInput::default(), invent::Room::new());
    for field in input.required() {
        if user.get(&field.name).is_some_and(|value| !value.is_null()) {
            continue;
        }
        let told = invent::told(&field, &mut room)?;
        let value = if let Some(told) = told.or_else(|| example_of(&field, example)) {
            told
        } else {
            made.guessed.push(field.name.clone());
            invent::value(&field, &mut room)?
        };
        made.input.insert(field.name.clone(), value);
    }
    for field in input.fields() {
        if user.contains_key(&field.name) || unshrunk.contains(&field.name) {
            continue;
        }
        if let Some(small) = knob::small(&field, &input, user) {
            made.input.insert(field.name.clone(), small);
            made.guessed.retain(|name| *name != field.name);
            made.shrunk.push(field.name);
        } else if field.name == "seed" && field.is_number() {
            made.input.insert(field.name.clone(), field.clamp(SEED));
            made.guessed.retain(|name| name != "seed");
        }
    }
    lay_over(&mut made.input, user);
    Ok(made)
}

/// The input where the model publishes no schema: its example, as far as it has one.
fn unschemed(
    example: Option<&Map<String, Value>>,
    user: &Map<String, Value>,
) -> Result<MadeInput, InputError> {
    let mut made = MadeInput::default();
    match example {
        Some(example) => {
            let taken = example.iter().filter(|(key, value)| !value.is_null() && !knob::is_safety(key));
            made.input = taken.map(|(key, value)| (key.clone(), value.clone())).collect();
            made.guessed = made.input.keys().filter(|key| !user.contains_key(*key)).cloned().collect();
        }
        None if user.is_empty() => return Err(InputError::Unknown),
        None => {}
    }
    lay_over(&mut made.input, user);
    Ok(made)
}

/// The example's value of a field, unless it is one that an example must not decide: a secret, or
/// a safety check that its author had switched off.
fn example_of(field: &Field, example: Option<&Map<String, Value>>) -> Option<Value> {
    let value = example?.get(&field.name).filter(|value| !value.is_null())?;
    (!field.is_secret() && !knob::is_safety(&field.name)).then(|| value.clone())
}

fn lay_over(input: &mut Map<String, Value>, user: &Map<String, Value>) {
    for (key, value) in user.iter().filter(|(_, value)| !value.is_null()) {
        input.insert(key.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests;
