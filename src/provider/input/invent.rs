//! Values made up for what a model requires and gives no hint of.

use super::InputError;
use super::files;
use super::knob::is_safety;
use super::schema::Field;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use serde_json::{Map, Value};

/// The shortest text that a model of language answers sensibly.
const TEXT: &str = "hi";

/// The longest string and array that are made up; more is for the user to say.
const LONGEST_TEXT: u64 = 10_000;
const LONGEST_ARRAY: u64 = 64;

/// How much is put into one input in all, in bytes of JSON or so; more is for the user to say.
const ROOM: usize = 1024 * 1024;

/// What a pattern takes of the room: trying one costs more than writing a text.
const PATTERN_ROOM: usize = 2048;

/// What a pattern's automaton may take, in bytes: patterns of names and numbers take a few KB.
const PATTERN_LIMIT: usize = 256 * 1024;

/// The room that is left in one input.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) const fn new() -> Self {
        Self(ROOM)
    }

    /// Takes `bytes` of it for a field.
    fn take(&mut self, bytes: usize, field: &Field<'_>) -> Result<(), InputError> {
        let why = "since all that the model requires would be too large";
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or_else(|| InputError::Invent { key: field.name.clone(), why })?;
        Ok(())
    }
}

/// The value that its schema tells: the default, else the first choice.
pub(super) fn told(field: &Field<'_>, room: &mut Room) -> Result<Option<Value>, InputError> {
    let told = field.default().or_else(|| field.first_choice());
    room.take(told.as_ref().map_or(0, size), field)?;
    Ok(told)
}

/// Takes room for a value.
pub(super) fn make_room(value: &Value, field: &Field<'_>, room: &mut Room) -> Result<(), InputError> {
    room.take(size(value), field)
}

/// How large a value is, in bytes of JSON or so.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 1 + size(item)).sum(),
        Value::Object(members) => members.iter().map(|(key, member)| key.len() + size(member)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
    }
}

/// A value that the field should take.
pub(super) fn value(field: &Field<'_>, room: &mut Room) -> Result<Value, InputError> {
    let refuse = |why| Err(InputError::Invent { key: field.name.clone(), why });
    room.take(1, field)?;
    if field.is_cut_off() {
        return refuse("since its schema is too large, nested too deeply, or in a circle");
    }
    if field.is_secret() {
        return Err(InputError::Secret { key: field.name.clone() });
    }
    if let Some(told) = told(field, room)? {
        return Ok(told);
    }
    match field.kind() {
        Some("integer" | "number") => Ok(field.clamp(field.minimum().map_or(0.0, f64::ceil))),
        Some("boolean") => Ok(Value::Bool(keeps_safe(&field.name))),
        Some("array") => {
            let count = field.length("minItems").unwrap_or(0);
            if count > LONGEST_ARRAY {
                return refuse("since it is a list of more than 64 items");
            }
            let Some(item) = field.item().filter(|_| count > 0) else {
                return Ok(Value::Array(vec![Value::from(TEXT); count as usize]));
            };
            let before = room.0;
            let item = value(item, room)?;
            // The others take as much as the first.
            room.take((before - room.0).saturating_mul(count as usize - 1), field)?;
            Ok(Value::Array(vec![item; count as usize]))
        }
        Some("object") => {
            let mut made =
                |member: &Field<'_>| Ok::<_, InputError>((member.name.clone(), value(member, room)?));
            let members = field.members().iter().map(&mut made);
            // The member's key would mislead: it is the whole field that the user can set.
            let members: Result<Map<String, Value>, InputError> = members.collect();
            members.map(Value::Object).or_else(|_| refuse("since it is an object with members of its own"))
        }
        _ if files::is_file(field) => {
            let file = files::small(field, None);
            let file = file.ok_or_else(|| InputError::File { key: field.name.clone() })?;
            room.take(size(&file), field)?;
            Ok(file)
        }
        // Whatever else it is, a string is the likeliest to do.
        _ => text(field, room),
    }
}

fn text(field: &Field<'_>, room: &mut Room) -> Result<Value, InputError> {
    let least = field.length("minLength").unwrap_or(0);
    if least > LONGEST_TEXT {
        return Err(InputError::Invent {
            key: field.name.clone(),
            why: "since it is a text of more than 10,000 characters",
        });
    }
    let length = least.max(TEXT.len() as u64).min(field.length("maxLength").unwrap_or(u64::MAX));
    room.take(length as usize + field.pattern().map_or(0, |_| PATTERN_ROOM), field)?;
    let text: String = TEXT.chars().cycle().take(length as usize).collect();
    match field.pattern() {
        Some(pattern) if !matches(pattern, &text) => {
            Err(InputError::Pattern { key: field.name.clone(), pattern: pattern.chars().take(100).collect() })
        }
        _ => Ok(Value::from(text)),
    }
}

/// Whether `text` is known to match; a pattern that can't be read here doesn't.
fn matches(pattern: &str, text: &str) -> bool {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(PATTERN_LIMIT)))
        .configure(
            dense::Config::new()
                .dfa_size_limit(Some(PATTERN_LIMIT))
                .determinize_size_limit(Some(PATTERN_LIMIT)),
        )
        .build(pattern)
        .is_ok_and(|automaton| {
            automaton.try_search_fwd(&regex_automata::Input::new(text)).is_ok_and(|found| found.is_some())
        })
}

/// A flag is off where nothing is known of it, except one whose being off would switch a safety
/// check off.
fn keeps_safe(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_safety(&name)
        && !["disable", "skip", "no_", "allow", "bypass"].iter().any(|word| name.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_checked_and_unreadable_ones_refused() {
        assert!(matches("^[a-z]+$", "hi"));
        assert!(matches(".*", "hi"));
        assert!(!matches(r"^\d{4}-\d{2}$", "hi"));
        assert!(!matches(r"^(?!x)hi$", "hi"), "look-ahead can't be verified");
        assert!(!matches("(((", "hi"));
        assert!(!matches("((a{1,1000}){1,1000}){1,1000}hi", "hi"), "bounded, not exponential");
    }

    #[test]
    fn flags_never_switch_a_safety_check_off() {
        assert!(!keeps_safe("disable_safety_checker"));
        assert!(keeps_safe("enable_safety_checker"));
        assert!(keeps_safe("run_nsfw_filter"));
        assert!(!keeps_safe("go_fast"));
    }
}
