//! The nearest right spelling of a wrong word.

/// How many comparisons one file may cost: a second at the most, where ten thousand unknown names
/// meet ten thousand known ones.
const BUDGET: u32 = 1_000_000;

/// No word that is to be recognised is longer, in bytes.
const LONGEST: usize = 64;

/// Finds near words, until its budget is spent.
#[derive(Debug)]
pub(super) struct Speller {
    left: u32,
}

impl Speller {
    pub(super) fn new() -> Self {
        Self { left: BUDGET }
    }

    /// Whether something costlier than words alone may still be looked for; takes its cost off.
    pub(super) fn afford(&mut self, comparisons: u32) -> bool {
        self.left.checked_sub(comparisons).map(|left| self.left = left).is_some()
    }

    /// The candidate nearest to `word`, if one is near: up to a third of its letters may differ.
    pub(super) fn nearest<'a>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if word.len() > LONGEST {
            return None;
        }
        let folded = word.to_lowercase();
        let allowed = (folded.chars().count() / 3).max(1);
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            if candidate.len().abs_diff(word.len()) > LONGEST / 3 {
                continue;
            }
            if !self.afford(1) {
                break;
            }
            let distance = strsim::osa_distance(&folded, &candidate.to_lowercase());
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let keys = ["interval", "timeout", "lead", "cold_after", "active", "cog"];
        let nearest = |word| Speller::new().nearest(word, keys);
        assert_eq!(nearest("intervl"), Some("interval"));
        assert_eq!(nearest("Timeuot"), Some("timeout"));
        assert_eq!(nearest("cold-after"), Some("cold_after"));
        assert_eq!(nearest("cgo"), Some("cog"));
        assert_eq!(nearest("banana"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"interval".repeat(100)), None);
    }

    #[test]
    fn the_budget_ends() {
        let mut speller = Speller { left: 1 };
        assert_eq!(speller.nearest("intervl", ["timeout", "interval"]), None);
    }
}
