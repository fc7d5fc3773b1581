//! Replicate: versions, official and community models, deployments.
//!
//! Owns what is known of one model there: where its predictions are created, the input they get,
//! and the cost knobs it would not take small. A create is never sent again for a reply that was
//! lost; it is, once each, where the API says that the version or the input was the wrong one.

mod aim;
mod api;
mod follow;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod inspect;
mod prediction;
mod problem;

use self::aim::{Aim, Endpoint};
use self::api::Api;
use self::follow::{End, Follow};
use self::prediction::Prediction;
use self::problem::{Kind, Problem};
use super::input::{self, Ladder, Learned, MadeInput};
use super::{Facts, Inspection, http};
use crate::clock::{self, Stopwatch};
use crate::config::value::Token;
use crate::config::{Model, Target};
use crate::heartbeat::{Answer, Limits, Observation, Order, Phase, Signs};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long what was looked up of a model is believed.
const LOOK_AGAIN: Duration = Duration::from_hours(24);

/// When a look that failed is tried again, while what was known before still serves.
const LOOK_AGAIN_AFTER_FAILURE: Duration = Duration::from_mins(10);

/// How long a heartbeat waits for a look that it can do without.
const SPARE_LOOK: Duration = Duration::from_secs(5);

/// The longest a heartbeat may take, whatever its `timeout`: instants have an end.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(30 * 24);

/// One model on Replicate.
pub struct Replicate {
    api: Api,
    target: Target,
    user_input: Map<String, Value>,
    known: Mutex<Known>,
}

/// What has been learned of it; nothing awaits while this is locked.
#[derive(Debug, Default)]
struct Known {
    plan: Option<Arc<Plan>>,
    /// When the plan is to be made anew.
    stale_at: Option<Instant>,
    /// What was learned of the inputs of its versions.
    learned: Learned,
}

/// How a heartbeat of the model is sent.
#[derive(Debug)]
struct Plan {
    aim: Aim,
    made: MadeInput,
    /// What was known of the version when the input was made.
    ladder: Ladder,
}

/// One heartbeat on its way.
struct Beat<'a> {
    order: &'a Order,
    phase: &'a watch::Sender<Phase>,
    timeout: Duration,
    deadline: Instant,
    limits: Limits,
    sent_at: DateTime<Utc>,
    sent: Stopwatch,
}

impl Replicate {
    /// The provider of `model`, with the API at `base` (`/v1` included).
    pub fn new(model: &Arc<Model>, base: reqwest::Url, token: Option<Token>, client: http::Client) -> Self {
        Self {
            api: Api::new(base, token, client),
            target: model.target.clone(),
            user_input: model.input.clone(),
            known: Mutex::default(),
        }
    }

    /// One heartbeat: create, the GET that brings the timestamps, polling, cancelling.
    ///
    /// `total` counts from the create on: what is looked up before it, once a day, is not what a
    /// user of the model would have waited for. The whole is bounded by the model's `timeout` all
    /// the same.
    pub async fn beat(&self, order: &Order, phase: &watch::Sender<Phase>) -> Observation {
        let timeout = order.model.timeout.min(LONGEST_TIMEOUT);
        let mut beat = Beat {
            order,
            phase,
            timeout,
            deadline: clock::instant() + timeout,
            limits: Limits::default(),
            sent_at: clock::now(),
            sent: Stopwatch::start(),
        };
        let end = match self.create(&mut beat).await {
            Ok((created, plan)) => {
                let end = beat.follow(&self.api).to_the_end(created).await;
                self.learn(&plan, &end.answer);
                end
            }
            Err(problem) => {
                if matches!(problem.kind, Kind::Missing | Kind::Version | Kind::Input) {
                    self.forget();
                }
                beat.limits.retry_after = problem.retry_after;
                let done = beat.sent.elapsed();
                End { answer: problem.into_answer(), signs: Signs::default(), total: done, done }
            }
        };
        Observation {
            sent_at: beat.sent_at,
            done_at: beat.sent_at + end.done,
            total: end.total,
            answer: end.answer,
            signs: end.signs,
            limits: beat.limits,
        }
    }

    /// What has been learned so far.
    pub fn facts(&self) -> Facts {
        let known = self.known();
        let Some(plan) = &known.plan else {
            let deployment = matches!(self.target, Target::Deployment { .. });
            return Facts { billed_when_idle: deployment.then_some(true), ..Facts::default() };
        };
        Facts {
            official: plan.aim.official,
            billed_when_idle: plan.aim.is_billed_when_idle(),
            guessed: plan.made.guessed.clone(),
        }
    }

    /// What was learned of its inputs so far.
    pub fn learned(&self) -> Learned {
        self.known().learned.clone()
    }

    /// Goes on from what was learned of its inputs before.
    pub fn recall(&self, learned: Learned) {
        self.known().learned = learned;
    }

    /// Asks whether a heartbeat would work, without sending one.
    pub async fn inspect(&self) -> Inspection {
        inspect::inspect(&self.api, &self.target, &self.user_input).await
    }

