//! How small a cost knob may be made.

use super::fit;
use super::knob::{Group, Knob, counts_the_prompt};
use super::schema::Field;
use super::strength;
use serde_json::{Map, Value};

/// An edge at which models of images still work.
const EDGE: f64 = 256.0;

/// A lower bound under this is a formality: models accept the value, and fail on it.
const SMALLEST_EDGE: f64 = 64.0;

/// A quarter of a megapixel, which models of images take to be their smallest.
const MEGAPIXELS: f64 = 0.25;

/// The knobs that bound the tokens from below.
const LOWER_TOKENS: [&str; 3] = ["min_tokens", "min_new_tokens", "min_length"];

/// From how many characters on a spoken text is long, and how many of it are left.
const LONG_SPEECH: usize = 80;
const SHORT_SPEECH: usize = 40;

/// Sizes that have names, and their pixels. Of those with as many pixels, the first in the model's list is sent.
const NAMED_SIZES: [(&str, f64); 6] = [
    ("square", 512.0 * 512.0),
    ("portrait_16_9", 576.0 * 1024.0),
    ("landscape_16_9", 1024.0 * 576.0),
    ("portrait_4_3", 768.0 * 1024.0),
    ("landscape_4_3", 1024.0 * 768.0),
    ("square_hd", 1024.0 * 1024.0),
];

/// A cost knob made small.
pub(super) struct Small {
    pub(super) value: Value,
    pub(super) group: Group,
}

/// What the rest of an input says of how small a knob may be.
pub(super) struct Siblings {
    /// What the lower limits of tokens ask for.
    tokens: f64,
    /// The fewest steps of which a share is a whole one.
    steps: f64,
    /// Whether a width and a height do anything.
    edges: bool,
    /// Whether both of them can be said.
    has_edges: bool,
}

impl Siblings {
    /// Of an input as far as it is made, the user's keys in it.
    pub(super) fn of(fields: &[Field], made: &Map<String, Value>, user: &Map<String, Value>) -> Self {
        let named = |name: &str| fields.iter().find(|field| field.name == name);
        let number = |field: &Field| {
            let sent = made.get(&field.name).and_then(Value::as_f64);
            sent.or_else(|| field.default()?.as_f64())
        };
        let tokens = LOWER_TOKENS.iter().filter_map(|name| number(named(name)?)).fold(0.0, f64::max);
        let chosen = user.get("aspect_ratio").and_then(Value::as_str);
        let has_custom = || named("aspect_ratio").is_some_and(|shape| custom(shape).is_some());
        Self {
            tokens,
            steps: strength::steps(fields, made, number),
            edges: chosen.is_none_or(is_custom) || !has_custom(),
            has_edges: ["width", "height"].iter().all(|edge| named(edge).is_some_and(Field::is_number)),
        }
    }
}

/// The smallest value of a cost knob; none where it isn't one, can't be made small, or already is. `made` is what
/// would be sent for it else.
pub(super) fn small(field: &Field, siblings: &Siblings, made: Option<&Value>) -> Option<Small> {
    let knob = Knob::of(field).filter(|_| !field.is_deprecated())?;
    let value = match knob {
        Knob::Speech => few_words(field, made)?,
        Knob::Shape => custom(field).filter(|_| siblings.has_edges)?.clone(),
        Knob::Tokens if counts_the_prompt(field) => return None,
        Knob::Edge if !siblings.edges && is_plain_edge(field) => return None,
        Knob::Tokens
        | Knob::Steps
        | Knob::Count
        | Knob::Edge
        | Knob::Megapixels
        | Knob::Factor
        | Knob::Listed => {
            if field.choices().next().is_some() {
                smallest(field, needed(knob, siblings))?
            } else {
                field.clamp(wanted(knob, field, siblings).filter(|_| field.is_number())?)
            }
        }
    };
    let default = field.default();
    let numbers = default.as_ref().and_then(Value::as_f64).zip(value.as_f64());
    // Less than nothing stands for "without a limit", and so does no token; no step and no frame are just that.
    let is_limit = |default: f64| default < 0.0 || (default == 0.0 && knob == Knob::Tokens);
    let already = default.as_ref() == Some(&value)
        || numbers.is_some_and(|(default, small)| !is_limit(default) && default <= small);
    (!already).then_some(Small { value, group: knob.group() })
}

