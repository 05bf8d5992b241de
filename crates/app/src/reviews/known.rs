//! What is the same in every request of a cluster, worked out once: when its certificate counts, and its scope. Both
//! follow from the bytes that they are kept under, so nothing here grows old; whether a certificate still opens
//! anything is looked up in the live state each time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crypto::{CryptoError, cert::Certificate, digest};
use domain::{cluster::Cluster, id::ClusterId, name::ResourceName, scope::Scope};
use jiff::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Known {
    certificates: Mutex<HashMap<Box<[u8]>, Arc<KnownCertificate>>>,
    scopes: Mutex<HashMap<ClusterId, Placed>>,
}

#[derive(Debug)]
pub(crate) struct KnownCertificate {
    pub(crate) thumbprint: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A cluster's scope, with the names that it is made of.
#[derive(Debug)]
struct Placed {
    resource_group: ResourceName,
    name: ResourceName,
    scope: Scope,
}

impl Known {
    pub(crate) fn certificate(&self, der: &[u8]) -> Result<Arc<KnownCertificate>, CryptoError> {
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = certificates.get(der) {
            return Ok(known.clone());
        }
        let Certificate { not_before, not_after, .. } = Certificate::from_der(der)?;
        let thumbprint = digest::sha256_hex(der);
        let known = Arc::new(KnownCertificate { thumbprint, not_before, not_after });
        if certificates.len() >= MOST {
            certificates.clear();
        }
        certificates.insert(der.into(), known.clone());
        Ok(known)
    }

    /// None for a cluster that has no resource id.
    pub(crate) fn scope(&self, cluster: &Cluster) -> Option<Scope> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |placed: &&Placed| {
            placed.resource_group.as_str() == cluster.resource_group.as_str()
                && placed.name.as_str() == cluster.name.as_str()
        };
        if let Some(placed) = scopes.get(&cluster.id).filter(same) {
            return Some(placed.scope.clone());
        }
        let scope = Scope::parse(&cluster.resource_id()).ok()?;
        if scopes.len() >= MOST {
            scopes.clear();
        }
        let (resource_group, name) = (cluster.resource_group.clone(), cluster.name.clone());
        scopes.insert(cluster.id, Placed { resource_group, name, scope: scope.clone() });
        Some(scope)
    }
}

impl KnownCertificate {
    pub(crate) fn is_in_time(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// More than an installation has clusters.
const MOST: usize = 10_000;
