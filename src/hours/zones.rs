//! Where zones come from: the system's tzdata, else the copy built in.
//!
//! Owns the zones that were read, each once, and what their files looked like then, so that a
//! package update is noticed. Where the system has no zones, or not this one, or only a damaged
//! file of it, the copy built in serves. Refuses names that are not IANA's: no path, no `posix/`,
//! no `right/`, no `localtime`.

use super::offset_names::{self, Meaning};
use super::tzdata::{Folder, MAX_NAME, Stamp, built_in_names, nearest};
use super::zone::{Rules, Zone};
use crate::quote;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Why there is no such zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// It can't be the name of a zone.
    #[error("`{0}` is no name of a time zone: write an IANA name such as Europe/Berlin or UTC")]
    NoName(String),
    /// Neither the system nor the copy built in knows it.
    #[error("unknown time zone `{name}`{}", suggestion(nearest))]
    Unknown {
        /// What is written.
        name: String,
        /// The nearest right ones, at most three.
        nearest: Vec<String>,
    },
    /// It says an offset or an abbreviation, and is no IANA name.
    #[error("{}; {}", .0.what, .0.write)]
    Offset(Meaning),
    /// The system's file can't be used, and the copy built in doesn't know the zone.
    #[error(
        "time zone `{name}`: can't use {}: {why}; write an IANA name such as Europe/Berlin, or reinstall tzdata where this is one",
        quote::path(path)
    )]
    Damaged {
        /// The zone.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => ": write an IANA name such as Europe/Berlin or UTC".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// Where zones come from. Cheap to clone; clones share what was read.
#[derive(Debug, Clone)]
pub struct Zones(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    origin: Origin,
    folder: Option<Folder>,
    version: Option<String>,
    read: Mutex<Read>,
}

#[derive(Debug, Clone)]
enum Origin {
    System,
    Dir(PathBuf),
    BuiltIn,
}

#[derive(Debug, Default)]
struct Read {
    zones: BTreeMap<String, Zone>,
    /// Each file and folder that was looked at, as it was then.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

/// What the files of zones look like. Differs as soon as one of those that were read does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    folder: Option<PathBuf>,
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Zones {
    /// The system's: `$TZDIR` where it is set, else the usual folders; the copy built in where
    /// there are none.
    pub fn system() -> Self {
        Self::open(Origin::System)
    }

    /// Those of one folder; the copy built in where there are none.
    pub fn from_dir(path: impl Into<PathBuf>) -> Self {
        Self::open(Origin::Dir(path.into()))
    }

    /// The copy built in.
    pub fn built_in() -> Self {
        Self::open(Origin::BuiltIn)
    }

    /// The same, read anew: what to do once [`Zones::changed`].
    #[must_use]
    pub fn reread(&self) -> Self {
        Self::open(self.0.origin.clone())
    }

    /// Whether these are those, read at the same time: clones of each other.
    pub fn is(&self, those: &Self) -> bool {
        Arc::ptr_eq(&self.0, &those.0)
    }

    fn open(origin: Origin) -> Self {
        let folder = origin.folder();
        // The stamps first: a change while the rest is read is noticed later.
        let stamps = folder.iter().flat_map(Folder::landmarks).map(|p| (Stamp::of(&p), p));
        let read = Read { stamps: stamps.map(|(s, p)| (p, s)).collect(), zones: BTreeMap::new() };
        let version = folder.as_ref().and_then(Folder::version);
        Self(Arc::new(Shelf { origin, folder, version, read: Mutex::new(read) }))
    }

    /// The folder they are read from; none where the copy built in serves.
    pub fn folder(&self) -> Option<&Path> {
        self.0.folder.as_ref().map(Folder::path)
    }

    /// The zone of that name.
    pub fn get(&self, name: &str) -> Result<Zone, ZoneError> {
        if !Folder::is_zone_name(name) {
            return Err(self.no_name(name));
        }
        // What to write instead is found by reading other zones: not under the lock.
        self.known(name)?.ok_or_else(|| self.unknown(name))
    }

    /// The zone, read where it has not been; none where there is none of that name.
    pub(super) fn known(&self, name: &str) -> Result<Option<Zone>, ZoneError> {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = read.zones.get(name) {
            return Ok(Some(zone.clone()));
        }
        let zone = self.read(&mut read, name)?;
        if let Some(zone) = &zone {
            read.zones.insert(name.to_owned(), zone.clone());
        }
        Ok(zone)
    }

    fn read(&self, read: &mut Read, name: &str) -> Result<Option<Zone>, ZoneError> {
        let built_in = name.parse().ok().map(|tz| Zone::new(name, Rules::BuiltIn(tz)));
        let Some(folder) = &self.0.folder else { return Ok(built_in) };
        let path = folder.file(name);
        read.stamps.insert(path.clone(), Stamp::of(&path));
        match (folder.read(name), built_in) {
            (Ok(Some(tz)), _) => Ok(Some(Zone::new(name, Rules::System(tz)))),
            (Ok(None), built_in) => Ok(built_in),
            (Err(why), Some(zone)) => {
                tracing::warn!(
                    "zone {name}: {} can't be read ({why}); the copy built in serves",
                    quote::path(&path)
                );
                Ok(Some(zone))
            }
            (Err(why), None) => Err(ZoneError::Damaged { name: name.to_owned(), path, why }),
        }
    }

    /// What a name means that people misread, where the zone has one: `EST`, `Etc/GMT+2`.
    pub fn caution(&self, zone: &Zone) -> Option<Meaning> {
        offset_names::meaning(self, zone)
    }

    fn unknown(&self, name: &str) -> ZoneError {
        match offset_names::meaning_of_none(self, name) {
            Some(meaning) => ZoneError::Offset(meaning),
            None => ZoneError::Unknown { name: name.to_owned(), nearest: self.nearest(name) },
        }
    }

    fn nearest(&self, name: &str) -> Vec<String> {
        let mut names = built_in_names();
        names.extend(self.0.folder.iter().flat_map(Folder::names));
        names.retain(|name| !offset_names::is_one(name));
        nearest(name, &names)
    }

    /// What isn't a name may still be near one: `America/New York`.
    fn no_name(&self, text: &str) -> ZoneError {
        let name: String = text.chars().take(MAX_NAME).collect();
        if let Some(meaning) = offset_names::meaning_of_none(self, &name) {
            return ZoneError::Offset(meaning);
        }
        let nearest = self.nearest(&name);
        if nearest.is_empty() { ZoneError::NoName(name) } else { ZoneError::Unknown { name, nearest } }
    }

    /// Where they come from, and their version: `system 2025b`; `system` where the version can't
    /// be told; `built-in 2025b`.
    pub fn describe(&self) -> String {
        match (&self.0.folder, &self.0.version) {
            (None, _) => format!("built-in {}", chrono_tz::IANA_TZDB_VERSION),
            (Some(_), None) => "system".to_owned(),
            (Some(_), Some(version)) => format!("system {version}"),
        }
    }

    /// What the files that were read look like now. A stat each, no reading.
    pub fn fingerprint(&self) -> Fingerprint {
        let read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = read.stamps.keys().map(|path| (path.clone(), Stamp::of(path))).collect();
        Fingerprint { folder: self.0.origin.folder().map(|f| f.path().to_owned()), stamps }
    }

    /// Whether a file has changed since it was read, or zones come from elsewhere by now. Cheap
    /// enough for once a minute.
    pub fn changed(&self) -> bool {
        let now = self.fingerprint();
        let read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        now.folder.as_deref() != self.folder() || now.stamps != read.stamps
    }
}

impl Origin {
    fn folder(&self) -> Option<Folder> {
        match self {
            Self::System => Folder::system(),
            Self::Dir(path) => Folder::with_zones(path),
            Self::BuiltIn => None,
        }
    }
}

#[cfg(test)]
mod tests;
