//! From the smallest input up to one that works: which step a model's heartbeats take next.
//!
//! A model may fail on an input that fits its schema: an image of no step, a length that leaves no room for an
//! answer. Each failure of an input that never worked moves one step up: a cost knob goes back to the model's
//! default, a file is added, at last the model's own example is sent as it is. What worked is kept per version.
//! Pure: it knows neither the model nor the time.

mod passing;

use super::names::place_of;
use crate::quote;
use passing::is_passing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many failures in a row it takes to give up an input that has worked.
const OF_ONE_THAT_WORKED: u32 = 3;

/// How many failures in a row of the last step show that the input is not what is wrong: it begins again then, with
/// what costs least.
const OF_THE_LAST: u32 = 10;

/// How many failures in a row that look as if they pass by themselves count as one that does not.
const OF_ONE_THAT_PASSES: u32 = 3;

/// How many steps there are to the last at the most: with the smallest input that makes five heartbeats.
const STEPS: usize = 4;

/// How many versions are remembered.
const VERSIONS: usize = 4;

/// The most that is kept of a model, in bytes of JSON: names of inputs are others' words.
const LARGEST: usize = 16 * 1024;

/// How far above the smallest an input is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rung {
    /// Cost knobs that went back to the model's defaults.
    pub grown: BTreeSet<String>,
    /// Keys that the model refused as they were sent, and that warmd leaves alone.
    pub refused: BTreeSet<String>,
    /// Optional keys that are given a value.
    pub filled: BTreeSet<String>,
    /// What is taken from the model's own example.
    pub example: Borrowed,
}

/// What is taken from a model's own example, beside what is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Borrowed {
    /// Nothing.
    #[default]
    Nothing,
    /// Its files, in place of those made up.
    Files,
    /// All of its values.
    Everything,
}

/// One step up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Leaves cost knobs at the model's defaults.
    Grow(Vec<String>),
    /// Gives values to optional keys.
    Fill(Vec<String>),
    /// Takes the example's own files, in place of those that were made up for these keys.
    Files(Vec<String>),
    /// Takes all of the example's values.
    Example,
}

/// What was learned of one version of a model, with one `input` of the user's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ladder {
    version: String,
    user: u32,
    /// What the next heartbeat sends.
    rung: Rung,
    /// Whether that has succeeded.
    worked: bool,
    /// The steps taken so far.
    taken: usize,
    /// A smaller one that has worked, and then failed over and over.
    before: Option<Rung>,
    /// A larger one that works, while the smaller one is tried again.
    instead: Option<Rung>,
    /// The failures in a row.
    #[serde(skip)]
    failures: u32,
    /// The failures in a row that look as if they pass by themselves.
    #[serde(skip)]
    passing: u32,
}

/// What was learned of a model's versions, the one used last at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Learned(Vec<Ladder>);

impl Ladder {
    /// What the next heartbeat sends.
    pub const fn rung(&self) -> &Rung {
        &self.rung
    }

    /// A prediction has succeeded.
    fn succeeded(&mut self) {
        (self.failures, self.passing) = (0, 0);
        self.instead = None;
        self.worked = true;
        if let Some(before) = self.before.take()
            && before != self.rung
        {
            // It failed for a while: perhaps for a reason that is over, and less is enough again.
            self.instead = Some(std::mem::replace(&mut self.rung, before));
            self.worked = false;
        }
    }

    /// A prediction ran and failed with `error`; these `steps` lead on. True where the next one is another.
    fn failed(&mut self, error: &str, steps: &[Step]) -> bool {
        let names_a_key = steps.iter().any(|step| step.key_named_in(error).is_some());
        if !names_a_key && is_passing(error) {
            self.passing += 1;
            if self.passing < OF_ONE_THAT_PASSES {
                return false;
            }
        }
        self.passing = 0;
        self.failures += 1;
        if let Some(instead) = self.instead.take() {
            (self.rung, self.worked, self.failures) = (instead, true, 0);
            return true;
        }
        if self.worked && self.failures < OF_ONE_THAT_WORKED {
            return false;
        }
        let steps = self.next(error, steps);
        if steps.is_empty() {
            return self.begin_again();
        }
        if self.worked {
            self.before = Some(self.rung.clone());
        }
        for step in steps {
            self.rung.take(step);
        }
        (self.worked, self.failures, self.taken) = (false, 0, self.taken + 1);
        true
    }

    /// The step that the error asks for, else the first, with those behind it that are too many for one each.
    fn next(&self, error: &str, steps: &[Step]) -> Vec<Step> {
        let named = steps.iter().filter_map(|step| step.named_in(error)).min_by_key(|(_, place)| *place);
        if let Some((step, _)) = named {
            return vec![step];
        }
        // The example's files come with the example, unless they are asked for.
        let steps = steps.iter().filter(|step| !matches!(step, Step::Files(_)));
        let left = STEPS.saturating_sub(self.taken).max(1);
        let too_many = steps.clone().count().saturating_sub(left);
        steps.take(1 + too_many).cloned().collect()
    }

    /// All that could be tried has failed: after a while, from the beginning.
    fn begin_again(&mut self) -> bool {
        let is_first = self.rung == Rung::default();
        if is_first || self.failures < OF_THE_LAST {
            return false;
        }
        self.rung = self.before.take().unwrap_or_default();
        (self.worked, self.failures, self.taken) = (false, 0, 0);
        true
    }

    /// The model refused these keys as they were sent: they are left as it has them. True where any of them was not.
    fn refused(&mut self, keys: impl IntoIterator<Item = String>) -> bool {
        let before = self.rung.refused.len();
        self.rung.refused.extend(keys);
        let grew = self.rung.refused.len() > before;
        self.worked &= !grew;
        grew
    }
}

