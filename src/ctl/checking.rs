//! `warmctl check`: the verb around [`super::check`], and what the providers say.

use super::failure::{BAD_CONFIGURATION, Failure};
use super::session::Session;
use super::{args, check, online, output};
use crate::clock;
use chrono::SubsecRound;
use serde::Serialize;

/// The report, and what the providers said where they were asked.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    report: &'a check::CheckReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<&'a [online::Inspected]>,
}

pub(super) async fn run(session: &Session, args: &args::Check) -> Result<(), Failure> {
    let file = args.file.clone().unwrap_or_else(|| session.file());
    let loaded = match session.load(&file) {
        Ok(loaded) => loaded,
        Err(problems) if session.json => {
            output::json(&check::refused(problems))?;
            return Err(Failure::Told(BAD_CONFIGURATION));
        }
        Err(problems) => return Err(Failure::Configuration(problems)),
    };
    let report = check::report(&loaded, clock::now().trunc_subsecs(3), &session.env);
    if !session.json {
        session.tell(&report.text(&session.look))?;
    }
    let inspected = if args.online { Some(online::inspect(&loaded.config, session).await?) } else { None };
    let inspected = inspected.as_deref();
    if session.json {
        output::json(&Whole { report: &report, online: inspected })?;
    } else if let Some(inspected) = inspected {
        session.tell(&format!("\n{}", online::told(inspected, &session.look)))?;
    }
    let troubled = inspected.unwrap_or_default().iter().filter(|model| !model.problems.is_empty()).count();
    if troubled > 0 { Err(Failure::Online { troubled }) } else { Ok(()) }
}
