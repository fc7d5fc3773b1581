//! What the models of one Replicate account share: its pace, and what blocks all of them.

use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome, Rejection};
use crate::pace::{self, Pace};
use crate::state::Held;
use std::time::{Duration, Instant};

/// While the token or the credit is refused, one heartbeat of the account looks again this often.
const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// After the first refusal one looks once more: the token may just have been replaced.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(30);

/// One account.
#[derive(Debug)]
pub(super) struct Account {
    /// Its creates.
    pub(super) pace: Pace,
    /// Its models, in the file's order: the first come first where not all can.
    pub(super) models: Vec<ModelName>,
    block: Option<Block>,
}

/// What it grants its models: they are held anew where that changes, as it seldom does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terms {
    limit: u32,
    learned: bool,
    /// Since when it is blocked, and who looks again.
    blocked: Option<(Instant, Option<ModelName>)>,
}

#[derive(Debug)]
struct Block {
    /// The token, or the credit.
    rejection: Rejection,
    error: String,
    since: Instant,
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
    /// Its own name or input is refused, or one of its heartbeats is in flight already: a look of its
    /// would tell less than another's, or later.
    pub(super) looks_badly: bool,
}

impl Account {
    pub(super) fn new(creates_per_minute: u32) -> Self {
        Self { pace: Pace::new(creates_per_minute), models: Vec::new(), block: None }
    }

    /// What it grants its models at `now`.
    pub(super) fn terms(&self, now: Instant) -> Terms {
        let blocked = self.block.as_ref().map(|block| (block.since, block.looking.clone()));
        Terms { limit: self.pace.limit(now), learned: self.pace.is_learned(now), blocked }
    }

    /// Takes in a heartbeat of `model` that was sent at `sent` and has landed.
    pub(super) fn landed(&mut self, model: &ModelName, heartbeat: &Heartbeat, sent: Instant, now: Instant) {
        if let Some(rejection @ (Rejection::Token | Rejection::Credit)) = heartbeat.rejection {
            let error = heartbeat.error.clone().unwrap_or_default();
            let look_at = match &self.block {
                None => now + LOOK_AGAIN_SOON,
                // It was sent before the account was found blocked: that is known.
                Some(block) if sent < block.since => return,
                Some(block) if block.looking.as_ref() == Some(model) => now + LOOK_AGAIN,
                // One that was sent by hand delays no look.
                Some(block) => block.look_at,
            };
            self.block(rejection, error, now, look_at);
            return;
        }
        // What was created before the credit ran out may well run on: that tells nothing.
        let Some(block) = self.block.as_mut().filter(|block| block.since <= sent) else { return };
        block.looking.take_if(|looking| *looking == *model);
        if block.is_refuted_by(heartbeat) {
            self.block = None;
        }
    }

    /// Holds all models of the account, until one of them has looked again at `look_at`.
    pub(super) fn block(&mut self, rejection: Rejection, error: String, now: Instant, look_at: Instant) {
        self.block = Some(Block { rejection, error, since: now, look_at, looking: None });
    }

    /// When one of its models looks again whether it is still blocked; none where it isn't.
    pub(super) fn looks_at(&self) -> Option<Instant> {
        self.block.as_ref().map(|block| block.look_at)
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
            let (limit, learned) = (self.pace.limit(now), self.pace.is_learned(now));
            let wants: Vec<f64> = demands.iter().map(|demand| demand.per_minute.unwrap_or(0.0)).collect();
            let held = pace::held(&wants, limit);
            return (
                held.into_iter().map(|held| held.then_some(Held::NoRoom { limit, learned })).collect(),
                None,
            );
        };
        let mut chosen = None;
        let wanting = demands.iter().filter(|demand| demand.per_minute.is_some());
        if block.look_at <= now
            && let Some(first) = wanting.min_by_key(|demand| demand.looks_badly)
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

impl Block {
    /// Whether this heartbeat shows that the token, or the credit, is taken again.
    fn is_refuted_by(&self, heartbeat: &Heartbeat) -> bool {
        match heartbeat.outcome {
            Outcome::Warm | Outcome::Cold | Outcome::Busy | Outcome::Failed => true,
            Outcome::Calibration => heartbeat.error.is_none(),
            // The token was looked at before the name or the input, the credit perhaps after it.
            Outcome::Rejected => self.rejection == Rejection::Token,
            Outcome::RateLimited | Outcome::TimedOut | Outcome::Unreachable | Outcome::Skipped => false,
        }
    }
}

#[cfg(test)]
mod tests;
