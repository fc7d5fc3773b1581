//! Faults on demand: what goes wrong, where, and how often.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// 401.
    Unauthenticated,
    /// 402.
    NoCredit,
    /// 404.
    NotFound,
    /// 422, the version.
    InvalidVersion,
    /// 422, the input.
    InvalidInput,
    /// 429 that tells when to come back in its `Retry-After` alone.
    ThrottledHeader,
    /// 429 that tells it in its body's `retry_after` alone.
    ThrottledBody,
    /// 429 that tells it in its text alone.
    ThrottledText,
    /// 500, as JSON.
    ServerError,
    /// 502, as HTML.
    BadGateway,
    /// A success whose body is not JSON.
    Garbage,
    /// The connection is reset.
    Reset,
    /// No answer ever comes.
    Hang,
    /// The request is carried out, and its answer lost.
    LostReply,
    /// The instance was shut down just before.
    Evicted,
    /// The prediction runs, and fails.
    Fails,
    /// The prediction never leaves `starting`.
    Stuck,
    /// The prediction has a status that nobody has heard of, until it ends.
    UnknownStatus,
}

/// Which requests it befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// Creates of predictions.
    #[default]
    Create,
    /// Everything else.
    Call,
    /// All of them.
    Any,
}

/// A fault that is set, until it has struck often enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// What goes wrong.
    pub fault: Fault,
    /// `owner/name` of the one model or deployment that it befalls; none: all.
    #[serde(default)]
    pub model: Option<String>,
    /// The one account that it befalls, by its token; none: all.
    #[serde(default)]
    pub token: Option<String>,
    /// Which requests it befalls.
    #[serde(default)]
    pub on: On,
    /// How often; null: until the faults are cleared. Once where it is left out.
    #[serde(default = "once")]
    pub times: Option<u32>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
const fn once() -> Option<u32> {
    Some(1)
}

impl FaultOrder {
    /// The next `times` creates of any model.
    pub const fn creates(fault: Fault, times: u32) -> Self {
        Self { fault, model: None, token: None, on: On::Create, times: Some(times) }
    }

    /// The next `times` other calls.
    pub const fn calls(fault: Fault, times: u32) -> Self {
        Self { fault, model: None, token: None, on: On::Call, times: Some(times) }
    }

    /// The same, of one model or deployment alone.
    #[must_use]
    pub fn model(mut self, owner_and_name: &str) -> Self {
        self.model = Some(owner_and_name.to_owned());
        self
    }
}

/// The most that may be set at a time: each request looks at all of them.
const LIMIT: usize = 1_000;

/// The faults that are set, in the order in which they strike.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FaultOrder>);

impl Faults {
    /// False where there are too many already.
    pub(super) fn set(&mut self, order: FaultOrder) -> bool {
        let room = self.0.len() < LIMIT;
        if room && order.times != Some(0) {
            self.0.push(order);
        }
        room
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn list(&self) -> &[FaultOrder] {
        &self.0
    }

    /// The first that befalls this request, which counts as one time.
    pub(super) fn strike(&mut self, on: On, model: Option<&str>, token: &str) -> Option<Fault> {
        let befalls = |order: &FaultOrder| {
            (order.on == on || order.on == On::Any)
                && order.model.as_deref().is_none_or(|wanted| model == Some(wanted))
                && order.token.as_deref().is_none_or(|wanted| token == wanted)
        };
        let at = self.0.iter().position(befalls)?;
        let order = &mut self.0[at];
        let fault = order.fault;
        if let Some(times) = &mut order.times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(at);
            }
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_where_it_was_set_and_as_often() {
        let mut faults = Faults::default();
        assert!(faults.set(FaultOrder::creates(Fault::NoCredit, 2).model("a/b")));
        assert_eq!(faults.strike(On::Create, Some("a/c"), "t"), None);
        assert_eq!(faults.strike(On::Call, Some("a/b"), "t"), None);
        assert_eq!(faults.strike(On::Create, Some("a/b"), "t"), Some(Fault::NoCredit));
        assert_eq!(faults.strike(On::Create, Some("a/b"), "t"), Some(Fault::NoCredit));
        assert_eq!(faults.strike(On::Create, Some("a/b"), "t"), None);
    }

    #[test]
    fn it_is_read_from_json_and_a_wrong_key_is_refused() {
        let order: FaultOrder =
            serde_json::from_str(r#"{"fault":"bad-gateway","times":null,"token":"x","on":"any"}"#).unwrap();
        assert_eq!((order.fault, order.times, order.on), (Fault::BadGateway, None, On::Any));
        assert_eq!(serde_json::from_str::<FaultOrder>(r#"{"fault":"reset"}"#).unwrap().times, Some(1));
        assert!(serde_json::from_str::<FaultOrder>(r#"{"fault":"reset","tims":1}"#).is_err());
        let mut faults = Faults::default();
        assert!(faults.set(order));
        for _ in 0..5 {
            assert_eq!(faults.strike(On::Call, None, "x"), Some(Fault::BadGateway));
        }
        assert_eq!(faults.strike(On::Call, None, "y"), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut faults = Faults::default();
        for _ in 0..LIMIT {
            assert!(faults.set(FaultOrder::creates(Fault::Hang, 1)));
        }
        assert!(!faults.set(FaultOrder::creates(Fault::Hang, 1)));
    }
}
