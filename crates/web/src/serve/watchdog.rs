//! The guardian of a connection: ends it when the server stops, or when its client neither asks nor leaves.
//!
//! It is a task of its own that looks at the connection a few times within the shortest of its limits. A
//! connection in use pays for it with a few counters and one look at a flag, instead of a timer for each request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::Context,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{Limits, connection_service::Activity, settings::ConnectionSettings};

/// What a connection shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Serve,
    /// Take no new requests, and end after those under way.
    Finish,
    /// End now.
    Close,
}

/// Whether bytes that are no request yet mean that a request is being sent slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    IsSlowRequest,
    /// HTTP/2 has frames of its own beside requests, and its peers answer to probes.
    IsOrdinary,
}

/// The connection's side of its guardian, which ends with it.
#[derive(Debug)]
pub(super) struct ConnectionWatchdog {
    orders: Arc<WatchdogOrders>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct WatchdogOrders {
    order: AtomicU8,
    connection: AtomicWaker,
}

impl ConnectionWatchdog {
    pub(super) fn start(settings: &ConnectionSettings, activity: Arc<Activity>, partial: Partial) -> Self {
        let orders = Arc::new(WatchdogOrders::default());
        let watch = Watch::new(&settings.limits, activity, partial);
        let task = tokio::spawn(watch.run(orders.clone(), settings.stopping.clone(), settings.cut.clone()));
        Self { orders, task: task.abort_handle() }
    }

    /// The order of the moment; a later one wakes the connection.
    pub(super) fn order(&self, context: &Context<'_>) -> Order {
        self.orders.connection.register(context.waker());
        match self.orders.order.load(Ordering::Acquire) {
            SERVE => Order::Serve,
            FINISH => Order::Finish,
            _ => Order::Close,
        }
    }
}

impl Drop for ConnectionWatchdog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WatchdogOrders {
    fn give(&self, order: Order) {
        let order = match order {
            Order::Serve => SERVE,
            Order::Finish => FINISH,
            Order::Close => CLOSE,
        };
        self.order.store(order, Ordering::Release);
        self.connection.wake();
    }
}

/// What the guardian remembers of its connection.
#[derive(Debug)]
struct Watch {
    activity: Arc<Activity>,
    partial: Partial,
    ticks: Interval,
    request_head: Duration,
    idle: Duration,
    /// For how many looks an answer may wait for its client.
    most_unread: u64,
    seen_begun: u64,
    /// Since when nothing has been under way.
    quiet_since: Instant,
    /// Since when a request has been arriving.
    partial_since: Option<Instant>,
}

impl Watch {
    fn new(limits: &Limits, activity: Arc<Activity>, partial: Partial) -> Self {
        let now = Instant::now();
        let shortest = limits.request_head.min(limits.idle).min(limits.unread_answer);
        let every = (shortest / 2).max(SHORTEST_TICK);
        let most_unread = limits.unread_answer.as_nanos().div_ceil(every.as_nanos());
        let mut ticks = interval_at(now + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            activity,
            partial,
            ticks,
            request_head: limits.request_head,
            idle: limits.idle,
            most_unread: u64::try_from(most_unread).unwrap_or(u64::MAX),
            seen_begun: 0,
            quiet_since: now,
            partial_since: None,
        }
    }

    async fn run(
        mut self,
        orders: Arc<WatchdogOrders>,
        mut stopping: watch::Receiver<bool>,
        mut cut: watch::Receiver<()>,
    ) {
        let mut is_finishing = false;
        loop {
            tokio::select! {
                biased;
                _ = cut.changed() => return orders.give(Order::Close),
                _ = stopping.wait_for(|stopping| *stopping), if !is_finishing => {}
                _ = self.ticks.tick() => {
                    if self.activity.look_for_unread_answers(self.most_unread) {
                        return orders.give(Order::Close);
                    }
                    if !self.is_overdue() {
                        continue;
                    }
                }
            }
            // A client of HTTP/1.1 that is overdue has no request under way that could be finished.
            if is_finishing || (self.partial == Partial::IsSlowRequest && !*stopping.borrow()) {
                return orders.give(Order::Close);
            }
            is_finishing = true;
            orders.give(Order::Finish);
        }
    }

    fn is_overdue(&mut self) -> bool {
        let now = Instant::now();
        let begun = self.activity.begun();
        if self.activity.is_busy() || begun != self.seen_begun {
            self.seen_begun = begun;
            self.quiet_since = now;
            self.partial_since = None;
            return false;
        }
        // A client that never sends a request is held to the shorter time from its first moment on.
        if self.partial == Partial::IsSlowRequest && (begun == 0 || self.activity.has_partial_request()) {
            let since = *self.partial_since.get_or_insert(if begun == 0 { self.quiet_since } else { now });
            if now - since >= self.request_head {
                return true;
            }
        }
        now - self.quiet_since >= self.idle
    }
}

const SERVE: u8 = 0;
const FINISH: u8 = 1;
const CLOSE: u8 = 2;
const SHORTEST_TICK: Duration = Duration::from_millis(20);
