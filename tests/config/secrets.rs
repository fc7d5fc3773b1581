//! Every key of `warm.toml` that takes text, and secrets of each kind.

/// A place for a text in a file that is good without it.
pub(crate) struct Key {
    /// What it is called in messages of the tests.
    pub(crate) name: &'static str,
    /// The file, with `TEXT` for it.
    file: &'static str,
    /// Whether a secret may stand there.
    pub(crate) may_hold: bool,
}

/// A secret.
pub(crate) struct Secret {
    /// All of it.
    pub(crate) text: &'static str,
    /// The parts of it that nobody may see.
    pub(crate) hidden: &'static [&'static str],
}

/// A file without any.
pub(crate) const GOOD: &str = "[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n";

pub(crate) const SECRETS: &[Secret] = &[
    Secret { text: "r8_Hush0Hush1Hush2Hush3", hidden: &["Hush0", "Hush3"] },
    Secret { text: "/r8_Hush0Hush1Hush2Hush3", hidden: &["Hush0", "Hush3"] },
    Secret { text: "http://box/r8_Hush0Hush1Hush2Hush3/x", hidden: &["Hush0", "Hush3"] },
    Secret { text: "hf_Hush0Hush1Hush2Hush3Hush4", hidden: &["Hush0", "Hush4"] },
    Secret { text: "ghp_Hush0Hush1Hush2Hush3Hush4", hidden: &["Hush0", "Hush4"] },
    Secret { text: "gho_Hush0Hush1Hush2Hush3Hush4", hidden: &["Hush0", "Hush4"] },
    Secret { text: "github_pat_Hush0_Hush1Hush2", hidden: &["Hush0", "Hush2"] },
    Secret { text: "glpat-Hush0Hush1-Hush2", hidden: &["Hush0", "Hush2"] },
    Secret { text: "xoxb-1111-2222-Hush0Hush1", hidden: &["1111-2222", "Hush0"] },
    Secret { text: "sk-Hush0Hush1Hush2Hush3", hidden: &["Hush0", "Hush3"] },
    Secret { text: "AKIAHUSH0HUSH1HUSH23", hidden: &["HUSH0", "HUSH2"] },
    Secret { text: "eyJHush0.eyJHush1.Hush2", hidden: &["Hush0", "Hush1", "Hush2"] },
    Secret { text: "Bearer Hush0Hush1", hidden: &["Hush0"] },
    Secret { text: "https://hooks.slack.com/services/Hush0/Hush1/Hush2", hidden: &["Hush0", "Hush2"] },
    Secret { text: "https://discord.com/api/webhooks/1/Hush0", hidden: &["Hush0"] },
    Secret { text: "http://me:Hush0@box:5000/x", hidden: &["Hush0"] },
    Secret { text: "http://me:Hush0/Hush1@box:5000/x", hidden: &["Hush0", "Hush1"] },
    Secret { text: "me:Hush0@box", hidden: &["Hush0"] },
    Secret { text: "http://box/x?key=Hush0&b=Hush1", hidden: &["Hush0", "Hush1"] },
    Secret { text: "http://box/x#Hush0", hidden: &["Hush0"] },
];

macro_rules! key {
    ($name:literal, $file:expr) => {
        Key { name: $name, file: $file, may_hold: false }
    };
    ($name:literal, $file:expr, may_hold) => {
        Key { name: $name, file: $file, may_hold: true }
    };
}

/// One of `[daemon]`, `[defaults]` or `[replicate]`.
macro_rules! table {
    ($table:literal, $key:literal) => {
        key!(
            $key,
            concat!(
                "[",
                $table,
                "]\n",
                $key,
                " = \"TEXT\"\n[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n"
            )
        )
    };
    ($table:literal, $key:literal, list) => {
        key!(
            $key,
            concat!(
                "[",
                $table,
                "]\n",
                $key,
                " = [\"TEXT\"]\n[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n"
            )
        )
    };
}

macro_rules! hours {
    ($key:literal, $lines:literal) => {
        key!(
            $key,
            concat!("[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"h\"]\n[hours.h]\n", $lines)
        )
    };
}

macro_rules! model {
    ($key:literal, $lines:literal) => {
        key!($key, concat!("[models.llama]\n", $lines))
    };
}

/// A key of a model that has all that it needs.
macro_rules! of_model {
    ($key:literal) => {
        key!(
            $key,
            concat!(
                "[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n",
                $key,
                " = \"TEXT\"\n"
            )
        )
    };
}

macro_rules! alert {
    ($name:literal, $lines:literal) => {
        key!(
            $name,
            concat!(
                "[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n[[alerts]]\n",
                $lines
            )
        )
    };
    ($name:literal, $lines:literal, may_hold) => {
        key!(
            $name,
            concat!(
                "[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n[[alerts]]\n",
                $lines
            ),
            may_hold
        )
    };
}

