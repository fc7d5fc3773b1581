//! Reading an `OpenAPI` document's `components.schemas.Input`: references followed, alternatives
//! settled, every field flat.
//!
//! Refuses to follow references for ever: what lies deeper than [`DEPTH`], or costs more than
//! [`BUDGET`] steps, reads as a schema that says nothing, and so does what comes when the whole has
//! cost more than [`WORK`]. Nothing is copied on the way, however large.

use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;

/// How deep `$ref`, `allOf`, `anyOf` and `oneOf` may nest; Cog writes two levels.
const DEPTH: u32 = 16;

/// How many steps resolving one field may take in all, against references that fan out.
const BUDGET: u32 = 500;

/// How many steps reading the whole may take, keys counted: a model with a hundred inputs takes some
/// thousands.
const WORK: u32 = 200_000;

/// The longest `$ref` that is followed, in bytes.
const LONGEST_REFERENCE: usize = 1000;

/// What is required and not described.
static ANYTHING: Value = Value::Null;

/// A schema's keys.
type Keys<'a> = BTreeMap<&'a str, &'a Value>;

/// How far beside an exclusive limit a number is taken to be allowed.
const BESIDE: f64 = 1e-3;

/// The Input of a model.
pub(super) struct Input<'a> {
    document: Document<'a>,
    object: Keys<'a>,
}

/// One field of it, or an item or member of one, with everything that it refers to merged in.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    /// Its key; of items and members, the key of the field they belong to.
    pub(super) name: String,
    schema: Keys<'a>,
    /// For the schemas nested in it.
    members: Vec<Self>,
    item: Option<Box<Self>>,
    cut_off: bool,
}

struct Document<'a> {
    root: &'a Value,
    /// Steps left for the field at hand, and for the whole.
    budget: Cell<u32>,
    work: Cell<u32>,
}

impl<'a> Input<'a> {
    /// The Input of an `OpenAPI` document; none where it has none.
    pub(super) fn of(root: &'a Value) -> Option<Self> {
        let document = Document { root, budget: Cell::new(BUDGET), work: Cell::new(WORK) };
        let schema = root.pointer("/components/schemas/Input")?;
        let object = document.flat(schema, 0)?;
        Some(Self { document, object })
    }

    /// Every field, in the schema's order.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        let properties = self.object.get("properties").and_then(|properties| properties.as_object());
        properties.into_iter().flatten().map(|(name, schema)| self.document.top(name, schema))
    }

    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<Field<'a>> {
        let schema = self.object.get("properties")?.get(name)?;
        Some(self.document.top(name, schema))
    }

    /// The fields that must be sent; one that is required but not described may be anything.
    pub(super) fn required(&self) -> impl Iterator<Item = Field<'a>> {
        let names = required(&self.object);
        names.map(|name| self.field(name).unwrap_or_else(|| self.document.top(name, &ANYTHING)))
    }

    /// Whether keys that it doesn't describe are welcome.
    pub(super) fn is_open(&self) -> bool {
        !self.object.contains_key("properties")
            || matches!(self.object.get("additionalProperties"), Some(Value::Bool(true) | Value::Object(_)))
    }
}

impl<'a> Document<'a> {
    /// A schema with everything that it refers to merged into it; what stands nearer wins. None
    /// where it is too deep.
    fn flat(&self, schema: &'a Value, depth: u32) -> Option<Keys<'a>> {
        let keys = schema.as_object().map_or(0, serde_json::Map::len);
        self.budget.set(self.budget.get().checked_sub(1)?);
        self.work.set(self.work.get().checked_sub(1 + u32::try_from(keys).unwrap_or(u32::MAX - 1))?);
        if depth > DEPTH {
            return None;
        }
        let Some(schema) = schema.as_object() else { return Some(Keys::new()) };
        let mut flat: Keys<'a> = schema.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let mut merge = |other: &'a Value| -> Option<()> {
            for (key, value) in self.flat(other, depth + 1)? {
                flat.entry(key).or_insert(value);
            }
            Some(())
        };
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = pointer.strip_prefix('#').filter(|pointer| pointer.len() <= LONGEST_REFERENCE)?;
            merge(self.root.pointer(pointer)?)?;
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            merge(part)?;
        }
        for alternatives in ["anyOf", "oneOf"] {
            let alternatives = schema.get(alternatives).and_then(Value::as_array);
            // One of them is enough; null is never sent, so it is not an alternative.
            let real = alternatives.into_iter().flatten().find(|alternative| !is_null_type(alternative));
            if let Some(real) = real {
                merge(real)?;
            }
        }
        Some(flat)
    }

