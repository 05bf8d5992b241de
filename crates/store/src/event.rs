//! Events of a watch: one batch per committed transaction, whole and in order.
//!
//! A watch is pulled, not pushed: it keeps only the last delivered revision, waits for the store to pass it, and
//! reads the following batches from the history. So a slow reader costs no memory and misses nothing: it catches up,
//! or gets `Compacted` when the history it needs was compacted.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{Key, Revision, StoreError};

/// The changes of one committed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub revision: Revision,
    /// In the order of the transaction's writes; in a watch, only those under its prefix.
    pub events: Vec<Event>,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub key: Key,
    pub change: Change,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Bytes),
    Delete,
}

/// A watch: the batches after a revision, in order, none missing.
///
/// A batch without events reports progress: nothing under the prefix has changed up to its revision. So a watch of
/// any prefix learns the store's latest revision, and can wait for one.
#[derive(Debug)]
pub struct Events {
    history: Arc<dyn History>,
    head: watch::Receiver<Revision>,
    prefix: Key,
    /// Everything up to here has been delivered or is in `fetched`.
    cursor: Revision,
    fetched: VecDeque<Arc<Batch>>,
}

/// The source of the batches that a watch delivers.
#[async_trait]
pub(crate) trait History: Send + Sync + Debug {
    /// Committed batches after `after`, in order, without gap: at least one if there is any, and few enough to hold
    /// in memory. `Compacted` if some of them are no longer kept.
    async fn batches(&self, after: Revision) -> Result<Vec<Arc<Batch>>, StoreError>;
}

impl Events {
    /// A watch of `history` from `after` on; `head` holds the latest revision and closes with the store.
    pub(crate) fn new(
        history: Arc<dyn History>,
        head: watch::Receiver<Revision>,
        prefix: Key,
        after: Revision,
    ) -> Events {
        Events { history, head, prefix, cursor: after, fetched: VecDeque::new() }
    }

    /// The next batch; waits until there is one. May be dropped while waiting without losing anything.
    ///
    /// `Compacted` when the reader was so slow that the history it needs is gone: read again, then watch anew.
    /// `Unavailable` when the store was closed.
    pub async fn next(&mut self) -> Result<Batch, StoreError> {
        let mut passed = None;
        loop {
            while let Some(batch) = self.fetched.pop_front() {
                let revision = batch.revision;
                let events: Vec<Event> = batch
                    .events
                    .iter()
                    .filter(|event| event.key.starts_with(&self.prefix))
                    .cloned()
                    .collect();
                if !events.is_empty() {
                    return Ok(Batch { revision, events });
                }
                passed = Some(revision);
            }
            if let Some(revision) = passed {
                return Ok(Batch { revision, events: Vec::new() });
            }
            let after = self.cursor;
            self.head
                .wait_for(|head| *head > after)
                .await
                .map_err(|_| StoreError::Unavailable("the store was closed".into()))?;
            let batches = self.history.batches(after).await?;
            if let Some(last) = batches.last() {
                self.cursor = last.revision;
            }
            self.fetched.extend(batches);
        }
    }
}
