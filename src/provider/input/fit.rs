//! Whether what the user wrote under `input` fits the model's schema.

use super::schema::{Field, Input};
use crate::quote;
use serde_json::{Map, Value};

/// What doesn't fit, a sentence each; empty where the model publishes no schema. Only what is
/// certain: unknown keys and wrong JSON types, choices and bounds.
pub fn misfits(schema: &Value, user: &Map<String, Value>) -> Vec<String> {
    let Some(input) = Input::of(schema) else { return Vec::new() };
    let known: Vec<String> = input.fields().map(|field| field.name).collect();
    user.iter()
        .filter_map(|(key, value)| match input.field(key) {
            Some(field) => misfit(&field, value),
            None if input.is_open() => None,
            None => Some(unknown(key, &known)),
        })
        .collect()
}

/// A longer name is nobody's slip of the pen, and costs much to compare.
const LONGEST_NAME: usize = 64;

fn unknown(key: &str, known: &[String]) -> String {
    let nearest = known
        .iter()
        .filter(|name| name.len().max(key.len()) <= LONGEST_NAME)
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min();
    let hint = nearest.map(|(_, name)| format!("; did you mean {}?", quote::name(name))).unwrap_or_default();
    let key = quote::name(key);
    format!("input.{key}: the model has no such input, and drops it silently{hint}")
}

/// Whether a value is of the type that its field has.
pub(super) fn is_of_kind(field: &Field, value: &Value) -> bool {
    match field.kind() {
        Some("string") => value.is_string(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    }
}

/// Why a value does not fit its field, where that is certain.
pub(super) fn misfit(field: &Field, value: &Value) -> Option<String> {
    let key = quote::name(&field.name);
    if !is_of_kind(field, value) {
        let kind = field.kind().unwrap_or_default();
        return Some(format!("input.{key}: the model wants {}", with_article(kind)));
    }
    let choices: Vec<&Value> = field.choices().collect();
    if !choices.is_empty() && !choices.contains(&value) {
        let listed: Vec<String> = choices.iter().map(ToString::to_string).collect();
        return Some(format!("input.{key}: the model takes {}", quote::names(&listed)));
    }
    let number = value.as_f64().filter(|_| field.is_number())?;
    if let Some(minimum) = field.minimum().filter(|minimum| number < *minimum) {
        return Some(format!("input.{key}: the model takes {minimum} at the least"));
    }
    let maximum = field.maximum().filter(|maximum| number > *maximum)?;
    Some(format!("input.{key}: the model takes {maximum} at the most"))
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}
