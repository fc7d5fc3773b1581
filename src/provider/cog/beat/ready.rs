//! From the health check until the server takes a prediction.

use super::super::health::{self, HOLD, Health, Said, State};
use super::{Beat, Step};
use crate::clock::Stopwatch;
use crate::heartbeat::{Answer, Phase};
use std::ops::ControlFlow::{Break, Continue};

impl Beat<'_> {
    /// Follows the health check until it says READY. `refused`: a prediction has just found no
    /// slot, so that a server which is up is up for others.
    pub(super) async fn until_ready(&mut self, refused: bool) -> Step<()> {
        let phase = self.phase;
        // Where a prediction found no server or no slot, nothing is known of the model any more.
        if *phase.borrow() == Phase::Running {
            phase.send_replace(Phase::Sent);
        }
        let plain = self.order.cold_after.saturating_sub(self.elapsed());
        let mut following = std::pin::pin!(self.follow(refused));
        tokio::select! {
            biased;
            step = &mut following => step,
            () = tokio::time::sleep(plain) => {
                phase.send_replace(Phase::Booting);
                following.await
            }
        }
    }

    async fn follow(&mut self, mut refused: bool) -> Step<()> {
        loop {
            let asked = Stopwatch::start();
            let reply = self.cog.get(&["health-check"], self.deadline).await;
            let held = asked.elapsed() > HOLD;
            match self.heard(reply).map(|reply| Said::of(&reply)) {
                Ok(Said::Health(health)) => match health.state {
                    State::Ready | State::Busy => return self.up(&health, held, refused),
                    State::Starting => {
                        // Should its time run out now: whose boot it was that it cut off.
                        self.signs.setup = health.setup;
                        self.met_starting();
                        self.wait("its setup is under way".to_owned()).await?;
                    }
                    State::Down(why) => return Break(Answer::Failed(why)),
                },
                Ok(Said::Gateway(said)) => self.wait(said).await?,
                Ok(Said::Refused(Answer::Unreachable(why))) if self.waiting_for.is_some() => {
                    self.wait(why).await?;
                }
                Ok(Said::Refused(answer)) => return Break(answer),
                Err(error) => self.unanswered(error).await?,
            }
            refused = false;
        }
    }

    /// The server is up: for this heartbeat, or for somebody else.
    fn up(&mut self, health: &Health, held: bool, refused: bool) -> Step<()> {
        self.signs.setup = health.setup;
        let behind_others = held
            && !self.signs.met_starting
            && !health::held_by_boot(health.setup, &self.order.known_setups, self.sent_at);
        if behind_others {
            return Break(Answer::Busy);
        }
        if held || self.waiting_for.is_some() {
            self.signs.held = Some(self.elapsed());
        }
        if refused || health.state == State::Busy {
            return Break(Answer::Busy);
        }
        Continue(())
    }

    /// Cog said itself that its setup is under way.
    pub(super) fn met_starting(&mut self) {
        self.signs.met_starting = true;
        self.phase.send_replace(Phase::Booting);
    }
}
