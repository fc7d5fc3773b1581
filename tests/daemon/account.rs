//! What the models of one account share, and heartbeats that are given up.

use crate::sandboxed::{Replicate, brisk};
use crate::support::{Home, PATIENCE, text, wait_until};
use std::time::Duration;
use warmd::sandbox::{Conduct, Fault, FaultOrder, Spread};

#[test]
fn what_blocks_an_account_blocks_all_of_it_and_one_answer_frees_all_of_it() {
    let replicate = Replicate::of_models(4, &brisk());
    assert!(replicate.sandbox().set_fault(FaultOrder::creates(Fault::NoCredit, 1_000)));
    // So long an interval that no due of the grid falls into a boot.
    let home = Home::new(&replicate.config(4, "1d"));
    let _warmd = home.start();
    let states = |state: &str| {
        let status = home.status();
        let models = status["models"].as_array().unwrap().clone();
        models.iter().all(|model| model["state"] == state)
    };
    wait_until("all are blocked", PATIENCE, || states("blocked"));
    replicate.sandbox().clear_faults();
    assert!(home.ctl(&["beat", "model-02"]).status.success());
    wait_until("all are warm", PATIENCE, || states("warm"));
    for model in home.status()["models"].as_array().unwrap() {
        assert_eq!(model["counts"]["skipped"], 0, "nothing was due while one was in flight: {model}");
    }
}

#[test]
fn who_waits_for_a_heartbeat_of_a_removed_model_hears_that_it_is_given_up() {
    let slow = Conduct { boot: Spread::fixed(Duration::from_mins(1)), ..Conduct::default() };
    let replicate = Replicate::of_models(2, &slow);
    let home = Home::new(&replicate.config(2, "1m"));
    let warmd = home.start();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| home.ctl(&["beat", "model-01"]));
        home.model_when("model-01", "booting", |model| model["state"] == "booting");
        home.write(&replicate.config(1, "1m"));
        let told = waits.join().unwrap();
        let told = (told.status.code(), text(&told.stderr));
        assert!(told.0 == Some(1) && told.1.contains("given up"), "{told:?}");
    });
    assert!(warmd.stop().success());
}
