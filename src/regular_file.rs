//! Opens files that are read while the daemon runs, so that nothing that takes their place holds it up.
//!
//! What is open is looked at, not what the path leads to: between a look and an opening, another file may take
//! the place. Opening a pipe would wait for whoever writes to it.

use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The kind of the error where something else than a regular file or a directory is there.
pub(crate) const OTHER: ErrorKind = ErrorKind::Unsupported;

/// Opens a regular file for reading, and tells what it is like. An error of the kind [`OTHER`] where it is a pipe,
/// a socket or a device, of [`ErrorKind::IsADirectory`] where it is a directory.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let other = || io::Error::new(OTHER, "this is a pipe, a socket or a device; put a file there");
    // The standard library adds CLOEXEC.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| {
        // A socket.
        if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) { other() } else { error }
    })?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(other())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::UnixListener;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn whatever_is_no_regular_file_is_refused_at_once() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        mkfifoat(CWD, at("pipe"), Mode::RUSR).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        fs::write(at("file"), "x").unwrap();
        let kind = |path: &Path| open(path).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind(&at("file")), Ok(()));
        assert_eq!(kind(&at("pipe")), Err(OTHER));
        assert_eq!(kind(&at("socket")), Err(OTHER));
        assert_eq!(kind(Path::new("/dev/zero")), Err(OTHER));
        assert_eq!(kind(home.path()), Err(ErrorKind::IsADirectory));
        assert_eq!(kind(&at("none")), Err(ErrorKind::NotFound));
    }

    #[test]
    fn a_pipe_that_takes_a_files_place_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let ended = AtomicBool::new(false);
        fs::write(at("it"), "x").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    mkfifoat(CWD, at("pipe"), Mode::RUSR).unwrap();
                    fs::rename(at("pipe"), at("it")).unwrap();
                    fs::write(at("file"), "x").unwrap();
                    fs::rename(at("file"), at("it")).unwrap();
                }
            });
            let (mut files, mut others) = (0, 0);
            while files < 100 || others < 100 {
                match open(&at("it")) {
                    Ok((mut file, _)) => {
                        files += file.read_to_string(&mut String::new()).unwrap();
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), OTHER, "{error}");
                        others += 1;
                    }
                }
            }
            ended.store(true, Ordering::Relaxed);
        });
    }
}
