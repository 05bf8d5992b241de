//! The certificates with which the API server of an attached cluster calls the webhooks: making a further one, looking
//! at them, ending one, and noting which of them are used.
//!
//! A review only marks a certificate that is used for the first time; a task of its own writes that down, so that no
//! review waits for the store.

use std::{sync::Arc, time::Duration};

use crypto::secret::Secret;
use domain::{
    change::Record,
    cluster::Cluster,
    webhook_certificate::{Used, WebhookCertificate},
};
use jiff::SignedDuration;

use crate::{App, Caller, Error, authorize, clusters::ClusterName, locks};

/// A further certificate with its key, shown once.
#[derive(Debug)]
pub struct IssuedWebhookCertificate {
    pub cluster: Arc<Cluster>,
    pub certificate_pem: String,
    pub key_pem: Secret<String>,
    pub record: WebhookCertificate,
}

impl App {
    /// Issues a further certificate that opens an attached cluster's webhooks. Those that there are go on until it has
    /// been used, and a day longer.
    pub async fn issue_webhook_certificate(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<IssuedWebhookCertificate, Error> {
        let scope = name.scope()?;
        let snapshot = self.snapshot();
        authorize::control_plane(&snapshot, caller, ISSUE, &scope, self.now())?;
        let cluster = require_attached(name.require(&snapshot)?)?.clone();
        let now = self.now();
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
        let snapshot = self.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &name.scope()?, self.now())?;
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
        self.transact(|tx| {
            tx.authorize(caller, END, &scope)?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
            let mut cluster = Cluster::clone(require_attached(name.require(tx.snapshot())?)?);
            let ended = cluster.webhook_certificates.end(&thumbprint, tx.now()).cloned();
            let ended = ended.ok_or_else(|| Error::not_found("webhook certificate", &thumbprint))?;
            tx.put(&Record::Cluster(Box::new(cluster)))?;
            Ok(ended)
        })
        .await
    }

    /// Writes down which certificates have been used for the first time, until `stop` is ready.
    pub async fn keep_webhook_uses(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = self.inner.known.first_use() => {}
            }
            if let Err(error) = self.note_webhook_uses().await {
                tracing::warn!(%error, "the first use of a webhook certificate could not be noted and is tried again");
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Writes down, once, which certificates have been used for the first time.
    pub async fn note_webhook_uses(&self) -> Result<(), Error> {
        for (id, known) in self.inner.known.used() {
            let used = Used {
                thumbprint: &known.thumbprint,
                not_before: known.not_before,
                not_after: known.not_after,
            };
            let noted = self
                .transact(|tx| {
                    let Some(cluster) = tx.snapshot().cluster(id) else { return Ok(false) };
                    let mut cluster = Cluster::clone(cluster);
                    let is_first = cluster.webhook_certificates.note_use(used, tx.now());
                    if is_first {
                        tx.put(&Record::Cluster(Box::new(cluster)))?;
                    }
                    Ok(is_first)
                })
                .await?;
            known.settle();
            if noted {
                tracing::info!(
                    cluster.id = %id,
                    certificate.thumbprint = known.thumbprint,
                    "a webhook certificate is used for the first time: those before it end in a day"
                );
            }
        }
        Ok(())
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
/// Between two looks, so that a store that fails is not asked without a pause.
const PAUSE: Duration = Duration::from_secs(1);
