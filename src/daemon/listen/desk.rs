//! Where requests are answered: each whole first, and reports one at a time, one for all who wait for it.

use super::connection::Connection;
use super::order::{Answer, Orders};
use crate::daemon::problem::Problem;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// No request's body is longer, in bytes.
pub(super) const BODY_LIMIT: usize = 16 * 1024;

/// What the answers of one listener may take in memory, in KiB, until they are read.
pub(super) const ANSWERS: usize = 16 * 1024;

/// An answer up to this size, in KiB, is not counted among them.
const SMALL_ANSWER: usize = 64;

/// Paths below it tell whether the daemon lives: they are no reports, and wait for none.
const PROBES: &str = "/-/";

/// Where requests are answered.
pub(super) struct Desk {
    routes: TowerToHyperService<Router>,
    /// One report at a time is put together: so many readers can't take the threads from heartbeats,
    /// and no more than one report waits for room.
    turn: Semaphore,
    /// Reports that wait for their turn.
    orders: Orders,
    /// The room, in KiB.
    room: Arc<Semaphore>,
    /// A report waits for it.
    crowded: AtomicBool,
}

impl Desk {
    pub(super) fn new(routes: Router) -> Self {
        Self {
            routes: TowerToHyperService::new(routes),
            turn: Semaphore::new(1),
            orders: Orders::default(),
            room: Arc::new(Semaphore::new(ANSWERS)),
            crowded: AtomicBool::new(false),
        }
    }

    /// Whether a report waits for the room that others have not left yet.
    pub(super) fn crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Answers a request of a connection.
    pub(super) async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        connection: &Connection,
    ) -> Response {
        let request = match whole(request).await {
            Ok(request) => request,
            Err(problem) => {
                connection.sends(None);
                return problem.into_response();
            }
        };
        connection.answers();
        let reports = request.method().is_safe() && !request.uri().path().starts_with(PROBES);
        let answer = if reports { self.report(request).await } else { self.work_out(request).await };
        connection.sends(answer.room.clone());
        answer.response()
    }

    /// Those who ask for the same while it waits for its turn share it, and its room. So a turn comes
    /// after two reports at most of each kind that is asked for, however many ask.
    async fn report(&self, request: Request) -> Answer {
        let order = self.orders.place(&request);
        let work_out = async {
            let _turn = self.turn.acquire().await.ok();
            self.orders.begin(&order);
            self.work_out(request).await
        };
        // Where the one who works it out goes away, or panics, the next of them does.
        order.answer.get_or_init(|| work_out).await.clone()
    }

    async fn work_out(&self, request: Request) -> Answer {
        let response = match self.routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("an answer is in memory, whole");
        let room = self.room_for(body.len()).await.map(Arc::new);
        Answer { response: Response::from_parts(parts, body), room }
    }

    /// Room for an answer of so many bytes, when there is some.
    async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = bytes.div_ceil(1024);
        if kib <= SMALL_ANSWER {
            return None;
        }
        // One that is larger than all the room has it to itself.
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).min(ANSWERS as u32);
        if let Ok(room) = self.room.clone().try_acquire_many_owned(kib) {
            return Some(room);
        }
        let _crowded = Crowded::new(&self.crowded);
        self.room.clone().acquire_many_owned(kib).await.ok()
    }
}

/// While a report waits for room, whoever does not read theirs makes some.
struct Crowded<'a>(&'a AtomicBool);

impl<'a> Crowded<'a> {
    fn new(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Crowded<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A request with its whole body.
async fn whole(request: hyper::Request<Incoming>) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    // Where it broke off instead, there is nobody left to tell.
    let body = axum::body::to_bytes(Body::new(body), BODY_LIMIT).await.map_err(|_| {
        let detail = format!("the body has more than {BODY_LIMIT} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body too large", detail)
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}
