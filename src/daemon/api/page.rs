//! What a browser asks for.

use super::{Api, Named, start};
use crate::clock;
use crate::config::nearest::nearest;
use crate::daemon::command::{NoSnapshot, Refusal};
use crate::daemon::problem::Problem;
use crate::page::{self, CONTENT_SECURITY_POLICY, OneModel, Overview, View};
use crate::status::history::History;
use crate::store::Summary;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::TimeDelta;

/// What a day's strip is drawn of.
const DAY: TimeDelta = TimeDelta::days(1);

/// This many of a model's last events are drawn, or listed.
const EVENTS: usize = 2000;

type Viewed = Result<Query<View>, QueryRejection>;

/// A page, or why there is none; with the way up to `/`.
struct Page(&'static str, Result<String, Problem>);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self(root, page) = self;
        let (status, html) = match page {
            Ok(html) => (StatusCode::OK, html),
            Err(problem) => (problem.status, page::trouble(root, problem.title, &problem.detail)),
        };
        (status, [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)], Html(html)).into_response()
    }
}

/// All models.
pub(super) async fn overview(State(api): State<Api>, view: Viewed) -> Response {
    Page("", try_overview(&api, view).await).into_response()
}

async fn try_overview(api: &Api, view: Viewed) -> Result<String, Problem> {
    let (Query(view), now) = (view?, clock::now());
    let report = api.engine.report(start(view.since.as_deref(), now)?).await?;
    let hourly = api.engine.hourly(now - DAY).await?;
    let (snapshot, config) = (&report.snapshot, &*report.config);
    Ok(page::overview(&Overview { snapshot, config, hourly: &hourly, view: &view }))
}

/// One model.
pub(super) async fn one(State(api): State<Api>, name: Named, view: Viewed) -> Response {
    Page("../", try_one(&api, name, view).await).into_response()
}

async fn try_one(api: &Api, name: Named, view: Viewed) -> Result<String, Problem> {
    let (Path(name), Query(view), now) = (name?, view?, clock::now());
    let since = start(view.since.as_deref(), now)?;
    let report = api.engine.report(since).await?;
    let (snapshot, config) = (&report.snapshot, &*report.config);
    let status = snapshot.models.iter().find(|model| model.name == name);
    let model = config.models.iter().find(|model| model.name.as_str() == name);
    let (Some(status), Some(model)) = (status, model) else {
        let names = snapshot.models.iter().map(|model| model.name.as_str());
        let nearest = nearest(&name, names).map(str::to_owned);
        return Err(Refusal::UnknownModel { name, nearest }.into());
    };
    let intervals = api.engine.intervals(model.name.clone(), since, now).await?;
    let events = api.store.events(Some(model.name.clone()), since, EVENTS + 1);
    let events = events.in_time().await.map_err(NoSnapshot::from)?;
    let nothing = Summary::default();
    Ok(page::one(&OneModel {
        snapshot,
        status,
        model,
        sum: report.sums.models.get(&model.name).unwrap_or(&nothing),
        intervals: &intervals,
        history: &History::of(events, since, EVENTS, now),
        view: &view,
    }))
}

/// What a page loads.
pub(super) async fn asset(name: Named) -> Response {
    let found = name.ok().and_then(|Path(name)| page::asset(&name));
    match found {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type)], asset.body).into_response(),
        None => super::not_found().await.into_response(),
    }
}
