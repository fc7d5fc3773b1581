//! Folding: the journal into hours, hours into days, what is too old away.
//!
//! In steps of bounded size, each one transaction that takes rows away and adds their sums at
//! once: whenever the process ends, nothing is lost and nothing counted twice, and between two
//! steps the journal is written.

use super::calendar::{Calendar, DAY, HOUR};
use super::packed::{self, SECOND, Sum};
use super::report::micros;
use super::summary::{COLUMNS, Interval, Summary};
use super::writer::{Writer, damaged};
use rusqlite::TransactionBehavior;
use std::collections::HashMap;
use std::ops::Range;

/// The most rows of the journal in a step: an hour of them.
const JOURNAL_ROWS: i64 = 4000;
/// The most entries in a step, whose histograms are in memory at once.
const JOURNAL_ENTRIES: usize = 200_000;
/// The most hours rolled, or rows dropped, in a step.
const INTERVALS: i64 = 2000;
/// The most events that are kept, whatever the retention: some 20 MB.
const EVENTS: i64 = 100_000;
/// Free pages (4 KiB each) that stay in the file for what comes next; a quarter of a large one.
const SPARE_PAGES: i64 = 256;
/// The most pages given back to the system in a step.
const PAGES: i64 = 1024;

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) folded: u64,
    pub(super) rolled: u64,
    pub(super) dropped: u64,
    /// Nothing is left to do.
    pub(super) last: bool,
}

impl Writer {
    /// The next step of what has to be done as of `calendar`.
    pub(super) fn fold(&mut self, calendar: &Calendar) -> rusqlite::Result<Step> {
        self.forget_summed();
        let folded = self.fold_journal(calendar)?;
        if folded > 0 {
            return Ok(Step { folded, ..Step::default() });
        }
        let rolled = self.roll_hours(calendar)?;
        if rolled > 0 {
            return Ok(Step { rolled, ..Step::default() });
        }
        let dropped = self.drop_old(calendar)?;
        if dropped > 0 {
            return Ok(Step { dropped, ..Step::default() });
        }
        let last = !self.give_back_pages()?;
        Ok(Step { last, ..Step::default() })
    }

    /// Rows of the journal that lie wholly before the minutes' span, and that the checkpoint knows
    /// of, become hours (or days, where they are that old).
    fn fold_journal(&mut self, calendar: &Calendar) -> rusqlite::Result<u64> {
        // As a row's `until` has promised: no row, however damaged, is cut into endless pieces.
        let span = calendar.oldest().saturating_mul(SECOND)..calendar.minutes_from.saturating_mul(SECOND);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rows_done = Vec::new();
        let mut sums: HashMap<Interval, Summary> = HashMap::new();
        {
            let mut query = tx.prepare_cached(
                "SELECT id, body FROM journal WHERE id <= ?1 AND until < ?2 ORDER BY id LIMIT ?3",
            )?;
            let mut rows = query.query((self.checkpointed, calendar.minutes_from, JOURNAL_ROWS))?;
            let mut entries = 0;
            while let Some(row) = rows.next()? {
                rows_done.push(row.get::<_, i64>(0)?);
                match packed::unpack(row.get_ref(1)?.as_blob()?) {
                    Ok(body) => {
                        for (model, at, sum) in body.sums() {
                            entries += 1;
                            add(&mut sums, calendar, &span, model, at, sum);
                        }
                    }
                    Err(e) => damaged(row.get(0)?, &e),
                }
                if entries >= JOURNAL_ENTRIES {
                    break;
                }
            }
        }
        if rows_done.is_empty() {
            return Ok(0);
        }
        for (interval, summary) in &sums {
            summary.save_into(&tx, *interval)?;
        }
        let mut delete = tx.prepare_cached("DELETE FROM journal WHERE id = ?1")?;
        for id in &rows_done {
            delete.execute([id])?;
        }
        drop(delete);
        tx.commit()?;
        Ok(rows_done.len() as u64)
    }

