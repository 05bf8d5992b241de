//! The device codes that wait for their person, by the address that started them: how many there may be, which of them
//! goes when there are more, and who asks after one too often. Kept in memory, because the records hold what must
//! outlast a restart; each replica counts its own.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::Mutex,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

use state::Error;

/// Empty until somebody asks.
#[derive(Debug, Default)]
pub(crate) struct DeviceState(pub(super) OnceCell<Mutex<Waiting>>);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Oldest first. Without an address: started by nobody on the network.
    by_address: BTreeMap<Option<IpAddr>, VecDeque<Entry>>,
    count: usize,
    /// How many were started in the minute that ends then.
    started: HashMap<Option<IpAddr>, usize>,
    started_in_all: usize,
    minute_ends: Option<Timestamp>,
    /// When each may be asked after again.
    polls: HashMap<String, Timestamp>,
}

/// One code that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// What its record is found by.
    pub(super) user_code: String,
    pub(super) expires: Timestamp,
}

impl Waiting {
    /// Those of before the start.
    pub(super) fn new(mut found: Vec<(Option<IpAddr>, Entry)>) -> Self {
        found.sort_by_key(|(_, entry)| entry.expires);
        let mut waiting = Self::default();
        for (address, entry) in found {
            waiting.by_address.entry(address).or_default().push_back(entry);
            waiting.count += 1;
        }
        waiting
    }

    /// Refuses an address for the rest of a minute in which too many were started from it. The more were started in
    /// all, the fewer one address may start, so that no few addresses use up what there is for everybody.
    pub(super) fn count_start(&mut self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Error> {
        let next = now.checked_add(MINUTE).map_err(Error::internal)?;
        // One that ends later than a minute from now is of before the clock was set back.
        let until = match self.minute_ends {
            Some(until) if now < until && until <= next => until,
            _ => {
                self.minute_ends = Some(next);
                self.started.clear();
                self.started_in_all = 0;
                next
            }
        };
        let left = MOST.saturating_sub(self.started_in_all);
        let own = self.started.entry(address).or_default();
        if left == 0 || *own >= (left / SHARES).max(1) {
            return Err(Error::Throttled { until });
        }
        *own += 1;
        self.started_in_all += 1;
        Ok(())
    }

    /// Takes one in. Gives those that have to go for it: the oldest of an address that has too many, and then the
    /// oldest of the address that has the most; of several such addresses the oldest of them all.
    pub(super) fn admit(&mut self, address: Option<IpAddr>, entry: Entry, now: Timestamp) -> Vec<Entry> {
        if self.count >= MOST {
            self.drop_ended(now);
        }
        let own = self.by_address.entry(address).or_default();
        own.push_back(entry);
        self.count += 1;
        let ended = own.iter().take_while(|each| each.expires <= now).count();
        own.drain(..ended);
        self.count -= ended;
        let mut gone: Vec<Entry> = own.drain(..own.len().saturating_sub(MOST_PER_ADDRESS)).collect();
        self.count -= gone.len();
        while self.count > MOST
            && let Some(most) = self
                .by_address
                .values_mut()
                .max_by_key(|queue| (queue.len(), Reverse(queue.front().map(|oldest| oldest.expires))))
            && let Some(oldest) = most.pop_front()
        {
            self.count -= 1;
            gone.push(oldest);
        }
        gone
    }

    /// One was answered: it waits no longer.
    pub(super) fn settle(&mut self, id: &str) {
        for queue in self.by_address.values_mut() {
            let before = queue.len();
            queue.retain(|each| each.id != id);
            self.count -= before - queue.len();
        }
    }

    /// Whether the client of a code that waits may ask now; if so, not again before `next`.
    pub(super) fn may_poll(&mut self, id: &str, now: Timestamp, next: Timestamp) -> bool {
        // A time beyond `next` is of before the clock was set back.
        if self.polls.get(id).is_some_and(|earliest| now < *earliest && *earliest <= next) {
            return false;
        }
        if self.polls.len() >= 2 * MOST {
            self.polls.retain(|_, earliest| now < *earliest);
        }
        self.polls.insert(id.to_owned(), next);
        true
    }

    fn drop_ended(&mut self, now: Timestamp) {
        for queue in self.by_address.values_mut() {
            let before = queue.len();
            queue.retain(|each| now < each.expires);
            self.count -= before - queue.len();
        }
        self.by_address.retain(|_, queue| !queue.is_empty());
    }
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// One address may start this part of what is left of a minute's number, and one as long as there are any.
const SHARES: usize = 32;
/// Many people may share one address.
pub(super) const MOST_PER_ADDRESS: usize = 256;
/// Of all addresses together; with the longest scope that is a store of 20 MB.
pub(super) const MOST: usize = 4096;

#[cfg(test)]
mod tests;
