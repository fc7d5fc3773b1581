//! What servers answer, and what comes of it: judged, kept, summed up and shown.

use super::assert_plain;
use crate::clock;
use crate::config::{Config, Env, Model, check_text};
use crate::ctl::{Look, overview, picture};
use crate::heartbeat::{Answer, Observation, Order};
use crate::hours::zone::Zones;
use crate::journal::{Entry, What};
use crate::provider::{Facts, fuzzing};
use crate::schedule::{self, Cursor};
use crate::state::standing::standing;
use crate::state::{Known, Live, digest};
use crate::status::Snapshot;
use crate::status::assemble::{LiveModel, LiveStatus, assemble};
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The longest sentence about an answer, in bytes.
const SENTENCE: usize = 4096;

/// When the heartbeats are sent, in seconds since 1970.
const SENT: i64 = 1_795_000_000;

pub(super) static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let text = "[models.replicate]\nreplicate = \"owner/name\"\nactive = [\"always\"]\n\
                [models.cog]\ncog = \"http://box:5000\"\nactive = [\"08:00-20:00\"]\n";
    let env = Env::from([("HOME", "/home/somebody")]);
    let loaded = check_text(Path::new("warm.toml"), text, &env, &Zones::built_in());
    Arc::new(loaded.expect("a right one").config)
});

/// What Replicate may answer.
pub fn replicate(data: &[u8]) {
    let told = fuzzing::replicate(data, sent());
    follow(&CONFIG.models[0], &told);
}

/// What a Cog server may answer.
pub fn cog(data: &[u8]) {
    let told = fuzzing::cog(data, sent());
    follow(&CONFIG.models[1], &told);
}

/// When the first heartbeat is sent.
pub(super) fn sent() -> DateTime<Utc> {
    DateTime::from_timestamp(SENT, 0).expect("within the calendar")
}

/// The same thing seen three times, an interval apart: through every room behind the providers.
fn follow(model: &Arc<Model>, (facts, seen): &(Facts, Option<Observation>)) {
    let mut known = Known::default();
    let mut entries = vec![Entry { model: model.name.clone(), at: sent(), what: What::Tracked }];
    for round in 0..3 {
        let Some(seen) = seen else { break };
        look_at(&seen.answer);
        let later = TimeDelta::seconds(30 * round);
        let seen =
            Observation { sent_at: seen.sent_at + later, done_at: seen.done_at + later, ..seen.clone() };
        let order = Order {
            model: model.clone(),
            cold_after: known.cold_after(model),
            known_setups: known.setups.iter().copied().collect(),
            calibrates: false,
        };
        let digested = digest::digest(&known, model, &order, seen.sent_at, &seen);
        for entry in &digested {
            known.apply(entry);
        }
        entries.extend(digested);
    }
    let at = entries.last().map_or(sent(), |entry| entry.at);
    plan(model, &known, at);
    let (state, reason) = standing(model, &known, &Live::default(), true, at);
    let saved = serde_json::to_string(&known).expect("what is known can be saved");
    serde_json::from_str::<Known>(&saved).expect("what was saved is known again");
    let live = LiveStatus {
        at,
        started_at: sent(),
        tzdata: "built-in".to_owned(),
        config: CONFIG.clone(),
        config_loaded_at: sent(),
        config_error: None,
        alerts: Vec::new(),
        notes: Vec::new(),
        saved: true,
        models: vec![LiveModel {
            model: model.clone(),
            known: Arc::new(known),
            state: (state, at, reason),
            next_at: None,
            facts: facts.clone(),
        }],
    };
    let sums = store::fuzzing::kept(&entries);
    let sums = store::Summaries { since: sent(), models: HashMap::from([(model.name.clone(), sums)]) };
    let snapshot = assemble(&live, &sums);
    let json = serde_json::to_string(&snapshot).expect("a snapshot can be told");
    let told: Snapshot = serde_json::from_str(&json).expect("what is told can be read");
    let look = Look::plain(80);
    for shown in [overview(&told, &look), picture(&told, &told.models[0], &look)] {
        assert_plain(&shown);
        assert!(shown.len() < 8 * SENTENCE, "endless: {shown}");
    }
}

/// Whatever is known of a model that a file may have, its next heartbeat can be planned.
pub(super) fn plan(model: &Model, known: &Known, now: DateTime<Utc>) {
    let cursor = Cursor { dealt: now, wanted: None };
    let planned = schedule::plan(model, known, &Live::default(), &cursor, now);
    assert!(planned.look_again_at.is_none_or(|at| at > now), "{planned:?}");
    let within = clock::instant().checked_add(model.timeout);
    assert!(within.is_some(), "no clock goes so far: {:?}", model.timeout);
    let _ = standing(model, known, &Live::default(), planned.active, now);
}

fn look_at(answer: &Answer) {
    let (Answer::Failed(why)
    | Answer::Rejected(_, why)
    | Answer::RateLimited(why)
    | Answer::TimedOut(why)
    | Answer::Unreachable(why)) = answer
    else {
        return;
    };
    assert_plain(why);
    assert!(!why.contains('\n') && why.len() < SENTENCE, "not one line: {why:?}");
}
