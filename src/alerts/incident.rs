//! A condition that has come: since when, how much of it there was, and who was told.

use crate::config::alert::{After, Alert, AlertName, Condition};
use crate::config::value::ModelName;
use crate::heartbeat::Heartbeat;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// It is looked at each second. Where longer has passed since the last look, the clock was set, or nobody
/// was there to look: no more than this of it counts.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// One cold heartbeat lasts until the next, however long that is: a duration takes so many in a row.
const LASTING_ROW: u32 = 2;

/// A condition that has come, and not yet gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Which.
    pub condition: Condition,
    /// Whose; none for the configuration's.
    pub model: Option<ModelName>,
    /// Since when, by the clock of that time.
    pub since: DateTime<Utc>,
    /// Heartbeats in a row.
    pub count: u32,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// The last heartbeat that it came of; once it is over, the one that ended it.
    pub heartbeat: Option<Heartbeat>,
    /// How long it has been seen to last: while the model was kept warm, and somebody looked.
    pub lasted: Duration,
    /// When it was looked at last.
    pub looked_at: DateTime<Utc>,
    /// It has ended; whoever was told is to be told that too.
    pub over: bool,
    /// Who was told.
    pub told: BTreeMap<AlertName, Told>,
}

/// That an alert was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How often.
    pub times: u32,
    /// How long it had lasted when it was told last.
    pub at: Duration,
    /// How many heartbeats in a row there had been.
    #[serde(default)]
    pub count: u32,
}

impl Incident {
    /// One that begins.
    pub fn new(
        condition: Condition,
        model: Option<ModelName>,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            condition,
            model,
            since,
            count: 0,
            reason: None,
            heartbeat: None,
            lasted: Duration::ZERO,
            looked_at: now,
            over: false,
            told: BTreeMap::new(),
        }
    }

    /// Looks at it at `now`; the time since the last look counts where it `goes_on`.
    pub fn pass(&mut self, now: DateTime<Utc>, goes_on: bool) {
        // Set back, it comes to nothing.
        let step = (now - self.looked_at).to_std().unwrap_or_default();
        if goes_on {
            self.lasted += step.min(LONGEST_STEP);
        }
        self.looked_at = now;
    }

    /// Whether an alert that covers it is to be told now, for the first time or once more.
    pub fn is_due(&self, alert: &Alert) -> bool {
        match (self.told.get(&alert.name), alert.after) {
            // Nobody counts how often a file was read.
            (None, After::Count(_)) if self.condition == Condition::ConfigError => true,
            (None, After::Count(count)) => self.count >= count,
            (None, After::Lasting(long)) => {
                let is_row = self.condition != Condition::Cold || self.count >= LASTING_ROW;
                is_row && self.lasted >= long
            }
            (Some(told), _) => {
                // "Still found cold" takes a heartbeat that found it so.
                let is_seen = self.condition != Condition::Cold || self.count > told.count;
                is_seen && alert.repeat.is_some_and(|repeat| self.lasted >= told.at + repeat)
            }
        }
    }

    /// Notes that it is told now; how often it was before.
    pub fn tell(&mut self, alert: &AlertName) -> u32 {
        let before = self.told.get(alert).map_or(0, |told| told.times);
        let told = Told { times: before.saturating_add(1), at: self.lasted, count: self.count };
        self.told.insert(alert.clone(), told);
        before
    }
}
