//! Who may call, and how often: accounts by their tokens, each with its own two buckets.

use super::pool::Moment;
use super::settings::{AccountSettings, Credit, Rate, Settings};
use std::collections::HashMap;
use std::time::Duration;

/// The most accounts whose buckets are kept; beyond it all begin anew.
const ACCOUNTS: usize = 1_000;

/// What is left in a bucket after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) remaining: u32,
    /// Until it is full again, in whole seconds.
    pub(super) reset: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at: Moment,
}

impl Bucket {
    /// Takes one out; where there is none, says how long until there is.
    fn take(&mut self, rate: Rate, now: Moment) -> Result<Left, Duration> {
        let (burst, per_second) = (f64::from(rate.burst.max(1)), f64::from(rate.per_minute.max(1)) / 60.0);
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + passed * per_second).min(burst);
        self.at = now;
        if self.level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.level) / per_second));
        }
        self.level -= 1.0;
        let reset = ((burst - self.level) / per_second).ceil() as u64;
        Ok(Left { remaining: self.level as u32, reset })
    }
}

#[derive(Debug)]
pub(super) struct Limits {
    accounts: Vec<AccountSettings>,
    creates: Rate,
    calls: Rate,
    buckets: HashMap<(String, bool), Bucket>,
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            accounts: settings.accounts.clone(),
            creates: settings.creates,
            calls: settings.calls,
            buckets: HashMap::new(),
        }
    }

    /// The standing of the account with this token; none where there is no such account.
    pub(super) fn credit(&self, token: &str) -> Option<Credit> {
        if self.accounts.is_empty() {
            return Some(Credit::Good);
        }
        self.accounts.iter().find(|account| account.token == token).map(|account| account.credit)
    }

    /// Counts a create, or another call, of an account.
    pub(super) fn count(
        &mut self,
        token: &str,
        credit: Credit,
        create: bool,
        now: Moment,
    ) -> Result<Left, Duration> {
        let rate = match (create, credit) {
            (true, Credit::Low) => Rate::LOW,
            (true, Credit::Good | Credit::None) => self.creates,
            (false, _) => self.calls,
        };
        if self.buckets.len() >= 2 * ACCOUNTS {
            self.buckets.clear();
        }
        let full = Bucket { level: f64::from(rate.burst), at: now };
        self.buckets.entry((token.to_owned(), create)).or_insert(full).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let mut limits = Limits::new(&Settings { creates: Rate::per_minute(60), ..Settings::default() });
        let second = Duration::from_secs(1);
        let mut count = |now| limits.count("t", Credit::Good, true, now);
        assert_eq!(count(second), Ok(Left { remaining: 59, reset: 1 }));
        for _ in 0..59 {
            assert!(count(second).is_ok());
        }
        assert_eq!(count(second), Err(second));
        assert_eq!(count(2 * second), Ok(Left { remaining: 0, reset: 60 }));
    }

    #[test]
    fn an_account_near_zero_credit_creates_one_in_ten_seconds() {
        let mut limits = Limits::new(&Settings::default());
        let at = |seconds| Duration::from_secs(seconds);
        assert!(limits.count("t", Credit::Low, true, at(0)).is_ok());
        assert_eq!(limits.count("t", Credit::Low, true, at(0)), Err(at(10)));
        assert!(limits.count("t", Credit::Low, false, at(0)).is_ok(), "other calls have their own bucket");
        assert!(limits.count("u", Credit::Low, true, at(0)).is_ok(), "and so have other accounts");
        assert!(limits.count("t", Credit::Low, true, at(11)).is_ok());
    }
}
