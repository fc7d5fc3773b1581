//! The `[daemon]` of a file that is broken elsewhere.
//!
//! A broken file leaves the daemon running on the one before, and is just when one asks it: its
//! socket must still be found.

use crate::config::env::Env;
use crate::config::{Loaded, Problems, check_text};
use crate::hours::zone::Zones;
use crate::regular_file;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use toml::de::DeTable;

/// No configuration is larger, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// Stands in for the models of the file: a file without any is no configuration.
const STAND_IN: &str = "[models.stand-in]\ncog = \"http://localhost\"\nactive = [\"always\"]\n";

/// Checks the file as if its `[daemon]`'s paths were all there is of it.
pub(super) fn daemon(file: &Path, env: &Env) -> Result<Loaded, Problems> {
    let mut text = String::new();
    // What can't be read whole is parsed as far as it goes.
    let _ = regular_file::open(file).and_then(|(file, _)| file.take(FILE_LIMIT).read_to_string(&mut text));
    check_text(file, &paths_alone(&text), env, &Zones::built_in())
}

/// A text that is nothing but the `socket` and `state` of another one.
fn paths_alone(text: &str) -> String {
    let mut alone = "[daemon]\n".to_owned();
    let (table, _) = DeTable::parse_recoverable(text);
    let daemon = table.get_ref().get("daemon").and_then(|daemon| daemon.get_ref().as_table());
    for key in ["socket", "state"] {
        if let Some(path) = daemon.and_then(|daemon| daemon.get(key)?.get_ref().as_str()) {
            // JSON's strings are TOML's too. Writing to a string can't fail.
            let _ = writeln!(alone, "{key} = {}", serde_json::Value::from(path));
        }
    }
    alone + STAND_IN
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn socket(text: &str) -> Option<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("warm.toml");
        std::fs::write(&file, text).unwrap();
        let env = Env::from([("XDG_STATE_HOME", "/state")]);
        Some(daemon(&file, &env).ok()?.config.daemon.socket)
    }

    #[test]
    fn what_is_broken_elsewhere_keeps_its_socket() {
        assert_eq!(
            socket("[daemon]\nsocket = \"/a/\\\"b.sock\"\nretntion = 3\n[models.a]\nintervl = 1"),
            Some("/a/\"b.sock".into())
        );
        assert_eq!(
            socket("[daemon]\nsocket = \"/a/b.sock\"\n[models.a\ncog = = 1"),
            Some("/a/b.sock".into())
        );
        assert_eq!(socket("[daemon]\nstate = \"/a/warmd.db\"\n[models]"), Some("/a/warmd.sock".into()));
        assert_eq!(socket("daemon = 3"), Some("/state/warmd/warmd.sock".into()));
        assert_eq!(socket("\u{0}"), Some("/state/warmd/warmd.sock".into()));
    }
}
