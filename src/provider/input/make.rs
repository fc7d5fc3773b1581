//! Making an input, key by key.

use super::invent::{self, Room};
use super::knob::{self, Group, Knob};
use super::ladder::{Borrowed, Rung, Step};
use super::schema::{Field, Input};
use super::small::{self, Siblings};
use super::{InputError, MadeInput, files, fit};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Any value does, as long as it stays the same from one heartbeat to the next.
const SEED: f64 = 42.0;

/// Texts that a model works on; where they are optional, it may need one of them all the same.
const TEXTS: [&str; 8] =
    ["prompt", "text", "input_text", "question", "query", "message", "messages", "caption"];

/// Optional files of these kinds go with another one, and are the last to be made up.
const SECONDARY: [&str; 6] = ["mask", "reference", "ref", "control", "style", "last"];

/// Makes the smallest input that the model should take, or the one that is `rung` above it.
///
/// `schema` is the whole `OpenAPI` document, null where there is none; `example` the model's own
/// example of an input; `user` the keys of `warm.toml`.
pub fn minimal(
    schema: &Value,
    example: Option<&Value>,
    user: &Map<String, Value>,
    rung: &Rung,
) -> Result<MadeInput, InputError> {
    let example = example.and_then(Value::as_object);
    let Some(input) = Input::of(schema) else {
        return unschemed(example, user);
    };
    let own: Map<_, _> = user.iter().filter(|(_, value)| !value.is_null()).map(clone).collect();
    let mut making = Making {
        example,
        user,
        rung,
        fields: input.fields().collect(),
        made: MadeInput { input: own, ..MadeInput::default() },
        room: Room::new(),
    };
    making.require(input.required())?;
    making.add()?;
    let groups = making.shrink();
    making.made.steps = making.steps(groups);
    making.sort();
    Ok(making.made)
}

