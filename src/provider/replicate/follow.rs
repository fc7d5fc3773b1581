//! From a prediction's creation to its end: the GET that brings the timestamps, polling, and
//! cancelling at the deadline.

use super::api::{Api, create_wait};
use super::prediction::{Prediction, Status};
use super::problem::{Kind, Problem};
use crate::clock::{self, Stopwatch};
use crate::config::value::format_duration;
use crate::heartbeat::{Answer, Phase, Signs};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The pause between two looks at a prediction: from the first, by half more each time, to the
/// last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// The first pause where the result is there, and only its times are not: they are written a moment
/// after it, and whoever asks at once asks twice.
const MOMENT: Duration = Duration::from_millis(50);

/// That pause may go on for so long until something else happens, as long as the heartbeat takes no more than a part
/// of its interval: the next due must not find it in flight. Until it has landed it is not written, and what a
/// killed process may lose is a second.
const LONGEST_MOMENT: Duration = Duration::from_millis(150);
const PART_OF_INTERVAL: u32 = 4;

/// How often an ended prediction is looked at again whose times are missing.
const EXTRA_LOOKS: u32 = 3;

/// How long the times are waited for where the create brought the whole result, and the model so
/// is warm: the next heartbeat matters more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest pause that a throttled look may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What cancelling may take, beyond the deadline.
const CANCEL_ALLOWANCE: Duration = Duration::from_secs(5);

/// How much earlier than asked a cancelled prediction may have been cut off and still count as
/// timed out: the clocks are two, and times are rounded.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// A prediction that is being followed.
pub(super) struct Follow<'a> {
    pub(super) api: &'a Api,
    /// Since just before the create was sent.
    pub(super) sent: Stopwatch,
    /// The heartbeat's end.
    pub(super) deadline: Instant,
    /// The model's `timeout`, from which `Prefer` and `Cancel-After` were made.
    pub(super) timeout: Duration,
    /// Beyond it, a prediction that is still starting is booting.
    pub(super) cold_after: Duration,
    pub(super) interval: Duration,
    pub(super) phase: &'a watch::Sender<Phase>,
}

/// How it ended.
pub(super) struct End {
    pub(super) answer: Answer,
    pub(super) signs: Signs,
    /// What a user would have waited.
    pub(super) total: Duration,
    /// From the create to the answer that carried the result.
    pub(super) done: Duration,
}

