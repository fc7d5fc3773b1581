//! A model's `OpenAPI` schema.

use crate::provider::input::fuzzing::is_impossible;
use crate::provider::input::{Rung, minimal, misfits};
use serde_json::{Map, Value};

/// No input may be larger than this, as JSON: more is more than any model asks for.
const LARGEST: usize = 4 * 1024 * 1024;

/// Whatever schema a model publishes, the input made from it is one that the schema takes, as far as the
/// schema doesn't contradict itself; it is of a size that can be sent; and what the user says goes.
///
/// The bytes are the schema; `user` and `example` beside its `components` are what their names say.
pub fn schema(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else { return };
    let none = Map::new();
    let user = document.get("user").and_then(Value::as_object).unwrap_or(&none);
    // Whatever it is, it may be judged.
    let _ = misfits(&document, user);
    let Ok(made) = minimal(&document, document.get("example"), user, &Rung::default()) else { return };
    let size = Value::Object(made.input.clone()).to_string().len();
    assert!(size < LARGEST + 8 * data.len(), "{size} bytes are made");
    for (key, value) in &made.input {
        assert!(!value.is_null(), "{key} is sent as null");
    }
    for (key, value) in user.iter().filter(|(_, value)| !value.is_null()) {
        assert_eq!(made.input.get(key), Some(value), "{key} is the user's");
    }
    let told_by_example =
        |key: &str| document.pointer("/example").is_some_and(|example| example.get(key).is_some());
    let own = made.input.into_iter().filter(|(key, _)| {
        let made_here = made.guessed.contains(key) || made.shrunk.contains(key);
        made_here && !told_by_example(key) && !is_impossible(&document, key)
    });
    let own: Map<String, Value> = own.collect();
    let misfits = misfits(&document, &own);
    assert!(misfits.is_empty(), "{misfits:?} of {own:?}");
}
