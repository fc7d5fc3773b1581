//! The inputs that decide what a prediction costs, and how small each may be made.
//!
//! Models name them in many ways. They are known by the words of their names: `ddim_steps`, `num_steps` and
//! `diffusion_steps` are steps, `warmup_steps` and `checkpointing_steps` are not.

use super::names::words;
use super::schema::Field;
use super::strength;
use serde_json::{Map, Value};

/// What a cost knob counts. The order is the one in which knobs go back to the model's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// The length of a text.
    Tokens,
    /// Steps of a diffusion, iterations.
    Steps,
    /// How many results, and how long: images, samples, frames, seconds.
    Counts,
    /// Pixels: edges, resolutions, factors.
    Sizes,
}

/// What a cost knob is, and so how small it is made where its schema sets no lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knob {
    /// One is enough; never under what a `min_*` sibling asks for.
    Tokens,
    /// One is enough, where nothing takes a share of them.
    Steps,
    /// One is enough.
    Count,
    /// Pixels along an edge.
    Edge,
    /// Millions of pixels.
    Megapixels,
    /// By how much an image grows: one leaves it as it is.
    Factor,
    /// A size or a quality out of a list; without a list it is left alone.
    Listed,
    /// A shape out of a list: the one that has the edges heeded.
    Shape,
}

/// An edge at which models of images still work.
const EDGE: f64 = 256.0;

/// A lower bound under this is a formality: models accept the value, and fail on it.
const SMALLEST_EDGE: f64 = 64.0;

/// A quarter of a megapixel, which models of images take to be their smallest.
const MEGAPIXELS: f64 = 0.25;

/// The knobs that bound the tokens from below.
const LOWER_TOKENS: [&str; 3] = ["min_tokens", "min_new_tokens", "min_length"];

/// The longest name that is taken for a knob.
const LONGEST_NAME: usize = 64;

/// How much of a description is read, in characters.
const LONGEST_TEXT: usize = 1000;

/// Words of names that belong to something else than the cost.
const OTHER_WORDS: [&str; 57] = [
    "min",
    "minimum",
    "start",
    "begin",
    "end",
    "stop",
    "skip",
    "warmup",
    "save",
    "log",
    "logging",
    "every",
    "interval",
    "checkpointing",
    "callback",
    "eval",
    "validation",
    "display",
    "accumulation",
    "gradient",
    "tile",
    "tiles",
    "tiling",
    "font",
    "kernel",
    "patch",
    "chunk",
    "window",
    "overlap",
    "stride",
    "offset",
    "fade",
    "fps",
    "rate",
    "per",
    "seed",
    "guidance",
    "cfg",
    "threshold",
    "weight",
    "lr",
    "crop",
    "padding",
    "border",
    "bar",
    "blur",
    "prompt",
    "input",
    "context",
    "thinking",
    "silence",
    "keyframe",
    "keyframes",
    "key",
    "model",
    "fix",
    "detection",
];

/// What is counted where a name says how many.
const COUNTED: [&str; 25] = [
    "image",
    "images",
    "output",
    "outputs",
    "sample",
    "samples",
    "result",
    "results",
    "picture",
    "pictures",
    "photos",
    "variation",
    "variations",
    "variants",
    "generations",
    "predictions",
    "sequences",
    "candidates",
    "completions",
    "beams",
    "batches",
    "songs",
    "paths",
    "videos",
    "stickers",
];

/// What has a length that is a time.
const TIMED: [&str; 8] = ["audio", "video", "music", "animation", "clip", "gif", "song", "track"];

impl Knob {
    fn of(field: &Field<'_>) -> Option<Self> {
        if field.name.len() > LONGEST_NAME {
            return None;
        }
        let words = words(&field.name);
        let has = |word: &str| words.iter().any(|one| one == word);
        let has_any = |some: &[&str]| words.iter().any(|one| some.contains(&one.as_str()));
        let only = |name: &[&str]| words == name;
        match words.join("_").as_str() {
            "max_length" | "max_len" | "max_gen_len" | "n_predict" | "num_predict" | "max_output_length"
            | "max_new_length" => return Some(Self::Tokens),
            "n"
            | "batch_size"
            | "train_batch_size"
            | "sample_batch_size"
            | "batch_count"
            | "image_number"
            | "image_num"
            | "number_picture"
            | "beam_size"
            | "best_of"
            | "num_return_sequences"
            | "images_per_prompt"
            | "num_images_per_prompt"
            | "number_of_images_per_pose"
            | "sample_times"
            | "seconds_total"
            | "n_save_sample" => return Some(Self::Count),
            "aspect_ratio" => return Some(Self::Shape),
            "quality" => return Some(Self::Listed),
            "scale" => return is_factor(field).then_some(Self::Factor),
            _ => {}
        }
        if has_any(&OTHER_WORDS) {
            return None;
        }
        let counts = has_any(&["num", "number", "n", "count", "max", "total"]);
        Some(
            if has_any(&["tokens", "token"])
                && has_any(&["max", "new", "output", "num", "number", "n", "length"])
            {
                Self::Tokens
            } else if has_any(&[
                "steps",
                "step",
                "timesteps",
                "iterations",
                "iters",
                "iter",
                "epochs",
                "epoch",
            ]) {
                Self::Steps
            } else if has_any(&["duration", "seconds", "secs"])
                || has_any(&["frames"])
                || (has("frame") && counts)
                || (has("length") && (has_any(&TIMED) || (only(&["length"]) && is_timed(field))))
                || (counts && has_any(&COUNTED))
            {
                Self::Count
            } else if has_any(&["megapixels", "megapixel"]) {
                Self::Megapixels
            } else if has_any(&["upscale", "outscale", "upscaling", "upsampling"])
                || (has("factor") && has_any(&["scale", "rescale", "resolution"]))
            {
                Self::Factor
            } else if has_any(&["width", "height", "resolution"]) || is_size(&words) {
                Self::Edge
            } else {
                return None;
            },
        )
    }