    fn top(&self, name: &str, schema: &'a Value) -> Field<'a> {
        self.budget.set(BUDGET);
        self.field(name, schema, 0)
    }

    fn field(&self, name: &str, schema: &'a Value, depth: u32) -> Field<'a> {
        let name = name.to_owned();
        let Some(schema) = self.flat(schema, depth) else {
            return Field { name, schema: Keys::new(), members: Vec::new(), item: None, cut_off: true };
        };
        let item = schema.get("items").map(|item| Box::new(self.field(&name, item, depth + 1)));
        let members = required(&schema).filter_map(|member| {
            let schema = schema.get("properties")?.get(member)?;
            Some(self.field(member, schema, depth + 1))
        });
        let members = members.collect();
        Field { name, schema, members, item, cut_off: false }
    }
}

impl<'a> Field<'a> {
    /// Its type, where it says one that isn't null; an enum or a constant tells its own.
    pub(super) fn kind(&self) -> Option<&str> {
        let kind = self.schema.get("type")?;
        let listed = kind.as_array().into_iter().flatten().filter_map(Value::as_str);
        kind.as_str().or_else(|| listed.into_iter().find(|kind| *kind != "null"))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind(), Some("integer" | "number"))
    }

    /// Whether its value is a secret, which nobody but the user may choose.
    pub(super) fn is_secret(&self) -> bool {
        self.format() == Some("password")
            || self.schema.get("x-cog-secret").is_some_and(|flag| **flag != Value::Bool(false))
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.is_true("deprecated")
    }

    pub(super) fn format(&self) -> Option<&str> {
        self.text("format")
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.text("title")
    }

    pub(super) fn description(&self) -> Option<&str> {
        self.text("description")
    }

    pub(super) fn pattern(&self) -> Option<&str> {
        self.text("pattern")
    }

    /// Its default; null is none.
    pub(super) fn default(&self) -> Option<Value> {
        self.schema.get("default").filter(|value| !value.is_null()).map(|value| (*value).clone())
    }

    /// Whether it has a default that says something.
    pub(super) fn has_default(&self) -> bool {
        self.schema.get("default").is_some_and(|value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
        })
    }

    /// What it may be, where that is listed; null is never sent, so it is not listed here.
    pub(super) fn choices(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let constant = self.schema.get("const").copied().filter(|value| !value.is_null());
        let listed = self.schema.get("enum").and_then(|listed| listed.as_array());
        let listed = listed.filter(|_| constant.is_none()).into_iter().flatten();
        constant.into_iter().chain(listed.filter(|value| !value.is_null()))
    }

    pub(super) fn first_choice(&self) -> Option<Value> {
        self.choices().next().cloned()
    }

    /// The smallest number allowed.
    pub(super) fn minimum(&self) -> Option<f64> {
        let (plain, whole) = (self.number("minimum"), self.kind() == Some("integer"));
        let beyond = self.exclusive("exclusiveMinimum", plain);
        let beyond = beyond.map(|limit| if whole { limit.floor() + 1.0 } else { limit + BESIDE });
        let plain = plain.map(|limit| if whole { limit.ceil() } else { limit });
        plain.into_iter().chain(beyond).reduce(f64::max)
    }

    /// The largest number allowed.
    pub(super) fn maximum(&self) -> Option<f64> {
        let (plain, whole) = (self.number("maximum"), self.kind() == Some("integer"));
        let beyond = self.exclusive("exclusiveMaximum", plain);
        let beyond = beyond.map(|limit| if whole { limit.ceil() - 1.0 } else { limit - BESIDE });
        let plain = plain.map(|limit| if whole { limit.floor() } else { limit });
        plain.into_iter().chain(beyond).reduce(f64::min)
    }

    /// `OpenAPI` 3.0 writes a flag beside the plain limit, 3.1 a number of its own.
    fn exclusive(&self, key: &str, plain: Option<f64>) -> Option<f64> {
        let exclusive = self.schema.get(key)?;
        if self.is_true(key) { plain } else { exclusive.as_f64() }
    }

    /// `wanted`, or the nearest number allowed, as JSON; of an integer the next whole one.
    pub(super) fn clamp(&self, wanted: f64) -> Value {
        let is_integer = self.kind() == Some("integer");
        let step = self.number("multipleOf").filter(|step| *step > 1.0);
        let step = step.filter(|step| !is_integer || step.fract() == 0.0).or(is_integer.then_some(1.0));
        let at_least = wanted.max(self.minimum().unwrap_or(f64::MIN));
        let stepped = step.map_or(at_least, |step| (at_least / step).ceil() * step);
        number(stepped.min(self.maximum().unwrap_or(f64::MAX)))
    }

    /// A bound of a string's or an array's length.
    pub(super) fn length(&self, bound: &str) -> Option<u64> {
        let bound = self.number(bound)?;
        (bound >= 0.0).then_some(bound as u64)
    }

    /// What an array holds.
    pub(super) fn item(&self) -> Option<&Self> {
        self.item.as_deref()
    }

    /// The members that an object must have.
    pub(super) fn members(&self) -> &[Self] {
        &self.members
    }

    /// Whether its schema was too deep, or circular, to be read.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.schema.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.schema.get(key)?.as_f64()
    }

    fn is_true(&self, key: &str) -> bool {
        self.schema.get(key).is_some_and(|value| **value == Value::Bool(true))
    }
}

/// A number as JSON, whole where it is whole: Cog writes the bounds of integers as floats, and
/// takes no float for an integer.
pub(super) fn number(value: f64) -> Value {
    // 2^53: beyond it floats skip integers.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

fn required<'a>(object: &Keys<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let names = object.get("required").and_then(|names| names.as_array());
    names.into_iter().flatten().filter_map(Value::as_str)
}

fn is_null_type(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}
