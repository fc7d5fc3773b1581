//! Finding the daemon: which sockets are tried, in which order, and why none answered.

use crate::config::env::Env;
use crate::quote;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::net::UnixStream;

/// Where the service of `systemd/` has it.
const SYSTEM: &str = "/run/warmd/warmd.sock";

/// Why no daemon was found.
#[derive(Debug, Error)]
pub(super) enum SocketError {
    /// None of them has a daemon behind it.
    #[error("no daemon answers; tried {}; start it with `systemctl start warmd` or `warmd --config FILE`", list(.0))]
    Nobody(Vec<Attempt>),
    /// There may be one, but this user must not ask it.
    #[error("{path}: permission denied; {remedy}")]
    Denied {
        /// The socket.
        path: String,
        /// What to do.
        remedy: String,
    },
}

/// A socket that did not answer.
#[derive(Debug)]
pub(super) struct Attempt {
    path: PathBuf,
    error: io::Error,
}

impl Display for Attempt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", quote::path(&self.path))?;
        let kind = self.error.kind();
        if kind == ErrorKind::NotFound {
            f.write_str("no such socket")?;
        } else if kind == ErrorKind::ConnectionRefused {
            f.write_str("nobody listens there")?;
        } else {
            write!(f, "{}", self.error)?;
        }
        f.write_str(")")
    }
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The sockets to try, in their order, each once: the one that was named, else the config's own,
/// the session's, the system's.
pub(super) fn candidates(
    named: Option<&Path>,
    config: impl FnOnce() -> Option<PathBuf>,
    env: &Env,
) -> Vec<PathBuf> {
    if let Some(named) = named.or_else(|| env.path("WARMD_SOCKET")) {
        return vec![named.to_owned()];
    }
    let session = env.absolute("XDG_RUNTIME_DIR").map(|folder| folder.join("warmd.sock"));
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in [config(), session, Some(PathBuf::from(SYSTEM))].into_iter().flatten() {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The first that answers.
pub(super) async fn first_that_answers(candidates: Vec<PathBuf>) -> Result<PathBuf, SocketError> {
    let mut attempts = Vec::new();
    for path in candidates {
        match UnixStream::connect(&path).await {
            Ok(_) => return Ok(path),
            Err(error) => attempts.push(Attempt { path, error }),
        }
    }
    match attempts.iter().find(|attempt| attempt.error.kind() == ErrorKind::PermissionDenied) {
        Some(Attempt { path, .. }) => {
            let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
            let remedy = remedy(gatekeeper(path), &groups);
            Err(SocketError::Denied { path: quote::path(path), remedy })
        }
        None => Err(SocketError::Nobody(attempts)),
    }
}

/// The group of the socket; where its folder already keeps this user out, the folder's.
fn gatekeeper(path: &Path) -> Option<u32> {
    path.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.gid())
}

fn remedy(gid: Option<u32>, groups: &str) -> String {
    match gid.and_then(|gid| group_name(groups, gid)) {
        // Nobody should be told to join root's group.
        Some("root") | None => "ask as root, for example with `sudo`".to_owned(),
        Some(group) => {
            format!(
                "join the group {group} (`sudo usermod -aG {group} $USER`, then log in again), or use `sudo`"
            )
        }
    }
}

/// The name of a group in the text of `/etc/group`: `name:password:gid:members`.
fn group_name(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(named: Option<&str>, config: Option<&str>, env: &Env) -> Vec<String> {
        candidates(named.map(Path::new), || config.map(PathBuf::from), env)
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn a_named_socket_is_the_only_one() {
        let env = Env::from([("WARMD_SOCKET", "/env.sock"), ("XDG_RUNTIME_DIR", "/run/user/7")]);
        assert_eq!(paths(Some("/flag.sock"), Some("/config.sock"), &env), ["/flag.sock"]);
        assert_eq!(paths(None, Some("/config.sock"), &env), ["/env.sock"]);
    }

    #[test]
    fn else_each_place_is_tried_once() {
        let env = Env::from([("XDG_RUNTIME_DIR", "/run/user/7"), ("WARMD_SOCKET", "")]);
        assert_eq!(
            paths(None, Some("/config.sock"), &env),
            ["/config.sock", "/run/user/7/warmd.sock", "/run/warmd/warmd.sock"]
        );
        assert_eq!(
            paths(None, Some("/run/user/7/warmd.sock"), &env),
            ["/run/user/7/warmd.sock", "/run/warmd/warmd.sock"]
        );
        assert_eq!(paths(None, None, &Env::default()), ["/run/warmd/warmd.sock"]);
    }

    #[test]
    fn a_refusal_names_the_group() {
        let groups = "root:x:0:\nbroken\nwarmd:x:991:alice,bob\n";
        assert!(remedy(Some(991), groups).starts_with("join the group warmd "));
        assert!(remedy(Some(0), groups).contains("sudo"));
        assert!(remedy(Some(4), groups).contains("sudo"));
        assert!(remedy(None, "").contains("sudo"));
    }

    #[tokio::test]
    async fn what_was_tried_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, stale) = (folder.path().join("missing.sock"), folder.path().join("stale.sock"));
        drop(tokio::net::UnixListener::bind(&stale).unwrap());
        let error = first_that_answers(vec![missing.clone(), stale.clone()]).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{} (no such socket)", missing.display())), "{error}");
        assert!(error.contains(&format!("{} (nobody listens there)", stale.display())), "{error}");
        assert!(error.contains("systemctl start warmd"), "{error}");

        let live = folder.path().join("live.sock");
        let _listener = tokio::net::UnixListener::bind(&live).unwrap();
        assert_eq!(first_that_answers(vec![missing, live.clone()]).await.unwrap(), live);
    }
}
