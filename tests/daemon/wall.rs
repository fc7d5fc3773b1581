//! A wall clock of the daemon's own, which a test moves: libfaketime, under the process and unseen by it.
//! The monotonic clock stays the true one, as it does when a clock is set.

use crate::support::Home;
use chrono::{DateTime, TimeDelta, Utc};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The wall clock of a home's daemon.
pub(crate) struct Wall {
    /// What the library adds to the true time, in seconds.
    offset: PathBuf,
}

impl Wall {
    /// One that stands at `start`, and goes on.
    pub(crate) fn at(home: &Home, start: &str) -> Self {
        let wall = Self { offset: home.path("offset") };
        wall.set(start);
        wall
    }

    /// Sets it.
    pub(crate) fn set(&self, to: &str) {
        let to: DateTime<Utc> = to.parse().unwrap();
        self.put(to - warmd::clock::now());
    }

    /// Moves it by so many seconds.
    pub(crate) fn turn(&self, seconds: i64) {
        self.put(self.offset() + TimeDelta::seconds(seconds));
    }

    /// What it says now.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        warmd::clock::now() + self.offset()
    }

    /// `warmd` by this clock.
    pub(crate) fn warmd(&self, home: &Home) -> Command {
        let mut command = home.warmd();
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command
    }

    fn offset(&self) -> TimeDelta {
        let text = fs::read_to_string(&self.offset).unwrap();
        TimeDelta::microseconds((text.parse::<f64>().unwrap() * 1e6).round() as i64)
    }

    fn put(&self, offset: TimeDelta) {
        // In one step: half a number would be another one.
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{:+.6}", offset.as_seconds_f64())).unwrap();
        fs::rename(new, &self.offset).unwrap();
    }
}

/// The library, where Debian's package `faketime` puts it.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().map_while(Result::ok);
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.exists()).expect("libfaketime: tests/run installs it (faketime)")
}