/// How small a number is wanted.
fn wanted(knob: Knob, field: &Field, siblings: &Siblings) -> Option<f64> {
    // Zero and less often stand for "without a limit", so a lower bound there is none.
    let least = field.minimum().filter(|least| *least > 0.0);
    Some(match knob {
        Knob::Tokens | Knob::Count => least.unwrap_or(1.0).max(needed(knob, siblings)),
        Knob::Steps => {
            let most = field.default().and_then(|default| default.as_f64()).unwrap_or(f64::MAX);
            least.unwrap_or(1.0).max(needed(knob, siblings).min(most))
        }
        Knob::Edge => least.filter(|least| *least >= SMALLEST_EDGE).unwrap_or(EDGE),
        Knob::Megapixels => least.unwrap_or(MEGAPIXELS),
        Knob::Factor => least.unwrap_or(1.0).max(1.0),
        Knob::Listed | Knob::Shape | Knob::Speech => return None,
    })
}

/// How much of it others of the input need.
const fn needed(knob: Knob, siblings: &Siblings) -> f64 {
    match knob {
        Knob::Tokens => siblings.tokens,
        Knob::Steps => siblings.steps,
        Knob::Speech
        | Knob::Count
        | Knob::Edge
        | Knob::Megapixels
        | Knob::Factor
        | Knob::Listed
        | Knob::Shape => 0.0,
    }
}

/// The shape whose edges the input says itself, where there is one.
fn custom<'a>(field: &Field<'a>) -> Option<&'a Value> {
    field.choices().find(|choice| choice.as_str().is_some_and(is_custom))
}

fn is_custom(choice: &str) -> bool {
    choice.eq_ignore_ascii_case("custom")
}

fn is_plain_edge(field: &Field) -> bool {
    matches!(field.name.as_str(), "width" | "height")
}

/// The first words of a long text; none of one that is written for a program.
fn few_words(field: &Field, made: Option<&Value>) -> Option<Value> {
    let default = field.default();
    let text = made.or(default.as_ref())?.as_str()?.trim();
    let plain =
        field.pattern().is_none() && field.choices().next().is_none() && !text.starts_with(['{', '[', '<']);
    if !plain || text.chars().nth(LONG_SPEECH).is_none() {
        return None;
    }
    let start: String = text.chars().take(SHORT_SPEECH).collect();
    let words = start.rsplit_once(char::is_whitespace).map_or(start.as_str(), |(words, _)| words.trim_end());
    let fits = field.length("minLength").is_none_or(|least| words.chars().count() as u64 >= least);
    fits.then(|| Value::from(words))
}

/// The smallest of a field's choices that are sizes or qualities, and enough.
fn smallest(field: &Field, needed: f64) -> Option<Value> {
    if let Some(named) = smallest_named(field) {
        return Some(named);
    }
    // A choice may be of another type than the field, which takes none of that kind then.
    let fitting = field.choices().filter(|choice| fit::is_of_kind(field, choice));
    let sized = fitting.filter_map(|choice| Some((size(choice)?, choice)));
    let enough = sized.filter(|(size, _)| *size >= needed);
    enough.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, choice)| choice.clone())
}

/// The smallest of the sizes that have names; none where the default has a name that is not known.
fn smallest_named(field: &Field) -> Option<Value> {
    let size = |choice: &Value| {
        let named = NAMED_SIZES.iter().find(|(name, _)| choice.as_str() == Some(name));
        named.map(|(_, pixels)| *pixels)
    };
    let sized = field.choices().filter_map(|choice| Some((size(choice)?, choice)));
    let (_, smallest) = sized.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let is_known = field.default().is_none_or(|default| size(&default).is_some());
    is_known.then(|| smallest.clone())
}

/// The size that a choice stands for: `0.25`, `"1 MP"`, `"480p"`, `"4K"`, `"1024x576"`, `"low"`; none for
/// `"auto"`, for `"16:9"`, and for what isn't positive.
fn size(choice: &Value) -> Option<f64> {
    let size = choice.as_f64().or_else(|| size_of_text(&choice.as_str()?.to_ascii_lowercase()))?;
    (size > 0.0).then_some(size)
}

