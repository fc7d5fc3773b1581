//! `warmctl status`: once, or over and over.

use super::args;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::output;
use super::screen::Screen;
use super::session::Session;
use super::{overview, picture};
use crate::status::Snapshot;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// From one picture to the next.
const PERIOD: Duration = Duration::from_secs(2);

pub(super) async fn run(session: &Session, args: &args::Status) -> Result<(), Failure> {
    let client = session.client().await?;
    if args.watch {
        watch(session, &client, args).await
    } else {
        output::text(&report(session, &client, args).await?)
    }
}

/// What is to be printed.
async fn report(session: &Session, client: &Client, args: &args::Status) -> Result<String, Failure> {
    let model = args.model.as_deref();
    let body = client.status(model, &args.since).await?;
    if session.json {
        return Ok(body.text());
    }
    let snapshot: Snapshot = client.read(&body)?;
    Ok(match (model, snapshot.models.as_slice()) {
        (Some(_), [model]) => picture(&snapshot, model, &session.look),
        _ => overview(&snapshot, &session.look),
    })
}

/// Until Ctrl-C. A daemon that goes away meanwhile may come back: only at the start it must be there.
async fn watch(session: &Session, client: &Client, args: &args::Status) -> Result<(), Failure> {
    let redraw = std::io::stdout().is_terminal() && !session.json;
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    let (mut screen, mut first) = (Screen::default(), true);
    loop {
        let told = tokio::select! {
            // The prompt starts on a line of its own, behind the terminal's `^C`.
            _ = &mut stop => return output::text(if redraw { "\n" } else { "" }),
            told = async { ticks.tick().await; report(session, client, args).await } => told,
        };
        let told = match told {
            Ok(told) => told,
            Err(error @ Failure::Client(ClientError::Gone { .. } | ClientError::Silent { .. })) if !first => {
                if !redraw {
                    error.line();
                    continue;
                }
                format!("{error}\n")
            }
            Err(error) => return Err(error),
        };
        let text = match (redraw, first) {
            (true, _) => screen.frame(&told),
            (false, true) => told,
            (false, false) if session.json => told,
            (false, false) => format!("\n{told}"),
        };
        output::text(&text)?;
        first = false;
    }
}
