//! A past of a model's, made up: what a daemon finds in its state file when it starts.

use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use warmd::heartbeat::{Certainty, Evidence, Heartbeat, Outcome};
use warmd::journal::{Entry, Spent, State, What};
use warmd::store::Store;

/// So many entries are written at once.
const AT_ONCE: usize = 20_000;

/// What a model's past was like.
pub(crate) struct Past {
    pub(crate) model: String,
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) interval: TimeDelta,
    /// The hours of the day (UTC) in which people used it.
    pub(crate) hours: std::ops::Range<i64>,
    /// Of so many heartbeats one was cold.
    pub(crate) one_cold_in: u64,
    /// Nobody answered for so long before the end of the first third.
    pub(crate) silent: TimeDelta,
    /// The middle of the warm answers, in ms.
    pub(crate) millis: u64,
}

impl Past {
    fn entries(&self) -> Vec<Entry> {
        let model: warmd::config::value::ModelName = self.model.parse().unwrap();
        let mut chance = Chance(
            self.model.bytes().fold(self.millis, |seed, byte| (seed << 5) ^ (seed >> 3) ^ u64::from(byte)),
        );
        let entry = |at, what| Entry { model: model.clone(), at, what };
        let silent_until = self.since + (self.until - self.since) / 3;
        let silence = silent_until - self.silent..silent_until;
        let mut entries = Vec::new();
        let mut due = self.since;
        let mut mark = None;
        let mut state = State::Unknown;
        while due + self.interval < self.until {
            due += self.interval;
            if !self.hours.contains(&(due.timestamp().rem_euclid(86_400) / 3600)) {
                mark = None;
                continue;
            }
            let cold = chance.below(self.one_cold_in) == 0;
            let outcome = match cold {
                _ if silence.contains(&due) => Outcome::Unreachable,
                true => Outcome::Cold,
                false => Outcome::Warm,
            };
            let boot = Duration::from_millis(6_000 + chance.below(9_000));
            let spread = (1 + chance.below(40)) * (1 + chance.below(40)) * self.millis / 3000;
            let total = Duration::from_millis(self.millis * 3 / 4 + spread)
                + if cold { boot } else { Duration::ZERO };
            let total = outcome.answered().then_some(total);
            let done = due + TimeDelta::from_std(total.unwrap_or_default()).unwrap();
            let heartbeat = Heartbeat {
                due_at: due,
                sent_at: due,
                done_at: done,
                outcome,
                evidence: total.map(|_| Evidence::QueueWait),
                certainty: Certainty::FULL,
                total,
                wait: total.map(|_| if cold { boot } else { Duration::from_millis(20) }),
                predict: total.map(|_| Duration::from_millis(self.millis / 2)),
                error: (outcome == Outcome::Unreachable).then(|| "connection refused".to_owned()),
                rejection: None,
            };
            entries.push(entry(done, What::Heartbeat { heartbeat, in_hours: true }));
            if cold {
                entries.push(entry(done, What::Boot { took: Some(boot) }));
            }
            let how = match total {
                None => Spent::Unknown,
                Some(_) if cold => Spent::Cold,
                Some(_) => Spent::Warm,
            };
            let from = mark.unwrap_or(due);
            entries.push(entry(done, What::Spent { from, to: done, how }));
            mark = Some(done);
            let now = if outcome == Outcome::Unreachable { State::Failing } else { State::Warm };
            if now != state {
                let reason = (now == State::Failing).then(|| "the last 3 brought no answer".to_owned());
                entries.push(entry(done, What::State { from: state, to: now, reason }));
                state = now;
            }
        }
        entries
    }
}

/// Writes these into a state file that no daemon has.
pub(crate) fn write(file: &Path, pasts: &[Past], now: DateTime<Utc>) {
    Runtime::new().unwrap().block_on(async {
        let (store, _) = Store::open(file, Duration::from_hours(24 * 90)).unwrap();
        let mut entries: Vec<Entry> = pasts.iter().flat_map(Past::entries).collect();
        entries.sort_by_key(|entry| entry.at);
        for some in entries.chunks(AT_ONCE) {
            store.append_all(some.to_vec());
            store.flush().await.unwrap();
        }
        // Nothing is known of the models but what was counted: the daemon learns the rest anew.
        store.checkpoint(std::collections::HashMap::new()).await.unwrap();
        store.fold(now).await.unwrap();
    });
}

/// The same chances each time: a linear congruential generator with Knuth's constants.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
