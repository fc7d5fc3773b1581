//! The words that a name or a sentence is made of.

/// The words of an input's name, in small letters: of `numSteps_prior`, `num`, `steps` and `prior`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in name.chars() {
        let begins = before.is_none_or(|before: char| {
            !before.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase())
        });
        before = Some(c);
        if !c.is_alphanumeric() {
            continue;
        }
        match words.last_mut() {
            Some(word) if !begins => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
    }
    words
}

/// Where `key` stands in `text` as a word of its own, if it does. Case does not count.
pub(super) fn place_of(key: &str, text: &str) -> Option<usize> {
    let (key, text) = (key.to_ascii_lowercase(), text.to_ascii_lowercase());
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut places = text.match_indices(&key).map(|(at, _)| at);
    places
        .find(|at| !text[..*at].ends_with(part_of_word) && !text[at + key.len()..].starts_with(part_of_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_seams() {
        assert_eq!(words("num_inference_steps"), ["num", "inference", "steps"]);
        assert_eq!(words("outWidth"), ["out", "width"]);
        assert_eq!(words("ZIP_IMAGES"), ["zip", "images"]);
        assert_eq!(words("controlnet_1-Image2"), ["controlnet", "1", "image2"]);
        assert_eq!(words("é—"), ["é"]);
        assert!(words("__").is_empty());
    }

    #[test]
    fn a_part_of_a_word_is_not_the_word() {
        assert_eq!(place_of("steps", "`num_steps` is 1, steps is 2"), Some(18));
        assert_eq!(place_of("Width", "the width."), Some(4));
        assert_eq!(place_of("step", "steps"), None);
    }
}
