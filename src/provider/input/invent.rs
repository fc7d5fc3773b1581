//! Values made up for what a model requires and gives no hint of.

use super::InputError;
use super::knob::is_safety;
use super::schema::Field;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use serde_json::{Map, Value};

/// The shortest text that a model of language answers sensibly.
const TEXT: &str = "hi";

/// A grey image of 64 × 64 pixels, as PNG: one of 1 × 1 passes validation and breaks real models.
pub(super) const IMAGE: &str = "data:image/png;base64,\
    iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PMQ0AAAwDoEqv9ErYvQQckD4XAQEBAQEBAQEB\
    AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYHLAB8+AWnmfUycAAAAAElFTkSuQmCC";

/// The longest string and array that are made up; more is for the user to say.
const LONGEST_TEXT: u64 = 10_000;
const LONGEST_ARRAY: u64 = 64;

/// What a pattern's automaton may take, in bytes: patterns of names and numbers take a few KB.
const PATTERN_LIMIT: usize = 256 * 1024;

/// A value that the field should take.
pub(super) fn value(field: &Field) -> Result<Value, InputError> {
    let refuse = |why| Err(InputError::Invent { key: field.name.clone(), why });
    if field.is_cut_off() {
        return refuse("since its schema is nested too deeply, or in a circle");
    }
    if field.is_secret() {
        return Err(InputError::Secret { key: field.name.clone() });
    }
    if let Some(told) = field.default().or_else(|| field.first_choice()) {
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
            Ok(Value::Array(vec![value(item)?; count as usize]))
        }
        Some("object") => {
            let members = field.members().iter().map(|member| Ok((member.name.clone(), value(member)?)));
            // The member's key would mislead: it is the whole field that the user can set.
            let members: Result<Map<String, Value>, InputError> = members.collect();
            members.map(Value::Object).or_else(|_| refuse("since it is an object with members of its own"))
        }
        _ if field.format() == Some("uri") => Ok(Value::from(IMAGE)),
        // Whatever else it is, a string is the likeliest to do.
        _ => text(field),
    }
}

fn text(field: &Field) -> Result<Value, InputError> {
    let least = field.length("minLength").unwrap_or(0);
    if least > LONGEST_TEXT {
        return Err(InputError::Invent {
            key: field.name.clone(),
            why: "since it is a text of more than 10,000 characters",
        });
    }
    let length = least.max(TEXT.len() as u64).min(field.length("maxLength").unwrap_or(u64::MAX));
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

    #[test]
    fn the_image_is_a_png_of_64_by_64() {
        let base64 = IMAGE.strip_prefix("data:image/png;base64,").unwrap();
        assert!(
            base64.len().is_multiple_of(4)
                && base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
        );
        // The signature, the header chunk's length and name, then width and height: 24 bytes.
        let value = |b: u8| match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let head: Vec<u8> = base64.as_bytes()[..32]
            .chunks(4)
            .flat_map(|four| {
                let bits = four.iter().fold(0_u32, |bits, b| bits << 6 | u32::from(value(*b)));
                bits.to_be_bytes().into_iter().skip(1)
            })
            .collect();
        assert_eq!(head, b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40");
    }
}
