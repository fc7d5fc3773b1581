//! Time zones: instants ↔ civil time, and where the rules come from.
//!
//! [`Zones`] owns the system's TZif files, each read once, and what they looked like when they
//! were read, so that a package update is noticed. Where the system has no zones, or not this one,
//! or only a damaged file of it, the copy built in serves. Refuses names that are not IANA's: no
//! path, no `posix/`, no `right/`, no `localtime`.

use super::span::{DAY, Seconds};
use super::tzdata::{Folder, MAX_NAME, Stamp, built_in_names, nearest};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A time zone. Two are equal when their names are: what the name stood for may have been read
/// at different times.
#[derive(Debug, Clone)]
pub struct Zone(Arc<Known>);

#[derive(Debug)]
struct Known {
    name: String,
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    System(jiff::tz::TimeZone),
    BuiltIn(chrono_tz::Tz),
}

/// The instants at which a zone's clocks read a civil time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants<T = DateTime<Utc>> {
    /// One.
    Once(T),
    /// None: clocks are set forward over it.
    Gap {
        /// The first instant after the gap.
        after: T,
    },
    /// Two: clocks are set back over it.
    Fold {
        /// The earlier.
        first: T,
        /// When clocks are set back, between the two (or at the later one).
        change: T,
        /// The later.
        second: T,
    },
}

impl<T: Copy> Instants<T> {
    /// Where a window that starts at this civil time starts.
    pub const fn start(&self) -> T {
        match *self {
            Self::Once(t) | Self::Gap { after: t } | Self::Fold { first: t, .. } => t,
        }
    }

