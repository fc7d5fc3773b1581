//! The state file and its lock, and what is done where they fail.
//!
//! A file that can't be opened is tried again; a damaged one is set aside, and a new one begun; one
//! that was deleted is made again. None of it ends the daemon: models are to be kept warm.

use super::aside;
use super::error::StoreError;
use super::file;
use super::health::minute;
use super::owner::{self, Found};
use super::place::{Place, Whereabouts};
use super::queue::Queue;
use super::writer::{Recovered, Writer};
use crate::clock::{self, Stopwatch};
use crate::journal::Entry;
use crate::quote;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long it waits, where a file can't be put back in its place, before it tries again.
const PUT_BACK: Duration = Duration::from_secs(30);
/// At most one file is set aside in this time: a disk that spoils each new one must not be filled.
const ASIDE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Keeper {
    /// None while the file can't be opened. Closed before the lock is let go.
    writer: Option<Writer>,
    /// What answers meanwhile.
    stand_in: Option<Writer>,
    lock: Option<File>,
    place: Option<Place>,
    pub(super) path: PathBuf,
    pub(super) retention: Duration,
    pub(super) queue: Arc<Queue>,
    /// The thread runs: what is known of the models is with the engine, and can be saved anew.
    pub(super) running: bool,
    /// The file lacks what is known: a checkpoint is wanted once it can be written.
    pub(super) unknowing: bool,
    /// What a damaged file had yet to take, for the next one.
    carried: Option<Carried>,
    set_aside: Option<Stopwatch>,
    put_back: Option<Stopwatch>,
    pub(super) synced: Stopwatch,
    pub(super) told_slow: Option<Stopwatch>,
}

/// Entries that are in the tail of a file alone.
#[derive(Debug)]
struct Carried {
    /// The file's.
    lineage: Option<i64>,
    entries: Vec<Entry>,
}

impl Keeper {
    /// Opens the file, and reads what a restart goes on from. Where only the disk is at fault, what can
    /// be read is taken, and opening is tried again later.
    pub(super) fn open(
        path: &Path,
        retention: Duration,
        queue: Arc<Queue>,
    ) -> Result<(Self, Recovered), StoreError> {
        let mut keeper = Self {
            writer: None,
            stand_in: None,
            lock: None,
            place: None,
            path: path.to_owned(),
            retention,
            queue,
            running: false,
            unknowing: false,
            carried: None,
            set_aside: None,
            put_back: None,
            synced: Stopwatch::start(),
            told_slow: None,
        };
        let recovered = match keeper.open_file() {
            Err(error) if error.may_pass() => {
                keeper.failed(&error, 0);
                keeper.open_stand_in()?
            }
            opened => opened?,
        };
        Ok((keeper, recovered))
    }

