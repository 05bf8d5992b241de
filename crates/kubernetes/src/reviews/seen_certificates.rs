//! When the certificates that clusters ask with count, worked out once. It follows from a certificate's bytes, so
//! nothing here grows old; whether it still opens anything is looked up in the live state each time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use crypto::{CryptoError, cert::Certificate, digest};
use domain::id::ClusterId;
use jiff::Timestamp;
use tokio::sync::Notify;

/// By cluster, the certificates that were shown for it last, newest first. Replaced as a whole, so that looking writes
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct SeenCertificates {
    certificates: ArcSwap<HashMap<ClusterId, CertificatesOfCluster>>,
    /// Told when one was used whose first use is not on record.
    first_use: Notify,
}

type CertificatesOfCluster = Vec<Arc<SeenCertificate>>;

#[derive(Debug)]
pub(crate) struct SeenCertificate {
    der: Box<[u8]>,
    pub(crate) thumbprint: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Used, and that is not on record yet.
    used: AtomicBool,
}

impl SeenCertificates {
    /// `cluster` must be one that exists: entries are kept by it.
    pub(crate) fn with_certificate<T>(
        &self,
        cluster: ClusterId,
        der: &[u8],
        look: impl FnOnce(&SeenCertificate) -> T,
    ) -> Result<T, CryptoError> {
        let certificates = self.certificates.load();
        let shown = certificates.get(&cluster);
        if let Some(known) = shown.and_then(|shown| shown.iter().find(|known| *known.der == *der)) {
            return Ok(look(known));
        }
        let Certificate { not_before, not_after, .. } = Certificate::from_der(der)?;
        let thumbprint = digest::sha256_hex(der);
        let used = AtomicBool::new(false);
        let known = Arc::new(SeenCertificate { der: der.into(), thumbprint, not_before, not_after, used });
        self.certificates.rcu(|before| {
            let mut next = if before.len() < MOST { HashMap::clone(before) } else { HashMap::new() };
            let shown = next.entry(cluster).or_default();
            shown.insert(0, known.clone());
            shown.truncate(MOST_OF_A_CLUSTER);
            next
        });
        Ok(look(&known))
    }

    /// Notes that a certificate was used whose first use is not on record.
    pub(crate) fn note_first_use(&self, known: &SeenCertificate) {
        known.used.store(true, Ordering::Relaxed);
        self.first_use.notify_one();
    }

    /// Returns when a first use was noted.
    pub(crate) async fn first_use(&self) {
        self.first_use.notified().await;
    }

    /// Those whose first use is not on record.
    pub(crate) fn used(&self) -> Vec<(ClusterId, Arc<SeenCertificate>)> {
        let certificates = self.certificates.load();
        let each = certificates.iter().flat_map(|(id, shown)| shown.iter().map(|known| (*id, known.clone())));
        each.filter(|(_, known)| known.used.load(Ordering::Relaxed)).collect()
    }
}

impl SeenCertificate {
    pub(crate) fn is_in_time(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Its first use is on record.
    pub(crate) fn settle(&self) {
        self.used.store(false, Ordering::Relaxed);
    }
}

/// More than an installation has clusters.
const MOST: usize = 10_000;
/// An old one and a new one take turns while a cluster is brought over.
const MOST_OF_A_CLUSTER: usize = 4;