    const fn group(self) -> Group {
        match self {
            Self::Tokens => Group::Tokens,
            Self::Steps => Group::Steps,
            Self::Count => Group::Counts,
            Self::Edge | Self::Megapixels | Self::Factor | Self::Listed | Self::Shape => Group::Sizes,
        }
    }
}

/// `size`, `image_size`, `imgsz`, `max_side`, `image_dimensions` and the like.
fn is_size(words: &[String]) -> bool {
    const OF: [&str; 12] =
        ["image", "img", "output", "target", "max", "video", "frame", "product", "long", "of", "edge", "the"];
    const SIZE: [&str; 6] = ["size", "side", "dimension", "dimensions", "imgsz", "pixels"];
    let is_of = |word: &String| OF.contains(&word.as_str());
    let sizes = words.iter().filter(|word| SIZE.contains(&word.as_str())).count();
    sizes == 1 && words.iter().all(|word| is_of(word) || SIZE.contains(&word.as_str()))
}

/// Whether `scale` is by how much an image grows: it may be a guidance, too.
fn is_factor(field: &Field<'_>) -> bool {
    let text = description(field);
    let factor = ["factor", "upscal", "up-scal", "rescal", "multiplier", "upsampl"];
    factor.iter().any(|word| text.contains(word)) && !text.contains("guidance")
}

/// The beginning of what a field is said to be, in small letters.
fn description(field: &Field<'_>) -> String {
    field.description().unwrap_or_default().chars().take(LONGEST_TEXT).collect::<String>().to_lowercase()
}

/// Whether `length` is a number of frames or seconds.
fn is_timed(field: &Field<'_>) -> bool {
    let text = description(field);
    ["frame", "second", "duration"].iter().any(|word| text.contains(word))
}

/// Whether a limit counts the prompt too: a small one leaves no room for an answer then.
fn counts_the_prompt(field: &Field<'_>) -> bool {
    let text = words(&description(field));
    let has_any = |some: &[&str]| text.iter().any(|word| some.contains(&word.as_str()));
    has_any(&["prompt", "input"]) && has_any(&["total", "includes", "including", "included", "plus", "and"])
}

/// Whether a key is about a safety check, which is never decided here.
pub(super) fn is_safety(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["safety", "nsfw", "moderation"].iter().any(|word| name.contains(word))
}

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

/// The smallest value of a cost knob; none where it isn't one, can't be made small, or already is.
pub(super) fn small(field: &Field, siblings: &Siblings) -> Option<Small> {
    let knob = Knob::of(field).filter(|_| !field.is_deprecated())?;
    let value = match knob {
        Knob::Shape => custom(field).filter(|_| siblings.has_edges)?.clone(),
        _ if field.choices().next().is_some() => smallest(field.choices())?,
        _ if !field.is_number() => return None,
        Knob::Tokens if counts_the_prompt(field) => return None,
        Knob::Edge if !siblings.edges && is_plain_edge(field) => return None,
        Knob::Tokens
        | Knob::Steps
        | Knob::Count
        | Knob::Edge
        | Knob::Megapixels
        | Knob::Factor
        | Knob::Listed => field.clamp(wanted(knob, field, siblings)?),
    };
    let default = field.default();
    let numbers = default.as_ref().and_then(Value::as_f64).zip(value.as_f64());
    let already = default.as_ref() == Some(&value)
        || numbers.is_some_and(|(default, small)| default > 0.0 && default <= small);
    (!already).then_some(Small { value, group: knob.group() })
}

/// How small a number is wanted.
fn wanted(knob: Knob, field: &Field, siblings: &Siblings) -> Option<f64> {
    // Zero and less often stand for "without a limit", so a lower bound there is none.
    let least = field.minimum().filter(|least| *least > 0.0);
    Some(match knob {
        Knob::Tokens => least.unwrap_or(1.0).max(siblings.tokens),
        Knob::Steps => {
            let most = field.default().and_then(|default| default.as_f64()).unwrap_or(f64::MAX);
            least.unwrap_or(1.0).max(siblings.steps.min(most))
        }
        Knob::Count => least.unwrap_or(1.0),
        Knob::Edge => least.filter(|least| *least >= SMALLEST_EDGE).unwrap_or(EDGE),
        Knob::Megapixels => least.unwrap_or(MEGAPIXELS),
        Knob::Factor => least.unwrap_or(1.0).max(1.0),
        Knob::Listed | Knob::Shape => return None,
    })
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

/// The smallest of the choices that are sizes or qualities.
fn smallest<'a>(choices: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let sized = choices.filter_map(|choice| Some((size(choice)?, choice)));
    sized.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, choice)| choice.clone())
}

/// The size that a choice stands for: `0.25`, `"1 MP"`, `"480p"`, `"4K"`, `"1024x576"`, `"low"`; none for
/// `"auto"`, for `"16:9"`, and for what isn't positive.
fn size(choice: &Value) -> Option<f64> {
    let size = choice.as_f64().or_else(|| size_of_text(&choice.as_str()?.to_ascii_lowercase()))?;
    (size > 0.0).then_some(size)
}

fn size_of_text(text: &str) -> Option<f64> {
    let quality =
        ["draft", "low", "medium", "normal", "standard", "high"].iter().position(|word| text == *word);
    if let Some(quality) = quality {
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
