//! Receivers that hang, beside heartbeats that are due.

use super::moody::{Mood, Moody};
use super::receiver::{Conduct, Receiver};
use crate::faults::isolation::{Lags, assert_not_held_up, note, print};
use crate::support::{Home, PATIENCE, wait_until};
use std::fmt::Write;

/// Models that are well, and models that are in trouble: those have no figures, by their names.
const WELL: usize = 8;
const SICK: usize = 8;

/// How many heartbeats of each model that is well are compared.
const HEARTBEATS: usize = 10;

/// Both daemons run side by side, so that whatever else the machine does falls on both. In one of them each
/// trouble is told to a dozen receivers that hang, and to a dozen programs that do.
#[test]
fn receivers_that_hang_delay_no_heartbeat() {
    let (cogs, receiver) = (Moody::start(), Receiver::start());
    receiver.does(Conduct::Hangs);
    let mut models = String::new();
    for number in 0..WELL {
        models += &cogs.always(&format!("well-{number}"));
    }
    for number in 0..SICK {
        let name = format!("model-{number}-sick");
        cogs.is(&name, Mood::Broken);
        models += &cogs.always(&name);
    }
    let mut alerts = String::new();
    for number in 0..12 {
        alerts += &receiver.alert(&format!("hangs-{number}"), "timeout = \"5m\"");
        write!(
            alerts,
            "[[alerts]]\nname = \"sleeps-{number}\"\ncommand = [\"sleep\", \"600\"]\ntimeout = \"1s\"\n\n"
        )
        .unwrap();
    }
    let (home, control) = (Home::at_trace(&(alerts + &models)), Home::at_trace(&models));
    let daemons = [home.start(), control.start()];
    let waiting = || {
        let status = home.status();
        let alerts = status["daemon"]["alerts"].as_array().unwrap();
        alerts.iter().map(|alert| alert["waiting"].as_u64().unwrap()).sum::<u64>()
    };
    wait_until("all of it waits", PATIENCE, || waiting() == 24 * SICK as u64);
    let [mut lags, mut without] = [Lags::new(), Lags::new()];
    wait_until("enough heartbeats", PATIENCE * 2, || {
        note(&home, &mut lags);
        note(&control, &mut without);
        lags.len().min(without.len()) >= WELL * HEARTBEATS
    });
    print("beside receivers that hang", &lags);
    print("without them", &without);
    assert_eq!(waiting(), 24 * SICK as u64, "they hang on");
    assert_not_held_up(&lags, &without);
    for daemon in daemons {
        assert!(daemon.stop().success());
    }
}
