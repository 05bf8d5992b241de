//! Work that goes on beside requests: forgetting what has ended, folding indexes, compacting the store.
//! Readers check every expiry themselves; what this removes has long stopped to count.

use std::time::Duration;

use jiff::Timestamp;
use store::Revision;

use crate::{
    App, Cold, Error, Swap,
    grants::{
        authorization::{Allowed, Pending},
        code::Code,
        device::{Device, UserCode},
        refresh::Family,
    },
    login::{KnownSources, attempts::Attempts, session::Session},
    operations::Operation,
};

/// A record that counts no longer after some time.
trait Expires: Cold {
    fn expires(&self) -> Timestamp;
}

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
            if let Err(error) = self.tend_signing_keys().await {
                tracing::warn!(%error, "the signing keys could not be tended and are looked at again later");
            }
            // One whose deletion was broken off with its request.
            if let Err(error) = self.finish_namespaces(None).await {
                tracing::warn!(?error, "some namespaces are still being deleted");
            }
            if let Err(error) = self.clean_up().await {
                tracing::warn!(%error, "cleaning up did not succeed and is tried again later");
            }
        }
    }

    /// Folds recent changes into the indexes, on a blocking thread, whenever enough have piled up.
    pub async fn keep_folded(&self, stop: impl Future<Output = ()>) {
        let mut revisions = self.revisions();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                changed = revisions.changed() => if changed.is_err() { return },
            }
            if self.snapshot().needs_fold() {
                let app = self.clone();
                if tokio::task::spawn_blocking(move || app.inner.live.fold()).await.is_err() {
                    tracing::error!("folding the index failed: decisions stay right and get slower");
                }
            }
        }
    }

    /// Forgets ended records and old history, once.
    pub async fn clean_up(&self) -> Result<(), Error> {
        self.forget::<Attempts>().await?;
        self.forget::<Session>().await?;
        self.forget::<Code>().await?;
        self.forget::<Device>().await?;
        self.forget::<UserCode>().await?;
        self.forget::<Family>().await?;
        self.forget::<Pending>().await?;
        self.forget::<Allowed>().await?;
        self.forget::<KnownSources>().await?;
        self.forget::<Operation>().await?;
        self.forget_consents().await?;
        self.compact(0).await
    }

    /// Forgets old history if there is more of it than what is kept and what is tolerated. Whoever writes much makes
    /// this happen the sooner, so that no file grows by how fast it is written to.
    async fn compact(&self, tolerated: u64) -> Result<(), Error> {
        let status = self.store().status().await?;
        let through = status.revision.0.saturating_sub(KEPT_REVISIONS);
        if through > status.compacted.0.saturating_add(tolerated) {
            self.store().compact(Revision(through)).await?;
        }
        Ok(())
    }

    async fn forget<T: Expires>(&self) -> Result<(), Error> {
        let now = self.now();
        let mut after: Option<String> = None;
        loop {
            let page = self.list_cold::<T>(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (id, record) in &page {
                if record.as_ref().is_none_or(|record| record.expires() > now) {
                    continue;
                }
                // Looked at again within the swap: it may have been renewed meanwhile.
                self.swap(id, |known: Option<T>| {
                    let ended = known.is_some_and(|known| known.expires() <= now);
                    Ok((if ended { Swap::Delete } else { Swap::Keep }, ()))
                })
                .await?;
            }
        }
    }
}

impl Expires for Attempts {
    fn expires(&self) -> Timestamp {
        self.until
    }
}
impl Expires for Session {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for Code {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for Device {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for UserCode {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for Family {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for Operation {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for Pending {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}
impl Expires for KnownSources {
    fn expires(&self) -> Timestamp {
        self.expires()
    }
}
impl Expires for Allowed {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Between two looks at how much history there is.
const PAUSE: Duration = Duration::from_secs(10);
/// Looks between two times that everything is cleaned up: five minutes.
const LOOKS: u32 = 30;
/// History beyond what is kept that waits for the next clean-up.
const TOLERATED_REVISIONS: u64 = 10_000;
const PAGE: usize = 500;
/// History that watches may resume from.
const KEPT_REVISIONS: u64 = 10_000;