    /// Does something with the file; where that shows it to be damaged, again with a new one.
    pub(super) fn with<T>(
        &mut self,
        mut act: impl FnMut(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match act(self.writer()?) {
            Err(StoreError::Damaged { reason }) => {
                self.begin_anew(&reason)?;
                act(self.writer()?)
            }
            done => done,
        }
    }

    /// As [`Self::with`]; where the file can't be opened, what stands in for it is read.
    pub(super) fn read<T>(
        &mut self,
        mut act: impl FnMut(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.with(&mut act) {
            Err(_) if self.writer.is_none() => {
                if self.stand_in.is_none() {
                    self.open_stand_in()?;
                }
                act(self.stand_in.as_mut().ok_or(StoreError::Stopped)?)
            }
            read => read,
        }
    }

    fn writer(&mut self) -> Result<&mut Writer, StoreError> {
        if self.writer.is_none() {
            self.open_file()?;
            self.unknowing = true;
        }
        self.writer.as_mut().ok_or(StoreError::Stopped)
    }

    /// Opens the file; a damaged one is set aside, and a new one begun.
    fn open_file(&mut self) -> Result<Recovered, StoreError> {
        // One process must not have it open twice: to close the one would free the other's locks.
        self.stand_in = None;
        owner::examine(&self.path)?;
        if self.lock.is_none() {
            file::make_folder(&self.path)?;
            self.lock = Some(file::lock(&self.path)?);
        }
        // Again: another daemon may have made or migrated it before the lock was ours.
        let found = owner::examine(&self.path)?;
        let opened = match found {
            Found::Spoiled(why) => Err(StoreError::Damaged { reason: why.to_owned() }),
            Found::Nothing | Found::Emptied | Found::Ours => self.connect(),
        };
        if let (Found::Emptied, Ok(_), false) = (found, &opened, self.running) {
            self.befell(format!(
                "the state file {} was found empty: history starts anew",
                quote::path(&self.path)
            ));
        }
        match opened {
            Err(StoreError::Damaged { reason }) => {
                self.set_aside(&reason)?;
                self.connect()
            }
            opened => opened,
        }
    }

    fn connect(&mut self) -> Result<Recovered, StoreError> {
        let tail = file::beside(&self.path, file::TAIL);
        let (mut writer, recovered) = Writer::new(file::open(&self.path)?, Some(&tail))?;
        // Where it is the same file after all, they are in its tail.
        if let Some(carried) = self.carried.take().filter(|carried| carried.lineage != writer.lineage) {
            writer.owe(&carried.entries);
        }
        match writer.settle() {
            Err(error @ StoreError::Damaged { .. }) => return Err(error),
            // It is in the tail, and the next write tries again.
            Err(error) => tracing::warn!("what {} holds is not moved yet: {error}", quote::path(&tail)),
            Ok(()) => {}
        }
        self.writer = Some(writer);
        if let Some(lock) = &self.lock {
            owner::mark(lock, &self.path);
            self.place = Some(Place::of(&self.path, lock));
        }
        Ok(recovered)
    }

    /// Opens what answers while the file can't be opened: the file, to be read alone, or else nothing.
    fn open_stand_in(&mut self) -> Result<Recovered, StoreError> {
        let tail = file::beside(&self.path, file::TAIL);
        let read = file::to_read(&self.path).and_then(|file| Writer::new(file, Some(&tail)).ok());
        let (stand_in, recovered) = match read {
            Some(read) => read,
            None => Writer::new(file::in_memory()?, None)?,
        };
        self.stand_in = Some(stand_in);
        Ok(recovered)
    }

    fn begin_anew(&mut self, reason: &str) -> Result<(), StoreError> {
        self.may_set_aside(reason)?;
        self.carried = self
            .writer
            .as_ref()
            .map(|writer| Carried { lineage: writer.lineage, entries: writer.pending_entries() });
        self.close()?;
        self.set_aside(reason)
    }

    /// Renames the file, which is closed.
    fn set_aside(&mut self, reason: &str) -> Result<(), StoreError> {
        self.may_set_aside(reason)?;
        let aside = aside::set_aside(&self.path)?;
        self.set_aside = Some(Stopwatch::start());
        let lost = if self.running {
            "what was counted before is not in the figures any more"
        } else {
            "what was counted, learned and paused before is forgotten"
        };
        self.befell(format!(
            "the state file {} was damaged ({reason}); it was set aside as {} at {}, and a new one begun: {lost}",
            quote::path(&self.path),
            quote::path(&aside),
            minute(clock::now()),
        ));
        Ok(())
    }

    fn may_set_aside(&self, reason: &str) -> Result<(), StoreError> {
        match &self.set_aside {
            Some(last) if last.elapsed() < ASIDE => Err(StoreError::Damaged { reason: reason.to_owned() }),
            Some(_) | None => Ok(()),
        }
    }

    /// Closes the file, and leaves it as it is.
    fn close(&mut self) -> Result<(), StoreError> {
        match self.writer.take() {
            Some(writer) => file::leave_as_it_is(&writer.connection, true),
            None => Ok(()),
        }
    }

    /// Tells of a file that can't be opened or written; the same failure is told once.
    pub(super) fn failed(&self, error: &StoreError, waiting: usize) {
        let why = match error.advice() {
            Some(advice) => format!("{error}; {advice} {}", quote::path(&self.path)),
            None => error.to_string(),
        };
        if self.queue.failing(&why) {
            tracing::error!(
                "the state file can't be written, {waiting} entries wait in memory; trying again: {why}"
            );
        }
    }

    /// Whether the tail waits for the disk to keep what was settled.
    pub(super) fn is_crowded(&self) -> bool {
        self.writer.as_ref().is_some_and(Writer::is_crowded)
    }

    /// Leaves the state file with all in it that was written.
    pub(super) fn finish(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.finish()
        {
            tracing::warn!("the tail of {} is left for the next start: {error}", quote::path(&self.path));
        }
    }

    fn befell(&self, incident: String) {
        tracing::error!("{incident}");
        self.queue.befell(incident);
    }

    /// Sees to it that the file is where it will be looked for at the next start.
    pub(super) fn look_after_the_place(&mut self) {
        let Some(place) = self.place.filter(|_| self.writer.is_some()) else { return };
        let (file, lock) = (place.file(&self.path), place.lock(&self.path));
        let path = quote::path(&self.path);
        let adrift = match (file, lock) {
            (Whereabouts::There, Whereabouts::There) => None,
            _ if self.put_back.as_ref().is_some_and(|last| last.elapsed() < PUT_BACK) => return,
            (Whereabouts::Replaced, _) => Some(format!(
                "another file was put in the place of the state file {path}: what warmd saves goes to the \
                 one before, which is lost when it stops; restart it to go on with the other"
            )),
            (Whereabouts::Gone, _) => self.put_back(file, lock).err().map(|error| {
                format!(
                    "the state file {path} was deleted while warmd runs, and can't be made again ({error}): \
                     what it saves is lost when it stops"
                )
            }),
            (Whereabouts::There, _) => self.put_back(file, lock).err().map(|error| {
                format!("the lock of the state file {path} was deleted while warmd runs, and can't be made again ({error})")
            }),
        };
        self.put_back = adrift.as_ref().map(|_| Stopwatch::start());
        if self.queue.adrift(adrift.clone())
            && let Some(adrift) = adrift
        {
            tracing::error!("{adrift}");
        }
    }

    /// Makes again what was deleted: the file from what is still open of it.
    fn put_back(&mut self, file: Whereabouts, lock: Whereabouts) -> Result<(), StoreError> {
        if lock != Whereabouts::There {
            file::make_folder(&self.path)?;
            self.lock = Some(file::lock(&self.path)?);
        }
        if file == Whereabouts::Gone {
            if let Some(writer) = &mut self.writer {
                writer.settle()?;
                file::make_again(&writer.connection, &self.path)?;
            }
            self.close()?;
            self.open_file()?;
            self.befell(format!(
                "the state file {} was deleted while warmd runs; it was made again at {}, with all that it held",
                quote::path(&self.path),
                minute(clock::now())
            ));
        }
        if let Some(lock) = &self.lock {
            owner::mark(lock, &self.path);
            self.place = Some(Place::of(&self.path, lock));
        }
        Ok(())
    }
}
