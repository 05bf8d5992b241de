//! The certificates with which the API server of an attached cluster calls the webhooks: making a further one, looking
//! at them, and ending one.

use state::Kind;
use std::sync::Arc;

use crypto::secret::Secret;
use domain::{change::Record, cluster::Cluster, webhook_certificate::WebhookCertificate};
use jiff::SignedDuration;

use crate::{ResourceManager, clusters::ClusterName, locks};
use state::{Caller, Error, authorize};

/// A further certificate with its key, shown once.
#[derive(Debug)]
pub struct IssuedWebhookCertificate {
    pub cluster: Arc<Cluster>,
    pub certificate_pem: String,
    pub key_pem: Secret<String>,
    pub record: WebhookCertificate,
}

impl ResourceManager {
    /// Issues a further certificate that opens an attached cluster's webhooks. Those that there are go on until it has
    /// been used, and a day longer.
    pub async fn issue_webhook_certificate(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<IssuedWebhookCertificate, Error> {
        let scope = name.scope()?;
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, ISSUE, &scope, self.state.now())?;
        let cluster = require_attached(name.require(&snapshot)?)?.clone();
        let now = self.state.now();
        let expires = now.checked_add(LIFE).map_err(Error::internal)?;
        let user = format!("webhook:{}", cluster.id);
        let issued = self.sign_client_certificate(&cluster, &user, "portcullis:webhooks", now, expires)?;
        let record = WebhookCertificate {
            thumbprint: issued.thumbprint,
            issued_by: Some(caller.object_id),
            issued: Some(now),
            expires: Some(expires),
            seen: None,
            ends: None,
        };
        let cluster = self
            .state
            .transact(|tx| {
                tx.authorize(caller, ISSUE, &scope)?;
                let mut current = Cluster::clone(name.require(tx.snapshot())?);
                if current.authority != cluster.authority {
                    return Err(Error::Conflict(
                        "the cluster's certificates were rotated meanwhile: try again".into(),
                    ));
                }
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let added = current.webhook_certificates.add(record.clone(), tx.now());
                added.map_err(|error| Error::Conflict(error.to_string()))?;
                tx.put(&Record::Cluster(Box::new(current.clone())))?;
                Ok(Arc::new(current))
            })
            .await?;
        Ok(IssuedWebhookCertificate {
            cluster,
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            record,
        })
    }

    /// An attached cluster, for a caller who may look at its webhooks' certificates.
    pub fn webhook_cluster_of(&self, caller: &Caller, name: &ClusterName) -> Result<Arc<Cluster>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &name.scope()?, self.state.now())?;
        require_attached(name.require(&snapshot)?).cloned()
    }

    /// Ends one certificate. When this returns, it opens nothing any more.
    pub async fn end_webhook_certificate(
        &self,
        caller: &Caller,
        name: &ClusterName,
        thumbprint: &str,
    ) -> Result<WebhookCertificate, Error> {
        let scope = name.scope()?;
        let thumbprint = thumbprint.trim().replace(':', "").to_ascii_lowercase();
        self.state
            .transact(|tx| {
                tx.authorize(caller, END, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let mut cluster = Cluster::clone(require_attached(name.require(tx.snapshot())?)?);
                let ended = cluster.webhook_certificates.end(&thumbprint, tx.now()).cloned();
                let ended = ended.ok_or_else(|| Error::not_found(Kind::WebhookCertificate, &thumbprint))?;
                tx.put(&Record::Cluster(Box::new(cluster)))?;
                Ok(ended)
            })
            .await
    }
}

fn require_attached(cluster: &Arc<Cluster>) -> Result<&Arc<Cluster>, Error> {
    if cluster.is_embedded() {
        return Err(Error::Conflict(
            "an embedded cluster has no webhooks: its API server is part of this program".into(),
        ));
    }
    Ok(cluster)
}

const ISSUE: &str = "Microsoft.ContainerService/managedClusters/listWebhookCredential/action";
const READ: &str = "Microsoft.ContainerService/managedClusters/webhookCertificates/read";
const END: &str = "Microsoft.ContainerService/managedClusters/webhookCertificates/end/action";
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);
