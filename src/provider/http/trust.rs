//! Which certificates are trusted: the system's, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
//!
//! Owns where they are read from, and what was wrong with reading them.

use crate::quote;
use rustls::{ClientConfig, RootCertStore};
use std::env;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variables that name other certificates than the system's.
const FILE: &str = "SSL_CERT_FILE";
const DIRECTORY: &str = "SSL_CERT_DIR";

/// How many files of a directory are compared for changes; Debian's has some 400.
const FILES: usize = 2_000;

/// The trusted certificates, as they were when they were read.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) tls: Arc<ClientConfig>,
    /// Why not all of them, or none, could be read: a sentence.
    pub(super) trouble: Option<String>,
    /// Where they are, for a message: `the system's CA certificates`.
    pub(super) place: String,
    /// How many there are.
    pub(super) certificates: usize,
    state: Vec<FileState>,
}

/// What of a file changes when its content does.
type FileState = Option<(PathBuf, u64, u64, u64, i64, i64)>;

impl Trust {
    /// Reads them. Without any, no `https://` server is trusted, which a host with plain Cog servers alone does not
    /// need.
    pub(super) fn read() -> Self {
        let state = state();
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (certificates, _) = roots.add_parsable_certificates(found.certs);
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let named = named(|name| env::var_os(name));
        let trouble = trouble(certificates, &errors, &named).or_else(|| useless(env::var_os(FILE)?.as_ref()));
        let place = if named.is_empty() {
            "the system's CA certificates".to_owned()
        } else {
            format!("those of {named}, which are trusted in place of the system's")
        };
        // The only provider that is compiled in, so that this is the one whatever was installed before.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), trouble, place, certificates, state }
    }

    /// Logs what is wrong.
    pub(super) fn report(&self) {
        if let Some(trouble) = &self.trouble {
            tracing::warn!("{trouble}");
        }
    }

    /// Whether the files are others than those that were read. Looks at files, so it may block.
    pub(super) fn has_changed(&self) -> bool {
        state() != self.state
    }

    /// The same certificates, for files as `other` found them.
    pub(super) fn as_of(&self, other: &Self) -> Self {
        Self { state: other.state.clone(), ..self.clone() }
    }
}

/// The variables that name where certificates are, with their values, for a message; empty without any.
fn named(variable: impl Fn(&str) -> Option<OsString>) -> String {
    let named = [FILE, DIRECTORY].into_iter().filter_map(|name| Some((name, variable(name)?)));
    let named = named.map(|(name, value)| format!("{name}={}", quote::whole(&value.to_string_lossy())));
    named.collect::<Vec<_>>().join(" ")
}

/// What is wrong, where so many certificates were read, with these errors, from the places that are `named`.
fn trouble(added: usize, errors: &[String], named: &str) -> Option<String> {
    let because = errors.first().map(|error| format!(": {}", quote::start(error, 200))).unwrap_or_default();
    match added {
        0 if named.is_empty() => Some(format!(
            "no CA certificates were found on this system, so that no https:// server can be trusted{because}; \
             install them (Debian: ca-certificates)"
        )),
        0 => Some(format!(
            "{named} has no CA certificates that can be read, so that no https:// server can be trusted{because}; \
             correct or unset it"
        )),
        // In the system's own directory, a file that is no certificate is no mistake.
        _ if named.is_empty() || errors.is_empty() => None,
        _ => Some(format!("not all CA certificates of {named} can be read{because}")),
    }
}

/// That a file has no certificates, though a directory beside it has some.
fn useless(file: &Path) -> Option<String> {
    let found = rustls_native_certs::load_certs_from_paths(Some(file), None);
    let path = quote::path(file);
    found.certs.is_empty().then(|| format!("{FILE}={path} has no CA certificates: correct or unset it"))
}

/// The state of every file that certificates are read from.
fn state() -> Vec<FileState> {
    let (file, directories) = places();
    let mut state = vec![file.as_deref().and_then(of_file)];
    for directory in directories {
        state.push(of_file(&directory));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten().take(FILES);
        let mut files: Vec<FileState> = entries.map(|entry| of_file(&entry.path())).collect();
        files.sort();
        state.extend(files);
    }
    state
}

/// Where certificates are read from, as the reading library has it.
fn places() -> (Option<PathBuf>, Vec<PathBuf>) {
    let file = env::var_os(FILE).map(PathBuf::from);
    let directories: Vec<PathBuf> =
        env::var_os(DIRECTORY).map(|all| env::split_paths(&all).collect()).unwrap_or_default();
    if file.is_some() || !directories.is_empty() {
        return (file, directories);
    }
    let found = openssl_probe::probe();
    (found.cert_file, found.cert_dir)
}

fn of_file(path: &Path) -> FileState {
    let of = |meta: Metadata| {
        (path.to_owned(), meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
    };
    fs::metadata(path).ok().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_is_named() {
        let errors = ["No such file".to_owned()];
        assert_eq!(trouble(140, &[], ""), None);
        assert_eq!(trouble(140, &errors, ""), None);
        assert_eq!(trouble(140, &[], "SSL_CERT_FILE=/a"), None);
        let said = trouble(0, &errors, "").unwrap();
        assert!(said.contains(": No such file; install them"), "{said}");
        let said = trouble(0, &errors, &named(|name| (name == FILE).then(|| "/no\n".into()))).unwrap();
        assert!(said.starts_with("SSL_CERT_FILE=/no\\n has no CA"), "{said}");
        assert!(trouble(3, &errors, "SSL_CERT_DIR=/a").is_some());
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let said = useless(Path::new("/dev/null")).unwrap();
        assert!(said.starts_with("SSL_CERT_FILE=/dev/null has no CA certificates"), "{said}");
    }

    #[test]
    fn trust_is_unchanged_while_its_files_are() {
        let trust = Trust::read();
        assert!(!trust.has_changed());
    }
}
