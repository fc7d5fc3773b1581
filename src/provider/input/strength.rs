//! Models that change an image run a share of their steps alone: as much as its strength says. Of no step at all
//! they can make nothing.

use super::files;
use super::names::words;
use super::schema::Field;
use serde_json::{Map, Value};

/// Names of a strength, without a word around them that says of what else.
const NAMES: [&str; 16] = [
    "strength",
    "prompt_strength",
    "image_strength",
    "image_prompt_strength",
    "denoising_strength",
    "denoise_strength",
    "denoising",
    "denoise",
    "img2img_strength",
    "i2i_strength",
    "init_strength",
    "init_image_strength",
    "noise_strength",
    "inpaint_strength",
    "inpainting_strength",
    "transformation_strength",
];

/// The fewest steps of which a share is a whole one: zero where nothing takes a share. `number` is what is in force
/// of a field.
pub(super) fn steps(
    fields: &[Field],
    made: &Map<String, Value>,
    number: impl Fn(&Field) -> Option<f64>,
) -> f64 {
    let mut sent = fields.iter().filter(|field| made.contains_key(&field.name));
    if !sent.any(files::is_file) {
        return 0.0;
    }
    let strengths = fields.iter().filter(|field| is_strength(field)).filter_map(number);
    let smallest = strengths.filter(|strength| *strength > 0.0 && *strength < 1.0).reduce(f64::min);
    smallest.map_or(0.0, |strength| (1.0 / strength).ceil())
}

/// A share, by its name and its bounds: by the same names, some call how much a prompt is heeded.
fn is_strength(field: &Field) -> bool {
    let is_share = field.maximum().is_none_or(|most| most <= 1.0);
    let name = words(&field.name).concat();
    field.is_number() && is_share && NAMES.iter().any(|known| words(known).concat() == name)
}
