//! The hyper service of a connection: what is done for every request of every surface before and after its handler.
//!
//! ```text
//! host and path check ─► id and context ─► handler with a time limit, panics caught ─► headers, counters
//! ```
//!
//! Responses made here are for requests that no handler has seen, or that a handler did not finish. They are plain
//! text, unless [`Answers::failure`] renders them.

use std::{
    convert::Infallible,
    fmt,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::timeout_at;
use tower::Service;
use tracing::Instrument;

use crate::{
    host,
    memory_budget::BudgetExhausted,
    page::plain,
    path, stream,
    trace::{Counts, Peer, RequestContext, RequestId},
};

/// Answers the requests of one serving thread: a router, or a wrapper of one.
pub trait Answers: fmt::Debug + Send + Sync + 'static {
    fn answer(
        &self,
        request: Request<AskedBody>,
        context: RequestContext,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// An error response in the format of the surface that serves `path`.
    fn failure(&self, _path: &str, status: StatusCode, text: String) -> Response<Body> {
        plain(status, text)
    }
}

/// Handlers get the context as an extractor argument.
impl Answers for Router {
    async fn answer(&self, mut request: Request<AskedBody>, context: RequestContext) -> Response<Body> {
        request.extensions_mut().insert(context);
        let Ok(response) = self.clone().call(request).await;
        response
    }
}

/// Response extension: the client should reconnect before long, because its certificate may have been renewed. The
/// server closes the connection once it is older than the renewal time; requests are answered until then.
#[derive(Clone, Copy, Debug)]
pub struct Renew;

/// Shared by all connections of a thread.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) answers: A,
    pub(super) counts: Arc<Counts>,
    pub(super) request_timeout: Duration,
    pub(super) renewal: Duration,
}

/// The service of one connection.
#[derive(Debug)]
pub(super) struct ConnectionService<A> {
    pub(super) shared: Arc<Shared<A>>,
    pub(super) peer: Arc<Peer>,
    pub(super) activity: Arc<Activity>,
    /// When the connection was made.
    pub(super) since: Instant,
}

/// The state of a connection that its watchdog checks.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests whose response is not yet sent in full.
    in_flight: AtomicUsize,
    /// Requests received since the connection was made.
    begun: AtomicU64,
    /// How often bytes arrived; written by the stream.
    pub(super) reads: Arc<AtomicU64>,
    /// Whether a request's body was left unread.
    left_unread: AtomicBool,
    /// The value of `reads` when the last request began or ended.
    settled: AtomicU64,
    /// How often the watchdog has checked.
    looks: AtomicU64,
    /// For each response in several parts: the watchdog's check count when the last part was handed to hyper, or
    /// `TAKEN` if hyper has since asked for the next part.
    handed: Mutex<Vec<Weak<AtomicU64>>>,
    /// Whether the connection accepts no further requests.
    is_last: AtomicBool,
}

impl Activity {
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether bytes have arrived since the last request that are not yet a whole request.
    pub(super) fn has_partial_request(&self) -> bool {
        self.reads.load(Ordering::Relaxed) != self.settled.load(Ordering::Relaxed)
    }

    pub(super) fn has_left_a_body_unread(&self) -> bool {
        self.left_unread.load(Ordering::Relaxed)
    }

    /// Counts a check of the watchdog. True if some response has waited for the client for more than `most` checks.
    pub(super) fn look_for_unread_answers(&self, most: u64) -> bool {
        let now = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.retain(|answer| answer.strong_count() > 0);
        handed.iter().filter_map(Weak::upgrade).any(|answer| {
            let since = answer.load(Ordering::Relaxed);
            since != TAKEN && now - since.min(now) > most
        })
    }

