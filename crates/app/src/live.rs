//! The current snapshot. A task follows the store's watch, folds each batch and publishes the result;
//! everything that reads or decides takes what is published and never waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use domain::{
    change::{Change, Record},
    object::Object,
    snapshot::Snapshot,
};
use store::{At, Events, Range, Revision, Store, StoreError};
use tokio::sync::watch;

use crate::{Error, sealed::Seal, tables};

/// What one committed transaction changed, with what was there before.
#[derive(Debug)]
pub struct Applied {
    pub revision: u64,
    pub changes: Vec<Change>,
    /// For each object among the changes, in their order: its previous state.
    pub previous: Vec<Option<Arc<Object>>>,
    /// Whether any change can alter a decision.
    pub bears_on_access: bool,
}

#[derive(Debug)]
pub(crate) struct Live {
    current: ArcSwap<Snapshot>,
    seal: Arc<Seal>,
    revision: watch::Sender<u64>,
    recent: Mutex<Recent>,
}

/// The latest batches, for watches that resume. Bounded by number of changes.
#[derive(Debug)]
struct Recent {
    batches: VecDeque<Arc<Applied>>,
    changes: usize,
    /// Batches up to this revision are not (or no longer) held.
    forgotten: u64,
}

/// A watch asked for batches that are no longer held: list again, then watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

impl Live {
    /// Reads all live records and returns the state with the watch that continues it.
    pub(crate) async fn load(
        store: &dyn Store,
        mut snapshot: Snapshot,
        seal: Arc<Seal>,
    ) -> Result<(Self, Events), Error> {
        let mut range = Range::prefix(tables::LIVE).limit(PAGE);
        let mut at = At::Latest;
        // Taken over all at once: one by one, the index would be folded again and again.
        let mut assignments = Vec::new();
        let revision = loop {
            let page = store.read(range.clone(), at).await?;
            let mut changes = Vec::with_capacity(page.entries.len());
            for entry in &page.entries {
                match tables::decode(&entry.key, Some(&entry.value), entry.modified.0, &seal)? {
                    Some(Change::Put(Record::Assignment(assignment))) => assignments.push(assignment),
                    change => changes.extend(change),
                }
            }
            snapshot.apply(page.revision.0, changes);
            match page.entries.last() {
                Some(last) if page.more => range = range.after(&last.key),
                _ => break page.revision,
            }
            at = At::Revision(page.revision);
        };
        snapshot.put_assignments(assignments);
        let events = store.watch(tables::LIVE.into(), revision).await?;
        let recent = Recent { batches: VecDeque::new(), changes: 0, forgotten: revision.0 };
        let live = Self {
            current: ArcSwap::from_pointee(snapshot),
            seal,
            revision: watch::Sender::new(revision.0),
            recent: Mutex::new(recent),
        };
        Ok((live, events))
    }

    /// Follows the watch until the store closes or what it says cannot be understood.
    pub(crate) async fn follow(&self, mut events: Events) -> Result<(), Error> {
        loop {
            let batch = events.next().await?;
            let mut changes = Vec::with_capacity(batch.events.len());
            for event in &batch.events {
                let value = match &event.change {
                    store::Change::Put(value) => Some(value.as_ref()),
                    store::Change::Delete => None,
                };
                changes.extend(tables::decode(&event.key, value, batch.revision.0, &self.seal)?);
            }
            self.publish(batch.revision, changes);
        }
    }

    pub(crate) fn look(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Returns when the snapshot holds everything up to `revision`.
    pub(crate) async fn reached(&self, revision: Revision) -> Result<(), Error> {
        let mut seen = self.revision.subscribe();
        let wait = seen.wait_for(|current| *current >= revision.0);
        match tokio::time::timeout(CATCH_UP, wait).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable(
                "the change is stored, but this server has not applied it yet: its state is stale".into(),
            )),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Batches after `revision`, oldest first.
    pub(crate) fn since(&self, revision: u64) -> Result<Vec<Arc<Applied>>, Expired> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if revision < recent.forgotten {
            return Err(Expired);
        }
        let start = recent.batches.partition_point(|batch| batch.revision <= revision);
        Ok(recent.batches.range(start..).cloned().collect())
    }

    fn publish(&self, revision: Revision, changes: Vec<Change>) {
        let mut next = Snapshot::clone(&self.current.load());
        let applied = (!changes.is_empty()).then(|| {
            let previous = changes.iter().filter_map(|change| next.previous_object(change)).collect();
            let bears_on_access = changes
                .iter()
                .any(|change| tables::key(&change.key()).starts_with(tables::ACCESS.as_bytes()));
            Arc::new(Applied { revision: revision.0, changes: changes.clone(), previous, bears_on_access })
        });
        next.apply(revision.0, changes);
        self.current.store(Arc::new(next));
        if let Some(applied) = applied {
            self.remember(applied);
        }
        self.revision.send_replace(revision.0);
    }

    fn remember(&self, applied: Arc<Applied>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.changes += applied.changes.len();
        recent.batches.push_back(applied);
        while recent.changes > REMEMBERED_CHANGES {
            let Some(oldest) = recent.batches.pop_front() else { break };
            recent.changes -= oldest.changes.len();
            recent.forgotten = oldest.revision;
        }
    }

    /// Folds what recent changes have piled up, off the path of readers and writers. Takes time in proportion
    /// to the size of the indexes: call it on a blocking thread.
    pub(crate) fn fold(&self) {
        if !self.snapshot().needs_fold() {
            return;
        }
        let folded = self.snapshot().prepare_fold();
        for _ in 0..FOLD_TRIES {
            let current = self.current.load_full();
            let mut next = Snapshot::clone(&current);
            if !next.adopt_fold(&folded) {
                return;
            }
            // A write that came in between wins, and the next try builds on it.
            if Arc::ptr_eq(&self.current.compare_and_swap(&current, Arc::new(next)), &current) {
                return;
            }
        }
    }
}

impl From<Expired> for StoreError {
    fn from(Expired: Expired) -> Self {
        Self::Compacted
    }
}

const FOLD_TRIES: usize = 8;
const PAGE: usize = 4096;
const REMEMBERED_CHANGES: usize = 20_000;
/// How long a writer waits for the local snapshot before it says that the state is stale.
const CATCH_UP: Duration = Duration::from_secs(10);
