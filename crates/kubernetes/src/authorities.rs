//! What the program that serves must know of every cluster: whose client certificates count, and when a cluster will be
//! without one. It asks for no caller, and shows nobody anything but dates.

use domain::{cluster::Cluster, id::ClusterId};
use jiff::Timestamp;

use crate::Kubernetes;

/// Who vouches for the clients of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterAuthority {
    pub cluster: ClusterId,
    pub certificate_pem: String,
}

/// When the newest webhook certificate in use of a cluster ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookCertificateEnd {
    pub cluster: ClusterId,
    pub name: String,
    pub at: Timestamp,
}

impl Kubernetes {
    /// Those of all clusters, in order.
    pub fn cluster_authorities(&self) -> Vec<ClusterAuthority> {
        let snapshot = self.state.snapshot();
        let authority = |cluster: &Cluster| ClusterAuthority {
            cluster: cluster.id,
            certificate_pem: cluster.authority.certificate_pem.clone(),
        };
        let mut found: Vec<_> = snapshot.clusters().map(|cluster| authority(cluster)).collect();
        found.sort_unstable();
        found
    }

    pub fn webhook_certificate_ends(&self) -> Vec<WebhookCertificateEnd> {
        let (snapshot, now) = (self.state.snapshot(), self.state.now());
        let end = |cluster: &Cluster| {
            let mut newest = cluster.webhook_certificates.iter().rev();
            let in_use = newest.find(|each| each.seen.is_some() && each.counts(now))?;
            let (cluster, name) = (cluster.id, cluster.name.to_string());
            Some(WebhookCertificateEnd { cluster, name, at: in_use.until()? })
        };
        snapshot.clusters().filter_map(|cluster| end(cluster)).collect()
    }
}
