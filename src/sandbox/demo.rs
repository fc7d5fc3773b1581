//! What `warmd --demo` runs against: a few models that go cold within seconds, each for a reason
//! of its own, and the `warm.toml` for them.

use super::cog::CogSettings;
use super::settings::{AccountSettings, Conduct, Credit, DeploymentSettings, ModelSettings, Settings};
use super::{Cog, Sandbox, Spread, schema};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;

/// The only token that the demo's sandbox accepts.
const TOKEN: &str = "demo";

/// The demo's world, while it runs.
#[derive(Debug)]
pub struct Demo {
    /// What stands in for Replicate.
    pub sandbox: Sandbox,
    /// What stands in for a Cog server.
    pub cog: Cog,
    /// The `warm.toml` that fits them; its token, state and socket lie in the folder given.
    pub config_toml: String,
    /// The token, which is also in the folder's file `token`.
    pub token: &'static str,
}

impl Demo {
    /// Stops both servers.
    pub async fn stop(self) {
        self.sandbox.stop().await;
        self.cog.stop().await;
    }
}

/// Starts the demo's servers on loopback, and writes their token into `folder`.
pub async fn start(folder: &Path) -> io::Result<Demo> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join("token"))?;
    file.write_all(TOKEN.as_bytes())?;
    let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let sandbox = Sandbox::start(listener().await?, settings())?;
    let cog = Sandbox::cog(listener().await?, cog_settings())?;
    let config_toml = config(folder, &sandbox.base_url(), &cog.url());
    Ok(Demo { sandbox, cog, config_toml, token: TOKEN })
}

/// Cold after so many seconds.
fn conduct(idle_seconds: u64) -> Conduct {
    Conduct {
        idle_timeout: Duration::from_secs(idle_seconds),
        boot: Spread::millis(3_000, 5_000),
        wait: Spread::millis(20, 120),
        predict: Spread::millis(80, 250),
        ..Conduct::default()
    }
}

fn settings() -> Settings {
    let restless = Conduct { restarts_every: Some(Duration::from_secs(20)), ..conduct(6) };
    let broken = Conduct { fails: Some("CUDA out of memory (code: E1001)".to_owned()), ..conduct(6) };
    Settings {
        models: vec![
            ModelSettings::new("demo", "sdxl", conduct(6)).schema(&schema::images()),
            ModelSettings::new("demo", "llama", conduct(8)).schema(&schema::text()),
            ModelSettings::new("demo", "seldom", conduct(3)),
            ModelSettings::new("demo", "restless", restless),
            ModelSettings::new("demo", "broken", broken),
        ],
        deployments: vec![DeploymentSettings {
            owner: "demo".to_owned(),
            name: "studio".to_owned(),
            model: "demo/llama".to_owned(),
            version: None,
            min_instances: 0,
            conduct: conduct(8),
        }],
        others: None,
        accounts: vec![AccountSettings { token: TOKEN.to_owned(), credit: Credit::Good }],
        ..Settings::default()
    }
}

fn cog_settings() -> CogSettings {
    CogSettings {
        boot: Spread::millis(2_500, 4_000),
        predict: Spread::millis(80, 250),
        restarts_every: Some(Duration::from_secs(40)),
        ..CogSettings::default()
    }
}

/// JSON's strings are TOML's basic strings.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn config(folder: &Path, base_url: &str, cog: &str) -> String {
    let path = |name: &str| quoted(&folder.join(name).to_string_lossy());
    let version = super::chance::hex_of("demo/sdxl");
    format!(
        r#"[daemon]
state = {state}
socket = {socket}
listen = "off"
shutdown_grace = "2s"

[defaults]
timeout = "1m"

[replicate]
base_url = {base_url}
token_file = {token}

# Kept warm: it goes cold after 6 s, and is asked every 2 s.
[models.sdxl]
replicate = "demo/sdxl:{version}"
interval = "2s"
active = ["always"]

# A deployment, kept warm: it goes cold after 8 s.
[models.studio]
deployment = "demo/studio"
interval = "3s"
active = ["always"]

# Asked too seldom: it goes cold after 3 s, and so is cold each time.
[models.seldom]
replicate = "demo/seldom"
interval = "9s"
active = ["always"]

# Kept warm as well as may be: every 20 s it is shut down and boots again.
[models.restless]
replicate = "demo/restless"
interval = "2s"
active = ["always"]

# It runs, and fails.
[models.broken]
replicate = "demo/broken"
interval = "3s"
active = ["always"]

# A Cog server of one's own, which is started anew every 40 s.
[models.box]
cog = {cog}
interval = "2s"
active = ["always"]
"#,
        state = path("warmd.db"),
        socket = path("warmd.sock"),
        token = path("token"),
        base_url = quoted(base_url),
        cog = quoted(cog),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, check_text};
    use crate::hours::zone::Zones;

    #[test]
    fn its_config_passes_whatever_the_folder_is_called() {
        let folder = Path::new("/tmp/a \"b\"\\c");
        let text = config(folder, "http://127.0.0.1:1/v1", "http://127.0.0.1:2");
        let loaded = check_text(Path::new("warm.toml"), &text, &Env::from([("A", "b")]), &Zones::built_in());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false, 100)));
        assert!(loaded.warnings.is_empty());
        assert_eq!(loaded.config.daemon.state, folder.join("warmd.db"));
        assert_eq!(loaded.config.models.len(), 6);
    }

    #[tokio::test]
    async fn it_starts_with_its_token_and_stops() {
        let folder = tempfile::tempdir().unwrap();
        let demo = start(folder.path()).await.unwrap();
        assert!(demo.config_toml.contains(&demo.sandbox.base_url()));
        assert!(demo.config_toml.contains(&demo.cog.url()));
        assert_eq!(std::fs::read_to_string(folder.path().join("token")).unwrap(), demo.token);
        demo.stop().await;
    }
}
