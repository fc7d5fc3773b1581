//! `warmctl beat`: one heartbeat now, and where its time went.

use super::failure::Failure;
use super::look::{self, Look};
use super::overview;
use super::progress::Progress;
use super::session::Session;
use super::{output, timing, words};
use crate::status::LastHeartbeat;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Answer {
    model: String,
    heartbeat: LastHeartbeat,
    /// Whether a calibration heartbeat follows it.
    #[serde(default)]
    calibration: bool,
}

pub(super) async fn run(session: &Session, model: &str) -> Result<(), Failure> {
    let client = session.client().await?;
    let progress = Progress::of(session);
    let waiting = |waited: &str| format!("waiting {waited} for {}", words::tame(model));
    let body = progress.during(client.beat(model), waiting).await?;
    let answer: Answer = client.read(&body)?;
    let answered = answer.heartbeat.outcome.answered();
    if session.json {
        output::text(&body.text())?;
    } else if answered || answer.heartbeat.total.is_some() {
        // What is left to say of the others, the error says.
        session.tell(&told(&answer, &session.look))?;
    }
    let heartbeat = answer.heartbeat;
    if answered {
        return Ok(());
    }
    let reason = heartbeat.error.map(|error| format!(": {error}")).unwrap_or_default();
    Err(Failure::Heartbeat { model: answer.model, outcome: words::model::outcome(heartbeat.outcome), reason })
}

const CALIBRATION: &str =
    "a calibration heartbeat follows, to see what a warm answer takes; `calibrate = false` turns that off";

fn told(answer: &Answer, look: &Look) -> String {
    let (outcome, style) = look::outcome(answer.heartbeat.outcome);
    let verdict = format!("{}: {}", answer.model, words::heartbeat::verdict(&answer.heartbeat));
    let (mut text, mut told) = (String::new(), false);
    overview::paragraph(&mut text, look, "  ", &verdict, |line| {
        let (name, rest) = match line.strip_prefix(&answer.model).filter(|_| !told) {
            Some(rest) => (look.bold(&answer.model), rest),
            None => (String::new(), line),
        };
        let painted = look.paint(style, outcome);
        let rest = if told { rest.to_owned() } else { rest.replacen(outcome, &painted, 1) };
        told |= line.contains(outcome);
        name + &rest
    });
    for line in timing::lines(&answer.heartbeat, look.room() - 2) {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    if answer.calibration {
        overview::paragraph(&mut text, look, "  ", CALIBRATION, str::to_owned);
    }
    text
}
