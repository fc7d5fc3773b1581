//! What is asked for and not begun yet: those who wait for the same report share one.
//!
//! Nobody gets a report that was begun before they asked: it would not know what has been done since.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, Version};
use axum::response::Response;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

/// An answer, and its part of the room, where it needs some: both are there once, however many send it.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) response: Response<Bytes>,
    pub(super) room: Option<Arc<OwnedSemaphorePermit>>,
}

impl Answer {
    pub(super) fn response(self) -> Response {
        self.response.map(Body::from)
    }
}

/// A request, in all that its answer may depend on: a read has no body that counts.
#[derive(PartialEq)]
struct Asked {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
}

/// A report that is asked for.
pub(super) struct Order {
    asked: Asked,
    pub(super) answer: OnceCell<Answer>,
}

/// Those that are not begun. They are no more than there are connections.
#[derive(Default)]
pub(super) struct Orders(Mutex<Vec<Weak<Order>>>);

impl Orders {
    /// The order of a request: with those who wait for the same, else one of its own.
    pub(super) fn place(&self, request: &Request) -> Arc<Order> {
        let asked = Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
        };
        let mut open = self.open();
        // Those whose peers have all gone.
        open.retain(|order| order.strong_count() > 0);
        if let Some(same) = open.iter().filter_map(Weak::upgrade).find(|order| order.asked == asked) {
            return same;
        }
        let order = Arc::new(Order { asked, answer: OnceCell::new() });
        open.push(Arc::downgrade(&order));
        order
    }

    /// It is begun: whoever asks from now on gets a later one.
    pub(super) fn begin(&self, begun: &Arc<Order>) {
        self.open().retain(|order| order.as_ptr() != Arc::as_ptr(begun));
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Order>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, accept: &str) -> Request {
        Request::builder().uri(path).header("accept", accept).body(Body::empty()).unwrap()
    }

    #[test]
    fn those_who_wait_for_the_same_share_it_and_whoever_comes_after_it_is_begun_does_not() {
        let orders = Orders::default();
        let first = orders.place(&request("/metrics", "text/plain"));
        assert!(Arc::ptr_eq(&first, &orders.place(&request("/metrics", "text/plain"))));
        let head = Request::head("/metrics").header("accept", "text/plain").body(Body::empty()).unwrap();
        for other in [request("/metrics", "*/*"), request("/metrics?", "text/plain"), head] {
            assert!(!Arc::ptr_eq(&first, &orders.place(&other)), "{other:?}");
        }
        orders.begin(&first);
        let second = orders.place(&request("/metrics", "text/plain"));
        assert!(!Arc::ptr_eq(&first, &second));
        // One that goes away, and is begun again by those who shared it, leaves the next one alone.
        orders.begin(&first);
        assert!(Arc::ptr_eq(&second, &orders.place(&request("/metrics", "text/plain"))));
    }

    #[test]
    fn those_that_nobody_waits_for_any_more_are_forgotten() {
        let orders = Orders::default();
        for number in 0..100 {
            drop(orders.place(&request(&format!("/?since={number}h"), "*/*")));
        }
        assert_eq!(orders.open().len(), 1);
    }
}
