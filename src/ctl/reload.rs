//! `warmctl reload`: the configuration read again, and what came of it.

use super::client::ClientError;
use super::failure::{BAD_CONFIGURATION, Failure, say};
use super::output;
use super::session::Session;
use super::words;
use crate::status::VERSION;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Answer {
    changes: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.client().await?;
    let body = match client.reload().await {
        Ok(body) => body,
        Err(ClientError::Refused(refusal)) => match &refusal.problems {
            Some(problems) => {
                if session.json {
                    output::json(&json!({ "version": VERSION, "ok": false, "problems": problems }))?;
                } else {
                    say(refusal.rendered.as_deref().unwrap_or_default());
                    say(
                        "warmctl: the daemon refused it, and goes on with the configuration before; mend it and reload again\n",
                    );
                }
                return Err(Failure::Told(BAD_CONFIGURATION));
            }
            None => return Err(ClientError::Refused(refusal).into()),
        },
        Err(error) => return Err(error.into()),
    };
    if session.json {
        return output::text(&body.text());
    }
    let answer: Answer = client.read(&body)?;
    let mut lines: Vec<String> =
        answer.warnings.iter().map(|warning| format!("warning: {}", words::tame(warning))).collect();
    if answer.changes.is_empty() {
        lines.push("reloaded, nothing changed".to_owned());
    } else {
        lines.push(format!("reloaded, {}:", words::count(answer.changes.len() as u64, "change", "changes")));
        lines.extend(answer.changes.iter().map(|change| format!("  {change}")));
    }
    session.tell_lines(&lines)
}
