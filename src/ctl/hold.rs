//! `warmctl pause` and `warmctl resume`: models held and freed, each by itself.

use super::args::Models;
use super::client::Client;
use super::failure::Failure;
use super::output;
use super::session::Session;
use super::words;
use crate::clock;
use crate::config::value::format_duration;
use crate::status::{Snapshot, VERSION, rfc3339_millis};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The daemon's answer to either.
#[derive(Debug, Deserialize)]
struct Answer {
    model: String,
    #[serde(default)]
    paused_until: Option<DateTime<Utc>>,
    was_paused: Option<bool>,
}

pub(super) async fn pause(
    session: &Session,
    models: &Models,
    length: Option<Duration>,
) -> Result<(), Failure> {
    let client = session.client().await?;
    let length = length.map(format_duration);
    let mut done = Done::default();
    for name in names(&client, models).await? {
        let answer = client.pause(&name, length.clone()).await;
        done.note(&client, answer.map_err(Failure::from))?;
    }
    done.tell(session, |answer| {
        let json = json!({ "name": answer.model, "paused_until": answer.paused_until.map(rfc3339_millis) });
        let until = match answer.paused_until {
            Some(until) => {
                words::clock_to_the_second((session.look.local)(until), (session.look.local)(clock::now()))
            }
            None => format!("`warmctl resume {}`", answer.model),
        };
        (json, format!("{}: paused until {until}", answer.model))
    })
}

pub(super) async fn resume(session: &Session, models: &Models) -> Result<(), Failure> {
    let client = session.client().await?;
    let mut done = Done::default();
    for name in names(&client, models).await? {
        let answer = client.resume(&name).await;
        done.note(&client, answer.map_err(Failure::from))?;
    }
    done.tell(session, |answer| {
        let said = if answer.was_paused == Some(false) { "was not paused" } else { "resumed" };
        let json = json!({ "name": answer.model, "was_paused": answer.was_paused });
        (json, format!("{}: {said}", answer.model))
    })
}

/// The models that are meant.
async fn names(client: &Client, models: &Models) -> Result<Vec<String>, Failure> {
    if !models.all {
        return Ok(models.models.clone());
    }
    // The shortest span: only the names matter.
    let snapshot: Snapshot = client.read(&client.status(None, "1s").await?)?;
    Ok(snapshot.models.into_iter().map(|model| model.name).collect())
}

/// What was done so far. One model that is refused keeps no other one from its turn.
#[derive(Debug, Default)]
struct Done {
    answers: Vec<Answer>,
    failed: bool,
}

impl Done {
    fn note(&mut self, client: &Client, answer: Result<super::client::Body, Failure>) -> Result<(), Failure> {
        match answer.and_then(|body| Ok(client.read(&body)?)) {
            Ok(answer) => self.answers.push(answer),
            Err(failure) if failure.is_final() => return Err(failure),
            Err(failure) => {
                failure.line();
                self.failed = true;
            }
        }
        Ok(())
    }

    fn tell(self, session: &Session, told: impl Fn(&Answer) -> (Value, String)) -> Result<(), Failure> {
        let (json, lines): (Vec<Value>, Vec<String>) = self.answers.iter().map(told).unzip();
        if session.json {
            output::json(&json!({ "version": VERSION, "models": json }))?;
        } else {
            session.tell_lines(&lines)?;
        }
        if self.failed { Err(Failure::Told(1)) } else { Ok(()) }
    }
}
