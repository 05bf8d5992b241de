//! A store that makes commits wait for each other, so that transactions that were decided on the same state are
//! committed concurrently in every run.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use store::{At, Events, Key, Page, Range, Revision, Store, StoreError, StoreStatus, Txn};
use tokio::sync::Barrier;

#[derive(Debug)]
pub struct Rendezvous {
    store: Arc<dyn Store>,
    awaited: Mutex<Option<Awaited>>,
}

#[derive(Debug)]
struct Awaited {
    barrier: Arc<Barrier>,
    missing: usize,
}

impl Rendezvous {
    /// Wraps an in-memory store.
    pub async fn in_memory() -> Arc<Self> {
        let store = store::open(&store::StoreConfig::Memory).await.unwrap();
        Arc::new(Self { store, awaited: Mutex::default() })
    }

    /// Makes the next `count` commits wait until all of them have arrived; later ones pass.
    pub fn meet(&self, count: usize) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        *awaited = Some(Awaited { barrier: Arc::new(Barrier::new(count)), missing: count });
    }

    fn arrive(&self) -> Option<Arc<Barrier>> {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let meeting = awaited.as_mut()?;
        let barrier = meeting.barrier.clone();
        meeting.missing -= 1;
        if meeting.missing == 0 {
            *awaited = None;
        }
        Some(barrier)
    }
}

#[async_trait]
impl Store for Rendezvous {
    async fn read(&self, range: Range, at: At) -> Result<Page, StoreError> {
        self.store.read(range, at).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        if let Some(barrier) = self.arrive() {
            barrier.wait().await;
        }
        self.store.commit(txn).await
    }

    async fn watch(&self, prefix: Key, after: Revision) -> Result<Events, StoreError> {
        self.store.watch(prefix, after).await
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        self.store.compact(through).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.store.status().await
    }
}
