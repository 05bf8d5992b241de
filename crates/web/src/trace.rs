//! What is known and counted about each request: its id, who is at the other end of the connection, and how
//! many requests each surface answered with what status and how fast.
//!
//! Handlers take [`RequestContext`] as an argument. Counters are plain atomic numbers; how they are shown to
//! the outside is the business of whoever serves metrics.

use std::{
    cell::Cell,
    convert::Infallible,
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::extract::FromRequestParts;
use http::{HeaderValue, StatusCode, request::Parts};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{memory_budget::MemoryBudget, serve::ClientIdentity};

/// What a handler may know about a request beside its content.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub id: RequestId,
    pub peer: Arc<Peer>,
}

/// The far end of the connection that a request came on.
#[derive(Debug)]
pub struct Peer {
    /// The address of the connection itself: the client's, or that of the last proxy before us.
    pub address: SocketAddr,
    pub identity: ClientIdentity,
    stopping: Option<watch::Receiver<bool>>,
    room: Arc<MemoryBudget>,
}

/// Names one request in answers and logs. Unique, and no secret: it can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestContext {
    pub fn new(peer: Arc<Peer>) -> Self {
        Self { id: RequestId::next(), peer }
    }
}

impl Peer {
    /// `stopping` turns true when the server begins to stop.
    pub fn new(address: SocketAddr, identity: ClientIdentity, stopping: watch::Receiver<bool>) -> Self {
        Self { address, identity, stopping: Some(stopping), room: Arc::default() }
    }

    /// With the room that all connections of a process share, instead of one of its own.
    #[must_use]
    pub fn sharing(self, room: Arc<MemoryBudget>) -> Self {
        Self { room, ..self }
    }

    /// The room for large answers and uploads.
    pub fn room(&self) -> &Arc<MemoryBudget> {
        &self.room
    }

    /// For requests that came over no connection: a router that is called in process.
    pub fn in_process() -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { address, identity: ClientIdentity::None, stopping: None, room: Arc::default() }
    }

    /// Returns when the server begins to stop: whoever streams an answer without an end ends it then.
    pub async fn stopping(&self) {
        match self.stopping.clone() {
            // The sender gone means that the server is.
            Some(mut stopping) => drop(stopping.wait_for(|stopping| *stopping).await),
            None => std::future::pending().await,
        }
    }
}

/// Requests that came over no connection get a context of their own.
impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        if let Some(context) = parts.extensions.get::<Self>() {
            return Ok(context.clone());
        }
        let context = Self::new(Arc::new(Peer::in_process()));
        parts.extensions.insert(context.clone());
        Ok(context)
    }
}

impl RequestId {
    /// A counter spread over the whole width, so that ids of two processes do not meet: cheaper than random
    /// numbers, which nobody needs here.
    pub fn next() -> Self {
        static START: LazyLock<(u64, u64)> = LazyLock::new(|| {
            let random = RandomState::new();
            (random.hash_one(0_u8), random.hash_one(1_u8))
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        thread_local!(static LEFT: Cell<Range<u64>> = const { Cell::new(0..0) });
        let next = LEFT.with(|left| {
            let mut numbers = left.take();
            if numbers.is_empty() {
                let start = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
                numbers = start..start.wrapping_add(BLOCK);
            }
            let next = numbers.next().unwrap_or_default();
            left.set(numbers);
            next
        });
        let (high, low) = *START;
        let number = low.wrapping_add(next.wrapping_mul(ODD_STEP));
        Self(
            uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(number)).to_be_bytes())
                .into_uuid(),
        )
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text: &str = id.0.as_hyphenated().encode_lower(&mut text);
        let mut value = Self::from_str(text).unwrap_or(Self::from_static(""));
        // Not a secret, but never seen again: HTTP/2 need not remember it.
        value.set_sensitive(true);
        value
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), formatter)
    }
}

/// Counts of requests by surface.
#[derive(Debug)]
pub struct Counts {
    surface_of: fn(&str) -> usize,
    surfaces: Vec<SurfaceCounts>,
}