pub(crate) const KEYS: &[Key] = &[
    table!("daemon", "state"),
    table!("daemon", "socket"),
    table!("daemon", "listen"),
    table!("daemon", "retention"),
    table!("daemon", "shutdown_grace"),
    table!("daemon", "token"),
    table!("daemon", "unknown"),
    table!("defaults", "timezone"),
    table!("defaults", "interval"),
    table!("defaults", "timeout"),
    table!("defaults", "lead"),
    table!("defaults", "cold_after"),
    table!("defaults", "calibrate"),
    table!("defaults", "active"),
    table!("defaults", "active", list),
    table!("defaults", "closed", list),
    table!("replicate", "token_credential"),
    table!("replicate", "token_env"),
    table!("replicate", "token_file"),
    table!("replicate", "token_file", list),
    table!("replicate", "base_url"),
    table!("replicate", "creates_per_minute"),
    hours!("hours.timezone", "open = [\"always\"]\ntimezone = \"TEXT\"\n"),
    hours!("hours.open", "open = [\"TEXT\"]\n"),
    hours!("hours.closed", "open = [\"always\"]\nclosed = [\"TEXT\"]\n"),
    key!(
        "hours.NAME",
        "[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n[hours.\"TEXT\"]\nopen = [\"always\"]\n"
    ),
    key!("models.NAME", "[models.\"TEXT\"]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n"),
    key!(
        "a table",
        "[\"TEXT\"]\nx = 1\n[models.llama]\ncog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\n"
    ),
    key!("models' value", "[models]\n\"TEXT\" = 1\n"),
    model!("replicate", "replicate = \"TEXT\"\nactive = [\"always\"]\n"),
    model!("replicate = owner/", "replicate = \"owner/TEXT\"\nactive = [\"always\"]\n"),
    model!("deployment", "deployment = \"TEXT\"\nactive = [\"always\"]\n"),
    model!("cog", "cog = \"TEXT\"\nactive = [\"always\"]\n"),
    model!("cog with a path", "cog = \"http://127.0.0.1:9/a/TEXT\"\nactive = [\"always\"]\n"),
    model!("active", "cog = \"http://127.0.0.1:9\"\nactive = [\"always\", \"TEXT\"]\n"),
    model!("closed", "cog = \"http://127.0.0.1:9\"\nactive = [\"always\"]\nclosed = [\"TEXT\"]\n"),
    of_model!("token_credential"),
    of_model!("token_env"),
    of_model!("token_file"),
    of_model!("probe"),
    of_model!("input"),
    of_model!("enabled"),
    of_model!("timezone"),
    of_model!("interval"),
    of_model!("timeout"),
    of_model!("lead"),
    of_model!("cold_after"),
    of_model!("calibrate"),
    alert!("alerts.name", "command = [\"x\"]\nname = \"TEXT\"\n"),
    alert!("alerts.when", "command = [\"x\"]\nwhen = [\"TEXT\"]\n"),
    alert!("alerts.models", "command = [\"x\"]\nmodels = [\"TEXT\"]\n"),
    alert!("alerts.after", "command = [\"x\"]\nafter = \"TEXT\"\n"),
    alert!("alerts.repeat", "command = [\"x\"]\nrepeat = \"TEXT\"\n"),
    alert!("alerts.timeout", "command = [\"x\"]\ntimeout = \"TEXT\"\n"),
    alert!("alerts.enabled", "command = [\"x\"]\nenabled = \"TEXT\"\n"),
    alert!("alerts.format", "webhook_env = \"HOOK\"\nformat = \"TEXT\"\n"),
    alert!("alerts.webhook = ftp", "webhook = \"ftp://TEXT\"\n"),
    alert!("alerts.webhook", "webhook = \"https://example.com/TEXT/x\"\nenabled = false\n", may_hold),
    alert!("alerts.webhook_credential", "webhook_credential = \"TEXT\"\n"),
    alert!("alerts.webhook_env", "webhook_env = \"TEXT\"\n"),
    alert!("alerts.webhook_file", "webhook_file = \"TEXT\"\n"),
    alert!("alerts.token_credential", "webhook_env = \"HOOK\"\ntoken_credential = \"TEXT\"\n"),
    alert!("alerts.token_env", "webhook_env = \"HOOK\"\ntoken_env = \"TEXT\"\n"),
    alert!("alerts.token_file", "webhook_env = \"HOOK\"\ntoken_file = \"TEXT\"\n"),
    alert!("alerts.command", "command = [\"TEXT\"]\n"),
    alert!("alerts.command's arguments", "command = [\"x\", \"TEXT\"]\n", may_hold),
];

impl Key {
    /// The file with a text there.
    pub(crate) fn file(&self, text: &str) -> String {
        self.file.replace("TEXT", text)
    }
}
