//! An account on a fake clock: who is held, who looks again, and when.

use super::*;
use crate::clock;

const MODELS: [&str; 3] = ["first", "second", "third"];

/// What an account meets, at seconds from its beginning on.
struct Story {
    account: Account,
    start: Instant,
    demands: Vec<Demand>,
}

impl Story {
    fn begin() -> Self {
        let demand =
            |name: &&str| Demand { model: name.parse().unwrap(), per_minute: Some(2.0), looks_badly: false };
        let demands = MODELS.iter().map(demand).collect();
        Self { account: Account::new(300), start: clock::instant(), demands }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// A heartbeat comes back; with which rejection, where it has one.
    fn lands(&mut self, model: &str, sent: u64, done: u64, outcome: Outcome, rejection: Option<Rejection>) {
        let now = clock::now();
        let heartbeat = Heartbeat { rejection, ..Heartbeat::at(now, outcome) };
        let (sent, done) = (self.at(sent), self.at(done));
        self.account.landed(&model.parse().unwrap(), &heartbeat, sent, done);
    }

    fn refused(&mut self, model: &str, at: u64, rejection: Rejection) {
        self.lands(model, at, at, Outcome::Rejected, Some(rejection));
    }

    /// Who is held then, and who is to look again.
    fn holds(&mut self, seconds: u64) -> (Vec<bool>, Option<String>) {
        let now = self.at(seconds);
        let (held, looks) = self.account.holds(&self.demands, now);
        let held = held.into_iter().map(|held| matches!(held, Some(Held::Blocked { .. }))).collect();
        (held, looks.map(|name| name.as_str().to_owned()))
    }
}

#[test]
fn while_the_token_or_the_credit_is_refused_one_looks_again_after_half_a_minute_then_by_the_quarter() {
    for rejection in [Rejection::Token, Rejection::Credit] {
        let mut story = Story::begin();
        for model in MODELS {
            story.refused(model, 0, rejection);
        }
        let mut looks = Vec::new();
        // A day, looked at once a second, as the engine does.
        for second in 1..86_400 {
            let (held, looks_now) = story.holds(second);
            if let Some(name) = looks_now {
                assert_eq!((name.as_str(), held), ("first", vec![false, true, true]));
                story.refused(&name, second, rejection);
                looks.push(second);
            } else {
                assert_eq!(held, [true; 3], "at {second} s");
            }
        }
        let expected: Vec<u64> = (0..96).map(|quarter| 30 + quarter * 900).collect();
        assert_eq!(looks, expected);
    }
}

#[test]
fn it_looks_at_once_where_it_is_asked_to_and_an_answer_frees_all() {
    let mut story = Story::begin();
    story.refused("second", 0, Rejection::Credit);
    assert_eq!(story.account.looks_at(), Some(story.at(30)));
    story.account.look_now(story.at(10));
    assert_eq!(story.holds(10), (vec![false, true, true], Some("first".to_owned())));
    assert_eq!(story.holds(11), (vec![false, true, true], None), "one, not two");
    story.lands("first", 10, 12, Outcome::Cold, None);
    assert_eq!(story.holds(12), (vec![false; 3], None));
    assert_eq!(story.account.looks_at(), None);
}

#[test]
fn what_is_refused_beside_a_look_delays_none() {
    let mut story = Story::begin();
    story.refused("first", 0, Rejection::Token);
    // Sent before the refusal came back, by hand, and after the look was sent.
    story.lands("second", 0, 20, Outcome::Rejected, Some(Rejection::Token));
    story.refused("third", 25, Rejection::Token);
    assert_eq!(story.account.looks_at(), Some(story.at(30)));
    assert_eq!(story.holds(30).1.as_deref(), Some("first"));
    story.lands("second", 20, 31, Outcome::Rejected, Some(Rejection::Token));
    story.lands("first", 30, 32, Outcome::Warm, None);
    assert_eq!(story.holds(32), (vec![false; 3], None), "the token was replaced meanwhile");
}

#[test]
fn what_says_nothing_of_the_credit_frees_nobody() {
    let mut story = Story::begin();
    story.refused("second", 20, Rejection::Credit);
    story.lands("first", 5, 30, Outcome::Warm, None);
    assert_eq!(story.holds(31).0, [true; 3], "it was sent while there was credit");
    for outcome in [Outcome::RateLimited, Outcome::TimedOut, Outcome::Unreachable] {
        story.lands("first", 40, 41, outcome, None);
        assert_eq!(story.holds(41).0, [true; 3], "{outcome:?}");
    }
    story.refused("first", 45, Rejection::Model);
    assert_eq!(story.holds(46).0, [true; 3], "the name is looked at before the credit");
    // Of the token it does.
    story.refused("second", 60, Rejection::Token);
    story.refused("first", 70, Rejection::Input);
    assert_eq!(story.holds(71).0, [false; 3]);
}

#[test]
fn who_can_tell_best_looks() {
    let mut story = Story::begin();
    story.refused("second", 0, Rejection::Credit);
    story.demands[0].looks_badly = true;
    story.demands[1].per_minute = None;
    assert_eq!(story.holds(30).1.as_deref(), Some("third"));
    story.refused("third", 30, Rejection::Credit);
    story.demands[2].per_minute = None;
    assert_eq!(story.holds(1_800).1.as_deref(), Some("first"), "where there is no other");
    story.refused("first", 1_800, Rejection::Credit);
    story.demands[0].per_minute = None;
    assert_eq!(story.holds(10_000).1, None, "none is to be kept warm");
    story.demands[1].per_minute = Some(2.0);
    assert_eq!(story.holds(20_000).1.as_deref(), Some("second"), "as soon as one is");
}
