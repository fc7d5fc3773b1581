//! `--from`: an instant, or what the clocks of a model's zone read.

use crate::hours::zone::Zone;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use std::str::FromStr;
use thiserror::Error;

/// A time as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// With an offset.
    Instant(DateTime<Utc>),
    /// Without one: it depends on the zone.
    Civil(NaiveDateTime),
}

/// Neither of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a time as 2026-11-23T08:00:00+01:00, or by the model's clocks 2026-11-23T08:00 or 2026-11-23")]
pub(super) struct NoTime;

impl FromStr for From {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Instant(instant.to_utc()));
        }
        let time = |format| NaiveDateTime::parse_from_str(text, format);
        if let Ok(civil) = time("%Y-%m-%dT%H:%M").or_else(|_| time("%Y-%m-%dT%H:%M:%S")) {
            return Ok(Self::Civil(civil));
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| NoTime)?;
        Ok(Self::Civil(date.and_time(NaiveTime::MIN)))
    }
}

impl From {
    /// The instant, by the clocks of `zone` where no offset was written.
    pub(super) fn instant(self, zone: &Zone) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant,
            Self::Civil(civil) => zone.instants(civil).start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::zone::Zones;

    #[test]
    fn an_offset_decides_else_the_zone() {
        let berlin = Zones::built_in().get("Europe/Berlin").unwrap();
        let instant = |text: &str| text.parse::<From>().map(|from| from.instant(&berlin).to_rfc3339());
        assert_eq!(instant("2026-11-23T08:00:00Z").as_deref(), Ok("2026-11-23T08:00:00+00:00"));
        assert_eq!(instant("2026-11-23T08:00:00-05:00").as_deref(), Ok("2026-11-23T13:00:00+00:00"));
        assert_eq!(instant("2026-11-23T08:00").as_deref(), Ok("2026-11-23T07:00:00+00:00"));
        assert_eq!(instant("2026-07-01T08:00:30").as_deref(), Ok("2026-07-01T06:00:30+00:00"));
        assert_eq!(instant("2026-11-23").as_deref(), Ok("2026-11-22T23:00:00+00:00"));
        for wrong in ["", "now", "2026-13-01", "2026-11-23T25:00", "2026-11-23 08:00", "1763881200"] {
            assert_eq!(instant(wrong), Err(NoTime), "{wrong}");
        }
    }
}
