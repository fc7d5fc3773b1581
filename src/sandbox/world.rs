//! The world behind the API: predictions, the pools that run them, and the truth about both.
//!
//! Pure but for the chance it draws from: every call takes `now`, and first lets happen what was
//! due. Bounded: the oldest predictions go when there are too many or they hold too much, and so do
//! pools in which nothing is going on.

use super::chance::Chance;
use super::pool::{Event, Moment, Pool, Removed, Ticket};
use super::prediction::{Calendar, Ending, Fate, Labels, Prediction};
use super::settings::Conduct;
use super::truth::{BootTruth, PredictionTruth, Truth, TruthLog};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The most pools: versions and deployments that are not cold, or were used last.
const POOLS: usize = 10_000;

/// The most that the kept predictions' inputs and outputs may take, in bytes.
const WEIGHT: usize = 256 * 1024 * 1024;

/// What runs a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PoolKey {
    /// A version, by its 64 hex digits.
    Version(String),
    /// An official model, by `owner/name`.
    Official(String),
    /// A release of a deployment, by `owner/name` and its number.
    Deployment(String, u32),
}

/// A prediction that is asked for.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) pool: PoolKey,
    pub(super) conduct: Conduct,
    pub(super) always_on: bool,
    /// `owner/name` as the client named it.
    pub(super) asked: String,
    pub(super) labels: Labels,
    pub(super) input: Map<String, Value>,
    pub(super) output: Value,
    pub(super) fate: Fate,
    pub(super) stuck: bool,
    pub(super) evicted: bool,
    /// Time from now on.
    pub(super) cancel_after: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    prediction: Prediction,
    pool: PoolKey,
    asked: String,
    weight: usize,
}

/// The world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) calendar: Calendar,
    chance: Chance,
    pools: HashMap<PoolKey, (Pool, String)>,
    entries: BTreeMap<u64, Entry>,
    by_id: HashMap<String, u64>,
    next_seq: u64,
    weight: usize,
    keep: usize,
    truth: TruthLog,
}

impl World {
    pub(super) fn new(base: DateTime<Utc>, seed: u64, keep: usize) -> Self {
        Self {
            calendar: Calendar { base },
            chance: Chance::new(seed),
            pools: HashMap::new(),
            entries: BTreeMap::new(),
            by_id: HashMap::new(),
            next_seq: 0,
            weight: 0,
            keep: keep.max(1),
            truth: TruthLog::new(keep.max(1)),
        }
    }

