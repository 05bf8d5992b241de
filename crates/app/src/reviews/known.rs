//! When the certificate that a cluster asks with counts, worked out once. It follows from the certificate's bytes, so
//! nothing here grows old; whether it still opens anything is looked up in the live state each time.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use crypto::{CryptoError, cert::Certificate, digest};
use domain::id::ClusterId;
use jiff::Timestamp;

/// By cluster, the certificate that was shown for it last. Replaced as a whole, so that looking writes nothing.
#[derive(Debug, Default)]
pub(crate) struct Known {
    certificates: ArcSwap<HashMap<ClusterId, Arc<KnownCertificate>>>,
}

#[derive(Debug)]
pub(crate) struct KnownCertificate {
    der: Box<[u8]>,
    pub(crate) thumbprint: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Known {
    /// `cluster` must be one that exists: entries are kept by it.
    pub(crate) fn with_certificate<T>(
        &self,
        cluster: ClusterId,
        der: &[u8],
        look: impl FnOnce(&KnownCertificate) -> T,
    ) -> Result<T, CryptoError> {
        let certificates = self.certificates.load();
        if let Some(known) = certificates.get(&cluster).filter(|known| *known.der == *der) {
            return Ok(look(known));
        }
        let Certificate { not_before, not_after, .. } = Certificate::from_der(der)?;
        let thumbprint = digest::sha256_hex(der);
        let known = Arc::new(KnownCertificate { der: der.into(), thumbprint, not_before, not_after });
        self.certificates.rcu(|before| {
            let mut next = if before.len() < MOST { HashMap::clone(before) } else { HashMap::new() };
            next.insert(cluster, known.clone());
            next
        });
        Ok(look(&known))
    }
}

impl KnownCertificate {
    pub(crate) fn is_in_time(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// More than an installation has clusters.
const MOST: usize = 10_000;
