use super::*;
use serde_json::json;

fn document(input: &Value, others: &Value) -> Value {
    let mut schemas = others.clone();
    schemas["Input"] = input.clone();
    json!({"openapi": "3.0.2", "paths": {}, "components": {"schemas": schemas}})
}

fn made(schema: &Value, example: Option<&Value>, user: &Value) -> Result<MadeInput, InputError> {
    minimal(schema, example, user.as_object().unwrap(), &Rung::default())
}

fn image_model() -> Value {
    document(
        &json!({"type": "object", "title": "Input", "properties": {
            "prompt": {"type": "string", "title": "Prompt", "default": "An astronaut", "x-order": 0},
            "image": {"type": "string", "format": "uri", "x-order": 1},
            "width": {"type": "integer", "default": 1024, "x-order": 2},
            "height": {"type": "integer", "default": 1024, "minimum": 128.0, "maximum": 2048.0},
            "num_outputs": {"type": "integer", "default": 2, "minimum": 1.0, "maximum": 4.0},
            "scheduler": {"allOf": [{"$ref": "#/components/schemas/scheduler"}], "default": "K_EULER"},
            "num_inference_steps": {"type": "integer", "default": 50, "minimum": 1, "maximum": 500},
            "megapixels": {"allOf": [{"$ref": "#/components/schemas/megapixels"}], "default": "1"},
            "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "disable_safety_checker": {"type": "boolean", "default": false}
        }}),
        &json!({
            "scheduler": {"title": "scheduler", "type": "string", "enum": ["DDIM", "K_EULER"]},
            "megapixels": {"type": "string", "enum": ["1", "0.25", "2"]}
        }),
    )
}

#[test]
fn the_cost_knobs_of_an_image_model_are_made_small_and_its_seed_pinned() {
    let made = made(&image_model(), None, &json!({})).unwrap();
    assert_eq!(
        Value::Object(made.input),
        json!({"width": 256, "height": 128, "num_outputs": 1, "num_inference_steps": 1,
               "megapixels": "0.25", "seed": 42})
    );
    assert!(made.guessed.is_empty());
    assert_eq!(made.shrunk, ["width", "height", "num_outputs", "num_inference_steps", "megapixels"]);
}

#[test]
fn the_user_wins_key_by_key_and_what_was_refused_small_is_left_alone() {
    let user = json!({"prompt": "a cat", "width": 512, "seed": 7});
    let refused = ["num_inference_steps".to_owned(), "megapixels".to_owned()].into();
    let rung = Rung { refused, ..Rung::default() };
    let made = minimal(&image_model(), None, user.as_object().unwrap(), &rung).unwrap();
    assert_eq!(
        Value::Object(made.input),
        json!({"height": 128, "num_outputs": 1, "prompt": "a cat", "width": 512, "seed": 7})
    );
    assert_eq!(made.shrunk, ["height", "num_outputs"]);
}

#[test]
fn a_language_model_answers_one_token_and_respects_a_lower_limit() {
    let schema = |least: Value| {
        document(
            &json!({"type": "object", "required": ["prompt"], "properties": {
                "prompt": {"type": "string"},
                "max_new_tokens": {"type": "integer", "default": 512, "minimum": 0},
                "min_new_tokens": least,
                "temperature": {"type": "number", "default": 0.7}
            }}),
            &json!({}),
        )
    };
    let free = made(&schema(json!({"type": "integer", "default": -1})), None, &json!({})).unwrap();
    assert_eq!(Value::Object(free.input), json!({"prompt": "hi", "max_new_tokens": 1}));
    assert_eq!(free.guessed, ["prompt"]);
    let asked = schema(json!({"type": "integer", "default": 8}));
    assert_eq!(made(&asked, None, &json!({})).unwrap().input["max_new_tokens"], 8);
    let user = json!({"min_new_tokens": 20});
    assert_eq!(made(&asked, None, &user).unwrap().input["max_new_tokens"], 20);
}

/// What a file is, without its bytes.
fn kind_of(value: &Value) -> &str {
    value.as_str().and_then(|text| text.split(';').next()).unwrap_or_default()
}

