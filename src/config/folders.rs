//! Where the state and the socket are, unless the file says so: systemd's folders, else the user's.

use super::env::Env;
use super::field::Wrong;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The name of the state's file.
const STATE: &str = "warmd.db";
/// The name of the socket.
const SOCKET: &str = "warmd.sock";

/// The longest path of a socket on Linux, in bytes: `sun_path`, less its final zero.
const SOCKET_LIMIT: usize = 107;

/// `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/warmd`, else `~/.local/state/warmd`; where there is no
/// home either, the service's own.
pub(super) fn state(env: &Env) -> PathBuf {
    let folder = env
        .first_directory("STATE_DIRECTORY")
        .or_else(|| Some(env.absolute("XDG_STATE_HOME")?.join("warmd")))
        .or_else(|| Some(env.absolute("HOME")?.join(".local/state/warmd")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/warmd"));
    folder.join(STATE)
}

/// `$RUNTIME_DIRECTORY`, else `$XDG_RUNTIME_DIR`, else beside the state.
pub(super) fn socket(env: &Env, state: &Path) -> PathBuf {
    env.first_directory("RUNTIME_DIRECTORY")
        .or_else(|| env.absolute("XDG_RUNTIME_DIR").map(Path::to_owned))
        .map_or_else(|| state.with_file_name(SOCKET), |folder| folder.join(SOCKET))
}

/// What no path has.
pub(super) fn check_path(text: &str) -> Result<(), Wrong> {
    if text.contains('\0') {
        Err(Wrong::new("no path has a zero byte"))
    } else if text == "~" || text.starts_with("~/") {
        Err(Wrong::new("`~` means nothing here: there is no shell to replace it")
            .help("write the whole path"))
    } else {
        Ok(())
    }
}

/// The path of a file.
pub(super) fn file(text: &str) -> Result<PathBuf, Wrong> {
    check_path(text)?;
    let path = Path::new(text);
    if text.ends_with('/') || path.file_name().is_none() {
        return Err(Wrong::new("this is a directory's path, and a file's is needed"));
    }
    Ok(path.to_owned())
}

/// The path of a socket.
pub(super) fn socket_file(text: &str) -> Result<PathBuf, Wrong> {
    let path = file(text)?;
    match too_long(&path) {
        Some(wrong) => Err(wrong),
        None => Ok(path),
    }
}

/// Why a path can't be a socket's.
pub(super) fn too_long(path: &Path) -> Option<Wrong> {
    let length = path.as_os_str().as_bytes().len();
    (length > SOCKET_LIMIT)
        .then(|| Wrong::new(format!("a socket's path has at most {SOCKET_LIMIT} bytes, this has {length}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(env: &Env) -> (String, String) {
        let state = state(env);
        (state.display().to_string(), socket(env, &state).display().to_string())
    }

    #[test]
    fn the_first_folder_that_is_set() {
        let mut variables = vec![
            ("STATE_DIRECTORY", "/var/lib/warmd:/x"),
            ("RUNTIME_DIRECTORY", "/run/warmd"),
            ("XDG_STATE_HOME", "/home/me/state"),
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
            ("HOME", "/home/me"),
        ];
        let mut expect = |state: &str, socket: &str| {
            let env: Env = variables.iter().copied().collect();
            assert_eq!(both(&env), (state.to_owned(), socket.to_owned()));
            variables.remove(0);
        };
        expect("/var/lib/warmd/warmd.db", "/run/warmd/warmd.sock");
        expect("/home/me/state/warmd/warmd.db", "/run/warmd/warmd.sock");
        expect("/home/me/state/warmd/warmd.db", "/run/user/1000/warmd.sock");
        expect("/home/me/.local/state/warmd/warmd.db", "/run/user/1000/warmd.sock");
        expect("/home/me/.local/state/warmd/warmd.db", "/home/me/.local/state/warmd/warmd.sock");
        assert_eq!(
            both(&Env::default()),
            ("/var/lib/warmd/warmd.db".into(), "/var/lib/warmd/warmd.sock".into())
        );
    }

    #[test]
    fn paths_that_are_none() {
        for bad in ["~/x", "~", "/var/lib/", "/", "..", "a\0b"] {
            assert!(file(bad).is_err(), "{bad:?}");
        }
        assert!(file("/var/lib/warmd.db").is_ok());
        assert!(socket_file(&format!("/{}", "s".repeat(106))).is_ok());
        assert!(socket_file(&format!("/{}", "s".repeat(107))).is_err());
    }
}
