//! Where an alert goes: a webhook in one of its shapes, or a command.

use crate::config::alert::{Address, Format, Target};
use crate::config::field::{Field, Wrong};
use crate::config::nearest::nearest;
use crate::config::report::{Finding, Report};
use crate::config::secret;
use crate::config::section::Section;
use crate::config::sources::{self, WEBHOOK};
use crate::config::variable;
use crate::config::webhook::Webhook;

/// `webhook`, one of its sources, or `command`: exactly one of them.
pub(super) fn target(section: &Section<'_>, report: &mut Report<'_>) -> Option<Target> {
    let format = format(section, report);
    let shape = match &format {
        Field::Given(format) => *format,
        Field::Absent | Field::Wrong => Format::Json,
    };
    let here = section.text(report, "webhook", |text| Webhook::parse(text, shape));
    let named = sources::webhook(section, report);
    let token = sources::read(section, report);
    let command = command(section, report);
    let mut ways: Vec<_> = ["webhook", "command"]
        .into_iter()
        .chain(WEBHOOK)
        .filter_map(|key| Some((key, section.entry(key)?)))
        .collect();
    ways.sort_by_key(|(_, entry)| entry.key.start);
    let Some(((first_key, first), others)) = ways.split_first() else {
        let help = "write one of webhook = \"https://…\", webhook_env = \"VARIABLE\", webhook_file = \"/path\", \
                    webhook_credential = \"NAME\" and command = [\"/path/to/program\"]";
        section.missing(report, &["webhook", "command"], "this alert says nothing of where to tell it", help);
        return None;
    };
    for (key, other) in others {
        // Several places of one address are tried in turn, as those of a token are.
        if WEBHOOK.contains(key) && WEBHOOK.contains(first_key) {
            continue;
        }
        let title = format!("`{key}`: an alert goes to one place, and this is another already");
        let finding = Finding::error(section.name(key), other.key.clone(), title);
        report
            .add(finding.other(first.key.clone(), "first").help("take one out, or make two alerts of them"));
    }
    let to_command = *first_key == "command";
    for key in ["format", "token_credential", "token_env", "token_file"] {
        if let (true, Some(entry)) = (to_command, section.entry(key)) {
            let title =
                format!("`{key}`: a command takes the event as JSON on its standard input, and no more");
            report.add(Finding::error(section.name(key), entry.key.clone(), title).help("take it out"));
        }
    }
    let address = here.map(Address::Here).or(named.map(Address::In));
    if to_command {
        command.given()
    } else {
        let target = Target::Webhook {
            address: address.given()?,
            format: format.unwrap_or(Format::Json),
            token: token.given(),
        };
        warn(&target, section, report);
        Some(target)
    }
}

fn format(section: &Section<'_>, report: &mut Report<'_>) -> Field<Format> {
    section.text(report, "format", |text| {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let wrong = Wrong::new("there is no such format");
            match nearest(text, Format::ALL.map(Format::name)) {
                Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
                None => wrong,
            }
        })
    })
}

fn command(section: &Section<'_>, report: &mut Report<'_>) -> Field<Target> {
    let argv = section.list(report, "command", |report, text, span| {
        let fit = !text.contains('\0');
        if !fit {
            let title = "`command`: no argument holds a zero byte";
            report.add(Finding::error(section.name("command"), span, title));
        } else if secret::is_in(text) {
            let title = "`command`: an argument looks like a secret, and all users may read it while the program runs";
            let finding = Finding::warning(section.name("command"), span, title);
            report.add(finding.help("let the program read it from a file that nobody else may read"));
        }
        fit.then(|| text.to_owned())
    });
    let (Field::Given(argv), Some(entry)) = (&argv, section.entry("command")) else {
        return argv.map(Target::Command);
    };
    let wrong = match argv.first().map(String::as_str) {
        None | Some("") => Wrong::new("the program is missing"),
        // It is shown as where the alert leads.
        Some(program) if secret::is_in(program) => Wrong::secret(),
        Some(program) if variable::first(program).is_some() => Wrong::variable().help("write the whole path"),
        // It runs in `/`: what is meant to lie beside the file is not there.
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            Wrong::new("the program's path begins with `/`, or it has none and is looked for in $PATH")
        }
        Some(_) => return Field::Given(Target::Command(argv.clone())),
    };
    section.wrong(report, "command", entry, wrong);
    Field::Wrong
}

/// What works, and is perhaps not what was meant.
fn warn(target: &Target, section: &Section<'_>, report: &mut Report<'_>) {
    let (Target::Webhook { address: Address::Here(webhook), token, .. }, Some(entry)) =
        (target, section.entry("webhook"))
    else {
        return;
    };
    if webhook.is_in_the_clear() {
        let what = if token.is_some() { "the URL, the token" } else { "the URL" };
        let title = format!("`webhook`: {what} and all that is posted there travel in the clear");
        let finding = Finding::warning(section.name("webhook"), entry.key.clone(), title);
        report.add(finding.help("use https:// where others share the network"));
    }
}
