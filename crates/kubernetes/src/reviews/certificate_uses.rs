//! Which webhook certificates have been used for the first time. A review only marks one; a task of its own writes it
//! down, so that no review waits for the store.

use std::time::Duration;

use domain::{change::Record, cluster::Cluster, webhook_certificate::Used};
use state::Error;

use crate::Kubernetes;

impl Kubernetes {
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
                .state
                .transact(|tx| -> Result<_, Error> {
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

/// Between two looks, so that a store that fails is not asked without a pause.
const PAUSE: Duration = Duration::from_secs(1);
