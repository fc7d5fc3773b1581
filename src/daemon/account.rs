//! What the models of one Replicate account share: its pace, and what blocks all of them.

use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome, Rejection};
use crate::pace::{self, Pace};
use crate::state::Held;
use std::time::{Duration, Instant};

/// While the token or the credit is refused, one heartbeat of the account looks again this often.
const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// One account.
#[derive(Debug)]
pub(super) struct Account {
    /// Its creates.
    pub(super) pace: Pace,
    block: Option<Block>,
}

#[derive(Debug)]
struct Block {
    error: String,
    look_at: Instant,
    /// The model whose heartbeat looks again, from when it is chosen until it has landed.
    looking: Option<ModelName>,
}

/// What a model asks of its account.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    pub(super) model: ModelName,
    /// Creates a minute while it is to be kept warm; none while it isn't.
    pub(super) per_minute: Option<f64>,
}

impl Account {
    pub(super) fn new(creates_per_minute: u32) -> Self {
        Self { pace: Pace::new(creates_per_minute), block: None }
    }

    /// Takes in a heartbeat that landed.
    pub(super) fn landed(&mut self, heartbeat: &Heartbeat, now: Instant) {
        match heartbeat.rejection {
            Some(Rejection::Token | Rejection::Credit) => {
                self.block(heartbeat.error.clone().unwrap_or_default(), now + LOOK_AGAIN);
                return;
            }
            Some(Rejection::Model | Rejection::Input) | None => {}
        }
        if let Some(block) = &mut self.block {
            block.looking = None;
            // These say nothing of the token or the credit.
            let silent = matches!(
                heartbeat.outcome,
                Outcome::RateLimited | Outcome::TimedOut | Outcome::Unreachable | Outcome::Skipped
            );
            if !silent {
                self.block = None;
            }
        }
    }

    /// Holds all models of the account, until one of them has looked again at `look_at`.
    pub(super) fn block(&mut self, error: String, look_at: Instant) {
        self.block = Some(Block { error, look_at, looking: None });
    }

    /// Looks again now: at a reload, a resume.
    pub(super) fn look_now(&mut self, now: Instant) {
        if let Some(block) = &mut self.block {
            block.look_at = block.look_at.min(now);
        }
    }

    /// Who is held, by `demands` in the file's order; and who is to look again now, if anyone.
    pub(super) fn holds(
        &mut self,
        demands: &[Demand],
        now: Instant,
    ) -> (Vec<Option<Held>>, Option<ModelName>) {
        let Some(block) = &mut self.block else {
            let limit = self.pace.limit(now);
            let wants: Vec<f64> = demands.iter().map(|demand| demand.per_minute.unwrap_or(0.0)).collect();
            let held = pace::held(&wants, limit);
            return (held.into_iter().map(|held| held.then_some(Held::NoRoom { limit })).collect(), None);
        };
        let mut chosen = None;
        if block.look_at <= now
            && let Some(first) = demands.iter().find(|demand| demand.per_minute.is_some())
        {
            block.look_at = now + LOOK_AGAIN;
            block.looking = Some(first.model.clone());
            chosen.clone_from(&block.looking);
        }
        let held = demands.iter().map(|demand| {
            let looks = block.looking.as_ref() == Some(&demand.model);
            (!looks).then(|| Held::Blocked { error: block.error.clone() })
        });
        (held.collect(), chosen)
    }
}
