//! A model's `OpenAPI` document: ready-made ones, what an input breaks of it, and an output that fits it.

use serde_json::{Map, Value, json};

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvalidField {
    /// The rule that it breaks: `required`, `invalid_type`, `number_lte` …
    pub(super) rule: &'static str,
    /// `input`, or `input.name`.
    pub(super) field: String,
    pub(super) description: String,
}

/// A document around an input schema and an output schema.
pub fn document(input: &Value, output: &Value) -> Value {
    json!({
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": {
            "Input": input,
            "Output": output,
            "scheduler": {
                "title": "scheduler",
                "enum": ["DDIM", "K_EULER", "PNDM"],
                "type": "string",
                "description": "An enumeration.",
            },
        }},
    })
}

/// Text to text; nothing is required, so that any input may be rehearsed.
pub fn plain() -> Value {
    let input = json!({
        "type": "object",
        "title": "Input",
        "properties": {
            "prompt": {"type": "string", "title": "Prompt", "default": "hello", "x-order": 0},
            "max_tokens": {"type": "integer", "title": "Max Tokens", "default": 512,
                           "minimum": 1.0, "maximum": 4096.0, "x-order": 1},
            "seed": {"type": "integer", "title": "Seed", "x-order": 2},
        },
    });
    document(&input, &json!({"type": "string", "title": "Output"}))
}

/// Text to text, in pieces; with a prompt that is required.
pub fn text() -> Value {
    let mut document = plain();
    document["components"]["schemas"]["Input"]["required"] = json!(["prompt"]);
    document["components"]["schemas"]["Output"] = json!({"type": "array", "items": {"type": "string"}, "title": "Output", "x-cog-array-type": "iterator"});
    document
}

/// Text to images: required fields, bounds, an enumeration, an optional file and its costs.
pub fn images() -> Value {
    let input = json!({
        "type": "object",
        "title": "Input",
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string", "title": "Prompt", "minLength": 1, "x-order": 0},
            "image": {"type": "string", "format": "uri", "title": "Image", "x-order": 1},
            "width": {"type": "integer", "title": "Width", "default": 1024,
                      "minimum": 64.0, "maximum": 2048.0, "x-order": 2},
            "height": {"type": "integer", "title": "Height", "default": 1024,
                       "minimum": 64.0, "maximum": 2048.0, "x-order": 3},
            "num_outputs": {"type": "integer", "title": "Num Outputs", "default": 1,
                            "minimum": 1.0, "maximum": 4.0, "x-order": 4},
            "num_inference_steps": {"type": "integer", "title": "Num Inference Steps", "default": 25,
                                    "minimum": 1.0, "maximum": 50.0, "x-order": 5},
            "guidance_scale": {"type": "number", "title": "Guidance Scale", "default": 7.5,
                               "minimum": 1.0, "maximum": 50.0, "x-order": 6},
            "scheduler": {"allOf": [{"$ref": "#/components/schemas/scheduler"}],
                          "default": "DDIM", "x-order": 7},
            "seed": {"type": "integer", "title": "Seed", "x-order": 8},
        },
    });
    let output = json!({"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"});
    document(&input, &output)
}

/// One black pixel, as the data URL that the output of an image model is.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4\
nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

/// An output that fits the document.
pub(super) fn output(document: &Value) -> Value {
    value_of(&document["components"]["schemas"]["Output"])
}

fn value_of(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("array") => json!([value_of(&schema["items"])]),
        Some("integer") => json!(1),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("object") => json!({}),
        _ if schema["format"] == "uri" => json!(PIXEL),
        _ => json!("warm words"),
    }
}

/// The part of an input that the document knows; or all that is wrong with it.
pub(super) fn check(
    document: &Value,
    input: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<InvalidField>> {
    let schema = &document["components"]["schemas"]["Input"];
    let Some(properties) = schema["properties"].as_object() else { return Ok(input.clone()) };
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !input.contains_key(name) {
            wrong.push(InvalidField {
                rule: "required",
                field: "input".to_owned(),
                description: format!("{name} is required"),
            });
        }
    }
    let known: Map<_, _> = input
        .iter()
        .filter(|(name, _)| properties.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in &known {
        if let Some((rule, description)) = breaks(document, &properties[name], value, 0) {
            wrong.push(InvalidField { rule, field: format!("input.{name}"), description });
        }
    }
    if wrong.is_empty() { Ok(known) } else { Err(wrong) }
}

/// How deep schemas may refer to one another: a circle must end somewhere.
const DEPTH: usize = 16;

/// The first rule of `schema` that `value` breaks.
fn breaks(document: &Value, schema: &Value, value: &Value, depth: usize) -> Option<(&'static str, String)> {
    if depth > DEPTH || (value.is_null() && schema["nullable"] == json!(true)) {
        return None;
    }
    let rule = |schema: &Value| breaks(document, schema, value, depth + 1);
    if let Some(path) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return document.pointer(path).and_then(rule);
    }
    if let Some(broken) = schema["allOf"].as_array().into_iter().flatten().find_map(rule) {
        return Some(broken);
    }
    if let Some(any) =
        schema["anyOf"].as_array().filter(|any| any.iter().all(|schema| rule(schema).is_some()))
    {
        return any.first().and_then(rule);
    }
    if let Some(members) = schema["enum"].as_array().filter(|members| !members.contains(value)) {
        let list: Vec<_> = members.iter().map(Value::to_string).collect();
        return Some(("enum", format!("Must be one of the following: {}", list.join(", "))));
    }
    let expected = schema["type"].as_str()?;
    if !is_of(value, expected) {
        let given = kind_of(value);
        return Some(("invalid_type", format!("Invalid type. Expected: {expected}, given: {given}")));
    }
    number_rule(schema, value)
        .or_else(|| string_rule(schema, value))
        .or_else(|| array_rule(schema, value, rule_of(document, depth)))
}

