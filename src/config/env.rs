//! The environment, as a value: so that what depends on it can be tested without setting it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A snapshot of environment variables.
#[derive(Clone, Default)]
pub struct Env(HashMap<OsString, OsString>);

impl Env {
    /// The process's own.
    pub fn process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// A variable's value, an empty one too; none where it is not set.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// A variable's value as text; none where it is not set, empty, or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.os(name).and_then(OsStr::to_str).filter(|text| !text.is_empty())
    }

    /// A variable that holds a path; none where it is not set or empty.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.os(name).filter(|value| !value.is_empty()).map(Path::new)
    }

    /// A variable that holds an absolute path. The XDG specification has relative ones ignored.
    pub fn absolute(&self, name: &str) -> Option<&Path> {
        self.path(name).filter(|path| path.is_absolute())
    }

    /// Whether the terminal knows no sequences: `TERM=dumb`.
    pub fn has_dumb_terminal(&self) -> bool {
        self.text("TERM").is_some_and(|term| term == "dumb")
    }

    /// Whether a terminal may be written to in colours: neither `NO_COLOR` nor `TERM=dumb` says no.
    pub fn welcomes_color(&self) -> bool {
        self.path("NO_COLOR").is_none() && !self.has_dumb_terminal()
    }

    /// The first of the directories that systemd lists in a variable, separated by colons.
    pub fn first_directory(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.path(name)?).find(|path| path.is_absolute())
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<K: Into<OsString>, V: Into<OsString>, const N: usize> From<[(K, V); N]> for Env {
    fn from(variables: [(K, V); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> From<HashMap<K, V>> for Env {
    fn from(variables: HashMap<K, V>) -> Self {
        variables.into_iter().collect()
    }
}

impl std::fmt::Debug for Env {
    /// Tells how many there are, and none of them: tokens live there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_welcome_unless_somebody_says_no() {
        let with = |name: &str, value: &str| Env::from([(name, value)]).welcomes_color();
        assert!(Env::default().welcomes_color() && with("NO_COLOR", "") && with("TERM", "xterm"));
        assert!(!with("NO_COLOR", "1") && !with("TERM", "dumb"));
    }

    #[test]
    fn debug_tells_nothing_of_a_value() {
        let env = Env::from([("REPLICATE_API_TOKEN", "r8_secret")]);
        assert_eq!(format!("{env:?}"), "Env(1 variables)");
    }

    #[test]
    fn the_first_directory_of_a_list() {
        let env = Env::from([("STATE_DIRECTORY", "/var/lib/warmd:/var/lib/other"), ("EMPTY", "")]);
        assert_eq!(env.first_directory("STATE_DIRECTORY"), Some(PathBuf::from("/var/lib/warmd")));
        assert_eq!(env.first_directory("EMPTY"), None);
        assert_eq!(env.first_directory("MISSING"), None);
    }

    #[test]
    fn a_relative_path_is_no_absolute_one() {
        let env = Env::from([("XDG_STATE_HOME", "state"), ("HOME", "/root")]);
        assert_eq!(env.absolute("XDG_STATE_HOME"), None);
        assert_eq!(env.absolute("HOME"), Some(Path::new("/root")));
    }
}
