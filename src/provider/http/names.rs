//! Names to addresses, as the system resolves them.
//!
//! The system's resolver blocks a thread for as long as no DNS server answers, so that a name is looked
//! up once at a time, whoever asks, and so many names at a time. Where no answer comes, the addresses
//! that were told last serve (RFC 8767): a server may well be reached while DNS is not. Of several
//! addresses the one that last worked goes first: each that is dead costs seconds.

use crate::clock;
use hyper_util::client::legacy::connect::dns::Name;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tower_service::Service;

/// How long an answer is waited for where there are addresses of before: RFC 8767 has 1.8 s.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// How long an answer is waited for where there are none: less than a connection may take in all, and
/// more than the 5 s after which the system's resolver asks once more.
const LONGEST: Duration = Duration::from_secs(8);

/// How long addresses serve after they were told: RFC 8767 has 1 to 3 days.
const KEPT: Duration = Duration::from_hours(24);

/// Names that are looked up at a time. Each takes one of the runtime's 512 threads for blocking work, of
/// which some have to be left to other work.
const AT_ONCE: usize = 256;

/// Names that are known at a time; a file has ten thousand at the most.
const NAMES: usize = 20_000;

/// What `localhost` is, whatever the system says: a token may go there in the clear. The ports are the
/// URL's.
const LOCALHOST: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

type Answer = Result<Vec<SocketAddr>, Unresolved>;