    /// Takes a prediction in, and returns its number; none where the sandbox is full of pools
    /// that are all in use.
    pub(super) fn create(&mut self, order: Order, now: Moment) -> Option<u64> {
        self.advance(&order.pool, now);
        if !self.pools.contains_key(&order.pool) {
            self.make_room(now);
            if self.pools.len() >= POOLS {
                return None;
            }
            let pool = Pool::new(order.conduct, order.always_on, now);
            self.pools.insert(order.pool.clone(), (pool, order.asked.clone()));
        }
        let (pool, _) = self.pools.get_mut(&order.pool)?;
        if order.evicted {
            pool.evict();
        }
        let conduct = pool.conduct();
        let (wait, predict) = (conduct.wait.draw(&mut self.chance), conduct.predict.draw(&mut self.chance));
        let mut prediction = Prediction::new(order.labels, order.input, order.fate, now, &mut self.chance);
        prediction.output = order.output;
        prediction.deadline = order.cancel_after.map(|after| now + after);
        if order.fate == Fate::Fails {
            prediction.error = Some(
                conduct.fails.clone().unwrap_or_else(|| "the sandbox was told to fail this one".to_owned()),
            );
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        let ticket = Ticket {
            seq,
            created: now,
            ready: now + wait,
            predict,
            deadline: prediction.deadline,
            stuck: order.stuck,
        };
        pool.submit(ticket, now, &mut self.chance);
        let weight = prediction.weight();
        self.weight += weight;
        self.by_id.insert(prediction.id.clone(), seq);
        self.entries.insert(seq, Entry { prediction, pool: order.pool, asked: order.asked, weight });
        while self.entries.len() > self.keep || (self.weight > WEIGHT && self.entries.len() > 1) {
            self.forget_oldest();
        }
        Some(seq)
    }

    /// The number of the prediction with this id.
    pub(super) fn find(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The model or deployment that a prediction was asked of.
    pub(super) fn asked(&self, seq: u64) -> Option<&str> {
        self.entries.get(&seq).map(|entry| entry.asked.as_str())
    }

    /// A prediction as it is now.
    pub(super) fn look(&mut self, seq: u64, now: Moment) -> Option<&Prediction> {
        let pool = self.entries.get(&seq)?.pool.clone();
        self.advance(&pool, now);
        self.entries.get(&seq).map(|entry| &entry.prediction)
    }

    /// When something will next happen to what runs this prediction.
    pub(super) fn next_event(&self, seq: u64) -> Option<Moment> {
        self.pools.get(&self.entries.get(&seq)?.pool)?.0.next()
    }

    /// Ends a prediction on its client's word; nothing happens to one that has ended.
    pub(super) fn cancel(&mut self, seq: u64, now: Moment) -> Option<&Prediction> {
        self.look(seq, now)?;
        let entry = self.entries.get_mut(&seq)?;
        let (pool, _) = self.pools.get_mut(&entry.pool)?;
        if let Some(removed) = pool.cancel(seq, now) {
            entry.prediction.ended = Some((now, Ending::Canceled));
            if let Removed::Waiting { booting } = removed {
                self.truth.prediction(truth_of(entry, self.calendar, booting, None, None));
                // Some that never ran come back with a start all the same, made up just before the end.
                if self.chance.once_in(3) {
                    entry.prediction.started = Some(now.saturating_sub(Duration::from_micros(3)));
                }
            }
        }
        Some(&entry.prediction)
    }

    /// Up to `count` numbers of predictions, the newest first, with one more where there are more:
    /// those before `before` (or after `after`, the nearest to it) that `wanted` accepts.
    pub(super) fn page(
        &mut self,
        now: Moment,
        before: u64,
        after: Option<u64>,
        count: usize,
        wanted: impl Fn(DateTime<Utc>) -> bool,
    ) -> Vec<u64> {
        let keys: Vec<_> = self.pools.keys().cloned().collect();
        for key in keys {
            self.advance(&key, now);
        }
        let created = |entry: &Entry| self.calendar.date(entry.prediction.created);
        let fits = |(seq, entry): (&u64, &Entry)| wanted(created(entry)).then_some(*seq);
        let Some(after) = after else {
            return self.entries.range(..before).rev().filter_map(fits).take(count + 1).collect();
        };
        let mut newer: Vec<_> = self.entries.range(after + 1..).filter_map(fits).take(count + 1).collect();
        newer.reverse();
        newer
    }

    /// The truth so far.
    pub(super) fn truth(&mut self, now: Moment) -> Truth {
        let keys: Vec<_> = self.pools.keys().cloned().collect();
        for key in keys {
            self.advance(&key, now);
        }
        self.truth.snapshot()
    }

    /// Lets everything happen in a pool that was due by `now`.
    fn advance(&mut self, key: &PoolKey, now: Moment) {
        let Some((pool, asked)) = self.pools.get_mut(key) else { return };
        let mut events = Vec::new();
        pool.advance(now, &mut self.chance, &mut events);
        for event in events {
            match event {
                Event::Booted { from, until, alone } => self.truth.boot(BootTruth {
                    model: asked.clone(),
                    started_at: self.calendar.date(from),
                    took: until.saturating_sub(from).as_secs_f64(),
                    alone,
                }),
                Event::Started { seq, at, boot } => {
                    if let Some(entry) = self.entries.get_mut(&seq) {
                        entry.prediction.started = Some(at);
                        let truth = truth_of(entry, self.calendar, boot.is_some(), boot, Some(at));
                        self.truth.prediction(truth);
                    }
                }
                Event::Finished { seq, at } => {
                    if let Some(entry) = self.entries.get_mut(&seq) {
                        let fails = entry.prediction.fate == Fate::Fails;
                        let ending = if fails { Ending::Failed } else { Ending::Succeeded };
                        entry.prediction.ended = Some((at, ending));
                    }
                }
                Event::Expired { seq, at, running, booting } => {
                    if let Some(entry) = self.entries.get_mut(&seq) {
                        let ending = if running { Ending::Canceled } else { Ending::Aborted };
                        entry.prediction.ended = Some((at, ending));
                        if !running {
                            self.truth.prediction(truth_of(entry, self.calendar, booting, None, None));
                        }
                    }
                }
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, entry)) = self.entries.pop_first() {
            self.weight -= entry.weight;
            self.by_id.remove(&entry.prediction.id);
        }
    }

    /// Forgets pools in which nothing is going on, once there are too many.
    fn make_room(&mut self, now: Moment) {
        if self.pools.len() < POOLS {
            return;
        }
        let keys: Vec<_> = self.pools.keys().cloned().collect();
        for key in keys {
            self.advance(&key, now);
        }
        self.pools.retain(|_, (pool, _)| !pool.is_forgettable());
    }
}

fn truth_of(
    entry: &Entry,
    calendar: Calendar,
    cold: bool,
    boot: Option<Duration>,
    started: Option<Moment>,
) -> PredictionTruth {
    let created = entry.prediction.created;
    PredictionTruth {
        id: entry.prediction.id.clone(),
        model: entry.asked.clone(),
        cold,
        boot: boot.map(|boot| boot.as_secs_f64()),
        queue_wait: started.map(|started| started.saturating_sub(created).as_secs_f64()),
        created_at: calendar.date(created),
        started_at: started.map(|started| calendar.date(started)),
    }
}