    /// Creates the prediction. A refusal of the version or the input is met with what can be done
    /// about it, at most once each.
    async fn create(&self, beat: &mut Beat<'_>) -> Result<(Prediction, Arc<Plan>), Problem> {
        let (mut plan, mut fresh) = self.plan(beat.deadline).await?;
        let (mut moved, mut grown) = (false, false);
        loop {
            let problem = match self.create_once(&plan, beat).await {
                Ok(created) => return Ok((created, plan)),
                Err(problem) => problem,
            };
            let by_version = plan.aim.by_version().filter(|_| problem.kind == Kind::Missing);
            if let Some(aim) = by_version {
                plan = self.adopt(aim)?;
                continue;
            }
            let looks_moved = match problem.kind {
                Kind::Version => !moved && matches!(self.target, Target::Model { .. }),
                Kind::Input => !fresh && !matches!(plan.aim.endpoint, Endpoint::Version(_)),
                Kind::Token
                | Kind::Credit
                | Kind::Missing
                | Kind::Throttled
                | Kind::TimedOut
                | Kind::Unreachable => false,
            };
            if looks_moved {
                (moved, fresh) = (true, true);
                let aim = Aim::look_up(&self.api, &self.target, beat.deadline).await?;
                let differs = (&aim.endpoint, &aim.version, &aim.schema)
                    != (&plan.aim.endpoint, &plan.aim.version, &plan.aim.schema);
                if differs {
                    plan = self.adopt(aim)?;
                    continue;
                }
            }
            let refused: Vec<String> = plan.made.chosen().filter(|key| problem.names(key)).cloned().collect();
            if problem.kind != Kind::Input || grown || refused.is_empty() {
                return Err(problem);
            }
            grown = true;
            self.known().learned.refused(&plan.ladder, refused);
            plan = self.adopt(plan.aim.clone())?;
        }
    }

    async fn create_once(&self, plan: &Plan, beat: &mut Beat<'_>) -> Result<Prediction, Problem> {
        let Beat { timeout, deadline, .. } = *beat;
        let hold = api::create_wait(timeout, beat.order.cold_after);
        beat.sent_at = clock::now();
        beat.sent = Stopwatch::start();
        let (endpoint, input) = (&plan.aim.endpoint, &plan.made.input);
        let body = self.api.create(endpoint, input, (timeout, hold), deadline, &mut beat.limits).await?;
        Prediction::parse(&body).ok_or_else(|| {
            Problem::new(Kind::Unreachable, "the create was answered with something that is no prediction")
        })
    }

    /// How to send, and whether it was looked up just now.
    async fn plan(&self, deadline: Instant) -> Result<(Arc<Plan>, bool), Problem> {
        let known = {
            let known = self.known();
            let stale = known.stale_at.is_none_or(|at| at <= clock::instant());
            match &known.plan {
                Some(plan) if !stale => return Ok((Arc::clone(plan), false)),
                other => other.clone(),
            }
        };
        let until = match &known {
            Some(_) => deadline.min(clock::instant() + SPARE_LOOK),
            None => deadline,
        };
        let _place = self.api.place_to_look(until).await;
        match (Aim::look_up(&self.api, &self.target, until).await, known) {
            (Ok(aim), _) => Ok((self.adopt(aim)?, true)),
            // What served yesterday may well serve today; if not, the create will say so.
            (Err(_), Some(plan)) => {
                self.known().stale_at = clock::instant().checked_add(LOOK_AGAIN_AFTER_FAILURE);
                Ok((plan, false))
            }
            (Err(problem), None) => Err(problem),
        }
    }

    /// Makes the input for what was looked up, and keeps both.
    fn adopt(&self, aim: Aim) -> Result<Arc<Plan>, Problem> {
        let mut known = self.known();
        let plan = self.make(aim, &known.learned)?;
        known.plan = Some(Arc::clone(&plan));
        known.stale_at = clock::instant().checked_add(LOOK_AGAIN);
        Ok(plan)
    }

    fn make(&self, aim: Aim, learned: &Learned) -> Result<Arc<Plan>, Problem> {
        let user_keys = Value::Object(self.user_input.clone()).to_string();
        let ladder = learned.of(&aim.version_key(), input::fingerprint(&user_keys));
        let made = aim.input(&self.user_input, ladder.rung())?;
        Ok(Arc::new(Plan { aim, made, ladder }))
    }

    /// Learns from how a prediction ended, and makes the input of the next one where it is to be another.
    fn learn(&self, plan: &Plan, answer: &Answer) {
        let Known { plan: kept, learned, .. } = &mut *self.known();
        let moved = match answer {
            Answer::Succeeded => {
                learned.succeeded(&plan.ladder);
                !learned.agrees_with(&plan.ladder)
            }
            Answer::Failed(why) => learned.failed(&plan.ladder, why, &plan.made.steps),
            Answer::Busy
            | Answer::Rejected(..)
            | Answer::RateLimited(_)
            | Answer::TimedOut(_)
            | Answer::Unreachable(_) => false,
        };
        if moved && let Ok(next) = self.make(plan.aim.clone(), learned) {
            *kept = Some(next);
        }
    }

    /// What is known led to a refusal: the next heartbeat looks anew.
    fn forget(&self) {
        self.known().stale_at = None;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Beat<'a> {
    fn follow(&self, api: &'a Api) -> Follow<'a> {
        Follow {
            api,
            sent: self.sent,
            deadline: self.deadline,
            timeout: self.timeout,
            cold_after: self.order.cold_after,
            interval: self.order.model.interval,
            phase: self.phase,
        }
    }
}

#[cfg(test)]
mod tests;
