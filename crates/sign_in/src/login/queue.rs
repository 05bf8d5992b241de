//! Who waits for their password to be checked. Checking one takes a processor for tens of milliseconds, so only a few are
//! checked at once, and the others wait: those who come from where the account was signed in before apart from everybody
//! else, and of one network only so many. Strangers may keep other strangers waiting, but not those who are known, and
//! none of them takes all places.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::known::Familiar;
use state::Error;

#[derive(Debug)]
pub(crate) struct Queues {
    known: Queue,
    strangers: Queue,
}

/// One of the two.
#[derive(Debug)]
pub(super) struct Queue {
    under_way: Semaphore,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Without an address: from nobody on the network.
    by_network: HashMap<Option<IpAddr>, usize>,
    count: usize,
}

/// A place in a queue, given back when it is dropped.
#[derive(Debug)]
pub(super) struct QueuePlace<'a> {
    queue: &'a Queue,
    network: Option<IpAddr>,
}

impl Default for Queues {
    fn default() -> Self {
        let queue = || Queue { under_way: Semaphore::new(MOST_UNDER_WAY), waiting: Mutex::default() };
        Self { known: queue(), strangers: queue() }
    }
}

impl Queues {
    pub(super) fn of(&self, familiar: Familiar) -> &Queue {
        match familiar {
            Familiar::Browser | Familiar::Network => &self.known,
            Familiar::No => &self.strangers,
        }
    }
}

impl Queue {
    /// Takes a place, or refuses a network that has its share. The more wait in all, the smaller the share.
    pub(super) fn enter(&self, network: Option<IpAddr>) -> Result<QueuePlace<'_>, Error> {
        let mut waiting = self.waiting();
        let left = MOST_WAITING - waiting.count;
        let share = (left / SHARES).clamp(1, MOST_PER_NETWORK);
        let own = waiting.by_network.get(&network).copied().unwrap_or_default();
        if left == 0 || own >= share {
            let text = "too many people sign in at this moment: try again";
            return Err(Error::Unavailable(text.into()));
        }
        waiting.by_network.insert(network, own + 1);
        waiting.count += 1;
        Ok(QueuePlace { queue: self, network })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuePlace<'_> {
    /// Waits until it is this one's turn.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.queue.under_way.acquire().await.map_err(Error::internal)
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.count -= 1;
        if let Some(own) = waiting.by_network.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                waiting.by_network.remove(&self.network);
            }
        }
    }
}

/// Of each queue. Well under the attempts that an account has, so that people who sign in twenty times at once with the
/// right password are not refused for attempts whose outcome is open.
const MOST_UNDER_WAY: usize = 2;
const MOST_WAITING: usize = 1024;
/// One network may take this part of what is left, and one place as long as there are any.
const SHARES: usize = 32;
/// Many people may share one address.
const MOST_PER_NETWORK: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> Option<IpAddr> {
        Some(std::net::Ipv4Addr::from(number).into())
    }

    #[test]
    fn no_network_takes_more_than_its_share_and_some_leave_room_for_others() {
        let queues = Queues::default();
        let queue = queues.of(Familiar::No);
        let mut held: Vec<QueuePlace<'_>> = (0..1_000).filter_map(|_| queue.enter(network(1)).ok()).collect();
        assert!(held.len() > 20 && held.len() <= MOST_PER_NETWORK, "{}", held.len());
        for other in 2..100 {
            held.extend((0..50).filter_map(|_| queue.enter(network(other)).ok()));
        }
        assert!(queue.enter(network(2)).is_err());
        held.push(queue.enter(network(1_000_000)).unwrap());
        drop(held);
        let waiting = queue.waiting();
        assert_eq!((waiting.count, waiting.by_network.len()), (0, 0));
    }

    #[test]
    fn who_is_known_waits_for_no_stranger() {
        let queues = Queues::default();
        let held: Vec<_> =
            (0..5_000).filter_map(|number| queues.of(Familiar::No).enter(network(number)).ok()).collect();
        assert_eq!(held.len(), MOST_WAITING);
        assert!(queues.of(Familiar::No).enter(network(9_999)).is_err());
        queues.of(Familiar::Network).enter(network(1)).unwrap();
        queues.of(Familiar::Browser).enter(network(9_999)).unwrap();
    }
}
