//! The context of a request (its id and the peer of its connection), and counters of requests by surface, status
//! class and duration.
//!
//! Handlers take [`RequestContext`] as an argument. Counters are atomic numbers; the server exports them as metrics.

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

/// Facts about a request that are not in the request itself.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub id: RequestId,
    pub peer: Arc<Peer>,
}

/// The remote end of the connection that the request arrived on.
#[derive(Debug)]
pub struct Peer {
    /// The TCP peer's address: the client's, or that of the nearest proxy.
    pub address: SocketAddr,
    pub identity: ClientIdentity,
    stopping: Option<watch::Receiver<bool>>,
    room: Arc<MemoryBudget>,
}

/// Identifies one request in responses and logs. Unique, but guessable and not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestContext {
    pub fn new(peer: Arc<Peer>) -> Self {
        Self { id: RequestId::next(), peer }
    }
}

impl Peer {
    /// `stopping` becomes true when the server begins to shut down.
    pub fn new(address: SocketAddr, identity: ClientIdentity, stopping: watch::Receiver<bool>) -> Self {
        Self { address, identity, stopping: Some(stopping), room: Arc::default() }
    }

    /// Uses the memory budget that all connections of the process share, instead of a separate one.
    #[must_use]
    pub fn sharing(self, room: Arc<MemoryBudget>) -> Self {
        Self { room, ..self }
    }

    /// The memory budget for large responses and uploads.
    pub fn room(&self) -> &Arc<MemoryBudget> {
        &self.room
    }

    /// A peer for requests that did not arrive over a connection: a router called in process.
    pub fn in_process() -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { address, identity: ClientIdentity::None, stopping: None, room: Arc::default() }
    }

    /// Returns when the server begins to shut down; handlers of unbounded streams, such as watches, end them then.
    pub async fn stopping(&self) {
        match self.stopping.clone() {
            // An error means that the sender, and so the server, is gone.
            Some(mut stopping) => drop(stopping.wait_for(|stopping| *stopping).await),
            None => std::future::pending().await,
        }
    }
}

/// Requests that did not arrive over a connection get a new context.
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
    /// The next id: a counter multiplied by an odd number and offset by random values of this process, so that ids of
    /// two processes do not collide. Cheaper than random ids, whose unpredictability is not needed.
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
        // Not secret, but unique: marking it sensitive keeps it out of the HPACK table of HTTP/2.
        value.set_sensitive(true);
        value
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), formatter)
    }
}

/// Request counters by surface.
#[derive(Debug)]
pub struct Counts {
    surface_of: fn(&str) -> usize,
    surfaces: Vec<SurfaceCounts>,
}

/// The counters of one surface since the start of the process.
#[derive(Debug)]
pub struct SurfaceCounts {
    pub name: &'static str,
    shards: [CounterShard; SHARDS],
}

/// The counters of some of the threads, on cache lines of their own: contention on one shared counter would cost more
/// than the counting.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CounterShard {
    /// Responses by status class: 1xx first, 5xx last.
    by_class: [AtomicU64; 5],
    /// Responses by duration, one entry for each of [`DURATION_BOUNDS`]; the slower ones last.
    by_duration: [AtomicU64; DURATION_BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

/// Upper bounds of the duration buckets, in seconds.
pub const DURATION_BOUNDS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

impl Counts {
    /// `surface_of` gives the index in `names` of the surface that serves a path; any other index is not counted.
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
        Self { name, shards: Default::default() }
    }

    fn record(&self, status: StatusCode, took: Duration) {
        let Some(shard) = self.shards.get(shard()) else { return };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = shard.by_class.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = took.as_secs_f64();
        let bucket =
            DURATION_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATION_BOUNDS.len());
        if let Some(count) = shard.by_duration.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        shard.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// The number of responses of one status class, 1 to 5.
    pub fn answers(&self, class: usize) -> u64 {
        self.sum(|shard| shard.by_class.get(class.wrapping_sub(1)))
    }

    /// Responses by duration, in the order of [`DURATION_BOUNDS`], the slower ones last; not cumulative.
    pub fn durations(&self) -> [u64; DURATION_BOUNDS.len() + 1] {
        std::array::from_fn(|bucket| self.sum(|shard| shard.by_duration.get(bucket)))
    }

    /// The sum of all durations.
    pub fn time(&self) -> Duration {
        Duration::from_micros(self.sum(|shard| Some(&shard.microseconds)))
    }

    fn sum(&self, count: impl Fn(&CounterShard) -> Option<&AtomicU64>) -> u64 {
        self.shards.iter().filter_map(count).map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// The index of this thread's counters, assigned round robin.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    SHARD.with(|shard| *shard)
}

const SHARDS: usize = 16;
/// How many request numbers a thread reserves at once.
const BLOCK: u64 = 1024;
/// Odd, so that its multiples modulo 2^64 take every value once.
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