/// What one surface has answered since the start of the process.
#[derive(Debug)]
pub struct SurfaceCounts {
    pub name: &'static str,
    lanes: [CounterShard; LANES],
}

/// The counts of some threads: a number that several threads change at once costs each of them more than the
/// counting. So each has cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CounterShard {
    /// Answers by the first digit of their status: 1xx first, 5xx last.
    by_class: [AtomicU64; 5],
    /// Answers that took at most the bound of the same place in [`DURATION_BOUNDS`]; the rest last.
    by_duration: [AtomicU64; DURATION_BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

/// Upper bounds of the duration buckets, in seconds.
pub const DURATION_BOUNDS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

impl Counts {
    /// `surface_of` tells the place in `names` of the surface that serves a path; other places count nowhere.
    pub fn new(names: &[&'static str], surface_of: fn(&str) -> usize) -> Self {
        Self { surface_of, surfaces: names.iter().map(|name| SurfaceCounts::new(name)).collect() }
    }

    pub fn surfaces(&self) -> &[SurfaceCounts] {
        &self.surfaces
    }

    pub fn record(&self, path: &str, status: StatusCode, took: Duration) {
        if let Some(surface) = self.surfaces.get((self.surface_of)(path)) {
            surface.record(status, took);
        }
    }
}

impl SurfaceCounts {
    fn new(name: &'static str) -> Self {
        Self { name, lanes: Default::default() }
    }

    fn record(&self, status: StatusCode, took: Duration) {
        let Some(lane) = self.lanes.get(lane()) else { return };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = lane.by_class.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = took.as_secs_f64();
        let bucket =
            DURATION_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATION_BOUNDS.len());
        if let Some(count) = lane.by_duration.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        lane.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// How many answers began with this digit: 1 to 5.
    pub fn answers(&self, class: usize) -> u64 {
        self.sum(|lane| lane.by_class.get(class.wrapping_sub(1)))
    }

    /// Answers by duration, in the order of [`DURATION_BOUNDS`], the slower ones last; not cumulative.
    pub fn durations(&self) -> [u64; DURATION_BOUNDS.len() + 1] {
        std::array::from_fn(|bucket| self.sum(|lane| lane.by_duration.get(bucket)))
    }

    /// The sum of all durations.
    pub fn time(&self) -> Duration {
        Duration::from_micros(self.sum(|lane| Some(&lane.microseconds)))
    }

    fn sum(&self, count: impl Fn(&CounterShard) -> Option<&AtomicU64>) -> u64 {
        self.lanes.iter().filter_map(count).map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// The lane of this thread: those that start after each other have different ones.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
    LANE.with(|lane| *lane)
}

const LANES: usize = 16;
/// Numbers of requests that a thread takes at once.
const BLOCK: u64 = 1024;
/// Odd, so that the multiples of it meet every number once.
const ODD_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn request_ids_are_unique_and_look_like_any_other_guid() {
        let ids: HashSet<String> = (0..10_000).map(|_| RequestId::next().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| Uuid::parse_str(id).unwrap().get_version_num() == 4));
    }

    #[test]
    fn answers_are_counted_where_they_belong() {
        let counts = Counts::new(&["a", "b"], |path| if path.starts_with("/a") { 0 } else { 1 });
        counts.record("/a/x", StatusCode::OK, Duration::from_micros(50));
        counts.record("/a/y", StatusCode::NOT_FOUND, Duration::from_millis(3));
        counts.record("/b", StatusCode::INTERNAL_SERVER_ERROR, Duration::from_secs(60));
        let [a, b] = counts.surfaces() else { unreachable!("two names were given") };
        assert_eq!((1..=5).map(|class| a.answers(class)).collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
        assert_eq!(b.answers(5), 1);
        assert_eq!(a.durations(), [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(b.durations(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(a.time(), Duration::from_micros(3050));
    }

    #[test]
    fn a_surface_out_of_range_counts_nowhere() {
        let counts = Counts::new(&["a"], |_| 7);
        counts.record("/", StatusCode::OK, Duration::ZERO);
        assert_eq!(counts.surfaces()[0].answers(2), 0);
        assert_eq!(counts.surfaces()[0].answers(0), 0);
    }
}
