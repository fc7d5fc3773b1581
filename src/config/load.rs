//! Finds and reads the file. What keeps it from being read is a problem like any other.

use super::check::check_text;
use super::env::Env;
use super::problem::{Problem, Problems, Severity};
use super::{Loaded, guard, locate};
use crate::hours::zone::Zones;
use crate::regular_file;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: some thousand models, each with all keys.
const FILE_LIMIT: u64 = 1_000_000;

/// The file in the working directory.
const HERE: &str = "./warm.toml";
/// The system's file.
const SYSTEM: &str = "/etc/warmd/warm.toml";
/// The variable that names the file.
const VARIABLE: &str = "WARMD_CONFIG";

/// Which file it is: `--config`, else `$WARMD_CONFIG`, else `./warm.toml` if there is one, else
/// `/etc/warmd/warm.toml`.
pub fn find(cli: Option<&Path>, env: &Env) -> PathBuf {
    if let Some(path) = cli.or_else(|| env.path(VARIABLE)) {
        path.to_owned()
    } else if Path::new(HERE).exists() {
        PathBuf::from("warm.toml")
    } else {
        PathBuf::from(SYSTEM)
    }
}

/// Reads and checks a file, or whatever else can be read once: a pipe too.
pub fn load(path: &Path, env: &Env, zones: &Zones) -> Result<Loaded, Problems> {
    check(path, File::open(path), env, zones)
}

/// The same of what can be read again and again: a regular file alone.
pub fn load_again(path: &Path, env: &Env, zones: &Zones) -> Result<Loaded, Problems> {
    check(path, regular_file::open(path).map(|(file, _)| file), env, zones)
}

fn check(path: &Path, opened: io::Result<File>, env: &Env, zones: &Zones) -> Result<Loaded, Problems> {
    let file = path.display().to_string();
    let problem = |place, message: &str| Problems::one(Problem::of_file(&file, place, message));
    let (bytes, unguarded) =
        opened.and_then(|file| read(path, file)).map_err(|error| problem((1, 1), &why(path, &error)))?;
    if bytes.len() as u64 > FILE_LIMIT {
        let message = format!("the file is larger than {} MB: that is no warm.toml", FILE_LIMIT / 1_000_000);
        return Err(problem((1, 1), &message));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains('\0') => {
            let mut loaded = check_text(path, text, env, zones)?;
            let warning = |told: &String| Problem::placeless(&file, "", Severity::Warning, told);
            loaded.warnings.splice(0..0, unguarded.iter().map(warning));
            Ok(loaded)
        }
        Ok(text) => Err(problem(place(text, text.find('\0')), "a zero byte: this is a binary file")),
        Err(error) => {
            let right = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let message = format!(
                "byte {} is not UTF-8: this is a binary file, or one in another encoding",
                error.valid_up_to()
            );
            Err(problem(place(&right, None), &message))
        }
    }
}

/// Reads no more than what shows that it is too much; and who else may write it.
fn read(path: &Path, file: File) -> io::Result<(Vec<u8>, Vec<String>)> {
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    // A pipe belongs to whoever made it.
    let unguarded = if metadata.is_file() { guard::of_file(path, &metadata) } else { Vec::new() };
    Ok((bytes, unguarded))
}

fn why(path: &Path, error: &io::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors are many, and grow")]
    match error.kind() {
        io::ErrorKind::NotFound if path == Path::new(SYSTEM) => format!(
            "there is no such file, nor a warm.toml in the working directory: write one, or name one with --config or ${VARIABLE}"
        ),
        io::ErrorKind::NotFound => {
            format!("there is no such file: write one, or name another with --config or ${VARIABLE}")
        }
        io::ErrorKind::IsADirectory => {
            "this is a directory: name the file, warm.toml within it perhaps".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!("it may not be read ({error}): let the user of warmd read it")
        }
        regular_file::OTHER => {
            "this is a pipe, a socket or a device: it can't be read again; put a file there".to_owned()
        }
        _ => format!("it can't be read: {error}"),
    }
}

/// The line and column of an offset, or of a text's end.
fn place(text: &str, offset: Option<usize>) -> (u32, u32) {
    let place = locate::Lines::new(text).place(offset.unwrap_or(text.len()));
    (place.line, place.column)
}
