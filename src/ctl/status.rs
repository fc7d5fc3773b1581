//! `warmctl status`: once, or over and over.

use super::args;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::output;
use super::past::past;
use super::screen::Screen;
use super::session::Session;
use super::{overview, picture};
use crate::status::Snapshot;
use crate::status::history::History;
use crate::status::intervals::Intervals;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// The last so many are told of a model.
const EVENTS: u32 = 8;

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
    let model_named = args.model.as_deref();
    let body = client.status(model_named, &args.since).await?;
    if session.json {
        return Ok(body.text());
    }
    let snapshot: Snapshot = client.read(&body)?;
    Ok(match (model_named, snapshot.models.as_slice()) {
        (Some(name), [model]) => {
            picture(&snapshot, model, &session.look) + &behind(session, client, name, &args.since).await?
        }
        _ => overview(&snapshot, &session.look),
    })
}

/// What lies behind a model's picture; nothing where the daemon is of an older version, and knows no such path.
async fn behind(session: &Session, client: &Client, model: &str, since: &str) -> Result<String, Failure> {
    let asked = async {
        let intervals: Intervals = client.read(&client.intervals(model, since).await?)?;
        let history: History = client.read(&client.events(Some(model), since, EVENTS).await?)?;
        Ok((intervals, history))
    };
    match asked.await {
        Ok((intervals, history)) => Ok(past(&intervals, &history, &session.look)),
        Err(ClientError::Refused(_)) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// Until Ctrl-C. A daemon that goes away meanwhile may come back: only at the start it must be there.
async fn watch(session: &Session, client: &Client, args: &args::Status) -> Result<(), Failure> {
    let redraw = std::io::stdout().is_terminal() && !session.json && !session.env.has_dumb_terminal();
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
