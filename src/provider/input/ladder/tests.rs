use super::*;

fn strings<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).into()
}

/// The steps of a model with all groups of knobs, and an example.
fn steps_of_example() -> Vec<Step> {
    vec![
        Step::Grow(strings(["max_tokens"])),
        Step::Grow(strings(["num_inference_steps"])),
        Step::Grow(strings(["num_frames"])),
        Step::Grow(strings(["width", "height"])),
        Step::Files(strings(["image"])),
        Step::Example,
    ]
}

/// What is left to try of `steps`, as an input made on `rung` would tell.
fn left(steps: &[Step], rung: &Rung) -> Vec<Step> {
    let is_open = |step: &&Step| match step {
        Step::Grow(keys) => keys.iter().any(|key| !rung.grown.contains(key)),
        Step::Fill(keys) => keys.iter().any(|key| !rung.filled.contains(key)),
        Step::Files(_) => rung.example == Borrowed::Nothing,
        Step::Example => rung.example != Borrowed::Everything,
    };
    steps.iter().filter(is_open).cloned().collect()
}

/// One version as heartbeat after heartbeat ends.
#[derive(Default)]
struct Model {
    learned: Learned,
    steps: Vec<Step>,
}

impl Model {
    fn of(steps: Vec<Step>) -> Self {
        Self { learned: Learned::default(), steps }
    }

    fn ladder(&self) -> Ladder {
        self.learned.of("v1", 7)
    }

    fn rung(&self) -> Rung {
        self.ladder().rung
    }

    fn fails(&mut self, error: &str) -> bool {
        let ladder = self.ladder();
        self.learned.failed(&ladder, error, &left(&self.steps, ladder.rung()))
    }

    fn succeeds(&mut self) {
        let ladder = self.ladder();
        self.learned.succeeded(&ladder);
    }
}

#[test]
fn knobs_go_back_group_by_group_and_the_example_comes_last_with_the_fifth_heartbeat() {
    let mut model = Model::of(steps_of_example());
    let mut grown = Vec::new();
    for _ in 0..4 {
        assert!(model.fails("list index out of range"));
        grown.push(model.rung().grown.len());
    }
    // Five groups of things are too many for four steps: the first two go together.
    assert_eq!(grown, [2, 3, 5, 5]);
    assert_eq!(model.rung().example, Borrowed::Everything);
    assert!(!model.fails("list index out of range"), "there is nothing more");
    let mut short = Model::of(vec![Step::Grow(strings(["steps"])), Step::Fill(strings(["image"]))]);
    assert!(short.fails("no") && short.rung().filled.is_empty());
    assert!(short.fails("no") && short.rung().filled.contains("image"));
}

#[test]
fn what_an_error_names_goes_first() {
    let named = |error: &str| {
        let mut model = Model::of(steps_of_example());
        assert!(model.fails(error), "{error}");
        model.rung()
    };
    assert!(named("num frames must be 4k+1").grown.contains("num_frames"));
    assert_eq!(named("`height` and `width` have to be divisible by 96").grown.len(), 2);
    assert!(named("width is too small for num_inference_steps").grown.contains("width"));
    assert_eq!(named("no face was detected").example, Borrowed::Files);
    let mut fill = Model::of(vec![Step::Grow(strings(["steps"])), Step::Fill(strings(["mask", "image"]))]);
    assert!(fill.fails("'NoneType' object has no attribute 'read'"));
    assert_eq!(fill.rung().filled.len(), 2);
    let mut fill = Model::of(vec![Step::Grow(strings(["steps"])), Step::Fill(strings(["mask", "image"]))]);
    assert!(fill.fails("an image is required"));
    assert_eq!(fill.rung().filled, ["image".to_owned()].into());
}

#[test]
fn what_passes_by_itself_moves_nothing_before_the_third_failure_in_a_row() {
    for error in [
        "Prediction interrupted; please retry (code: PA)",
        "Director: unexpected error handling prediction (E8765)",
        "The model did not start in time (E6716)",
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        "NSFW content detected. Try running it again, or try a different prompt.",
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "the prediction was canceled by someone else",
        "HTTPSConnectionPool(host='example.com'): Read timed out.",
    ] {
        let mut model = Model::of(steps_of_example());
        for _ in 0..5 {
            assert!(!model.fails(error) && !model.fails(error), "{error}");
            model.succeeds();
        }
        assert_eq!(model.rung(), Rung::default());
        let mut model = Model::of(steps_of_example());
        assert!(!model.fails(error) && !model.fails(error) && model.fails(error), "{error}");
        assert!(!model.fails(error), "and the next step takes as many");
        let mut model = Model::of(steps_of_example());
        model.succeeds();
        let moved = (1..20).find(|_| model.fails(error));
        assert_eq!(moved, Some(9), "what has worked: {error}");
    }
}