fn size_of_text(text: &str) -> Option<f64> {
    let qualities = ["draft", "low", "short", "medium", "normal", "standard", "high", "long"];
    if let Some(quality) = qualities.iter().position(|word| text == *word) {
        return Some(1.0 + quality as f64);
    }
    let (first, rest) = leading_number(text.trim())?;
    let rest = rest.trim_start();
    if rest.starts_with(':') {
        return None;
    }
    match rest.strip_prefix(['x', '×', '*', ',']).map(str::trim_start).and_then(leading_number) {
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
    use super::super::schema::Input;
    use super::*;
    use serde_json::json;

    fn smallest_of(choices: &Value) -> Option<Value> {
        let document =
            json!({"components": {"schemas": {"Input": {"properties": {"size": {"enum": choices}}}}}});
        smallest(&Input::of(&document)?.field("size")?, 0.0)
    }

    #[test]
    fn sizes_are_compared_as_numbers_not_as_text() {
        assert_eq!(smallest_of(&json!(["1080p", "720p", "4K"])), Some("720p".into()));
        assert_eq!(smallest_of(&json!(["1", "0.25"])), Some("0.25".into()));
        assert_eq!(smallest_of(&json!(["match_input_image", "2 MP", "1 MP"])), Some("1 MP".into()));
        assert_eq!(smallest_of(&json!(["1024x1024", "1280x512"])), Some("1280x512".into()));
        assert_eq!(smallest_of(&json!([1024, 512, 768])), Some(512.into()));
        assert_eq!(smallest_of(&json!(["auto", "16:9", "None"])), None);
        assert_eq!(smallest_of(&json!(["high", "auto", "low"])), Some("low".into()));
    }

    /// What a field of that name is made, with the schema that it has; null where it is left alone.
    fn made_small(name: &str, mut schema: Value) -> Value {
        if schema.get("type").is_none() {
            schema["type"] = json!("integer");
        }
        let document = json!({"components": {"schemas": {"Input": {"properties": {name: schema}}}}});
        let input = Input::of(&document).unwrap();
        let siblings = Siblings::of(&[], &Map::new(), &Map::new());
        small(&input.field(name).unwrap(), &siblings, None).map_or(Value::Null, |small| small.value)
    }

    #[test]
    fn knobs_are_known_by_the_words_of_their_names() {
        for one in [
            "steps",
            "ddim_steps",
            "num_steps",
            "n_steps",
            "inference_steps",
            "sample_steps",
            "sampling_steps",
            "diffusion_steps",
            "denoising_steps",
            "num_inference_steps_prior",
            "numInferenceSteps",
            "n_iter",
            "iterations",
            "max_train_steps",
            "max_tokens",
            "max_new_tokens",
            "max_length",
            "max_output_tokens",
            "max_completion_tokens",
            "n_predict",
            "num_outputs",
            "num_images",
            "num_samples",
            "n_samples",
            "num_images_per_prompt",
            "batch_size",
            "number_of_images",
            "image_number",
            "n",
            "num_beams",
            "duration",
            "seconds",
            "length_in_seconds",
            "num_frames",
            "frames",
            "max_frames",
            "frame_count",
            "video_length",
            "audio_length",
            "seconds_total",
            "samples",
            "numsteps",
            "inferencesteps",
            "num_words",
            "max_words",
            "response_length",
        ] {
            assert_eq!(made_small(one, json!({"default": 50, "minimum": 0})), 1, "{one}");
        }
        for edge in [
            "width",
            "height",
            "image_width",
            "outHeight",
            "target_width",
            "max_width",
            "image_size",
            "size",
            "target_size",
            "resolution",
            "image_resolution",
            "detect_resolution",
            "max_side",
            "imgsz",
            "longest_side",
            "short_side",
        ] {
            assert_eq!(made_small(edge, json!({"default": 1024})), 256, "{edge}");
        }
        for other in [
            "warmup_steps",
            "lr_warmup_steps",
            "save_infer_steps",
            "checkpointing_steps",
            "start_step",
            "skip_steps",
            "callback_steps",
            "gradient_accumulation_steps",
            "guidance_end_step",
            "min_tokens",
            "max_thinking_tokens",
            "top_k",
            "seed",
            "fps",
            "frame_rate",
            "frames_per_second",
            "tile_size",
            "tiling_width",
            "font_size",
            "kernel_size",
            "bar_width",
            "num_speakers",
            "clip_skip",
            "model_size",
            "output_quality",
            "prompt_strength",
            "seconds_start",
            "max_sequence_length",
        ] {
            assert_eq!(made_small(other, json!({"default": 50})), Value::Null, "{other}");
        }
    }

    #[test]
    fn what_a_name_does_not_say_the_description_does() {
        let scale =
            |text: &str| made_small("scale", json!({"type": "number", "default": 4, "description": text}));
        assert_eq!(scale("Factor to scale image by"), 1);
        assert_eq!(scale("Scale for classifier-free guidance"), Value::Null);
        let limit = |text: &str| made_small("max_length", json!({"default": 500, "description": text}));
        assert_eq!(limit("Maximum number of tokens to generate. A word is generally 2-3 tokens"), 1);
        assert_eq!(limit("Total length of prompt and output in tokens"), Value::Null);
        assert_eq!(limit("Tokens to generate, including those of the input"), Value::Null);
        assert_eq!(made_small("length", json!({"default": 97, "description": "In frames"})), 1);
        assert_eq!(made_small("length", json!({"default": 97, "description": "Of the hair"})), Value::Null);
    }

    #[test]
    fn bounds_and_choices_hold() {
        assert_eq!(made_small("num_steps", json!({"default": 25, "minimum": 20})), 20);
        assert_eq!(made_small("width", json!({"default": 1024, "minimum": 512, "multipleOf": 64})), 512);
        assert_eq!(
            made_small("megapixels", json!({"type": "number", "default": 2, "minimum": 0})),
            json!(0.25)
        );
        assert_eq!(made_small("megapixels", json!({"default": 2})), 1, "an integer has no quarters");
        assert_eq!(made_small("width", json!({"default": 1024, "multipleOf": 1.5})), 256);
        assert_eq!(made_small("megapixels", json!({"default": 4, "multipleOf": 1.5})), 1);
        assert_eq!(made_small("num_outputs", json!({"default": 1})), Value::Null, "it is small already");
        assert_eq!(made_small("max_tokens", json!({"default": -1})), 1, "that is without a limit");
        assert_eq!(
            made_small("seconds", json!({"default": 0, "minimum": 0})),
            Value::Null,
            "nothing is less"
        );
        let choices = json!({"default": 50, "enum": [50, 25, "10"]});
        assert_eq!(made_small("steps", choices), 25, "a choice of another type is none");
        assert_eq!(made_small("steps", json!({"default": 50, "deprecated": true})), Value::Null);
    }

    #[test]
    fn sizes_that_have_names_are_compared_by_their_pixels() {
        let made = |choices: Value, default: &str| {
            made_small("image_size", json!({"type": "string", "enum": choices, "default": default}))
        };
        let all = json!(["square_hd", "square", "portrait_4_3", "landscape_16_9"]);
        assert_eq!(made(all.clone(), "landscape_16_9"), "square");
        assert_eq!(made(all, "square"), Value::Null);
        assert_eq!(
            made(json!(["square_hd", "landscape_4_3", "landscape_16_9"]), "square_hd"),
            "landscape_16_9"
        );
        assert_eq!(made(json!(["square_hd", "mystery"]), "mystery"), Value::Null, "it may be smaller");
        assert_eq!(made(json!(["poster", "banner"]), "poster"), Value::Null);
    }

    #[test]
    fn a_long_text_that_is_spoken_is_cut_between_words() {
        let text = "The quick brown fox jumps over the lazy dog, and then it does so again and again.";
        let spoken = json!({"type": "string", "default": text, "description": "What the voice says"});
        assert_eq!(made_small("prompt", spoken), "The quick brown fox jumps over the lazy");
        assert_eq!(
            made_small("text", json!({"type": "string", "default": "短".repeat(100)})),
            "短".repeat(40)
        );
        let painted = json!({"type": "string", "default": text, "description": "What to paint"});
        assert_eq!(made_small("prompt", painted), Value::Null);
        assert_eq!(made_small("text", json!({"type": "string", "default": "hi"})), Value::Null);
        let program = format!("[{}]", "\"a\",".repeat(50));
        assert_eq!(made_small("text", json!({"type": "string", "default": program})), Value::Null);
    }
}
