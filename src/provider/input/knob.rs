//! The inputs that decide what a prediction costs, and how small each may be made.

use super::schema::{Field, Input};
use serde_json::{Map, Value};

/// What a cost knob counts, and so how small it is made where its schema sets no lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knob {
    /// One is enough.
    Count,
    /// As a count; never under what a `min_*` sibling asks for.
    Tokens,
    /// Pixels along an edge.
    Edge,
    /// A size out of a list; without a list it is left alone.
    Listed,
}

/// An edge at which models of images still work.
const EDGE: f64 = 256.0;

/// A lower bound under this is a formality: models accept the value, and fail on it.
const SMALLEST_EDGE: f64 = 64.0;

/// The knobs that bound the tokens from below.
const LOWER_TOKENS: [&str; 3] = ["min_tokens", "min_new_tokens", "min_length"];

fn knob(name: &str) -> Option<Knob> {
    Some(match name {
        "max_tokens" | "max_new_tokens" | "max_length" => Knob::Tokens,
        "num_inference_steps"
        | "steps"
        | "num_outputs"
        | "num_images"
        | "batch_size"
        | "duration"
        | "num_frames" => Knob::Count,
        "width" | "height" => Knob::Edge,
        "resolution" | "megapixels" => Knob::Listed,
        _ => return None,
    })
}

/// Whether a key is about a safety check, which is never decided here.
pub(super) fn is_safety(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["safety", "nsfw", "moderation"].iter().any(|word| name.contains(word))
}

/// The smallest value of a cost knob; none where it isn't one, can't be made small, or already is.
pub(super) fn small(field: &Field, input: &Input, user: &Map<String, Value>) -> Option<Value> {
    let knob = knob(&field.name)?;
    if field.is_deprecated() {
        return None;
    }
    let mut choices = field.choices().peekable();
    if choices.peek().is_some() {
        return smallest(choices);
    }
    if !field.is_number() {
        return None;
    }
    // Zero and less often stand for "without a limit", so a lower bound there is none.
    let minimum = field.minimum();
    let wanted = match knob {
        Knob::Count => minimum.filter(|least| *least > 0.0).unwrap_or(1.0),
        Knob::Tokens => minimum.filter(|least| *least > 0.0).unwrap_or(1.0).max(lower_tokens(input, user)),
        Knob::Edge => minimum.filter(|least| *least >= SMALLEST_EDGE).unwrap_or(EDGE),
        Knob::Listed => return None,
    };
    let small = field.clamp(wanted);
    let default = field.default().as_ref().and_then(Value::as_f64);
    let already =
        default.zip(small.as_f64()).is_some_and(|(default, small)| default > 0.0 && default <= small);
    (!already).then_some(small)
}

/// What the siblings of a token limit ask for at the least.
fn lower_tokens(input: &Input, user: &Map<String, Value>) -> f64 {
    let least = LOWER_TOKENS.iter().filter_map(|name| {
        let told = user.get(*name).and_then(Value::as_f64);
        told.or_else(|| input.field(name)?.default()?.as_f64())
    });
    least.fold(0.0, f64::max)
}

/// The smallest of the choices that are sizes.
fn smallest<'a>(choices: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let sized = choices.filter_map(|choice| Some((size(choice)?, choice)));
    sized.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, choice)| choice.clone())
}

/// The size that a choice stands for: `0.25`, `"1 MP"`, `"480p"`, `"4K"`, `"1024x576"`; none for
/// `"auto"`, for `"16:9"`, and for what isn't positive.
fn size(choice: &Value) -> Option<f64> {
    let size = choice.as_f64().or_else(|| size_of_text(&choice.as_str()?.to_ascii_lowercase()))?;
    (size > 0.0).then_some(size)
}

fn size_of_text(text: &str) -> Option<f64> {
    let (first, rest) = leading_number(text.trim())?;
    let rest = rest.trim_start();
    if rest.starts_with(':') {
        return None;
    }
    match rest.strip_prefix(['x', '×', '*']).map(str::trim_start).and_then(leading_number) {
        Some((second, _)) => Some(first * second),
        None if rest.starts_with('k') => Some(first * 1000.0),
        None => Some(first),
    }
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_as_numbers_not_as_text() {
        let smallest_of = |choices: Value| smallest(choices.as_array().into_iter().flatten());
        assert_eq!(smallest_of(serde_json::json!(["1080p", "720p", "4K"])), Some("720p".into()));
        assert_eq!(smallest_of(serde_json::json!(["1", "0.25"])), Some("0.25".into()));
        assert_eq!(
            smallest_of(serde_json::json!(["match_input_image", "2 MP", "1 MP"])),
            Some("1 MP".into())
        );
        assert_eq!(smallest_of(serde_json::json!(["1024x1024", "1280x512"])), Some("1280x512".into()));
        assert_eq!(smallest_of(serde_json::json!([1024, 512, 768])), Some(512.into()));
        assert_eq!(smallest_of(serde_json::json!(["auto", "16:9", "None"])), None);
    }
}
