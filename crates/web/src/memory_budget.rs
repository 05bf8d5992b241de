//! The memory budget for large responses and uploads of the whole process. A request that does not fit is refused
//! with 429 before any work is done for it.
//!
//! A caller's reservations may not exceed what remains free: the first caller can reserve half of the budget, the
//! next half of the rest, and so on, so that a few callers cannot shut out all others. (Choudhury and Hahne, Dynamic
//! Queue Length Thresholds for Shared-Memory Packet Switches, 1998, with a factor of one.)
//!
//! ```text
//!   take ─► Reservation (given back when dropped)      compute ─► a limited number of blocking threads, in turn
//! ```
//!
//! All serving threads share one budget. Small responses are not counted: the number of connections bounds them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

/// The budget of a process.
#[derive(Debug)]
pub struct MemoryBudget {
    most: usize,
    /// A response is aborted when the client reads nothing for this long.
    pub(crate) stall: Duration,
    /// The time limit for sending one whole response.
    pub(crate) whole: Duration,
    taken: Mutex<BudgetUse>,
    given_back: Notify,
    /// Limits how many responses are computed at once on blocking threads.
    compute_permits: Semaphore,
}

#[derive(Debug, Default)]
struct BudgetUse {
    bytes: usize,
    by_caller: HashMap<Arc<str>, usize>,
}

/// Bytes reserved for one response or upload; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    room: Arc<MemoryBudget>,
    caller: Arc<str>,
    bytes: usize,
}

/// The budget does not allow the reservation now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many large requests are under way: try again in {} seconds", self.retry_after())]
pub struct BudgetExhausted;

impl BudgetExhausted {
    /// For the `Retry-After` header, in seconds.
    pub const fn retry_after(self) -> u32 {
        RETRY_AFTER
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(MOST_BYTES, STALL)
    }
}

impl MemoryBudget {
    pub fn new(most: usize, stall: Duration) -> Self {
        let compute_permits = available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        Self {
            most,
            stall,
            whole: WHOLE,
            taken: Mutex::default(),
            given_back: Notify::new(),
            compute_permits: Semaphore::new(compute_permits),
        }
    }

    /// Reserves `bytes` for `caller`: any name, such as an account id or an IP address.
    pub fn take(self: &Arc<Self>, caller: &str, bytes: usize) -> Result<Reservation, BudgetExhausted> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&taken, caller, bytes)?;
        Ok(self.count(&mut taken, caller, bytes))
    }

    /// Reserves `bytes` even beyond the budget: for the response to a change that is already committed. Later
    /// requests are refused instead.
    pub fn take_anyway(self: &Arc<Self>, caller: &str, bytes: usize) -> Reservation {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.count(&mut taken, caller, bytes)
    }

    /// As [`MemoryBudget::take`], but waits up to `stall` for bytes to be given back.
    pub async fn wait(self: &Arc<Self>, caller: &str, bytes: usize) -> Result<Reservation, BudgetExhausted> {
        let waiting = async {
            loop {
                let given_back = self.given_back.notified();
                if let Ok(reservation) = self.take(caller, bytes) {
                    return reservation;
                }
                given_back.await;
            }
        };
        tokio::time::timeout(self.stall, waiting).await.map_err(|_elapsed| BudgetExhausted)
    }

    fn check(&self, taken: &BudgetUse, caller: &str, more: usize) -> Result<(), BudgetExhausted> {
        let own = taken.by_caller.get(caller).copied().unwrap_or(0).saturating_add(more);
        let free = self.most.checked_sub(taken.bytes.saturating_add(more)).ok_or(BudgetExhausted)?;
        if own > free { Err(BudgetExhausted) } else { Ok(()) }
    }

    fn count(self: &Arc<Self>, taken: &mut BudgetUse, caller: &str, bytes: usize) -> Reservation {
        let caller: Arc<str> = caller.into();
        taken.bytes += bytes;
        *taken.by_caller.entry(caller.clone()).or_default() += bytes;
        Reservation { room: self.clone(), caller, bytes }
    }

    fn give_back(&self, caller: &str, bytes: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.bytes = taken.bytes.saturating_sub(bytes);
        if let Some(of_caller) = taken.by_caller.get_mut(caller) {
            *of_caller = of_caller.saturating_sub(bytes);
            if *of_caller == 0 {
                taken.by_caller.remove(caller);
            }
        }
        drop(taken);
        self.given_back.notify_waiters();
    }

    /// How many bytes are reserved now.
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Runs long work on a blocking thread, as soon as fewer than the allowed number run. None if the work panicked
    /// or the server is shutting down.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _permit = self.compute_permits.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