fn clone((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The input where the model publishes no schema: its example, as far as it has one.
fn unschemed(
    example: Option<&Map<String, Value>>,
    user: &Map<String, Value>,
) -> Result<MadeInput, InputError> {
    let mut made = MadeInput::default();
    match example {
        Some(example) => {
            let taken = example.iter().filter(|(key, value)| !value.is_null() && !knob::is_safety(key));
            made.input = taken.map(clone).collect();
            made.guessed = made.input.keys().filter(|key| !user.contains_key(*key)).cloned().collect();
        }
        None if user.is_empty() => return Err(InputError::Unknown),
        None => {}
    }
    made.input.extend(user.iter().filter(|(_, value)| !value.is_null()).map(clone));
    Ok(made)
}

/// An input that is being made.
struct Making<'a> {
    example: Option<&'a Map<String, Value>>,
    user: &'a Map<String, Value>,
    rung: &'a Rung,
    fields: Vec<Field<'a>>,
    made: MadeInput,
    room: Room,
}

impl<'a> Making<'a> {
    /// What must be sent.
    fn require(&mut self, required: impl Iterator<Item = Field<'a>>) -> Result<(), InputError> {
        for field in required {
            if self.made.input.contains_key(&field.name) {
                continue;
            }
            let value = self.required(&field)?;
            self.made.input.insert(field.name.clone(), value);
        }
        Ok(())
    }

    fn required(&mut self, field: &Field) -> Result<Value, InputError> {
        let example = self.of_example(field);
        if self.rung.example == Borrowed::Everything
            && let Some(example) = example.clone()
        {
            return Ok(example);
        }
        if is_seed(field) {
            return Ok(field.clamp(SEED));
        }
        if let Some(told) = invent::told(field, &mut self.room)? {
            return Ok(told);
        }
        if files::is_file(field) && !field.is_secret() {
            return self.file(field, example);
        }
        if let Some(example) = example {
            return Ok(example);
        }
        self.made.guessed.push(field.name.clone());
        invent::value(field, &mut self.room)
    }

    /// A small file of the kind that is wanted, else the example's. Of a text that holds a file or its address, the
    /// example's goes first: not every model that fetches an address reads data URLs.
    fn file(&mut self, field: &Field, example: Option<Value>) -> Result<Value, InputError> {
        let borrowed = self.rung.example != Borrowed::Nothing || !files::is_formal(field);
        let small = files::small(field, example.as_ref()).filter(|_| !(borrowed && example.is_some()));
        if let Some(small) = small {
            invent::make_room(&small, field, &mut self.room)?;
            self.made.guessed.push(field.name.clone());
            return Ok(small);
        }
        match (example, self.example) {
            (Some(example), _) => Ok(example),
            // The model's own example did without it: it is asked for as a matter of form.
            (None, Some(shown)) if !shown.is_empty() => {
                self.made.guessed.push(field.name.clone());
                Ok(files::any(field))
            }
            (None, _) => Err(InputError::File { key: field.name.clone() }),
        }
    }

    /// The example's value of a field, unless it is one that an example must not decide: a secret, or a safety check
    /// that its author had switched off; or one of another version, that does not fit.
    fn of_example(&self, field: &Field) -> Option<Value> {
        let value = self.example?.get(&field.name).filter(|value| !value.is_null())?;
        let decides = !field.is_secret() && !is_credential(&field.name) && !knob::is_safety(&field.name);
        let takes = decides && fit::misfit(field, value).is_none();
        takes.then(|| value.clone())
    }

    /// What is optional, and sent all the same: what the example shows that the model works on, what it takes to
    /// make the model work, the seed.
    fn add(&mut self) -> Result<(), InputError> {
        let requires_file = self.fields.iter().any(|field| files::is_file(field) && self.is_sent(field));
        for field in std::mem::take(&mut self.fields) {
            if let Some(value) = self.optional(&field, requires_file)? {
                self.made.input.insert(field.name.clone(), value);
                self.made.added.push(field.name.clone());
            }
            self.fields.push(field);
        }
        Ok(())
    }

    fn optional(&mut self, field: &Field, requires_file: bool) -> Result<Option<Value>, InputError> {
        if self.is_sent(field) || self.is_settled(field) {
            return Ok(None);
        }
        let example = self.of_example(field);
        if self.rung.example == Borrowed::Everything {
            return Ok(example);
        }
        if is_seed(field) {
            return Ok(Some(field.clamp(SEED)));
        }
        if field.has_default() {
            return Ok(None);
        }
        let is_file = files::is_file(field) && !field.is_secret();
        let shown = example.is_some() && (if is_file { !requires_file } else { is_text(field) });
        if !shown && !self.rung.filled.contains(&field.name) {
            return Ok(None);
        }
        if is_file {
            return self.file(field, example).map(Some);
        }
        if example.is_some() {
            return Ok(example);
        }
        self.made.guessed.push(field.name.clone());
        invent::value(field, &mut self.room).map(Some)
    }

    /// Whether it is left alone: the user's, null too, or refused.
    fn is_settled(&self, field: &Field) -> bool {
        self.user.contains_key(&field.name) || self.rung.refused.contains(&field.name)
    }

    fn is_sent(&self, field: &Field) -> bool {
        self.made.input.contains_key(&field.name)
    }

    /// Makes the cost knobs small. Returns them by their groups.
    fn shrink(&mut self) -> BTreeMap<Group, Vec<String>> {
        let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
        if self.rung.example == Borrowed::Everything {
            return groups;
        }
        let siblings = Siblings::of(&self.fields, &self.made.input, self.user);
        for field in &self.fields {
            if self.user.contains_key(&field.name) && Knob::of(field).is_some() {
                self.made.set_by_user.push(field.name.clone());
            }
            if self.is_settled(field) || self.rung.grown.contains(&field.name) {
                continue;
            }
            let made = self.made.input.get(&field.name);
            let Some(small) = small::small(field, &siblings, made) else { continue };
            self.made.input.insert(field.name.clone(), small.value);
            self.made.guessed.retain(|name| *name != field.name);
            self.made.shrunk.push(field.name.clone());
            groups.entry(small.group).or_default().push(field.name.clone());
        }
        groups
    }

    /// In the order in which it is shown: what is required, the rest as the schema has it, the user's own.
    fn sort(&mut self) {
        let order: HashMap<&str, usize> =
            self.fields.iter().enumerate().map(|(at, field)| (field.name.as_str(), at)).collect();
        let chosen: HashSet<&String> = self.made.chosen().collect();
        let place = |key: &String| match (self.user.contains_key(key), chosen.contains(key)) {
            (true, _) => (2, 0),
            (false, true) => (1, order.get(key.as_str()).copied().unwrap_or_default()),
            (false, false) => (0, 0),
        };
        let mut entries: Vec<(String, Value)> = self.made.input.iter().map(clone).collect();
        entries.sort_by_key(|(key, _)| place(key));
        self.made.input = entries.into_iter().collect();
    }

    /// What leads on from here.
    fn steps(&self, groups: BTreeMap<Group, Vec<String>>) -> Vec<Step> {
        let mut steps: Vec<Step> = groups.into_values().map(Step::Grow).collect();
        if self.rung.example == Borrowed::Everything {
            return steps;
        }
        if self.example.is_some_and(|example| !example.is_empty()) {
            let files = self.fields.iter().filter(|field| {
                files::is_file(field)
                    && self.made.guessed.contains(&field.name)
                    && self.of_example(field).is_some()
            });
            let files: Vec<String> = files.map(|field| field.name.clone()).collect();
            if !files.is_empty() {
                steps.push(Step::Files(files));
            }
            steps.push(Step::Example);
            return steps;
        }
        // One of them first: some models take one of several and no more.
        let fillable = self.fields.iter().filter(|field| self.is_fillable(field));
        let mut keys: Vec<&String> = fillable.map(|field| &field.name).collect();
        keys.sort_by_key(|key| {
            super::names::words(key).iter().any(|word| SECONDARY.contains(&word.as_str()))
        });
        let keys: Vec<String> = keys.into_iter().cloned().collect();
        if let [first, rest @ ..] = &keys[..] {
            steps.push(Step::Fill(vec![first.clone()]));
            if !rest.is_empty() {
                steps.push(Step::Fill(rest.to_vec()));
            }
        }
        steps
    }

    /// Whether an optional key could be given a value that may help.
    fn is_fillable(&self, field: &Field) -> bool {
        let is_free = !self.is_sent(field)
            && !self.is_settled(field)
            && !field.has_default()
            && !field.is_secret()
            && !field.is_deprecated();
        is_free && (is_text(field) || (files::is_file(field) && files::small(field, None).is_some()))
    }
}

fn is_seed(field: &Field) -> bool {
    field.name == "seed" && field.is_number()
}

/// Whether a key is somebody's to an account, by its name alone: an example's is not ours to use.
fn is_credential(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "apikey",
        "apitoken",
        "accesstoken",
        "accesskey",
        "authtoken",
        "hftoken",
        "huggingfacetoken",
        "password",
        "secret",
    ];
    let name = super::names::words(name).concat();
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a field is a text that the model works on.
fn is_text(field: &Field) -> bool {
    field.kind() == Some("string")
        && field.choices().next().is_none()
        && !files::is_file(field)
        && TEXTS.contains(&field.name.as_str())
}
