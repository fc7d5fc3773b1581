//! `warmctl beat`: one heartbeat now, and where its time went.

use super::client::Body;
use super::failure::{Failure, say};
use super::look::{self, Look};
use super::output;
use super::session::Session;
use super::{client::Client, timing, words};
use crate::clock::Stopwatch;
use crate::status::LastHeartbeat;
use serde::Deserialize;
use std::io::IsTerminal;
use std::time::Duration;

/// A warm model has answered by then: no progress needs to be shown.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
struct Answer {
    model: String,
    heartbeat: LastHeartbeat,
}

pub(super) async fn run(session: &Session, model: &str) -> Result<(), Failure> {
    let client = session.client().await?;
    let body = wait(&client, model).await?;
    let answer: Answer = client.read(&body)?;
    let answered = answer.heartbeat.outcome.answered();
    if session.json {
        output::text(&body.text())?;
    } else if answered || answer.heartbeat.total.is_some() {
        // What is left to say of the others, the error says.
        output::text(&told(&answer, &session.look))?;
    }
    let heartbeat = answer.heartbeat;
    if answered {
        return Ok(());
    }
    let reason = heartbeat.error.map(|error| format!(": {error}")).unwrap_or_default();
    Err(Failure::Heartbeat { model: answer.model, outcome: look::outcome(heartbeat.outcome).0, reason })
}

/// The answer; meanwhile, on a terminal, a line that tells how long it has been waited for.
async fn wait(client: &Client, model: &str) -> Result<Body, Failure> {
    let answer = client.beat(model);
    tokio::pin!(answer);
    if !std::io::stderr().is_terminal() {
        return Ok(answer.await?);
    }
    let watch = Stopwatch::start();
    let mut shown = false;
    loop {
        tokio::select! {
            answer = &mut answer => {
                if shown {
                    say("\r\x1b[K");
                }
                return Ok(answer?);
            }
            () = tokio::time::sleep(PATIENCE) => {
                let waited = words::span(watch.elapsed().as_secs_f64());
                say(&format!("\r\x1b[Kwaiting for {} … {waited}", words::tame(model)));
                shown = true;
            }
        }
    }
}

fn told(answer: &Answer, look: &Look) -> String {
    let (outcome, style) = look::outcome(answer.heartbeat.outcome);
    let verdict = timing::verdict(&answer.heartbeat).replacen(outcome, &look.paint(style, outcome), 1);
    let mut text = format!("{}: {verdict}\n", look.bold(&answer.model));
    for line in timing::lines(&answer.heartbeat) {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}
