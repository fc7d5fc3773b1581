//! The system's tzdata: its folder, its version, its files.
//!
//! Owns what is read from disk for zones, each read bounded. Refuses what is not a `TZif` file.

use crate::regular_file;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The usual folders: those of the tz project, of glibc, of Solaris and of some BSDs.
const USUAL: [&str; 5] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
    "/usr/local/share/zoneinfo",
];

/// The first bytes of every `TZif` file (RFC 9636).
const MAGIC: &[u8] = b"TZif";

/// The largest file that is read as a zone, in bytes; the largest in tzdata has 4 KB.
const MAX_FILE: u64 = 1 << 20;

/// How many names are collected for the nearest one at most; tzdata has 600, `posix` and `right`
/// left out.
const MAX_NAMES: usize = 5_000;

/// The longest name, in bytes; the longest in tzdata has 32.
pub(super) const MAX_NAME: usize = 64;

/// How deep names go: `America/Argentina/Buenos_Aires`.
const MAX_DEPTH: usize = 3;

/// A folder that has zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder(PathBuf);

/// What a file or folder looks like from outside. A package update replaces files, so that the
/// inode differs even where the time of the change, the package's own, does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    /// None where there is nothing to be seen.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec())
        };
        Some(Self {
            modified: meta.modified().ok(),
            size: meta.len(),
            #[cfg(unix)]
            identity,
        })
    }
}

impl Folder {
    /// The system's. `$TZDIR`, where it is set, is the only one looked at: it is how a person says
    /// where zones are.
    pub(super) fn system() -> Option<Self> {
        match std::env::var_os("TZDIR") {
            Some(dir) if !dir.is_empty() => Self::with_zones(Path::new(&dir)),
            _ => USUAL.iter().find_map(|dir| Self::with_zones(Path::new(dir))),
        }
    }

    /// The folder, where it has at least one zone.
    pub(super) fn with_zones(path: &Path) -> Option<Self> {
        let folder = Self(path.to_owned());
        let well_known = ["UTC", "Etc/UTC"].iter().any(|zone| is_tzif(&folder.file(zone)));
        (well_known || !folder.first_names(1).is_empty()).then_some(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where a zone's file is, or would be.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What changes with a new version, whichever zones it touches.
    pub(super) fn landmarks(&self) -> [PathBuf; 3] {
        [self.0.clone(), self.0.join("tzdata.zi"), self.0.join("+VERSION")]
    }

    /// tzdata's version, such as `2025b`: from the first line of `tzdata.zi`, else `+VERSION`.
    pub(super) fn version(&self) -> Option<String> {
        let first_line = |file: &str| {
            let mut start = Vec::new();
            regular_file::open(&self.0.join(file)).ok()?.0.take(256).read_to_end(&mut start).ok()?;
            String::from_utf8_lossy(&start).lines().next().map(|line| line.trim().to_owned())
        };
        let version = first_line("tzdata.zi")
            .and_then(|line| line.strip_prefix("# version ").map(|v| v.trim().to_owned()))
            .or_else(|| first_line("+VERSION"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        (!version.is_empty() && version.len() <= 40 && version.chars().all(plain)).then_some(version)
    }

    /// The zone; none where there is no such file; what is wrong with the file otherwise.
    pub(super) fn read(&self, name: &str) -> Result<Option<jiff::tz::TimeZone>, String> {
        use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        let path = self.file(name);
        let file = match regular_file::open(&path) {
            Ok((file, _)) => file,
            // A region such as `Europe` is a folder, and no zone.
            Err(e) if matches!(e.kind(), NotFound | NotADirectory | IsADirectory) => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(format!("more than {MAX_FILE} bytes"));
        }
        if !bytes.starts_with(MAGIC) {
            return Err("not a TZif file".to_owned());
        }
        jiff::tz::TimeZone::tzif(name, &bytes).map(Some).map_err(|e| e.to_string())
    }

    /// Whether a text may name a zone: parts of ASCII letters, digits, `_`, `+` and `-` between
    /// single slashes. `posix/` and `right/` are copies of all zones (`right/` counts leap seconds),
    /// `localtime` and `posixrules` are whatever the machine makes of them.
    pub(super) fn is_zone_name(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
        name.len() <= MAX_NAME
            && name
                .split('/')
                .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(plain))
            && !matches!(name.split('/').next(), Some("posix" | "right" | "localtime" | "posixrules"))
    }

    /// The names of its zones.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.first_names(MAX_NAMES)
    }

    fn first_names(&self, limit: usize) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect(&self.0, "", MAX_DEPTH, limit, &mut names);
        names
    }
}

/// The names of the zones in a folder and those under it, until there are enough.
fn collect(dir: &Path, prefix: &str, depth: usize, limit: usize, names: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if names.len() >= limit {
            return;
        }
        let Some(name) = entry.file_name().to_str().map(|file| format!("{prefix}{file}")) else {
            continue;
        };
        let path = entry.path();
        if !Folder::is_zone_name(&name) {
            continue;
        }
        if path.is_dir() {
            if depth > 1 {
                collect(&path, &format!("{name}/"), depth - 1, limit, names);
            }
        } else if is_tzif(&path) {
            names.insert(name);
        }
    }
}

fn is_tzif(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    regular_file::open(path).and_then(|(mut file, _)| file.read_exact(&mut start)).is_ok() && start == MAGIC
}

/// The names that the copy built in knows.
pub(super) fn built_in_names() -> BTreeSet<String> {
    chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name().to_owned()).collect()
}

/// The names nearest to one that is wrong, at most three, equally near; none where none is near.
/// Case, spaces for underscores, and a city without its region count for little.
pub(super) fn nearest(wrong: &str, names: &BTreeSet<String>) -> Vec<String> {
    let fold = |name: &str| name.to_ascii_lowercase();
    let wrong = fold(wrong);
    // One letter in four, but none of `CEST`: it is a slip of neither CET nor EST.
    let reach = wrong.len().saturating_sub(1) / 4;
    let near = |name: &String| {
        let name = fold(name);
        let city = name.rsplit('/').next().unwrap_or(&name);
        // A whole name beats a city that is as near.
        let whole = 2 * strsim::damerau_levenshtein(&wrong, &name);
        let city = 2 * strsim::damerau_levenshtein(&wrong, city) + 1;
        whole.min(city)
    };
    let mut ranked: Vec<(usize, &String)> =
        names.iter().map(|name| (near(name), name)).filter(|(far, _)| *far <= 2 * reach + 1).collect();
    ranked.sort();
    let best = ranked.first().map_or(0, |(far, _)| *far);
    ranked.into_iter().take_while(|(far, _)| *far == best).take(3).map(|(_, name)| name.clone()).collect()
}
