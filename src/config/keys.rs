//! Every key that `warm.toml` may have, and what is accepted there.

/// A key of a section.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// For the message: what its value may be.
    pub(super) accepted: &'static str,
}

/// The keys of a table.
pub(super) type Keys = &'static [Key];

const fn key(name: &'static str, accepted: &'static str) -> Key {
    Key { name, accepted }
}

const TIMEZONE: Key = key("timezone", "an IANA name such as \"Europe/Berlin\", or \"UTC\"");
const INTERVAL: Key = key("interval", "a duration from \"1s\" to \"1d\", such as \"30s\"");
const TIMEOUT: Key = key("timeout", "a duration from \"1s\" to \"1h\", such as \"10m\"");
const LEAD: Key = key("lead", "\"auto\", or a duration up to \"1d\", such as \"2m\"");
const COLD_AFTER: Key = key("cold_after", "\"auto\", or a duration up to \"1h\", such as \"2s500ms\"");
const CALIBRATE: Key = key("calibrate", "true or false");
const ACTIVE: Key = key(
    "active",
    "a list of windows such as \"Mon-Fri 08:00-20:00\" or \"always\", and of names of [hours.NAME]",
);
const CLOSED: Key = key(
    "closed",
    "a list of dates \"2026-12-24\", ranges \"2026-12-24..2026-12-26\" and windows \"Mon-Fri 12:00-13:00\"",
);
const TOKEN_CREDENTIAL: Key =
    key("token_credential", "the name of a systemd credential, such as \"replicate-token\"");
const TOKEN_ENV: Key =
    key("token_env", "the name of an environment variable, such as \"REPLICATE_API_TOKEN\"");
const TOKEN_FILE: Key = key("token_file", "the path of a file, such as \"/etc/warmd/replicate-token\"");

/// The tables at the top.
pub(super) const ROOT: Keys = &[
    key("daemon", "a table, [daemon]"),
    key("defaults", "a table, [defaults]"),
    key("replicate", "a table, [replicate]"),
    key("hours", "tables, [hours.NAME]"),
    key("models", "tables, [models.NAME]"),
    key("alerts", "tables, [[alerts]]"),
];

/// `[daemon]`.
pub(super) const DAEMON: Keys = &[
    key("state", "the path of a file, such as \"/var/lib/warmd/warmd.db\""),
    key("socket", "the path of a socket, at most 107 bytes, such as \"/run/warmd/warmd.sock\""),
    key("listen", "an address such as \"127.0.0.1:9845\", or \"off\""),
    key("retention", "a duration from \"1d\" to \"3650d\", such as \"90d\""),
    key("shutdown_grace", "a duration up to \"1h\", such as \"20s\""),
];

/// `[defaults]`.
pub(super) const DEFAULTS: Keys = &[TIMEZONE, INTERVAL, TIMEOUT, LEAD, COLD_AFTER, CALIBRATE, ACTIVE, CLOSED];

/// `[replicate]`.
pub(super) const REPLICATE: Keys = &[
    TOKEN_CREDENTIAL,
    TOKEN_ENV,
    TOKEN_FILE,
    key("base_url", "a URL such as \"https://api.replicate.com/v1\""),
    key(
        "creates_per_minute",
        "a whole number from 1 to 100000; Replicate's limit for the whole account is 600",
    ),
];

/// `[hours.NAME]`.
pub(super) const HOURS: Keys =
    &[TIMEZONE, key("open", "a list of windows such as \"Mon-Fri 08:00-20:00\" or \"always\""), CLOSED];

/// `[models.NAME]`.
pub(super) const MODEL: Keys = &[
    key("replicate", "\"owner/name\" or \"owner/name:version\", the version of 64 hex digits"),
    key("deployment", "\"owner/name\""),
    key("cog", "the URL of a Cog server, such as \"http://gpu-box:5000\""),
    TOKEN_CREDENTIAL,
    TOKEN_ENV,
    TOKEN_FILE,
    ACTIVE,
    CLOSED,
    key("probe", "\"predict\" or \"health\""),
    key("input", "a table such as { prompt = \"hi\", max_tokens = 1 }"),
    key("enabled", "true or false"),
    TIMEZONE,
    INTERVAL,
    TIMEOUT,
    LEAD,
    COLD_AFTER,
    CALIBRATE,
];

