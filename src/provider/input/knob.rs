//! The inputs that decide what a prediction costs.
//!
//! Models name them in many ways. They are known by the words of their names: `ddim_steps`, `num_steps` and
//! `diffusion_steps` are steps, `warmup_steps` and `checkpointing_steps` are not.

use super::names::words;
use super::schema::Field;

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
pub(super) enum Knob {
    /// A text that is spoken: a few words are enough.
    Speech,
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
const COUNTED: [&str; 27] = [
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
    "repetitions",
    "bars",
];

/// What has a length that is a time.
const TIMED: [&str; 8] = ["audio", "video", "music", "animation", "clip", "gif", "song", "track"];

impl Knob {
    /// What `field` is; none where it costs nothing.
    pub(super) fn of(field: &Field<'_>) -> Option<Self> {
        if field.name.len() > LONGEST_NAME {
            return None;
        }
        let words = words(&field.name);
        let has = |word: &str| words.iter().any(|one| one == word);
        let has_any = |some: &[&str]| words.iter().any(|one| some.contains(&one.as_str()));
        let only = |name: &[&str]| words == name;
        match words.join("_").as_str() {
            "max_length" | "max_len" | "max_gen_len" | "n_predict" | "num_predict" | "max_output_length"
            | "max_new_length" | "response_length" => return Some(Self::Tokens),
            "numsteps" | "nsteps" | "inferencesteps" | "numinferencesteps" | "ddimsteps"
            | "samplingsteps" | "samplesteps" => return Some(Self::Steps),
            "n"
            | "num"
            | "samples"
            | "grid_size"
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
            "text" | "input_text" | "text_input" | "gen_text" | "tts_text" | "text_prompt" | "script"
            | "text_to_speak" => return Some(Self::Speech),
            "prompt" if is_spoken(field) => return Some(Self::Speech),
            _ => {}
        }
        if has_any(&OTHER_WORDS) {
            return None;
        }
        let counts = has_any(&["num", "number", "n", "count", "max", "total"]);
        Some(
            if (has_any(&["tokens", "token"])
                && has_any(&["max", "new", "output", "num", "number", "n", "length"]))
                || (counts && has("words"))
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

    pub(super) const fn group(self) -> Group {
        match self {
            Self::Speech | Self::Tokens => Group::Tokens,
            Self::Steps => Group::Steps,
            Self::Count => Group::Counts,
            Self::Edge | Self::Megapixels | Self::Factor | Self::Listed | Self::Shape => Group::Sizes,
        }
    }
}

/// `size`, `image_size`, `imgsz`, `max_side`, `longest_side`, `image_dimensions` and the like.
fn is_size(words: &[String]) -> bool {
    const OF: [&str; 17] = [
        "image", "img", "output", "target", "max", "video", "frame", "product", "long", "longer", "longest",
        "short", "shorter", "shortest", "of", "edge", "the",
    ];
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

/// Whether a prompt is said aloud.
fn is_spoken(field: &Field<'_>) -> bool {
    let text = description(field);
    ["speech", "speak", "spoken", "voice", "say", "read aloud", "tts"].iter().any(|word| text.contains(word))
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
pub(super) fn counts_the_prompt(field: &Field<'_>) -> bool {
    let text = words(&description(field));
    let has_any = |some: &[&str]| text.iter().any(|word| some.contains(&word.as_str()));
    has_any(&["prompt", "input"]) && has_any(&["total", "includes", "including", "included", "plus", "and"])
}

/// Whether a key is about a safety check, which is never decided here.
pub(super) fn is_safety(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["safety", "nsfw", "moderation"].iter().any(|word| name.contains(word))
}