/// Looks names up; clones share what they know.
#[derive(Debug, Clone)]
pub(super) struct Names(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Mutex<HashMap<String, Known>>,
    places: Arc<Semaphore>,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Known {
    /// Its addresses, and when they were told; the one that last worked first.
    told: Option<(Vec<SocketAddr>, Instant)>,
    /// The lookup under way.
    lookup: Option<watch::Receiver<Option<Answer>>>,
    /// Whether `told` stands in for an answer that did not come.
    stands_in: bool,
}

/// Why a name has no address.
#[derive(Debug, Clone, Error)]
pub(super) enum Unresolved {
    /// The system says so.
    #[error("the name {name} can't be resolved: {why}")]
    Failed {
        /// The name.
        name: String,
        /// In the system's words.
        why: String,
        /// Whether no DNS server could answer, rather than one that answered no.
        passing: bool,
    },
    /// No answer came.
    #[error("the name {name} can't be resolved: no DNS server answered within {} s", LONGEST.as_secs())]
    Silence {
        /// The name.
        name: String,
    },
}

impl Names {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { known: Mutex::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }))
    }

    /// A server answered at this address of the name.
    pub(super) fn worked(&self, name: &str, address: IpAddr) {
        if let Some((addresses, _)) = self.known().get_mut(name).and_then(|known| known.told.as_mut()) {
            put_first(addresses, address);
        }
    }

    async fn addresses(&self, name: &str) -> Answer {
        if name == "localhost" {
            return Ok(LOCALHOST.to_vec());
        }
        let (told, stands_in) = self.told(name);
        let patience = match &told {
            // What did not answer a moment ago is asked again, but not waited for.
            Some(_) if stands_in => Duration::ZERO,
            Some(_) => PATIENCE,
            None => LONGEST,
        };
        let answer = tokio::time::timeout(patience, self.answer(name)).await;
        match (answer, told) {
            // As they were learned: in the order in which they work.
            (Ok(Ok(answer)), _) => Ok(self.told(name).0.unwrap_or(answer)),
            (Ok(Err(Unresolved::Failed { passing: true, .. })) | Err(_), Some(told)) => {
                self.stand_in(name);
                Ok(told)
            }
            (Ok(Err(error)), _) => Err(error),
            (Err(_), None) => Err(Unresolved::Silence { name: name.to_owned() }),
        }
    }

    /// The answer of the lookup under way, or of a new one. Whoever comes late to one that then fails
    /// asks anew: it may have begun before the network was there.
    async fn answer(&self, name: &str) -> Answer {
        loop {
            let (mut lookup, joined) = self.lookup(name).await;
            let answer = match lookup.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone(),
                Err(_) => None,
            };
            let answer = answer.unwrap_or_else(|| Err(Unresolved::Silence { name: name.to_owned() }));
            if !joined || answer.is_ok() {
                return answer;
            }
        }
    }

    /// The lookup under way, and whether somebody else had begun it.
    async fn lookup(&self, name: &str) -> (watch::Receiver<Option<Answer>>, bool) {
        if let Some(lookup) = self.under_way(name) {
            return (lookup, true);
        }
        // Never closed, so that there is always a place some time.
        let place = Arc::clone(&self.0.places).acquire_owned().await;
        let mut known = self.known();
        if let Some(lookup) = known.get(name).and_then(|known| known.lookup.clone()) {
            return (lookup, true);
        }
        if known.len() >= NAMES {
            known.retain(|_, known| known.lookup.is_some());
        }
        let (sender, receiver) = watch::channel(None);
        known.entry(name.to_owned()).or_default().lookup = Some(receiver.clone());
        let (names, name) = (self.clone(), name.to_owned());
        // Nobody can end it: it is left to itself, and to the end of the process.
        drop(tokio::task::spawn_blocking(move || {
            let answer = look_up(&name);
            names.learn(&name, &answer);
            sender.send_replace(Some(answer));
            drop(place);
        }));
        (receiver, false)
    }

    fn learn(&self, name: &str, answer: &Answer) {
        let mut all = self.known();
        let known = all.entry(name.to_owned()).or_default();
        known.lookup = None;
        match answer {
            Ok(addresses) => {
                let mut addresses = addresses.clone();
                if let Some(first) = known.told.as_ref().and_then(|(told, _)| told.first()) {
                    put_first(&mut addresses, first.ip());
                }
                known.told = Some((addresses, clock::instant()));
                if std::mem::take(&mut known.stands_in) {
                    tracing::info!("the name {name} is resolved again");
                }
            }
            Err(Unresolved::Failed { passing: true, .. }) if known.told.is_some() => {}
            // There is no such name any more: whose its addresses are now, nobody knows.
            Err(_) => drop(all.remove(name)),
        }
    }

    fn stand_in(&self, name: &str) {
        let mut all = self.known();
        if let Some(known) = all.get_mut(name)
            && !std::mem::replace(&mut known.stands_in, true)
        {
            tracing::warn!("no DNS server answers for the name {name}: its last known addresses serve");
        }
    }

    /// The addresses that were told, while they serve; and whether they stand in already.
    fn told(&self, name: &str) -> (Option<Vec<SocketAddr>>, bool) {
        let all = self.known();
        let Some(known) = all.get(name) else { return (None, false) };
        let told = known.told.as_ref().filter(|(_, at)| clock::instant().duration_since(*at) < KEPT);
        (told.map(|(addresses, _)| addresses.clone()), known.stands_in)
    }

    fn under_way(&self, name: &str) -> Option<watch::Receiver<Option<Answer>>> {
        self.known().get(name)?.lookup.clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = self.clone();
        Box::pin(async move { Ok(names.addresses(name.as_str()).await?.into_iter()) })
    }
}

fn put_first(addresses: &mut [SocketAddr], first: IpAddr) {
    if let Some(at) = addresses.iter().position(|address| address.ip() == first) {
        addresses[..=at].rotate_right(1);
    }
}

/// Asks the system. Blocks.
fn look_up(name: &str) -> Answer {
    let failed = |error: std::io::Error| {
        let text = error.to_string();
        let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned();
        // EAI_AGAIN, in the words of glibc and of musl: there is no code to tell it by.
        let passing = why.starts_with("Temporary failure") || why.starts_with("Try again");
        Unresolved::Failed { name: name.to_owned(), why, passing }
    };
    Ok((name, 0).to_socket_addrs().map_err(failed)?.collect())
}
