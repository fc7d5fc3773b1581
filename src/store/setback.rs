//! What is undone where the clock was ahead, and was set back: the time that was told as spent beyond what
//! is now. That time is still to come, and is told anew then; no second is there twice.
//!
//! Heartbeats stay, at the times they bear: they were sent.

use super::calendar::{DAY, HOUR};
use super::error::StoreError;
use super::packed;
use super::summary::SpentTimes;
use super::writer::{Writer, damaged};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use std::time::Duration;

impl Writer {
    /// Takes away what was spent from `now` on; in the tables alone, so what is pending is settled before.
    pub(super) fn set_back(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.settle()?;
        self.cut_tables(now).map_err(StoreError::sqlite("follow the clock back"))
    }

    fn cut_tables(&mut self, now: DateTime<Utc>) -> rusqlite::Result<()> {
        self.forget_summed();
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        cut_journal(&tx, now)?;
        for width in [HOUR, DAY] {
            cut_intervals(&tx, width, now)?;
        }
        tx.commit()
    }
}

fn cut_journal(tx: &Connection, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let ids: Vec<i64> = tx
        .prepare("SELECT id FROM journal WHERE until >= ?1")?
        .query_map([now.timestamp()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut read = tx.prepare("SELECT body FROM journal WHERE id = ?1")?;
    let mut write = tx.prepare("UPDATE journal SET until = ?1, body = ?2 WHERE id = ?3")?;
    for id in ids {
        let body: Vec<u8> = read.query_row([id], |row| row.get(0))?;
        match packed::cut(&body, now) {
            Ok((until, body)) => drop(write.execute((until, body, id))?),
            Err(error) => damaged(id, &error),
        }
    }
    Ok(())
}

/// Of the hour, or the day, that `now` lies in, no more can be spent than has passed.
fn cut_intervals(tx: &Connection, width: i64, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let mut query = tx.prepare(
        "SELECT model, start, spent_warm_ns, spent_cold_ns, spent_unknown_ns FROM interval
         WHERE width = ?1 AND start + width > ?2",
    )?;
    let mut rows = query.query((width, now.timestamp()))?;
    let mut write = tx.prepare(
        "UPDATE interval SET spent_warm_ns = ?1, spent_cold_ns = ?2, spent_unknown_ns = ?3
         WHERE model = ?4 AND width = ?5 AND start = ?6",
    )?;
    while let Some(row) = rows.next()? {
        let (model, start): (u32, i64) = (row.get(0)?, row.get(1)?);
        let spent = |column| row.get::<_, i64>(column).map(|ns| Duration::from_nanos(ns.unsigned_abs()));
        let spent = SpentTimes { warm: spent(2)?, cold: spent(3)?, unknown: spent(4)? };
        let passed = DateTime::from_timestamp(start, 0).and_then(|start| (now - start).to_std().ok());
        let SpentTimes { warm, cold, unknown } = at_most(spent, passed.unwrap_or_default());
        let ns = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        write.execute((ns(warm), ns(cold), ns(unknown), model, width, start))?;
    }
    Ok(())
}

/// What nobody vouches for goes first: a clock that jumps ahead leaves such a stretch.
fn at_most(spent: SpentTimes, all: Duration) -> SpentTimes {
    let warm = spent.warm.min(all);
    let rest = all.saturating_sub(warm);
    let cold = spent.cold.min(rest);
    SpentTimes { warm, cold, unknown: spent.unknown.min(rest.saturating_sub(cold)) }
}
