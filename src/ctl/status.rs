//! `warmctl status`: asked once, and shown whole or as much of it as fits.

use super::args;
use super::client::{Body, Client, ClientError};
use super::failure::Failure;
use super::glance::{beginning, glance};
use super::look::Look;
use super::past::past;
use super::session::Session;
use super::{overview, picture, watch};
use crate::status::Snapshot;
use crate::status::history::History;
use crate::status::intervals::Intervals;

/// The last so many are told of a model.
const EVENTS: u32 = 8;

pub(super) async fn run(session: &Session, args: &args::Status) -> Result<(), Failure> {
    let client = session.client().await?;
    if args.watch {
        watch::run(session, &client, args).await
    } else {
        session.tell(&see(session, &client, args).await?.whole(&session.look))
    }
}

/// What the daemon said.
pub(super) enum Seen {
    /// As it came.
    Json(Body),
    /// Of all models.
    All(Snapshot),
    /// Of one, and what lies behind it; nothing where the daemon is of an older version, and doesn't know.
    One(Box<Snapshot>, Option<Box<(Intervals, History)>>),
}

/// Asks the daemon.
pub(super) async fn see(session: &Session, client: &Client, args: &args::Status) -> Result<Seen, Failure> {
    let body = client.status(args.model.as_deref(), &args.since).await?;
    if session.json {
        return Ok(Seen::Json(body));
    }
    let snapshot: Snapshot = client.read(&body)?;
    Ok(match (&args.model, snapshot.models.len()) {
        (Some(name), 1) => Seen::One(Box::new(snapshot), behind(client, name, &args.since).await?),
        _ => Seen::All(snapshot),
    })
}

async fn behind(
    client: &Client,
    model: &str,
    since: &str,
) -> Result<Option<Box<(Intervals, History)>>, Failure> {
    let asked = async {
        let intervals = client.read(&client.intervals(model, since).await?)?;
        let history = client.read(&client.events(Some(model), since, EVENTS).await?)?;
        Ok(Box::new((intervals, history)))
    };
    match asked.await {
        Ok(behind) => Ok(Some(behind)),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Seen {
    /// All of it.
    pub(super) fn whole(&self, look: &Look) -> String {
        match self {
            Self::Json(body) => body.text(),
            Self::All(snapshot) => overview(snapshot, look),
            Self::One(snapshot, behind) => {
                let pictures = snapshot.models.iter().map(|model| picture(snapshot, model, look));
                let behind = behind.as_deref().map(|(intervals, history)| past(intervals, history, look));
                pictures.chain(behind).collect()
            }
        }
    }

    /// As much of it as fits into `rows` lines, and what is left out.
    pub(super) fn within(&self, look: &Look, rows: usize) -> String {
        match self {
            Self::All(snapshot) => glance(snapshot, look, rows),
            Self::One(..) | Self::Json(_) => beginning(&self.whole(look), look, rows),
        }
    }
}
