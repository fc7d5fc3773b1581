//! A state file as a daemon has it after months: made here, since months are long.
//!
//! What is recent is appended to a store as the daemon does. What is older is put into the file as folding
//! leaves it, hours for a week and days before that; a model is asked every 30 s around the clock.

use crate::way::Setting;
use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use warmd::clock;
use warmd::config::value::ModelName;
use warmd::heartbeat::{Certainty, Evidence, Heartbeat, Outcome};
use warmd::journal::{Entry, Spent, What};
use warmd::latency::Distribution;
use warmd::state::Known;
use warmd::store::Store;

/// How often each model was asked.
pub(crate) const INTERVAL: Duration = Duration::from_secs(30);

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// Appended before it is waited until that is written, so that nothing is shed.
const AT_ONCE: usize = 20_000;

/// Makes the file, of so many models and days.
pub(crate) async fn make(path: &Path, models: usize, days: u32) -> Result<()> {
    let names: Vec<ModelName> =
        (0..models).map(|number| Ok(Setting::name(number).parse()?)).collect::<Result<_>>()?;
    let now = clock::now();
    let minutes_from = floor(now.timestamp() - 2 * HOUR, HOUR);
    append(path, &names, at(minutes_from)?, now).await?;
    fill(path, floor(minutes_from, HOUR), days)
}

/// What is still in the journal, and what is known by now.
async fn append(path: &Path, names: &[ModelName], from: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let (store, _) = Store::open(path, Duration::from_hours(24 * 365))?;
    let mut known: HashMap<ModelName, Known> = HashMap::new();
    let (mut due, mut waiting) = (from, 0);
    while due < now {
        for name in names {
            for entry in answer(name, due) {
                known.entry(name.clone()).or_default().apply(&entry);
                store.append(entry);
                waiting += 1;
            }
        }
        due += TimeDelta::from_std(INTERVAL)?;
        if waiting > AT_ONCE {
            store.flush().await?;
            waiting = 0;
        }
    }
    let saved = known.into_iter().map(|(name, known)| Ok((name, serde_json::to_string(&known)?)));
    store.checkpoint(saved.collect::<Result<_>>()?).await?;
    Ok(())
}

/// A warm answer, and the stretch of hours that it vouches for.
fn answer(name: &ModelName, due: DateTime<Utc>) -> [Entry; 2] {
    let total = total(due.timestamp());
    let done_at = due + TimeDelta::milliseconds(total.as_millis() as i64);
    let heartbeat = Heartbeat {
        due_at: due,
        sent_at: due,
        done_at,
        outcome: Outcome::Warm,
        evidence: Some(Evidence::QueueWait),
        certainty: Certainty::FULL,
        total: Some(total),
        wait: Some(total / 4),
        predict: Some(total / 2),
        error: None,
        rejection: None,
    };
    let spent = What::Spent { from: due - TimeDelta::seconds(30), to: due, how: Spent::Warm };
    let happened = What::Heartbeat { heartbeat, in_hours: true };
    [happened, spent].map(|what| Entry { model: name.clone(), at: done_at, what })
}

/// What an answer took: spread over half a second and more, each time as before.
fn total(seed: i64) -> Duration {
    Duration::from_millis(300 + seed.unsigned_abs().wrapping_mul(2_654_435_761) % 600)
}

/// What was folded: hours from a week ago until `until`, days before.
fn fill(path: &Path, until: i64, days: u32) -> Result<()> {
    let mut file = Connection::open(path)?;
    let hours_from = floor(until - 7 * DAY, DAY);
    let days_from = floor(until - i64::from(days) * DAY, DAY);
    let tx = file.transaction()?;
    {
        let models: Vec<i64> =
            tx.prepare("SELECT id FROM model")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut insert = tx.prepare(
            "INSERT INTO interval VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, 0, 0, 0, ?5, ?5, ?6, ?7, 0, ?8, ?9, ?9, 0)",
        )?;
        for (width, from, to) in [(DAY, days_from, hours_from), (HOUR, hours_from, until)] {
            for start in (from..to).step_by(width as usize) {
                // A boot a day, and so one in some hour of it.
                let cold = i64::from(width == DAY || start % DAY == 9 * HOUR);
                let heartbeats = width / 30;
                let warm = distribution((0..heartbeats).map(|one| total(start + one * 30)));
                let boot = (cold > 0).then(|| distribution([Duration::from_secs(14)].into_iter()));
                let spent_cold = cold * 30_000_000_000;
                let spent_warm = width * 1_000_000_000 - spent_cold;
                for model in &models {
                    let counts = (heartbeats - cold, cold);
                    insert.execute((
                        model, width, start, counts.0, counts.1, spent_warm, spent_cold, &warm, &boot,
                    ))?;
                }
            }
        }
    }
    tx.commit()?;
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn distribution(all: impl Iterator<Item = Duration>) -> Vec<u8> {
    let mut distribution = Distribution::default();
    all.for_each(|one| distribution.record(one));
    distribution.to_bytes()
}

fn at(second: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp(second, 0).context("a time beyond all calendars")
}

fn floor(at: i64, width: i64) -> i64 {
    at.div_euclid(width) * width
}
