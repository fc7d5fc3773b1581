//! What has no place in a value, whatever its key takes: secrets, and variables that nothing replaces.

use super::field::Wrong;
use super::secret;
use super::variable;

/// What is wrong with a text at a key before anybody reads it; none where nothing is. Nothing of it is repeated.
pub(super) fn in_text(key: &str, text: &str) -> Option<Wrong> {
    if is_secret(key, text) {
        return Some(Wrong::secret());
    }
    // A program may take its arguments as they are; of the first, whoever reads it says so. The name of a
    // variable has its own words.
    if key == "command" || key.ends_with("_env") {
        return None;
    }
    let found = if key == "webhook" { variable::in_braces(text) } else { variable::first(text) };
    found.map(|found| Wrong::variable().help(remedy(key, found.name)))
}

/// Whether a key's value holds a secret that must not be there.
fn is_secret(key: &str, text: &str) -> bool {
    match key {
        // The address of a webhook is never shown; of a command, the program alone is.
        "webhook" | "command" => false,
        "cog" | "base_url" | "replicate" | "deployment" => secret::is_in_url(text),
        _ => secret::is_in(text),
    }
}

/// What to write instead of a variable.
fn remedy(key: &str, name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let name = if plain { name } else { "NAME" };
    let what = if key.starts_with("webhook") { "webhook" } else { "token" };
    match key {
        "token_file" | "token_credential" | "webhook_file" | "webhook_credential"
            if name == "CREDENTIALS_DIRECTORY" =>
        {
            format!("{what}_credential = \"NAME\" names a file in that folder")
        }
        "webhook" | "token_file" | "token_credential" | "webhook_file" | "webhook_credential" => {
            format!("{what}_env = \"{name}\" reads it from the environment")
        }
        "base_url" => "leave it out, and $REPLICATE_BASE_URL is read".to_owned(),
        _ => "write the value itself, or let what makes this file put it in".to_owned(),
    }
}