#[test]
fn an_error_that_names_a_key_steps_at_once_whatever_else_it_says() {
    for error in [
        "generation interrupted: num_frames too small",
        "num_frames=1 is unavailable for this model",
        "num_frames must be >= 9 (request timeout of 60 s)",
    ] {
        let mut model = Model::of(steps_of_example());
        assert!(model.fails(error), "{error}");
        assert_eq!(model.rung().grown, ["num_frames".to_owned()].into(), "{error}");
    }
    let mut model = Model::of(steps_of_example());
    assert!(model.fails("the tokenizer found case-sensitive content"), "no word of it passes");
    let mut fill = Model::of(vec![Step::Fill(strings(["image_url"])), Step::Fill(strings(["image_b64"]))]);
    assert!(fill.fails("unavailable: give image_b64 or a file"));
    assert_eq!(fill.rung().filled, ["image_b64".to_owned()].into());
}

#[test]
fn what_has_worked_is_given_up_at_the_third_failure_in_a_row_alone() {
    let mut model = Model::of(steps_of_example());
    model.succeeds();
    for _ in 0..5 {
        assert!(!model.fails("no") && !model.fails("no"));
        model.succeeds();
    }
    assert!(!model.fails("no") && !model.fails("no") && model.fails("no"));
    assert_ne!(model.rung(), Rung::default());
}

#[test]
fn what_worked_before_is_tried_again_once_the_model_works_again() {
    let failing_over = |was_the_model: bool| {
        let mut model = Model::of(steps_of_example());
        model.succeeds();
        while !model.fails("no") {}
        assert!(model.fails("no"));
        let larger = model.rung();
        model.succeeds();
        assert_eq!(model.rung(), Rung::default(), "perhaps it was not the input");
        if was_the_model {
            model.succeeds();
            assert_eq!(model.rung(), Rung::default());
        } else {
            assert!(model.fails("no"));
            assert_eq!(model.rung(), larger);
            model.succeeds();
            assert_eq!(model.rung(), larger, "and it is not tried for ever");
        }
    };
    failing_over(true);
    failing_over(false);
}

#[test]
fn where_nothing_helps_it_begins_again_with_the_smallest() {
    let mut model = Model::of(steps_of_example());
    while model.fails("no") {}
    assert_eq!(model.rung().example, Borrowed::Everything);
    let more = (1..100).find(|_| model.fails("no"));
    assert_eq!(more, Some(9), "the tenth failure of the last");
    assert_eq!(model.rung(), Rung::default());
    let mut nothing = Model::of(Vec::new());
    for _ in 0..50 {
        assert!(!nothing.fails("no"));
    }
}

#[test]
fn what_is_refused_is_left_alone_once() {
    let mut model = Model::of(steps_of_example());
    let ladder = model.ladder();
    assert!(model.learned.refused(&ladder, strings(["width"])));
    assert!(model.rung().refused.contains("width"));
    let ladder = model.ladder();
    assert!(!model.learned.refused(&ladder, strings(["width"])), "leaving it alone was not enough");
}

#[test]
fn each_version_and_each_input_of_the_users_has_its_own() {
    let mut model = Model::of(steps_of_example());
    assert!(model.fails("no"));
    assert_eq!(model.learned.of("v2", 7).rung, Rung::default());
    assert_eq!(model.learned.of("v1", 8).rung, Rung::default());
    for version in ["v2", "v3", "v4"] {
        let ladder = model.learned.of(version, 7);
        model.learned.succeeded(&ladder);
    }
    assert_ne!(model.rung(), Rung::default(), "and the way back is remembered");
    let ladder = model.learned.of("v5", 7);
    model.learned.succeeded(&ladder);
    assert_eq!(model.rung(), Rung::default(), "not without end");
}

#[test]
fn it_is_kept_as_json_and_what_cant_be_read_is_left_out() {
    let mut model = Model::of(steps_of_example());
    assert_eq!(model.learned.to_json(), None, "nothing is known yet");
    assert!(model.fails("no"));
    model.succeeds();
    let json = model.learned.to_json().unwrap();
    assert_eq!(Learned::read(&json), Some(model.learned.clone()));
    for other in ["", "null", "{}", "[1]", "[{\"rung\":7}]", &json[1..]] {
        assert_eq!(Learned::read(other), None, "{other}");
    }
    assert_eq!(Learned::read("[{\"version\":\"v1\",\"to_come\":1}]").unwrap().of("v1", 0).version, "v1");
    let long = Step::Grow(vec!["x".repeat(LARGEST)]);
    let ladder = model.ladder();
    assert!(!model.learned.failed(&ladder, "no", std::slice::from_ref(&long)));
    assert!(!model.learned.failed(&ladder, "no", std::slice::from_ref(&long)));
    assert!(model.learned.failed(&ladder, "no", &[long]));
    assert_eq!(model.learned.to_json(), None, "more than is kept");
}