impl Rung {
    /// What is sent, beside what is needed.
    fn in_words(&self) -> String {
        let names = |keys: &BTreeSet<String>| quote::names(&keys.iter().cloned().collect::<Vec<_>>());
        let as_it_is = self.grown.union(&self.refused).cloned().collect::<BTreeSet<String>>();
        let mut words = Vec::new();
        if !as_it_is.is_empty() {
            words.push(format!("{} as the model has it", names(&as_it_is)));
        }
        if !self.filled.is_empty() {
            words.push(format!("a value for {}", names(&self.filled)));
        }
        match self.example {
            Borrowed::Nothing => {}
            Borrowed::Files => words.push("the files of its example".to_owned()),
            Borrowed::Everything => return "all of its example".to_owned(),
        }
        if words.is_empty() { "the smallest input".to_owned() } else { words.join(", ") }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Grow(keys) => self.grown.extend(keys),
            Step::Fill(keys) => self.filled.extend(keys),
            Step::Files(_) => self.example = Borrowed::Files,
            Step::Example => self.example = Borrowed::Everything,
        }
    }
}

impl Step {
    /// Where an error names one of its keys, if it does.
    fn key_named_in(&self, error: &str) -> Option<usize> {
        match self {
            Self::Grow(keys) | Self::Fill(keys) | Self::Files(keys) => first_in(keys, error),
            Self::Example => None,
        }
    }

    /// The part of it that an error names, and where.
    fn named_in(&self, error: &str) -> Option<(Self, usize)> {
        match self {
            Self::Grow(keys) => Some((self.clone(), first_in(keys, error)?)),
            Self::Files(keys) => {
                let place = first_in(keys, error).or_else(|| place_of_any(&FILE_WORDS, error))?;
                Some((self.clone(), place))
            }
            Self::Fill(keys) => {
                let named = keys.iter().filter(|key| place_in(key, error).is_some());
                let named: Vec<String> = named.cloned().collect();
                match first_in(&named, error) {
                    Some(place) => Some((Self::Fill(named), place)),
                    None => Some((self.clone(), place_of_any(&MISSING_WORDS, error)?)),
                }
            }
            Self::Example => None,
        }
    }
}

/// The first place where an error names one of the keys.
fn first_in(keys: &[String], error: &str) -> Option<usize> {
    keys.iter().filter_map(|key| place_in(key, error)).min()
}

/// Where an error names a key, as `num_frames` or as "num frames".
fn place_in(key: &str, error: &str) -> Option<usize> {
    place_of(key, error).or_else(|| place_of(&key.replace('_', " "), error))
}

fn place_of_any(words: &[&str], error: &str) -> Option<usize> {
    words.iter().filter_map(|word| place_of(word, error)).min()
}

/// Words of errors that are about what was not sent.
const MISSING_WORDS: [&str; 6] = ["NoneType", "required", "missing", "provide", "provided", "specified"];

/// Words of errors that are about what is in a file.
const FILE_WORDS: [&str; 10] =
    ["face", "faces", "person", "people", "pose", "speech", "silent", "image", "audio", "video"];

impl Learned {
    /// Reads what [`Self::to_json`] wrote. None where it can't be read.
    pub fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().filter(|_| json.len() <= LARGEST)
    }

    /// As JSON, to be kept; none where there is nothing, or more than can be kept.
    pub fn to_json(&self) -> Option<String> {
        let json = serde_json::to_string(self).ok()?;
        (!self.0.is_empty() && json.len() <= LARGEST).then_some(json)
    }

    /// What was learned of a version with the user's `input`; of any other `input`, it is not known.
    pub fn of(&self, version: &str, user: u32) -> Ladder {
        let found = self.0.iter().find(|ladder| ladder.version == version && ladder.user == user);
        found.cloned().unwrap_or_else(|| Ladder { version: version.to_owned(), user, ..Ladder::default() })
    }

    /// What the version used last is sent, beside what is needed.
    pub fn in_words(&self) -> String {
        self.0.last().map_or_else(|| Rung::default().in_words(), |ladder| ladder.rung.in_words())
    }

    /// Whether an input that was made by `ladder` is the one that is to be sent next.
    pub fn agrees_with(&self, ladder: &Ladder) -> bool {
        self.of(&ladder.version, ladder.user).rung == ladder.rung
    }

    /// A prediction of that version has succeeded.
    pub fn succeeded(&mut self, ladder: &Ladder) {
        self.change(ladder, |ladder| {
            ladder.succeeded();
            true
        });
    }

    /// A prediction of that version ran and failed. True where the next one is to be another.
    pub fn failed(&mut self, ladder: &Ladder, error: &str, steps: &[Step]) -> bool {
        self.change(ladder, |ladder| ladder.failed(error, steps))
    }

    /// The model refused keys as they were sent. True where the next one is to be another.
    pub fn refused(&mut self, ladder: &Ladder, keys: impl IntoIterator<Item = String>) -> bool {
        self.change(ladder, |ladder| ladder.refused(keys))
    }

    /// Changes what is known of the version that `used` is of, unless another heartbeat has moved it meanwhile.
    fn change(&mut self, used: &Ladder, change: impl FnOnce(&mut Ladder) -> bool) -> bool {
        let mut now = self.of(&used.version, used.user);
        if now.rung != used.rung {
            return true;
        }
        let changed = change(&mut now);
        self.0.retain(|ladder| ladder.version != used.version);
        self.0.push(now);
        if self.0.len() > VERSIONS {
            self.0.remove(0);
        }
        changed
    }
}

#[cfg(test)]
mod tests;
