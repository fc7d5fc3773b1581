//! `warmctl next`: from the file alone, without a daemon.

use super::args;
use super::failure::Failure;
use super::from::From;
use super::next;
use super::output;
use super::session::{Session, select};
use crate::clock;
use crate::config::Model;
use crate::hours::zone::Zone;
use chrono::{DateTime, Utc};
use std::sync::Arc;

pub(super) fn run(session: &Session, args: &args::Next) -> Result<(), Failure> {
    let loaded = session.load(&session.file()).map_err(Failure::Configuration)?;
    let models = select(&loaded.config, args.model.as_deref())?;
    let from = from(args.from, &models)?;
    let hours: Vec<_> = models.iter().map(|model| (model.name.as_str(), &model.hours)).collect();
    let report = next::report(&hours, from, args.days);
    if session.json { output::json(&report) } else { session.tell(&report.text(session.look.room())) }
}

/// The instant; a civil time is one where all the models' clocks agree on it.
fn from(from: Option<From>, models: &[&Arc<Model>]) -> Result<DateTime<Utc>, Failure> {
    let Some(from) = from else { return Ok(clock::now()) };
    let zones: Vec<&Zone> = models.iter().map(|model| model.hours.zone()).collect();
    let mut instants = zones.iter().map(|zone| from.instant(zone));
    // A file has at least one model.
    let first = instants.next().unwrap_or_else(clock::now);
    if instants.all(|instant| instant == first) {
        return Ok(first);
    }
    let mut names: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(4);
    Err(Failure::SeveralZones { zones: names.join(", ") })
}