    /// Where a window that ends at this civil time ends.
    pub const fn end(&self) -> T {
        match *self {
            Self::Once(t) | Self::Gap { after: t } | Self::Fold { second: t, .. } => t,
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Zone {}

impl Zone {
    fn new(name: &str, rules: Rules) -> Self {
        Self(Arc::new(Known { name: name.to_owned(), rules }))
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether its rules are the copy built in, not the system's.
    pub fn is_built_in(&self) -> bool {
        matches!(self.0.rules, Rules::BuiltIn(_))
    }

    /// What its clocks are ahead of UTC by.
    pub fn offset_at(&self, t: DateTime<Utc>) -> FixedOffset {
        // In range by `offset_of`; UTC otherwise.
        FixedOffset::east_opt(self.offset_of(t.timestamp()) as i32).unwrap_or(Utc.fix())
    }

    /// What its clocks read.
    pub fn local(&self, t: DateTime<Utc>) -> DateTime<FixedOffset> {
        t.with_timezone(&self.offset_at(t))
    }

    /// When its clocks read that, to the whole second.
    pub fn instants(&self, civil: NaiveDateTime) -> Instants {
        let utc = |t: Seconds| DateTime::from_timestamp(t, 0).unwrap_or(civil.and_utc());
        match self.instants_of(civil.and_utc().timestamp()) {
            Instants::Once(t) => Instants::Once(utc(t)),
            Instants::Gap { after } => Instants::Gap { after: utc(after) },
            Instants::Fold { first, change, second } => {
                Instants::Fold { first: utc(first), change: utc(change), second: utc(second) }
            }
        }
    }

    /// What its clocks are ahead of UTC by, in seconds, less than a day. Beyond the years that
    /// jiff can tell (-9999 to 9999) the offset stays what it was.
    pub(super) fn offset_of(&self, t: Seconds) -> Seconds {
        let t = t.clamp(jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let offset = match &self.0.rules {
            Rules::System(tz) => jiff::Timestamp::from_second(t).map_or(0, |t| tz.to_offset(t).seconds()),
            Rules::BuiltIn(tz) => DateTime::from_timestamp(t, 0)
                .map_or(0, |t| tz.offset_from_utc_datetime(&t.naive_utc()).fix().local_minus_utc()),
        };
        Seconds::from(offset).clamp(1 - DAY, DAY - 1)
    }

    /// When its clocks read that civil time, given as the seconds from 1970-01-01T00:00:00 that
    /// clocks in UTC would need to read it.
    pub(super) fn instants_of(&self, civil: Seconds) -> Instants<Seconds> {
        let Ok(as_utc) = jiff::Timestamp::from_second(civil) else {
            return Instants::Once(civil - self.offset_of(civil));
        };
        match &self.0.rules {
            Rules::System(tz) => self.system_instants(tz, as_utc, civil),
            Rules::BuiltIn(tz) => self.built_in_instants(*tz, civil),
        }
    }

    fn system_instants(
        &self,
        tz: &jiff::tz::TimeZone,
        as_utc: jiff::Timestamp,
        civil: Seconds,
    ) -> Instants<Seconds> {
        use jiff::tz::{AmbiguousOffset, Offset};
        let at = |offset: Offset| civil - Seconds::from(offset.seconds());
        match tz.to_ambiguous_timestamp(Offset::UTC.to_datetime(as_utc)).offset() {
            AmbiguousOffset::Unambiguous { offset } => Instants::Once(at(offset)),
            AmbiguousOffset::Gap { before, after } => {
                Instants::Gap { after: self.change_between(at(after), at(before)) }
            }
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before), at(after));
                Instants::Fold { first, change: self.change_between(first, second), second }
            }
        }
    }

    fn built_in_instants(&self, tz: chrono_tz::Tz, civil: Seconds) -> Instants<Seconds> {
        use chrono::LocalResult;
        let Some(clock) = DateTime::from_timestamp(civil, 0) else {
            return Instants::Once(civil - self.offset_of(civil));
        };
        let at = |offset: &chrono_tz::TzOffset| civil - Seconds::from(offset.fix().local_minus_utc());
        match tz.offset_from_local_datetime(&clock.naive_utc()) {
            LocalResult::Single(offset) => Instants::Once(at(&offset)),
            LocalResult::Ambiguous(one, other) => {
                let (first, second) = (at(&one).min(at(&other)), at(&one).max(at(&other)));
                Instants::Fold { first, change: self.change_between(first, second), second }
            }
            // Offsets are less than a day each way, so the change lies within a day of the clock's
            // time taken as UTC.
            LocalResult::None => Instants::Gap { after: self.change_between(civil - DAY, civil + DAY) },
        }
    }

    /// The instant in `(before, after]` at which the offset changes.
    fn change_between(&self, mut before: Seconds, mut after: Seconds) -> Seconds {
        let old = self.offset_of(before);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.offset_of(middle) == old {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }
}

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
    /// The system's file can't be used, and the copy built in doesn't know the zone.
    #[error("time zone `{name}`: can't use {}: {why}; write an IANA name such as Europe/Berlin, or reinstall tzdata where this is one", path.display())]
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
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = read.zones.get(name) {
            return Ok(zone.clone());
        }
        let zone = self.read(&mut read, name)?;
        read.zones.insert(name.to_owned(), zone.clone());
        Ok(zone)
    }

    fn read(&self, read: &mut Read, name: &str) -> Result<Zone, ZoneError> {
        let built_in = name.parse().map(|tz| Zone::new(name, Rules::BuiltIn(tz)));
        let Some(folder) = &self.0.folder else {
            return built_in.map_err(|_| self.unknown(name));
        };
        let path = folder.file(name);
        read.stamps.insert(path.clone(), Stamp::of(&path));
        match (folder.read(name), built_in) {
            (Ok(Some(tz)), _) => Ok(Zone::new(name, Rules::System(tz))),
            (Ok(None), built_in) => built_in.map_err(|_| self.unknown(name)),
            (Err(why), Ok(zone)) => {
                tracing::warn!(zone = name, path = %path.display(), %why, "the copy built in serves");
                Ok(zone)
            }
            (Err(why), Err(_)) => Err(ZoneError::Damaged { name: name.to_owned(), path, why }),
        }
    }

    fn unknown(&self, name: &str) -> ZoneError {
        ZoneError::Unknown { name: name.to_owned(), nearest: self.nearest(name) }
    }

    fn nearest(&self, name: &str) -> Vec<String> {
        let mut names = built_in_names();
        names.extend(self.0.folder.iter().flat_map(Folder::names));
        nearest(name, &names)
    }

    /// What isn't a name may still be near one: `America/New York`.
    fn no_name(&self, text: &str) -> ZoneError {
        let name: String = text.chars().take(MAX_NAME).collect();
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
