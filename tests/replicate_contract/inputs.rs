//! What a model is sent that wants something of its input that its schema does not say.

use super::bench::{Bench, V1, V2, ended, order, pinned, token, unpinned};
use super::fake_replicate::{Fake, Reply, reply};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use warmd::heartbeat::{Answer, Phase};
use warmd::provider::http::Client;
use warmd::provider::replicate::Replicate;

fn document(properties: &Value, required: &Value) -> Value {
    json!({"components": {"schemas": {
        "Input": {"type": "object", "required": required, "properties": properties},
        "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9", "custom"]},
        "megapixels": {"type": "string", "enum": ["1", "0.25"]}
    }}})
}

/// A model that changes an image, with an example of its own.
fn painter() -> (Value, Value) {
    let properties = json!({
        "image": {"type": "string", "format": "uri"},
        "prompt": {"type": "string", "default": "a dog"},
        "prompt_strength": {"type": "number", "default": 0.3, "minimum": 0, "maximum": 1},
        "ddim_steps": {"type": "integer", "default": 50, "minimum": 1},
        "num_samples": {"type": "integer", "default": 4},
        "key": {"type": "string", "format": "password"},
        "disable_safety_checker": {"type": "boolean", "default": false}
    });
    let example = json!({"image": "https://example.com/face.png", "ddim_steps": 30, "num_samples": 1,
        "prompt": "a cat", "key": "[REDACTED]", "disable_safety_checker": true, "gone": 7});
    (document(&properties, &json!(["image"])), example)
}

fn model_reply(version: &str, (schema, example): &(Value, Value)) -> Reply {
    reply(
        200,
        &json!({"owner": "acme", "name": "dog", "visibility": "public", "is_official": false,
            "default_example": {"input": example, "metrics": {"predict_time": 12.4}},
            "latest_version": {"id": version, "openapi_schema": schema}}),
    )
}

/// A server of one model whose predictions fail as `fails` says of their input.
async fn server(
    model: (Value, Value),
    fails: impl Fn(&Value, usize) -> Option<&'static str> + Send + Sync + 'static,
) -> Fake {
    let last = Last::default();
    Fake::start(move |request, nth| match request.call().as_str() {
        "GET /models/acme/dog" => model_reply(V1, &model),
        "POST /predictions" => last.end(fails(&request.json()["input"], nth)),
        "GET /predictions/p1" => last.read(),
        other => panic!("unexpected: {other}"),
    })
    .await
}

/// The prediction that was created last, which ended at once.
#[derive(Default)]
struct Last(Mutex<Value>);

impl Last {
    fn end(&self, error: Option<&str>) -> Reply {
        let mut body = ended(if error.is_some() { "failed" } else { "succeeded" });
        body["error"] = json!(error);
        *self.0.lock().unwrap() = body.clone();
        reply(201, &body)
    }

    fn read(&self) -> Reply {
        reply(200, &self.0.lock().unwrap())
    }
}

fn replicate(fake: &Fake, input: &Value) -> (Replicate, warmd::heartbeat::Order) {
    let mut order = order(pinned(), "10m");
    let mut model = (*order.model).clone();
    model.input.clone_from(input.as_object().unwrap());
    order.model = model.into();
    let client = Client::new();
    (Replicate::new(&order.model, fake.base.clone(), Some(token()), client), order)
}

async fn beat(replicate: &Replicate, order: &warmd::heartbeat::Order) -> Answer {
    let (phase, _seen) = watch::channel(Phase::Sent);
    replicate.beat(order, &phase).await.answer
}

/// The inputs of the creates so far, files by their kind alone.
fn sent(fake: &Fake) -> Vec<Value> {
    let kind = |value: &mut Value| {
        let short = value.as_str().and_then(|text| text.split(';').next()).map(str::to_owned);
        *value = short.map_or_else(|| value.clone(), Value::from);
    };
    let mut inputs: Vec<Value> =
        fake.creates().into_iter().map(|mut create| create["input"].take()).collect();
    for input in &mut inputs {
        input.as_object_mut().unwrap().values_mut().for_each(kind);
    }
    inputs
}

#[tokio::test]
async fn a_model_that_fails_is_given_more_until_it_works_and_that_is_remembered() {
    let needs_example = |input: &Value, _| {
        let whole = input["image"] == "https://example.com/face.png" && input["prompt"] == "a cat";
        (!whole).then_some("list index out of range")
    };
    let fake = server(painter(), needs_example).await;
    let (replicate, order) = replicate(&fake, &json!({}));
    for _ in 0..3 {
        assert!(matches!(beat(&replicate, &order).await, Answer::Failed(_)));
    }
    assert_eq!(beat(&replicate, &order).await, Answer::Succeeded);
    let example = json!({"image": "https://example.com/face.png", "prompt": "a cat", "ddim_steps": 30, "num_samples": 1});
    assert_eq!(
        sent(&fake),
        [
            json!({"image": "data:image/png", "ddim_steps": 4, "num_samples": 1}),
            json!({"image": "data:image/png", "num_samples": 1}),
            json!({"image": "data:image/png"}),
            example.clone(),
        ],
        "a share of 0.3 of the steps, then the knobs, then the example without its secret and its switch"
    );
    let again = Replicate::new(&order.model, fake.base.clone(), Some(token()), Client::new());
    again.recall(replicate.learned());
    assert_eq!(beat(&again, &order).await, Answer::Succeeded);
    assert_eq!(sent(&fake).pop(), Some(example), "the first one after a restart");
}

