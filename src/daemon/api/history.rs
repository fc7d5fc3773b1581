//! What happened: one by one, and by the hour.

use super::{Api, Named, Spanned, start};
use crate::clock;
use crate::config::value::ModelName;
use crate::daemon::command::{Command, NoSnapshot, Refusal};
use crate::daemon::problem::Problem;
use crate::status::history::History;
use crate::status::intervals::Intervals;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

/// How many are told where nobody says how many, and at the most.
const LIMIT: usize = 1000;
const MOST: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    model: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
}

/// The latest events within a span; of one model, where one is named: a removed one's, too.
pub(super) async fn events(
    State(api): State<Api>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let Query(Wanted { model, since, limit }) = wanted?;
    let now = clock::now();
    let (since, limit) = (start(since.as_deref(), now)?, limit.unwrap_or(LIMIT).clamp(1, MOST));
    let name = model.as_deref().map(str::parse::<ModelName>).transpose();
    let events = match name {
        // One more shows whether there are more.
        Ok(name) => api.store.events(name, since, limit + 1).in_time().await.map_err(NoSnapshot::from)?,
        Err(_) => Vec::new(),
    };
    if let (Some(model), true) = (model, events.is_empty()) {
        api.engine.ask(|reply| Command::Find(model, reply)).await??;
    }
    Ok(Json(History::of(events, since, limit, now)))
}

/// What happened to one model, by the hour and the day; a removed one's, too.
pub(super) async fn intervals(
    State(api): State<Api>,
    name: Named,
    span: Spanned,
) -> Result<Json<Intervals>, Problem> {
    let (Path(name), Query(span)) = (name?, span?);
    let now = clock::now();
    let since = start(span.since.as_deref(), now)?;
    let unknown = |_| Refusal::UnknownModel { name: name.clone(), nearest: None };
    let model: ModelName = name.parse().map_err(unknown)?;
    let kept = api.engine.intervals(model.clone(), since, now).await?;
    if kept.intervals.is_empty() {
        api.engine.ask(|reply| Command::Find(name, reply)).await??;
    }
    Ok(Json(Intervals::of(model, &kept, now)))
}
