//! Limits on open connections, in total and by client address.
//!
//! Above a limit a connection is closed right after it is accepted: open connections keep working, and one address
//! cannot use up the total. IPv6 addresses are counted by their /64 prefix, which one customer of a network commonly
//! owns.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    most_per_address: usize,
    counts: Mutex<Counts>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts one open connection until dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, counts: Mutex::default(), emptied: Notify::new() })
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let address = counted_as(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.most
            || counts.by_address.get(&address).is_some_and(|n| *n >= self.most_per_address)
        {
            return None;
        }
        counts.all += 1;
        *counts.by_address.entry(address).or_default() += 1;
        Some(ConnectionPermit { admission: self.clone(), address })
    }

    pub(super) fn connections(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        if counts.all == 0 {
            self.admission.emptied.notify_waiters();
        }
    }
}

fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let admission = Admission::new(4, 2);
        let first: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = (0..2).map(|_| admission.admit(first).unwrap()).collect();
        assert!(admission.admit(first).is_none());
        assert!(
            admission.admit("::ffff:192.0.2.1".parse().unwrap()).is_none(),
            "the same address in its IPv6 form"
        );
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_some());
        drop(held);
        assert!(admission.admit(first).is_some());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let admission = Admission::new(10, 1);
        let _held = admission.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert!(admission.admit("2001:db8:0:1:ffff::2".parse().unwrap()).is_none());
        assert!(admission.admit("2001:db8:0:2::1".parse().unwrap()).is_some());
    }

    #[test]
    fn the_limit_for_all_holds() {
        let admission = Admission::new(1, 1);
        let held = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_none());
        drop(held);
        assert_eq!(admission.connections(), 0);
        assert!(admission.counts.lock().unwrap().by_address.is_empty(), "nothing is kept of those who left");
    }
}
