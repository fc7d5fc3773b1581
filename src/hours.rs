//! Active hours: the grammar, civil time, DST, and the next edge after an instant.

use chrono::{DateTime, Utc};

/// When people use a model: windows of civil time in their zones, merged, less what is closed.
#[derive(Debug, Clone)]
pub struct ActiveHours {}

/// The stretch around an instant in which nothing opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Whether the instant lies within active hours.
    pub open: bool,
    /// The edge at or before the instant: the true opening where it is open, the last closing
    /// where it is not; none where there is none.
    pub since: Option<DateTime<Utc>>,
    /// The next edge after the instant: the closing where it is open, the next opening where it is
    /// not; none where there is none.
    pub until: Option<DateTime<Utc>>,
}

/// A window of active hours as it happens: `[opens, closes)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// None where it has no beginning (`always`).
    pub opens: Option<DateTime<Utc>>,
    /// None where it has no end.
    pub closes: Option<DateTime<Utc>>,
}

impl ActiveHours {
    /// The stretch around `t`.
    pub fn at(&self, _t: DateTime<Utc>) -> Stretch {
        unimplemented!()
    }

    /// The open pieces of `from..to`.
    pub fn pieces(&self, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        unimplemented!()
    }
}
