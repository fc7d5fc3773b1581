//! What no value can be right for.

use super::schema::Input;
use serde_json::Value;

/// Whether a schema asks for a key and doesn't describe it, or so that its own words exclude each other.
pub(crate) fn is_impossible(document: &Value, key: &str) -> bool {
    let Some(field) = Input::of(document).and_then(|input| input.field(key)) else { return true };
    let bounds = field.minimum().zip(field.maximum());
    // A choice may be of another type than the field.
    bounds.is_some_and(|(minimum, maximum)| minimum > maximum) || field.choices().next().is_some()
}
