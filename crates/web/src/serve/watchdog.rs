//! The watchdog of a connection: closes it when the server shuts down, when the client is idle or sends a request too
//! slowly, or when a response stays unread.
//!
//! It is a separate task that checks the connection a few times within its shortest limit. This costs an active
//! connection some counters and one flag check, instead of a timer for each request.

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

/// The watchdog's order to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Serve,
    /// Accept no new requests, and close after the current ones.
    Finish,
    /// Close now.
    Close,
}

/// Whether received bytes that are not yet a request mean that a client is sending one slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    IsSlowRequest,
    /// HTTP/2 has frames other than requests, and its peers answer PING.
    IsOrdinary,
}

/// The connection's handle on its watchdog task; dropping it ends the task.
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

    /// The current order; a later one wakes the connection.
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

/// The state of the watchdog task.
#[derive(Debug)]
struct Watch {
    activity: Arc<Activity>,
    partial: Partial,
    ticks: Interval,
    request_head: Duration,
    idle: Duration,
    /// For how many ticks a response may wait for the client to read.
    most_unread: u64,
    seen_begun: u64,
    /// Since when no request has been active.
    quiet_since: Instant,
    /// Since when a partial request has been arriving.
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
            // An overdue HTTP/1.1 connection has no active request that could be finished.
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
        // Before the first request the shorter request-head limit applies from the start of the connection.
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
