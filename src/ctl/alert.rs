//! `warmctl alert test`: whether what is to be told would arrive.

use super::failure::Failure;
use super::output;
use super::session::Session;
use super::words;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Answer {
    alerts: Vec<Tried>,
}

#[derive(Debug, Deserialize)]
struct Tried {
    name: String,
    to: String,
    ok: bool,
    took: f64,
    #[serde(default)]
    error: Option<String>,
}

/// A line each; fails where one has not arrived.
pub(super) async fn test(session: &Session, name: Option<&str>) -> Result<(), Failure> {
    let client = session.client().await?;
    let body = client.test_alerts(name).await?;
    let answer: Answer = client.read(&body)?;
    if session.json {
        output::text(&body.text())?;
    } else {
        session.tell_lines(&answer.alerts.iter().map(Tried::line).collect::<Vec<_>>())?;
    }
    if answer.alerts.iter().all(|tried| tried.ok) { Ok(()) } else { Err(Failure::Told(1)) }
}

impl Tried {
    fn line(&self) -> String {
        let how = match &self.error {
            Some(error) => format!("failed: {error}"),
            None => format!("ok in {}", words::measured(self.took)),
        };
        words::tame(&format!("{} → {}: {how}", self.name, self.to))
    }
}
