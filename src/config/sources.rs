//! `token_credential`, `token_env`, `token_file`: where a token is, never the token; the same of a webhook.

use super::field::{Field, Wrong};
use super::report::{Finding, Report};
use super::secret;
use super::section::Section;
use super::value::TokenSource;
use std::path::PathBuf;

/// Of a token, in the order in which they are tried.
const TOKEN: [&str; 3] = ["token_credential", "token_env", "token_file"];
/// Of a webhook's address.
pub(super) const WEBHOOK: [&str; 3] = ["webhook_credential", "webhook_env", "webhook_file"];

/// The sources that a section names of its token; absent where it names none.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Field<TokenSource> {
    of(TOKEN, section, report)
}

/// The sources of its webhook's address.
pub(super) fn webhook(section: &Section<'_>, report: &mut Report<'_>) -> Field<TokenSource> {
    of(WEBHOOK, section, report)
}

fn of(keys: [&str; 3], section: &Section<'_>, report: &mut Report<'_>) -> Field<TokenSource> {
    let fields = [
        source(section, report, keys[0], credential),
        source(section, report, keys[1], variable),
        source(section, report, keys[2], file),
    ];
    if fields.iter().any(|field| matches!(field, Field::Wrong)) {
        return Field::Wrong;
    }
    if fields.iter().all(|field| matches!(field, Field::Absent)) {
        return Field::Absent;
    }
    if let Some((key, entry)) = keys.iter().find_map(|key| Some((key, section.entry(key)?))) {
        report
            .add_token(Finding::warning(section.name(key), entry.key.clone(), "").value(entry.span.clone()));
    }
    let [credential, env, file] = fields.map(Field::given);
    Field::Given(TokenSource { credential, env, file: file.map(PathBuf::from) })
}

fn source(
    section: &Section<'_>,
    report: &mut Report<'_>,
    key: &str,
    check: impl FnOnce(&str) -> Result<(), Wrong>,
) -> Field<String> {
    let field = section.text(report, key, |text| {
        if secret::looks_secret(text) {
            return Err(Wrong::secret());
        }
        check(text)?;
        Ok(text.to_owned())
    });
    // Whatever is wrong here may be a token.
    if let (Field::Wrong, Some(entry)) = (&field, section.entry(key)) {
        report.hide(&entry.span);
    }
    field
}

fn variable(name: &str) -> Result<(), Wrong> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if name.starts_with('$') || super::variable::is_whole(name) {
        Err(Wrong::new("the name stands without its `$`, and without braces"))
    } else if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Err(Wrong::new("this is no name of an environment variable: those have letters, digits and `_`"))
    } else {
        Ok(())
    }
}

fn credential(name: &str) -> Result<(), Wrong> {
    // systemd takes any file name that is no path.
    if name.contains('/')
        || name == "."
        || name == ".."
        || name.len() > 255
        || name.contains(char::is_control)
    {
        Err(Wrong::new("a credential has a name, not a path").help("use token_file for a path"))
    } else if name.contains(':') {
        Err(Wrong::new("this is no name of a credential: those have no `:`"))
    } else {
        Ok(())
    }
}

fn file(path: &str) -> Result<(), Wrong> {
    let path_of_url = path.trim_start().to_ascii_lowercase();
    if path.contains("://") || path_of_url.starts_with("http:") || path_of_url.starts_with("https:") {
        return Err(Wrong::new("a URL stands where the path of a file should")
            .help("write it into a file that nobody else may read, and name that file"));
    }
    super::folders::check_path(path)
}