fn rule_of(document: &Value, depth: usize) -> impl Fn(&Value, &Value) -> Option<(&'static str, String)> {
    move |schema, value| breaks(document, schema, value, depth + 1)
}

fn number_rule(schema: &Value, value: &Value) -> Option<(&'static str, String)> {
    let number = value.as_f64()?;
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        return Some(("number_gte", format!("Must be greater than or equal to {least}")));
    }
    let most = schema["maximum"].as_f64().filter(|most| number > *most)?;
    Some(("number_lte", format!("Must be less than or equal to {most}")))
}

fn string_rule(schema: &Value, value: &Value) -> Option<(&'static str, String)> {
    let text = value.as_str()?;
    let length = text.chars().count() as u64;
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        return Some(("string_gte", format!("String length must be greater than or equal to {least}")));
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        return Some(("string_lte", format!("String length must be less than or equal to {most}")));
    }
    let is_uri = text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    (schema["format"] == "uri" && !is_uri).then(|| ("format", "Does not match format 'uri'".to_owned()))
}

fn array_rule(
    schema: &Value,
    value: &Value,
    rule: impl Fn(&Value, &Value) -> Option<(&'static str, String)>,
) -> Option<(&'static str, String)> {
    let items = value.as_array()?;
    if let Some(least) = schema["minItems"].as_u64().filter(|least| (items.len() as u64) < *least) {
        return Some(("array_min_items", format!("Array must have at least {least} items")));
    }
    items.iter().find_map(|item| rule(&schema["items"], item))
}

fn is_of(value: &Value, expected: &str) -> bool {
    match expected {
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        other => kind_of(value) == other || (other == "number" && value.is_number()),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn rules(value: &Value) -> Vec<(&'static str, String)> {
        check(&images(), &input(value)).err().into_iter().flatten().map(|w| (w.rule, w.field)).collect()
    }

    #[test]
    fn unknown_keys_are_dropped_and_known_ones_kept() {
        let kept = check(&images(), &input(&json!({"prompt": "hi", "nonsense": 1, "width": 64})));
        assert_eq!(kept, Ok(input(&json!({"prompt": "hi", "width": 64}))));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let wrong = rules(&json!({
            "width": 63, "height": 4096, "num_outputs": "one", "scheduler": "K_NONE", "image": "a.png",
            "guidance_scale": null, "seed": 1.5,
        }));
        let expected = [
            ("required", "input"),
            ("number_gte", "input.width"),
            ("number_lte", "input.height"),
            ("invalid_type", "input.num_outputs"),
            ("enum", "input.scheduler"),
            ("format", "input.image"),
            ("invalid_type", "input.guidance_scale"),
            ("invalid_type", "input.seed"),
        ];
        assert_eq!(wrong, expected.map(|(rule, field)| (rule, field.to_owned())));
        assert_eq!(rules(&json!({"prompt": ""})), [("string_gte", "input.prompt".to_owned())]);
        assert_eq!(rules(&json!({"prompt": "hi", "image": "data:image/png;base64,AA==", "seed": 2.0})), []);
    }

    #[test]
    fn nullable_choices_lists_and_circles() {
        let document = document(
            &json!({"properties": {
                "a": {"anyOf": [{"type": "integer"}, {"type": "string"}], "nullable": true},
                "b": {"type": "array", "minItems": 1, "items": {"type": "integer", "maximum": 5}},
                "c": {"$ref": "#/components/schemas/Loop"},
            }}),
            &json!({"type": "object"}),
        );
        let mut document = document;
        document["components"]["schemas"]["Loop"] = json!({"$ref": "#/components/schemas/Loop"});
        let wrong = |value: Value| check(&document, &input(&value)).err().map(|wrong| wrong[0].rule);
        assert_eq!(wrong(json!({"a": null, "b": [1], "c": 1})), None);
        assert_eq!(wrong(json!({"a": []})), Some("invalid_type"));
        assert_eq!(wrong(json!({"b": []})), Some("array_min_items"));
        assert_eq!(wrong(json!({"b": [6]})), Some("number_lte"));
    }

    #[test]
    fn an_output_fits_its_schema() {
        assert_eq!(output(&images()), json!([PIXEL]));
        assert_eq!(output(&text()), json!(["warm words"]));
        assert_eq!(output(&plain()), json!("warm words"));
        assert_eq!(output(&json!({})), json!("warm words"));
    }
}
