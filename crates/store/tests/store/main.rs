//! Tests of the stores from outside: one binary, because each one more must be linked.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test fails by a panic")]

mod contract;
mod damage;
mod histories;
mod processes;

use std::path::Path;
use std::sync::Arc;

use store::{At, Batch, Key, Page, Range, Revision, Store, StoreConfig, StoreError, Txn, Write, open};

/// Everything that a store can tell: the state at each revision that it keeps, and every batch.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    revision: Revision,
    compacted: Revision,
    pages: Vec<Page>,
    batches: Vec<Batch>,
}

async fn open_embedded(path: &Path) -> Result<Arc<dyn Store>, StoreError> {
    open(&StoreConfig::Embedded { path: path.into() }).await
}

async fn content(store: &dyn Store) -> Result<Content, StoreError> {
    let status = store.status().await?;
    let mut pages = Vec::new();
    for revision in status.compacted.0..=status.revision.0 {
        pages.push(store.read(Range::all(), At::Revision(Revision(revision))).await?);
    }
    let batches = history(store).await?;
    Ok(Content { revision: status.revision, compacted: status.compacted, pages, batches })
}

/// Every batch that the store keeps.
async fn history(store: &dyn Store) -> Result<Vec<Batch>, StoreError> {
    let status = store.status().await?;
    let mut events = store.watch(Key::new(), status.compacted).await?;
    let mut batches = Vec::new();
    let mut seen = status.compacted;
    while seen < status.revision {
        let batch = events.next().await?;
        assert_eq!(batch.revision, seen.next(), "no gap");
        seen = batch.revision;
        batches.push(batch);
    }
    Ok(batches)
}

async fn put(store: &dyn Store, key: &str, value: &str) -> Result<Revision, StoreError> {
    let write = Write::Put(Key::copy_from_slice(key.as_bytes()), value.as_bytes().to_vec().into());
    store.commit(Txn { guards: Vec::new(), writes: vec![write] }).await
}