/// `[[alerts]]`.
pub(super) const ALERT: Keys = &[
    key("name", "letters A-Z, digits, `.`, `_` and `-`, such as \"ops\""),
    key("when", "a list of \"cold\", \"failing\", \"blocked\", \"recovered\" and \"config_error\""),
    key("models", "a list of names of [models.NAME]"),
    key("after", "how many in a row, such as 3, or how long it must last, such as \"2m\""),
    key("repeat", "a duration from \"1m\" to \"30d\", such as \"4h\""),
    key("webhook", "a URL that begins with https:// or http://"),
    key("webhook_credential", "the name of a systemd credential that holds a URL, such as \"slack-webhook\""),
    key("webhook_env", "the name of an environment variable that holds a URL, such as \"SLACK_WEBHOOK\""),
    key("webhook_file", "the path of a file that holds a URL, such as \"/etc/warmd/slack-webhook\""),
    key("format", "\"json\", \"slack\", \"discord\" or \"ntfy\""),
    key("command", "a list of a program and its arguments, such as [\"/usr/local/bin/tell\", \"ops\"]"),
    TOKEN_CREDENTIAL,
    TOKEN_ENV,
    TOKEN_FILE,
    key("timeout", "a duration from \"1s\" to \"5m\", such as \"10s\""),
    key("enabled", "true or false"),
];

/// Where each key may stand, as it is written.
const SECTIONS: [(&str, Keys); 6] = [
    ("[daemon]", DAEMON),
    ("[defaults]", DEFAULTS),
    ("[replicate]", REPLICATE),
    ("[hours.NAME]", HOURS),
    ("[models.NAME]", MODEL),
    ("[[alerts]]", ALERT),
];

/// What other programs call it, and what it is called here. Spelling alone would not lead there.
const OTHER_WORDS: [(&str, &str); 29] = [
    ("address", "listen"),
    ("argv", "command"),
    ("bind", "listen"),
    ("conditions", "when"),
    ("database", "state"),
    ("db", "state"),
    ("endpoint", "cog"),
    ("events", "when"),
    ("every", "interval"),
    ("every", "repeat"),
    ("exec", "command"),
    ("for", "after"),
    ("holidays", "closed"),
    ("hours", "active"),
    ("model", "replicate"),
    ("model", "models"),
    ("on", "when"),
    ("period", "interval"),
    ("port", "listen"),
    ("rate_limit", "creates_per_minute"),
    ("schedule", "active"),
    ("tz", "timezone"),
    ("type", "format"),
    ("url", "cog"),
    ("url", "webhook"),
    ("webhook_url", "webhook"),
    ("version", "replicate"),
    ("windows", "active"),
    ("zone", "timezone"),
];

/// The key of these that another word means.
pub(super) fn meant(word: &str, keys: Keys) -> Option<&'static str> {
    // At the top there are tables, and these are words for what is within them.
    if keys.iter().any(|key| key.name == "daemon") {
        return None;
    }
    let meanings = OTHER_WORDS.iter().filter(|(other, _)| *other == word).map(|(_, meant)| *meant);
    meanings.into_iter().find_map(|meant| {
        let has_open = keys.iter().any(|key| key.name == "open");
        let meant = if meant == "active" && has_open { "open" } else { meant };
        keys.iter().find(|key| key.name == meant).map(|key| key.name)
    })
}

/// The sections in which a key may stand, joined by `or`.
pub(super) fn home(word: &str) -> Option<String> {
    let homes: Vec<_> = SECTIONS
        .iter()
        .filter(|(_, keys)| keys.iter().any(|key| key.name == word))
        .map(|(section, _)| *section)
        .collect();
    (!homes.is_empty()).then(|| homes.join(" or "))
}

/// All of them, for a message.
pub(super) fn list(keys: Keys) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}
