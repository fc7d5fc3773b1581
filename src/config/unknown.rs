//! A key that a table does not have: what it was perhaps meant as, and where it belongs.

use super::keys::{self, Keys};
use super::report::{Finding, Report, echo};
use super::secret;
use super::section::{Entry, join};
use toml::Spanned;

/// Tells an unknown key of a table, and answers which key it was perhaps meant as.
pub(super) fn tell(
    report: &mut Report<'_>,
    path: &str,
    key: &Spanned<impl AsRef<str>>,
    entry: &Entry<'_>,
    keys: Keys,
) -> Option<&'static str> {
    let name = key.get_ref().as_ref();
    if report.is_broken(&entry.key) {
        return None;
    }
    let shown = if secret::is_in(name) { echo(&secret::redact(name)) } else { report.echo(&entry.key) };
    let error = |title: String| Finding::error(join(path, name), entry.key.clone(), title);
    // The address of a webhook may stand in this file; where is told below.
    let is_webhook = keys::meant(name, keys::ALERT) == Some("webhook") || name.contains("webhook");
    if secret::is_secret_key(name) && !is_webhook {
        report.hide(&entry.span);
        report.add(
            error(format!("`{shown}` would hold a secret, which has no place in this file"))
                .help("name where it is: token_env = \"VARIABLE\", token_file = \"/path\" or token_credential = \"NAME\""),
        );
        return None;
    }
    let nearest = report.speller.nearest(name, keys.iter().map(|key| key.name));
    let meant = keys::meant(name, keys);
    let could_be_a_token = |text: &str| text.len() >= 20 && !text.contains([' ', '/', ':']);
    if is_webhook
        || nearest.is_some_and(|key| key.starts_with("token") || key.starts_with("webhook"))
        || entry.value.as_str().is_some_and(could_be_a_token)
    {
        report.hide(&entry.span);
    }
    let place = if path.is_empty() { "at the top".to_owned() } else { format!("in [{path}]") };
    let finding = error(format!("unknown key `{shown}` {place}")).accepted(keys::list(keys));
    let home = keys::home(name);
    let dotted = entry.value.is_table() && path.contains('.') && nearest.is_none();
    report.add(if let Some(key) = meant {
        finding.help(format!("it is called `{key}` here"))
    } else if dotted {
        let (family, first) = path.split_once('.').unwrap_or((path, ""));
        finding
            .help(format!("a name with a dot in it stands in quotes: [{family}.\"{first}.{}\"]", echo(name)))
    } else if let Some(home) = home {
        finding.help(format!("it belongs in {home}"))
    } else if let Some(key) = nearest {
        finding.help(format!("did you mean `{key}`?"))
    } else {
        finding
    });
    meant.or(nearest)
}
