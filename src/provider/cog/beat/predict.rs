//! The prediction itself, and what is looked at behind it.

use super::super::health::{HOLD, Health, Said, State};
use super::super::prediction::{self, Verdict};
use super::super::recipe::Recipe;
use super::{Beat, Step};
use crate::clock::{self, Stopwatch};
use crate::heartbeat::{Answer, Phase, Rejection};
use crate::provider::http::HttpError;
use reqwest::Method;
use serde_json::Value;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::time::Duration;

/// So many predictions that a proxy answers with 202, or with a page, are sent in a heartbeat: each may run later.
const ACCEPTED: u32 = 3;

/// How long a look or a tidying up behind a heartbeat may take.
const AFTERMATH: Duration = Duration::from_secs(2);

impl Beat<'_> {
    /// Sends the prediction. Goes on where it did not run: with whether it was refused for want
    /// of a slot.
    pub(super) async fn predict(&mut self, mut recipe: Arc<Recipe>) -> Step<bool> {
        let mut is_second = false;
        loop {
            let id = prediction::id();
            let body = prediction::body(&id, recipe.input());
            let asked = Stopwatch::start();
            self.phase.send_replace(Phase::Running);
            let reply = self.cog.post(&["predictions"], &body, self.deadline).await;
            let took = asked.elapsed();
            let verdict = match self.heard(reply) {
                Ok(reply) => Verdict::of(&reply),
                Err(HttpError::TimedOut { .. }) => {
                    self.end();
                    self.cancel(&id).await;
                    return Break(self.timed_out("the prediction did not end"));
                }
                // Nothing was sent.
                Err(error @ HttpError::Connect { .. }) => {
                    self.unanswered(error).await?;
                    return Continue(false);
                }
                // It may be running: it is not sent again.
                Err(error @ (HttpError::Broken { .. } | HttpError::TooLarge { .. })) => {
                    return Break(Answer::Unreachable(error.to_string()));
                }
            };
            match verdict {
                Verdict::Ended(answer, predict) => {
                    // No part of it took longer than all of it did here; the clocks are two.
                    self.signs.predict = predict.filter(|predict| *predict <= took + HOLD);
                    self.end();
                    self.cog.recipes.ended(&recipe, &answer);
                    return Break(self.judged(answer, took, &recipe).await);
                }
                Verdict::Conflict => return Continue(true),
                Verdict::NotReady => {
                    self.met_starting();
                    self.wait("its setup has not finished".to_owned()).await?;
                    return Continue(false);
                }
                // One that comes late may hide a prediction that ran: one more try, no third.
                Verdict::Gateway { said, .. } if took > HOLD && std::mem::replace(&mut self.lost, true) => {
                    let why = format!("{said} to predictions, after {} s", took.as_secs());
                    return Break(Answer::Unreachable(why));
                }
                Verdict::Gateway { said, accepted } => {
                    self.accepted += u32::from(accepted);
                    if self.accepted == ACCEPTED {
                        let why = "it may queue them, and tells nobody of their end";
                        return Break(Answer::Unreachable(format!("{said} to predictions: {why}")));
                    }
                    self.wait(said).await?;
                    return Continue(false);
                }
                Verdict::Crashed(answer) => {
                    self.end();
                    return Break(self.wreck().await.unwrap_or(answer));
                }
                Verdict::Invalid { keys, detail } => {
                    if is_second || !self.cog.recipes.refused(&recipe, &keys) {
                        self.cog.recipes.forget(&recipe);
                        return Break(Answer::Rejected(Rejection::Input, hinted(detail, &recipe)));
                    }
                    match self.recipe().await? {
                        Some(anew) => recipe = anew,
                        None => return Continue(false),
                    }
                    is_second = true;
                }
            }
        }
    }

    /// Looks behind a prediction that ended.
    ///
    /// Where it took over a second longer than it ran, something held it: a proxy until a new
    /// setup was up, which makes it a wait for a boot; or, in versions that queue, a prediction of
    /// somebody else's that came between the health check and this one, which makes the server
    /// busy. That a heartbeat queues then can't be helped, only told: 0.9 runs what it has been
    /// sent, whether the connection is closed meanwhile or not, and hears no cancelling.
    ///
    /// Where it failed, the server may have failed with it, and then shows nothing of a model that is up.
    async fn judged(&mut self, answer: Answer, took: Duration, recipe: &Recipe) -> Answer {
        let predict = self.signs.predict;
        let held = predict.filter(|predict| took.saturating_sub(*predict) > HOLD);
        match (answer, predict, held) {
            (Answer::Failed(why), Some(_), held) => {
                if let Some(Said::Health(health)) = self.look().await {
                    if let State::Down(why) = health.state {
                        self.signs.predict = None;
                        return Answer::Failed(why);
                    }
                    if let Some(predict) = held {
                        self.note_boot(&health, predict);
                    }
                }
                Answer::Failed(hinted(why, recipe))
            }
            (Answer::Failed(why), None, _) => Answer::Failed(hinted(why, recipe)),
            (Answer::Succeeded, _, Some(predict)) => {
                let Some(Said::Health(health)) = self.look().await else { return Answer::Succeeded };
                let is_fresh = self.note_boot(&health, predict);
                if !is_fresh && health.version.is_none() && self.queues().await {
                    return Answer::Busy;
                }
                Answer::Succeeded
            }
            (answer, ..) => answer,
        }
    }

    /// Whether a new setup is up behind a prediction that was held: notes that it was held for its boot.
    fn note_boot(&mut self, health: &Health, predict: Duration) -> bool {
        let fresh = health.setup.filter(|setup| {
            setup.started_at >= self.sent_at && !self.order.known_setups.contains(&setup.started_at)
        });
        if fresh.is_some() && fresh != self.signs.setup {
            self.signs.setup = fresh;
            self.signs.held = self.ended.map(|(_, total)| total.saturating_sub(predict));
        }
        fresh.is_some()
    }

    /// What became of a server that answered 500: up to 0.16 it says DEFUNCT, and exits.
    async fn wreck(&self) -> Option<Answer> {
        match self.look().await? {
            Said::Health(health) => match health.state {
                State::Down(why) => Some(Answer::Failed(why)),
                State::Starting | State::Ready | State::Busy => None,
            },
            Said::Gateway(_) | Said::Refused(_) => None,
        }
    }

    async fn look(&self) -> Option<Said> {
        let reply = self.cog.get(&["health-check"], clock::instant() + AFTERMATH).await;
        reply.ok().map(|reply| Said::of(&reply))
    }

    /// Whether this version lets a prediction queue behind another: it names no version of its own.
    async fn queues(&self) -> bool {
        let index = self.cog.get(&[], clock::instant() + AFTERMATH).await;
        index
            .ok()
            .and_then(|reply| reply.json())
            .is_some_and(|index: Value| index.get("docs_url").is_some() && index.get("cog_version").is_none())
    }

    /// Frees the slot at the deadline: since 0.17 the closed connection does that, before it only
    /// this. 0.9 hears it too late, when the prediction has ended.
    async fn cancel(&self, id: &str) {
        let path = ["predictions", id, "cancel"];
        // Whether it worked or not, there is nothing more to do.
        let _ = self.cog.send(Method::POST, &path, None, None, clock::instant() + AFTERMATH).await;
    }

    /// The result has come: what follows is not the heartbeat's time.
    fn end(&mut self) {
        self.ended = Some((self.now(), self.elapsed()));
    }
}

/// What a model that publishes no schema refuses may be what it was not told.
fn hinted(why: String, recipe: &Recipe) -> String {
    if recipe.is_blind() {
        format!("{why} (the server publishes no schema: set input of this model in warm.toml)")
    } else {
        why
    }
}