    /// Hours older than a week become days.
    fn roll_hours(&mut self, calendar: &Calendar) -> rusqlite::Result<u64> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut hours: Vec<(u32, i64)> = Vec::new();
        let mut days: HashMap<Interval, Vec<Summary>> = HashMap::new();
        {
            let mut query = tx.prepare_cached(&format!(
                "SELECT {COLUMNS}, model, start FROM interval
                 WHERE width = {HOUR} AND start < ?1 ORDER BY start LIMIT {INTERVALS}"
            ))?;
            let mut rows = query.query([calendar.hours_from])?;
            while let Some(row) = rows.next()? {
                let (model, start) = (row.get("model")?, row.get("start")?);
                hours.push((model, start));
                let day = start.saturating_sub(start.rem_euclid(DAY));
                days.entry((model, DAY, day)).or_default().push(Summary::read(row)?);
            }
        }
        for (day, parts) in &days {
            Summary::merged(parts).save_into(&tx, *day)?;
        }
        let mut delete = tx.prepare_cached(&format!(
            "DELETE FROM interval WHERE model = ?1 AND width = {HOUR} AND start = ?2"
        ))?;
        for hour in &hours {
            delete.execute(*hour)?;
        }
        drop(delete);
        tx.commit()?;
        Ok(hours.len() as u64)
    }

    /// Drops what ended before the retention, and models of which nothing is left.
    fn drop_old(&mut self, calendar: &Calendar) -> rusqlite::Result<u64> {
        let kept_from = calendar.kept_from;
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // A model of which there are entries in the tail alone was seen.
        self.names.save(&tx)?;
        let mut dropped = 0;
        for width in [HOUR, DAY] {
            dropped += tx
                .prepare_cached(
                    "DELETE FROM interval WHERE (model, width, start) IN (SELECT model, width, start
                     FROM interval WHERE width = ?1 AND start <= ?2 LIMIT ?3)",
                )?
                .execute((width, kept_from.saturating_sub(width), INTERVALS))?;
        }
        dropped += tx
            .prepare_cached(
                "DELETE FROM event WHERE id IN (SELECT id FROM event
                 WHERE at_ms < ?1 OR id <= (SELECT max(id) FROM event) - ?2 LIMIT ?3)",
            )?
            .execute((kept_from.saturating_mul(1000), EVENTS, INTERVALS))?;
        // The latest checkpoint is in use, however long ago its models last had an entry.
        dropped += tx
            .prepare_cached(
                "DELETE FROM checkpoint WHERE upto < ?1
                 AND model IN (SELECT id FROM model WHERE seen < ?2)",
            )?
            .execute((self.checkpointed, kept_from.saturating_sub(DAY)))?;
        // A row of the journal bears no list of its models, so all old ones must be gone before.
        let forgotten: Vec<u32> = tx
            .prepare_cached(
                "DELETE FROM model WHERE seen < ?1
                 AND NOT EXISTS (SELECT 1 FROM interval WHERE model = model.id)
                 AND id NOT IN (SELECT model FROM event)
                 AND id NOT IN (SELECT model FROM checkpoint)
                 AND NOT EXISTS (SELECT 1 FROM journal WHERE until < ?2)
                 RETURNING id",
            )?
            .query_map((kept_from.saturating_sub(DAY), kept_from), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        tx.commit()?;
        self.names.saved();
        for number in &forgotten {
            self.names.forget(*number);
        }
        Ok((dropped + forgotten.len()) as u64)
    }

    /// Gives free pages back to the system, but for those that the next hours will fill again; says
    /// whether there may be more.
    fn give_back_pages(&self) -> rusqlite::Result<bool> {
        let connection = &self.connection;
        let pages = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let spare = SPARE_PAGES.max(pages("page_count")? / 4);
        let free = pages("freelist_count")?;
        if free <= spare {
            return Ok(false);
        }
        let given = (free - spare).min(PAGES);
        // It answers a row a page: to stop at the first would give back one.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({given})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(free - given > spare)
    }
}

/// Adds an entry to the interval it lies in; a stretch piece by piece. What lies before `span` (µs since
/// 1970) adds nothing, nor what a stretch has beyond it.
pub(super) fn add(
    sums: &mut HashMap<Interval, Summary>,
    calendar: &Calendar,
    span: &Range<i64>,
    model: u32,
    at: i64,
    sum: Sum,
) {
    let interval = |at: i64| {
        let (width, start) = calendar.interval(at.div_euclid(SECOND));
        ((model, width, start), start.saturating_add(width).saturating_mul(SECOND))
    };
    match sum {
        Sum::Heartbeat { .. } | Sum::Boot { .. } if at >= span.start => {
            sums.entry(interval(at).0).or_default().add(sum);
        }
        Sum::Heartbeat { .. } | Sum::Boot { .. } => {}
        Sum::Spent { from, to, how } => {
            let mut from = from.max(span.start);
            let to = to.min(span.end);
            while from < to {
                let (key, end) = interval(from);
                let piece = to.min(end);
                sums.entry(key).or_default().spent.add(how, micros(from, piece));
                from = piece;
            }
        }
    }
}