impl Follow<'_> {
    /// Follows what a create brought to its end. Never fails, and ends soon after the deadline.
    pub(super) async fn to_the_end(&self, created: Prediction) -> End {
        let replied = self.sent.elapsed();
        // A reply that was held back to the end of the wait may carry a part of the output.
        let held = replied >= create_wait(self.timeout, self.cold_after);
        let whole = created.has_output && !held;
        let result = (created.has_ended() || whole).then_some(replied);
        let mut latest = created;
        let mut ended = result;
        let mut trouble = None;
        let mut pause = if result.is_some() { MOMENT } else { FIRST_PAUSE };
        match result {
            Some(replied) => self.a_moment(replied).await,
            // A held reply says `starting` even where the model runs: what is so is asked at once.
            None if held => self.pause(MOMENT).await,
            None => self.pause(self.until_shown(pause, &latest.status)).await,
        }
        let mut extra_looks = 0;
        let ended = loop {
            pause = pause.mul_f64(1.5).min(LAST_PAUSE);
            match ended {
                Some(at) if self.left().is_zero() || self.sent.elapsed() > at + PATIENCE => break at,
                None if self.left().is_zero() => return self.give_up(&latest, trouble).await,
                Some(_) | None => {}
            }
            match self.look(&latest).await {
                Ok(prediction) => (latest, trouble) = (prediction, None),
                Err(problem) if problem.kind == Kind::Token => return self.end(problem.into_answer()),
                Err(problem) => {
                    pause = pause.max(problem.retry_after.unwrap_or_default().min(LONGEST_PAUSE));
                    trouble = Some(problem.sentence);
                }
            }
            if latest.has_ended() {
                let at = *ended.get_or_insert_with(|| self.sent.elapsed());
                if latest.is_timed() || extra_looks == EXTRA_LOOKS {
                    break at;
                }
                extra_looks += u32::from(trouble.is_none());
            }
            if trouble.is_none() {
                self.tell_phase(&latest.status);
            }
            self.pause(self.until_shown(pause, &latest.status)).await;
        };
        let answer = self.answer(&latest);
        let latest = latest.within(self.sent.elapsed());
        let total = result.or_else(|| latest.total()).unwrap_or(ended);
        End { answer, signs: latest.signs(), total, done: ended }
    }

    /// A pause that ends soon after `cold_after`, where only the next look shows whether it boots.
    fn until_shown(&self, pause: Duration, status: &Status) -> Duration {
        match self.cold_after.checked_sub(self.sent.elapsed()) {
            Some(left) if *status == Status::Starting => pause.min(left + MOMENT),
            Some(_) | None => pause,
        }
    }

    async fn pause(&self, pause: Duration) {
        clock::about(pause.min(self.left())).await;
    }

    /// The pause after which the times of a result are there, that came `replied` after it was asked for.
    async fn a_moment(&self, replied: Duration) {
        let left = self.left();
        self.api.lull(MOMENT.min(left), longest_moment(self.interval, replied).min(left)).await;
    }

    /// Tells whether the model boots or runs, as far as a prediction that was read shows it.
    fn tell_phase(&self, status: &Status) {
        match status {
            Status::Starting if self.sent.elapsed() > self.cold_after => {
                self.phase.send_replace(Phase::Booting);
            }
            Status::Processing => {
                self.phase.send_replace(Phase::Running);
            }
            Status::Starting
            | Status::Succeeded
            | Status::Failed
            | Status::Canceled
            | Status::Aborted
            | Status::Other(_) => {}
        }
    }

    /// Reads the prediction again. One that answers as another is not believed.
    async fn look(&self, latest: &Prediction) -> Result<Prediction, Problem> {
        let body = self.api.prediction(&latest.id, self.deadline).await?;
        Prediction::parse(&body).filter(|prediction| prediction.id == latest.id).ok_or_else(|| {
            Problem::new(Kind::Unreachable, "GET /predictions/… was answered with something else")
        })
    }

    /// What an ended prediction, or one whose whole output is there, comes to.
    pub(super) fn answer(&self, latest: &Prediction) -> Answer {
        match &latest.status {
            Status::Other(word) if !latest.has_output => Answer::Failed(format!(
                "the prediction ended as `{word}`, a status that this warmd does not know, without output"
            )),
            // Its output came with the create; that it had ended was never read.
            Status::Succeeded | Status::Starting | Status::Processing | Status::Other(_) => Answer::Succeeded,
            Status::Failed => {
                let why = latest.error.clone();
                Answer::Failed(why.unwrap_or_else(|| "the prediction failed without saying why".to_owned()))
            }
            Status::Aborted => Answer::TimedOut(format!(
                "the prediction was aborted before it started, by its Cancel-After of {}",
                format_duration(self.timeout)
            )),
            Status::Canceled => {
                let ran = latest.total().unwrap_or_else(|| self.sent.elapsed());
                if ran.saturating_add(CLOCK_SLACK) >= self.timeout {
                    Answer::TimedOut(self.out_of_time("canceled by its Cancel-After"))
                } else {
                    Answer::Failed("the prediction was canceled by someone else".to_owned())
                }
            }
        }
    }

    /// Out of time: has the prediction cancelled, so that it neither occupies the model nor costs.
    async fn give_up(&self, latest: &Prediction, trouble: Option<String>) -> End {
        let mut why = self.out_of_time(&format!("it was still {}", latest.status));
        if let Some(trouble) = trouble {
            why = format!("{why}, as far as is known: {trouble}");
        }
        let mut end = self.end(Answer::TimedOut(why));
        // Never started: a boot that the time-out has cut off.
        end.signs.met_starting = latest.status == Status::Starting;
        self.api.cancel(&latest.id, clock::instant() + CANCEL_ALLOWANCE).await;
        end
    }

    fn end(&self, answer: Answer) -> End {
        let now = self.sent.elapsed();
        End { answer, signs: Signs::default(), total: now, done: now }
    }

    fn out_of_time(&self, how: &str) -> String {
        format!("the prediction did not end within {}: {how}", format_duration(self.timeout))
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(clock::instant())
    }
}

/// How long the pause after a result may be that came so soon, of a model of that interval.
fn longest_moment(interval: Duration, replied: Duration) -> Duration {
    (interval / PART_OF_INTERVAL).saturating_sub(replied).clamp(MOMENT, LONGEST_MOMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_due_does_not_find_it_in_its_pause() {
        let longest = |interval, replied| {
            longest_moment(Duration::from_millis(interval), Duration::from_millis(replied)).as_millis()
        };
        assert_eq!(longest(30_000, 400), 150);
        assert_eq!(longest(30_000, 29_000), 50, "it is late already");
        assert_eq!([10, 150, 900].map(|replied| longest(1_000, replied)), [150, 100, 50]);
    }
}