impl Reservation {
    /// Grows the reservation to `bytes`; unchanged if the budget does not allow it.
    pub fn grow(&mut self, bytes: usize) -> Result<(), BudgetExhausted> {
        let more = bytes.saturating_sub(self.bytes);
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.room.check(&taken, &self.caller, more)?;
        taken.bytes += more;
        *taken.by_caller.entry(self.caller.clone()).or_default() += more;
        drop(taken);
        self.bytes += more;
        Ok(())
    }

    /// Shrinks the reservation to at most `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let more = self.bytes.saturating_sub(bytes);
        if more > 0 {
            self.bytes -= more;
            self.room.give_back(&self.caller, more);
        }
    }

    /// Wraps `bytes` so that the reservation lasts until their last slice is dropped.
    pub fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        self.shrink(bytes.capacity());
        Bytes::from_owner(Held { bytes, _reservation: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.room.give_back(&self.caller, self.bytes);
    }
}

struct Held {
    bytes: Vec<u8>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Half of it holds fifty large lists of one caller (2 MiB each).
const MOST_BYTES: usize = 208 * 1024 * 1024;
const RETRY_AFTER: u32 = 2;
/// Equals the connection's limit for a client that does not read.
const STALL: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_stays_free() {
        let room = Arc::new(MemoryBudget::new(100, STALL));
        assert_eq!(room.take("ann", 51).unwrap_err(), BudgetExhausted);
        let mut first = room.take("ann", 40).unwrap();
        assert_eq!(first.grow(51).unwrap_err(), BudgetExhausted);
        first.grow(50).unwrap();
        assert_eq!(room.take("ann", 1).unwrap_err(), BudgetExhausted);
        let second = room.take("bob", 25).unwrap();
        let third = room.take("eve", 12).unwrap();
        assert_eq!(room.take("eve", 1).unwrap_err(), BudgetExhausted);
        drop(room.take("joe", 6).unwrap());
        drop((first, third));
        assert_eq!(room.taken(), 25);
        assert!(room.take("ann", 37).is_ok() && room.take("ann", 38).is_err());
        drop(second);
        assert_eq!(room.taken(), 0);
        assert!(room.taken.lock().unwrap().by_caller.is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn what_is_held_counts_until_its_last_part_is_gone() {
        let room = Arc::new(MemoryBudget::new(200, STALL));
        let mut held = room.take("ann", 60).unwrap().hold(vec![0; 20]);
        assert_eq!(room.taken(), 20);
        let part = held.split_to(5);
        drop(held);
        assert_eq!(room.taken(), 20);
        drop(part);
        assert_eq!(room.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_what_is_given_back_and_does_not_wait_for_ever() {
        let room = Arc::new(MemoryBudget::new(200, STALL));
        let held = room.take("ann", 100).unwrap();
        assert_eq!(room.wait("bob", 60).await.unwrap_err(), BudgetExhausted);
        let waiter = tokio::spawn({
            let room = room.clone();
            async move { room.wait("bob", 60).await }
        });
        tokio::task::yield_now().await;
        drop(held);
        drop(waiter.await.unwrap().unwrap());
        let beyond = room.take_anyway("ann", 200);
        assert_eq!(room.take("bob", 1).unwrap_err(), BudgetExhausted);
        drop(beyond);
        assert_eq!(room.taken(), 0);
    }

    #[test]
    fn threads_share_one_room() {
        let room = Arc::new(MemoryBudget::new(128, STALL));
        let taken: usize = std::thread::scope(|scope| {
            let room = &room;
            let takers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(move || (0..100).filter_map(|_| room.take("ann", 1).ok()).collect::<Vec<_>>())
                })
                .collect();
            let held: Vec<_> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
            held.iter().map(Vec::len).sum()
        });
        assert_eq!(taken, 64);
    }
}