#[tokio::test]
async fn an_error_that_passes_leaves_the_input_as_it_is_until_it_has_come_three_times() {
    let errors = [
        "Prediction interrupted; please retry (code: PA)",
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        "CUDA out of memory (E1001)",
    ];
    for (count, is_as_it_was) in [(2, true), (3, false)] {
        let fake = server(painter(), move |_, nth| errors[..count].get(nth).copied()).await;
        let (replicate, order) = replicate(&fake, &json!({}));
        for _ in 0..count {
            assert!(matches!(beat(&replicate, &order).await, Answer::Failed(_)));
        }
        assert_eq!(beat(&replicate, &order).await, Answer::Succeeded);
        let sent = sent(&fake);
        assert!(sent[..count].iter().all(|input| *input == sent[0]), "{sent:?}");
        assert_eq!(sent[count] == sent[0], is_as_it_was, "{sent:?}");
    }
}

#[tokio::test]
async fn the_users_keys_win_on_every_step() {
    let fake = server(painter(), |_, _| Some("no")).await;
    let (replicate, order) =
        replicate(&fake, &json!({"ddim_steps": 2, "prompt": "mine", "image": "https://e.com/i"}));
    for _ in 0..6 {
        assert!(matches!(beat(&replicate, &order).await, Answer::Failed(_)));
    }
    for input in sent(&fake) {
        assert_eq!((&input["ddim_steps"], &input["prompt"]), (&json!(2), &json!("mine")), "{input}");
        assert_eq!(input["image"], "https://e.com/i");
        assert!(input.get("key").is_none() && input.get("disable_safety_checker").is_none(), "{input}");
    }
}

#[tokio::test]
async fn one_of_several_optional_files_is_the_one_that_the_example_gives() {
    let file = json!({"type": "string", "format": "uri"});
    let properties = json!({"image": file, "video": file, "mask": file});
    let model =
        (document(&properties, &json!([])), json!({"video": "https://example.com/cat.mp4", "mask": null}));
    let fake = server(model, |input, _| input.get("video").is_none().then_some("no input")).await;
    let (replicate, order) = replicate(&fake, &json!({}));
    assert_eq!(beat(&replicate, &order).await, Answer::Succeeded);
    assert_eq!(sent(&fake), [json!({"video": "data:video/mp4"})]);
}

#[tokio::test]
async fn a_small_width_is_sent_with_the_shape_that_heeds_it() {
    let edge = json!({"type": "integer", "minimum": 256, "maximum": 1440});
    let properties = json!({
        "prompt": {"type": "string"}, "width": edge, "height": edge,
        "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "1:1"},
        "megapixels": {"allOf": [{"$ref": "#/components/schemas/megapixels"}], "default": "1"}
    });
    let model = (document(&properties, &json!(["prompt"])), json!({"prompt": "a dog"}));
    let fake = server(model, |_, _| None).await;
    let (small, order) = replicate(&fake, &json!({}));
    assert_eq!(beat(&small, &order).await, Answer::Succeeded);
    let (wide, order) = replicate(&fake, &json!({"aspect_ratio": "16:9"}));
    assert_eq!(beat(&wide, &order).await, Answer::Succeeded);
    assert_eq!(
        sent(&fake),
        [
            json!({"prompt": "a dog", "aspect_ratio": "custom", "width": 256, "height": 256, "megapixels": "0.25"}),
            json!({"prompt": "a dog", "aspect_ratio": "16:9", "megapixels": "0.25"}),
        ]
    );
}

#[tokio::test]
async fn another_version_begins_with_the_smallest() {
    let model = painter();
    let last = Last::default();
    let script = move |request: &super::Recorded, nth: usize| match request.call().as_str() {
        "GET /models/acme/dog" => model_reply(if nth == 0 { V1 } else { V2 }, &model),
        "POST /predictions" if nth == 1 => {
            let gone = json!({"title": "Invalid version or not permitted", "status": 422,
                "detail": "The specified version does not exist"});
            reply(422, &gone)
        }
        "POST /predictions" => last.end((nth == 0).then_some("no")),
        "GET /predictions/p1" => last.read(),
        other => panic!("unexpected: {other}"),
    };
    let bench = Bench::new(unpinned(), "10m", script).await;
    assert!(matches!(bench.beat().await.0.answer, Answer::Failed(_)));
    assert_eq!(bench.beat().await.0.answer, Answer::Succeeded);
    let steps: Vec<Value> =
        sent(&bench.fake).into_iter().map(|mut input| input["ddim_steps"].take()).collect();
    assert_eq!(steps, [json!(4), json!(null), json!(4)], "V1 small, V1 grown and refused, V2 small");
}

#[tokio::test]
async fn an_inspection_tells_what_the_example_took_and_shows_no_file() {
    let model = painter();
    let account = reply(200, &json!({"type": "user", "username": "acme"}));
    let fake = Fake::start(move |request, _| match request.call().as_str() {
        "GET /account" => account.clone(),
        "GET /models/acme/dog" => model_reply(V1, &model),
        other => panic!("unexpected: {other}"),
    })
    .await;
    let found = replicate(&fake, &json!({})).0.inspect().await;
    let effort = found.effort.clone().unwrap();
    assert_eq!((effort.example, effort.is_less), (Duration::from_millis(12_400), true));
    assert!(effort.set_by_user.is_empty() && found.problems.is_empty(), "{found:?}");
    assert!(found.facts.iter().any(|fact| fact == "made up: image"), "{found:?}");
    let own = replicate(&fake, &json!({"ddim_steps": 9})).0.inspect().await;
    assert_eq!(own.effort.unwrap().set_by_user, ["ddim_steps"]);
}
