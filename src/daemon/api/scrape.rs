//! What a monitoring system asks: metrics, and whether the daemon lives and answers.

use super::Api;
use crate::daemon::command::{Command, Stopping};
use crate::daemon::problem::Problem;
use crate::metrics::{self, Format};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

/// Every metric, in the text that the scraper prefers.
pub(super) async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let format = Format::accepted(&accepts.collect::<Vec<_>>().join(","));
    let (live, counts) = api.engine.ask(Command::Scrape).await?;
    let text = metrics::text(live, counts, format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// The process is there: it answers.
pub(super) async fn healthy() -> &'static str {
    "warmd is healthy.\n"
}

/// It does its work: the engine answers too.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    let answer: Result<(), Stopping> = api.engine.ask(Command::Answer).await;
    answer?;
    Ok("warmd is ready.\n")
}