#[test]
fn a_required_file_is_a_small_one_of_the_kind_that_is_wanted() {
    let schema = document(
        &json!({"type": "object", "required": ["audio", "task", "clips", "file", "weights"], "properties": {
            "audio": {"type": "string", "format": "uri"},
            "task": {"$ref": "#/components/schemas/task"},
            "clips": {"type": "array", "items": {"type": "string", "format": "uri"}, "description": "Short videos"},
            "file": {"type": "string", "format": "uri"},
            "weights": {"type": "string", "format": "uri"},
            "language": {"type": "string", "nullable": true, "default": null}
        }}),
        &json!({"task": {"type": "string", "enum": ["transcribe", "translate"]}}),
    );
    let example = json!({"audio": "https://example.com/an_hour.wav", "task": "translate", "language": null,
        "file": "https://example.com/a.PNG?x=1", "weights": "https://example.com/w.safetensors"});
    let told = made(&schema, Some(&example), &json!({})).unwrap();
    let sent = |key: &str| kind_of(&told.input[key]).to_owned();
    assert_eq!((sent("audio"), sent("file")), ("data:audio/wav".to_owned(), "data:image/png".to_owned()));
    assert_eq!(kind_of(&told.input["clips"][0]), "data:video/mp4");
    assert_eq!(told.input["weights"], "https://example.com/w.safetensors", "that can't be made up");
    assert_eq!(told.input["task"], "transcribe", "an enum's first member goes before the example");
    assert_eq!(told.guessed, ["audio", "clips", "file"]);
    let without = json!({"task": "translate"});
    let formal = made(&schema, Some(&without), &json!({})).unwrap();
    assert_eq!(kind_of(&formal.input["weights"]), "data:text/plain", "the example did without it");
    let refused = made(&schema, None, &json!({})).unwrap_err();
    assert_eq!(refused, InputError::File { key: "file".into() });
    let said = refused.to_string();
    assert!(said.contains("set input.file") && said.contains("\"https://…\""), "{said}");
}

#[test]
fn a_text_that_holds_a_file_or_its_address_is_given_a_small_one() {
    let text = |description: &str| json!({"type": "string", "description": description});
    let schema = document(
        &json!({"type": "object", "required": ["url", "photo_b64", "video_urls", "webhook_url", "page"], "properties": {
            "url": text("Address of the audio to transcribe"),
            "photo_b64": text(""),
            "video_urls": {"type": "array", "items": {"type": "string"}},
            "webhook_url": text("Is sent the image"),
            "page": text("The page's address"),
            "image_url": text(""),
            "image_base64": text(""),
        }}),
        &json!({}),
    );
    let told = made(&schema, None, &json!({})).unwrap();
    assert_eq!(kind_of(&told.input["url"]), "data:audio/wav");
    assert_eq!(told.input["photo_b64"], files::IMAGE.split_once(',').unwrap().1);
    assert_eq!(kind_of(&told.input["video_urls"][0]), "data:video/mp4");
    assert_eq!((&told.input["webhook_url"], &told.input["page"]), (&json!("hi"), &json!("hi")));
    assert_eq!(without_bytes(&told.input)["photo_b64"], "base64…");
    let one_of = [Step::Fill(vec!["image_url".into()]), Step::Fill(vec!["image_base64".into()])];
    assert_eq!(told.steps, one_of, "what is optional can be filled");
    let example = json!({"url": "https://example.com/a.mp3", "image_url": "https://example.com/a.png"});
    let shown = made(&schema, Some(&example), &json!({})).unwrap();
    assert_eq!(shown.input["url"], "https://example.com/a.mp3", "the example's is known to be fetched");
}

#[test]
fn values_are_made_up_within_bounds() {
    let schema = document(
        &json!({"type": "object",
            "required": ["whole", "over", "under", "real", "flag", "list", "text", "inner", "odd", "bare"],
            "properties": {
            "whole": {"type": "integer", "minimum": 2.5, "maximum": 9.0},
            "over": {"type": "integer", "exclusiveMinimum": true, "minimum": 3},
            "under": {"type": "integer", "maximum": -4},
            "real": {"type": ["null", "number"], "minimum": 0.1, "maximum": 0.5},
            "flag": {"type": "boolean"},
            "list": {"type": "array", "minItems": 2, "items": {"type": "integer"}},
            "text": {"type": "string", "minLength": 5, "pattern": "^[hi]+$"},
            "inner": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {}}},
            "odd": {"oneOf": [{"type": "null"}, {"type": "boolean"}]}
        }}),
        &json!({}),
    );
    let made = made(&schema, None, &json!({})).unwrap();
    assert_eq!(
        Value::Object(made.input),
        json!({"whole": 3, "over": 4, "under": -4, "real": 0.5, "flag": false, "list": [0, 0],
               "text": "hihih", "inner": {"a": "hi"}, "odd": false, "bare": "hi"})
    );
    assert_eq!(made.guessed.len(), 10);
}

#[test]
fn what_only_the_user_can_know_is_asked_of_the_user() {
    let requires = |field: Value| {
        document(&json!({"type": "object", "required": ["x"], "properties": {"x": field}}), &json!({}))
    };
    let refused = |field: Value| made(&requires(field), None, &json!({})).unwrap_err();
    let secret = json!({"type": "string", "format": "password", "x-cog-secret": true});
    assert_eq!(refused(secret.clone()), InputError::Secret { key: "x".into() });
    let leaky = made(&requires(secret.clone()), Some(&json!({"x": "[REDACTED]"})), &json!({}));
    assert_eq!(leaky.unwrap_err(), InputError::Secret { key: "x".into() });
    assert_eq!(made(&requires(secret), None, &json!({"x": "mine"})).unwrap().input["x"], "mine");
    assert!(matches!(refused(json!({"type": "string", "pattern": "^[0-9]+$"})), InputError::Pattern { .. }));
    let long = refused(json!({"type": "string", "minLength": 1e9}));
    assert!(long.to_string().ends_with("set input.x of this model in warm.toml"), "{long}");
}

