//! Work that goes on beside requests: forgetting what has ended, folding indexes, compacting the store.
//! Readers check every expiry themselves; what this removes has long stopped to count.

use std::time::Duration;

use store::Revision;

use crate::{App, Error};

impl App {
    /// Runs until `stop` is ready.
    pub async fn run_jobs(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            looks = looks.wrapping_add(1);
            if !looks.is_multiple_of(LOOKS) {
                if let Err(error) = self.compact(TOLERATED_REVISIONS).await {
                    tracing::warn!(%error, "compacting did not succeed and is tried again later");
                }
                continue;
            }
            if let Err(error) = self.sign_in().tend_signing_keys().await {
                tracing::warn!(%error, "the signing keys could not be tended and are looked at again later");
            }
            // One whose deletion was broken off with its request.
            if let Err(error) = self.kubernetes().finish_namespaces(None).await {
                tracing::warn!(?error, "some namespaces are still being deleted");
            }
            if let Err(error) = self.clean_up().await {
                tracing::warn!(%error, "cleaning up did not succeed and is tried again later");
            }
        }
    }

    /// Forgets ended records and old history, once.
    pub async fn clean_up(&self) -> Result<(), Error> {
        self.directory().forget_expired().await?;
        self.sign_in().forget_expired().await?;
        self.resource_manager().forget_expired().await?;
        self.compact(0).await
    }

    /// Forgets old history if there is more of it than what is kept and what is tolerated. Whoever writes much makes
    /// this happen the sooner, so that no file grows by how fast it is written to.
    async fn compact(&self, tolerated: u64) -> Result<(), Error> {
        let status = self.state().store().status().await?;
        let through = status.revision.0.saturating_sub(KEPT_REVISIONS);
        if through > status.compacted.0.saturating_add(tolerated) {
            self.state().store().compact(Revision(through)).await?;
        }
        Ok(())
    }
}

/// Between two looks at how much history there is.
const PAUSE: Duration = Duration::from_secs(10);
/// Looks between two times that everything is cleaned up: five minutes.
const LOOKS: u32 = 30;
/// History beyond what is kept that waits for the next clean-up.
const TOLERATED_REVISIONS: u64 = 10_000;
/// History that watches may resume from.
const KEPT_REVISIONS: u64 = 10_000;