    /// Whether the connection accepts no further requests. Sending the response that sets it wakes the connection.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.load(Ordering::Acquire)
    }

    fn settle(&self) {
        self.settled.store(self.reads.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Counts one request as unfinished until dropped.
#[derive(Debug)]
struct InFlight(Arc<Activity>);

impl InFlight {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        activity.settle();
        Self(activity.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.settle();
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<A: Answers> hyper::service::Service<Request<Incoming>> for ConnectionService<A> {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.activity);
        let shared = self.shared.clone();
        let context = RequestContext::new(self.peer.clone());
        let (activity, since) = (self.activity.clone(), self.since);
        let version = request.version();
        let request = request.map(|body| AskedBody { body, ended: false, activity });
        Box::pin(async move {
            let mut response = answer(&shared, context, request).await;
            if response.extensions_mut().remove::<Renew>().is_some() && since.elapsed() >= shared.renewal {
                end_connection(&mut response, version, &in_flight.0);
            }
            Ok(response.map(|body| AnswerBody { body, handed: None, in_flight }))
        })
    }
}

/// Ends the connection after this response: by `Connection: close` in HTTP/1.1, by GOAWAY in HTTP/2.
fn end_connection(response: &mut Response<Body>, version: Version, activity: &Activity) {
    if version == Version::HTTP_2 {
        activity.is_last.store(true, Ordering::Release);
    } else {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

async fn answer<A: Answers>(
    shared: &Shared<A>,
    context: RequestContext,
    request: Request<AskedBody>,
) -> Response<Body> {
    let started = Instant::now();
    let id = context.id;
    let uri = request.uri().clone();
    let refused = match host::check(request.version(), &uri, request.headers()) {
        Ok(()) => path::check(uri.path()).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = refused {
        let response = shared.answers.failure(uri.path(), StatusCode::BAD_REQUEST, why);
        return finished(&shared.counts, uri.path(), id, started, response);
    }
    let span = tracing::debug_span!(
        "request",
        request.id = %id,
        http.method = %request.method(),
        http.path = uri.path(),
        peer.address = %context.peer.address,
    );
    let peer = context.peer.clone();
    let changes_nothing = request.method().is_safe();
    let answered = AssertUnwindSafe(shared.answers.answer(request, context)).catch_unwind();
    // Pinned here to avoid moving a large future.
    let mut bounded = pin!(timeout_at((started + shared.request_timeout).into(), answered));
    let outcome =
        if span.is_disabled() { bounded.as_mut().await } else { bounded.as_mut().instrument(span).await };
    let response = match outcome {
        Ok(Ok(response)) => match stream::counted(response, &peer, changes_nothing) {
            Ok(response) => response,
            Err(full) => budget_exhausted(shared, uri.path(), full),
        },
        Ok(Err(_panic)) => {
            tracing::error!(request.id = %id, http.path = uri.path(), "a request ended in a panic, which is a fault of ours");
            let text = format!("internal error, request {id}");
            shared.answers.failure(uri.path(), StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        Err(_elapsed) => {
            tracing::warn!(request.id = %id, http.path = uri.path(), "a request took too long and was given up");
            let text = "the request took too long: try again".to_owned();
            shared.answers.failure(uri.path(), StatusCode::SERVICE_UNAVAILABLE, text)
        }
    };
    finished(&shared.counts, uri.path(), id, started, response)
}

fn budget_exhausted<A: Answers>(shared: &Shared<A>, path: &str, full: BudgetExhausted) -> Response<Body> {
    let mut response = shared.answers.failure(path, StatusCode::TOO_MANY_REQUESTS, full.to_string());
    response.headers_mut().insert(header::RETRY_AFTER, full.retry_after().into());
    response
}

fn finished(
    counts: &Counts,
    path: &str,
    id: RequestId,
    started: Instant,
    mut response: Response<Body>,
) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, id.into());
    let took = started.elapsed();
    counts.record(path, response.status(), took);
    tracing::debug!(
        request.id = %id,
        http.path = path,
        http.status = response.status().as_u16(),
        duration_ms = took.as_secs_f64() * 1000.0,
        "answered",
    );
    response
}

/// The body of a request; records in the connection's activity if it was not read to its end.
#[derive(Debug)]
pub struct AskedBody {
    body: Incoming,
    ended: bool,
    activity: Arc<Activity>,
}

impl http_body::Body for AskedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AskedBody {
    fn drop(&mut self) {
        if !self.ended && !http_body::Body::is_end_stream(&self.body) {
            self.activity.left_unread.store(true, Ordering::Relaxed);
        }
    }
}

/// The body of a response; the request counts as in flight until the body is sent or dropped.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    /// The check count of the watchdog when a part that is not the last was handed to hyper. An HTTP/2 connection may
    /// be alive while its client does not read one of the responses.
    handed: Option<Arc<AtomicU64>>,
    in_flight: InFlight,
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) && !self.body.is_end_stream() {
            self.hand_over();
        } else if let Some(handed) = &self.handed {
            handed.store(TAKEN, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AnswerBody {
    fn hand_over(&mut self) {
        let activity = &self.in_flight.0;
        let now = activity.looks.load(Ordering::Relaxed);
        match &self.handed {
            Some(handed) => handed.store(now, Ordering::Relaxed),
            None => {
                let handed = Arc::new(AtomicU64::new(now));
                let mut all = activity.handed.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Arc::downgrade(&handed));
                self.handed = Some(handed);
            }
        }
    }
}

/// The client has taken every part handed over.
const TAKEN: u64 = u64::MAX;
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