#[test]
fn circles_end() {
    let own = document(
        &json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"$ref": "#/components/schemas/loop"},
            "b": {"type": "string"}
        }}),
        &json!({"loop": {"allOf": [{"$ref": "#/components/schemas/loop"}, {"$ref": "#/components/schemas/loop"}]}}),
    );
    assert!(matches!(made(&own, None, &json!({})), Err(InputError::Invent { .. })));
    let told = made(&own, None, &json!({"a": 1})).unwrap();
    assert_eq!(Value::Object(told.input), json!({"b": "hi", "a": 1}), "the rest is still readable");
    let nested = document(
        &json!({"type": "object", "required": ["tree"], "properties": {"tree": {"$ref": "#/components/schemas/tree"}}}),
        &json!({"tree": {"type": "object", "required": ["left", "right"], "properties": {
            "left": {"$ref": "#/components/schemas/tree"}, "right": {"$ref": "#/components/schemas/tree"}}}}),
    );
    assert!(matches!(made(&nested, None, &json!({})), Err(InputError::Invent { .. })));
}

#[test]
fn without_a_schema_the_example_serves_then_the_user() {
    let example = json!({"prompt": "a dog", "image": null, "disable_safety_checker": true});
    let from_example = made(&Value::Null, Some(&example), &json!({"steps": 2})).unwrap();
    assert_eq!(Value::Object(from_example.input), json!({"prompt": "a dog", "steps": 2}));
    assert_eq!(from_example.guessed, ["prompt"]);
    assert_eq!(made(&Value::Null, None, &json!({"prompt": "x"})).unwrap().input.len(), 1);
    assert_eq!(made(&Value::Null, None, &json!({})).unwrap_err(), InputError::Unknown);
    assert_eq!(made(&json!({"components": 3}), None, &json!({})).unwrap_err(), InputError::Unknown);
}

#[test]
fn nonsense_in_a_schema_is_survived() {
    for input in
        [json!(null), json!([]), json!({"properties": 3, "required": {"a": 1}}), json!({"required": [1]})]
    {
        let _ = made(&document(&input, &json!({})), None, &json!({"x": 1}));
    }
    let odd = document(
        &json!({"required": ["a", "b", "c"], "properties": {
            "a": {"type": "integer", "minimum": "x", "maximum": -1e300, "enum": []},
            "b": {"$ref": "#/nowhere"}, "c": {"$ref": "elsewhere.json"}}}),
        &json!({}),
    );
    assert!(made(&odd, None, &json!({"b": 1, "c": 1})).is_ok());
    assert!(matches!(made(&odd, None, &json!({})), Err(InputError::Invent { .. })));
}

#[test]
fn misfits_of_the_users_input_are_named() {
    let user = json!({"prompt": 3, "widht": 512, "scheduler": "EULER", "num_outputs": 9, "seed": 1});
    assert_eq!(
        misfits(&image_model(), user.as_object().unwrap()),
        [
            "input.prompt: the model wants a string",
            "input.widht: the model has no such input, and drops it silently; did you mean width?",
            "input.scheduler: the model takes \"DDIM\", \"K_EULER\"",
            "input.num_outputs: the model takes 4 at the most",
        ]
    );
    assert!(misfits(&Value::Null, user.as_object().unwrap()).is_empty());
}

#[test]
fn what_is_made_up_is_of_a_size_that_can_be_sent() {
    let mut rows = json!({"type": "string"});
    for _ in 0..8 {
        rows = json!({"type": "array", "minItems": 64, "items": rows});
    }
    let too_large = |required: &Value, properties: &Value, others: &Value| {
        let document = document(&json!({"required": required, "properties": properties}), others);
        let error = made(&document, None, &json!({})).unwrap_err().to_string();
        assert!(error.contains("would be too large"), "{error}");
    };
    too_large(&json!(["rows"]), &json!({"rows": rows}), &json!({}));
    let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
    let all = |schema: Value| names.iter().map(|name| (name.clone(), schema.clone())).collect::<Map<_, _>>();
    let refers = all(json!({"$ref": "#/components/schemas/Long"}));
    let long = json!({"Long": {"default": "x".repeat(100_000)}});
    too_large(&json!(names), &Value::Object(refers), &long);
    too_large(&json!(names), &Value::Object(all(json!({"type": "string", "pattern": "^h|i$"}))), &json!({}));
}

#[test]
fn reading_a_schema_costs_no_more_however_it_is_made() {
    // Each of ten thousand inputs refers to the same ten thousand keys.
    let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
    let keys: Map<String, Value> = names.iter().map(|name| (format!("x-{name}"), json!(1))).collect();
    let refers = json!({"$ref": "#/components/schemas/Wide"});
    let fields: Map<String, Value> = names.iter().map(|name| (name.clone(), refers.clone())).collect();
    let document = document(&json!({"properties": fields}), &json!({"Wide": keys}));
    let watch = crate::clock::Stopwatch::start();
    let made = made(&document, None, &json!({})).unwrap();
    assert!(made.input.is_empty());
    assert!(watch.elapsed().as_secs() < 10, "{:?}", watch.elapsed());
}
