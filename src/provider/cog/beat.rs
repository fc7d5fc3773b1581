//! One heartbeat against a Cog server, from the first byte of the health check to its end.
//!
//! Its course: wait until the server is ready, make the input where it isn't known yet, send the
//! prediction; where that found no slot or no server, begin again. Each step either goes on or
//! ends the heartbeat with an answer.

mod predict;
mod ready;

use super::recipe::{Recipe, Schema};
use super::{Cog, refusal};
use crate::clock::{self, Stopwatch};
use crate::config::Probe;
use crate::heartbeat::{Answer, Limits, Observation, Order, Phase, Signs};
use crate::provider::http::{HttpError, Reply};
use chrono::{DateTime, Utc};
use std::convert::Infallible;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The first and the longest pause between two looks at a server that isn't ready.
const POLL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));

/// So often, in about five seconds, a page of HTML is taken for a proxy that waits for a server, though
/// the server's health check says READY each time: then for what it has in the schema's place.
const PAGES: u32 = 8;

/// What a step brings: to go on with it, or the heartbeat's end.
type Step<T> = ControlFlow<Answer, T>;

/// A heartbeat under way.
pub(super) struct Beat<'a> {
    cog: &'a Cog,
    order: &'a Order,
    phase: &'a watch::Sender<Phase>,
    sent_at: DateTime<Utc>,
    since: Stopwatch,
    deadline: Instant,
    /// Spent on what is no part of a heartbeat: making the input.
    aside: Duration,
    /// When the result had come, and the time until then, where something was still to be looked
    /// at or tidied up behind it.
    ended: Option<(DateTime<Utc>, Duration)>,
    /// The next pause between two looks.
    pause: Duration,
    /// What stands between the model and a prediction, as last seen; none until there is
    /// something to wait for.
    waiting_for: Option<String>,
    /// Whether a proxy's late error hid what became of a prediction.
    lost: bool,
    /// How often a proxy stood where the schema should be.
    pages: u32,
    /// How many predictions a proxy has accepted, without a word of what became of them.
    accepted: u32,
    signs: Signs,
    limits: Limits,
}

impl<'a> Beat<'a> {
    pub(super) fn new(cog: &'a Cog, order: &'a Order, phase: &'a watch::Sender<Phase>) -> Self {
        Self {
            cog,
            order,
            phase,
            sent_at: clock::now(),
            since: Stopwatch::start(),
            deadline: clock::instant() + order.model.timeout,
            aside: Duration::ZERO,
            ended: None,
            pause: POLL.0,
            waiting_for: None,
            lost: false,
            pages: 0,
            accepted: 0,
            signs: Signs::default(),
            limits: Limits::default(),
        }
    }

    pub(super) async fn run(mut self) -> Observation {
        let Break(answer) = self.course().await;
        let (done_at, total) = self.ended.unwrap_or_else(|| (self.now(), self.elapsed()));
        let Self { sent_at, signs, limits, .. } = self;
        Observation { sent_at, done_at, total, answer, signs, limits }
    }

    async fn course(&mut self) -> Step<Infallible> {
        let mut refused = false;
        loop {
            self.until_ready(refused).await?;
            if self.order.model.probe == Probe::Health {
                return Break(Answer::Succeeded);
            }
            refused = match self.recipe().await? {
                Some(recipe) => self.predict(recipe).await?,
                None => false,
            };
        }
    }

    /// The input for the setup that is ready, made where it wasn't yet. None where making it took so
    /// long, or found so little, that the server has to be asked anew whether it is ready.
    async fn recipe(&mut self) -> Step<Option<Arc<Recipe>>> {
        let setup = self.signs.setup.map(|setup| setup.started_at);
        let user = &self.order.model.input;
        if let Some(recipe) = self.cog.recipes.find(setup, user) {
            return Continue(Some(recipe));
        }
        let making = Stopwatch::start();
        let asked = Schema::ask(self.cog, self.deadline).await;
        let took = making.elapsed();
        self.aside += took;
        let schema = match asked {
            Ok(Schema::There(schema)) => Some(schema),
            Ok(Schema::None) => None,
            Ok(Schema::Page(_)) if self.pages >= PAGES => None,
            Ok(Schema::Gateway(said) | Schema::Page(said)) => {
                self.pages += 1;
                self.wait(said).await?;
                return Continue(None);
            }
            Ok(Schema::Refused(answer)) => return Break(answer),
            Err(error) => {
                self.unanswered(error).await?;
                return Continue(None);
            }
        };
        match Recipe::make(setup, schema.as_ref(), user, &self.cog.recipes.learned()) {
            Ok(recipe) => {
                let recipe = self.cog.recipes.keep(recipe);
                Continue((took <= super::health::HOLD).then_some(recipe))
            }
            Err(answer) => Break(answer),
        }
    }

    /// Takes note of what a reply says of the next one, whatever else it says.
    fn heard(&mut self, reply: Result<Reply, HttpError>) -> Result<Reply, HttpError> {
        let reply = reply?;
        self.limits.retry_after = refusal::retry_after(&reply).or(self.limits.retry_after);
        Ok(reply)
    }

    /// A request that brought no answer ends the heartbeat, unless there is something to wait for:
    /// a server that is starting may do so more than once, and isn't there in between.
    async fn unanswered(&mut self, error: HttpError) -> Step<()> {
        match error {
            HttpError::TimedOut { url, begun, .. } => Break(self.timed_out(&if begun {
                format!("the answer of {url} was not whole")
            } else {
                format!("{url} did not answer")
            })),
            HttpError::Connect { .. } | HttpError::Broken { .. } if self.waiting_for.is_some() => {
                self.wait(error.to_string()).await
            }
            HttpError::Connect { .. } | HttpError::Broken { .. } | HttpError::TooLarge { .. } => {
                Break(Answer::Unreachable(error.to_string()))
            }
        }
    }

    /// Pauses before the next look, or ends the heartbeat at its deadline.
    async fn wait(&mut self, waiting_for: String) -> Step<()> {
        self.waiting_for = Some(waiting_for);
        let left = self.deadline.saturating_duration_since(clock::instant());
        tokio::time::sleep(self.pause.min(left)).await;
        if left <= self.pause {
            return Break(self.timed_out("it was not ready"));
        }
        self.pause = (self.pause * 3 / 2).min(POLL.1);
        Continue(())
    }

    fn timed_out(&self, what: &str) -> Answer {
        let timeout = self.order.model.timeout.as_secs_f64();
        let last = self.waiting_for.as_ref().map(|last| format!(": {last}")).unwrap_or_default();
        Answer::TimedOut(format!("{what} within {timeout} s{last}"))
    }

    /// The civil time, by the clock as it was at the start: one that is moved on the way must not make the
    /// heartbeat an hour long, nor end before its beginning.
    fn now(&self) -> DateTime<Utc> {
        self.sent_at + self.since.elapsed()
    }

    /// The heartbeat's own time so far.
    fn elapsed(&self) -> Duration {
        self.since.elapsed().saturating_sub(self.aside)
    }
}
