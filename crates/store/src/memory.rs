//! The in-memory store: the reference implementation that every other back end is compared with.
//!
//! It is written for clarity, not speed: all versions of all keys in one map, all batches in another, one mutex
//! around both. Its content is lost with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::event::History;
use crate::{
    At, Batch, Change, Entry, Event, Events, Guard, Key, Page, Range, Revision, Store, StoreError,
    StoreStatus, Txn, Write,
};

/// A store that lives as long as the process.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    state: Arc<Mutex<State>>,
    head: watch::Sender<Revision>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    compacted: Revision,
    /// Every kept version of every key, oldest first.
    versions: BTreeMap<Key, Vec<Version>>,
    /// Every batch after `compacted`.
    batches: BTreeMap<Revision, Arc<Batch>>,
}

#[derive(Debug)]
struct Version {
    modified: Revision,
    /// None where the key was deleted.
    content: Option<Content>,
}

#[derive(Clone, Debug)]
struct Content {
    created: Revision,
    value: Bytes,
}

impl MemoryStore {
    pub(crate) fn new() -> MemoryStore {
        MemoryStore { state: Arc::default(), head: watch::Sender::new(Revision::ZERO) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, range: Range, at: At) -> Result<Page, StoreError> {
        locked(&self.state).read(&range, at)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        txn.check()?;
        let mut state = locked(&self.state);
        let revision = state.commit(txn)?;
        // Invariant: published while the lock is held, so that the head never goes backwards.
        self.head.send_replace(revision);
        Ok(revision)
    }

    async fn watch(&self, prefix: Key, after: Revision) -> Result<Events, StoreError> {
        locked(&self.state).check_revision(after)?;
        let history: Arc<Mutex<State>> = Arc::clone(&self.state);
        Ok(Events::new(history, self.head.subscribe(), prefix, after))
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        locked(&self.state).compact(through)
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        Ok(locked(&self.state).status())
    }
}

#[async_trait]
impl History for Mutex<State> {
    async fn batches(&self, after: Revision) -> Result<Vec<Arc<Batch>>, StoreError> {
        let state = locked(self);
        state.check_revision(after)?;
        Ok(state
            .batches
            .range(after.next()..)
            .take(BATCHES_AT_ONCE)
            .map(|(_, batch)| Arc::clone(batch))
            .collect())
    }
}

impl State {
    /// Whether the state at `revision` and all changes after it are known.
    fn check_revision(&self, revision: Revision) -> Result<(), StoreError> {
        if revision < self.compacted {
            return Err(StoreError::Compacted);
        }
        if revision > self.revision {
            return Err(StoreError::not_yet(revision, self.revision));
        }
        Ok(())
    }

    fn read(&self, range: &Range, at: At) -> Result<Page, StoreError> {
        let revision = match at {
            At::Latest => self.revision,
            At::Revision(revision) => revision,
        };
        self.check_revision(revision)?;
        let mut entries = Vec::new();
        for key in self.versions.keys().filter(|key| range.contains(key)) {
            let Some(entry) = self.entry(key, revision) else { continue };
            if entries.len() == range.most() {
                return Ok(Page { entries, revision, more: true });
            }
            entries.push(entry);
        }
        Ok(Page { entries, revision, more: false })
    }

    /// The key as it was at `revision`.
    fn entry(&self, key: &Key, revision: Revision) -> Option<Entry> {
        let versions = self.versions.get(key)?;
        let version = versions.iter().rev().find(|version| version.modified <= revision)?;
        let Content { created, value } = version.content.clone()?;
        Some(Entry { key: key.clone(), value, created, modified: version.modified })
    }

    fn commit(&mut self, txn: Txn) -> Result<Revision, StoreError> {
        if !txn.guards.iter().all(|guard| self.holds(guard)) {
            return Err(StoreError::Conflict);
        }
        let revision = self.revision.next();
        let mut events = Vec::new();
        for write in txn.writes {
            let before = self.entry(write.key(), self.revision);
            let (key, change, content) = match (write, before) {
                (Write::Delete(_), None) => continue,
                (Write::Delete(key), Some(_)) => (key, Change::Delete, None),
                (Write::Put(key, value), before) => {
                    let created = before.map_or(revision, |entry| entry.created);
                    (key, Change::Put(value.clone()), Some(Content { created, value }))
                }
            };
            self.versions.entry(key.clone()).or_default().push(Version { modified: revision, content });
            events.push(Event { key, change });
        }
        if events.is_empty() {
            return Ok(self.revision);
        }
        self.batches.insert(revision, Arc::new(Batch { revision, events }));
        self.revision = revision;
        Ok(revision)
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(key) => self.entry(key, self.revision).is_none(),
            Guard::Modified(key, modified) => {
                self.entry(key, self.revision).is_some_and(|entry| entry.modified == *modified)
            }
            Guard::Unchanged(range, since) => {
                let mut changed = self.batches.range(since.next()..).flat_map(|(_, batch)| &batch.events);
                self.check_revision(*since).is_ok() && !changed.any(|event| range.contains(&event.key))
            }
        }
    }

    fn compact(&mut self, through: Revision) -> Result<(), StoreError> {
        if through <= self.compacted {
            return Ok(());
        }
        self.check_revision(through)?;
        self.compacted = through;
        self.batches = self.batches.split_off(&through.next());
        self.versions.retain(|_, versions| {
            // The state at `through` itself is kept: the last version up to it, unless that is a deletion.
            let kept = versions.iter().rposition(|version| version.modified <= through).unwrap_or(0);
            versions.drain(..kept);
            if versions.first().is_some_and(|first| first.modified <= through && first.content.is_none()) {
                versions.remove(0);
            }
            !versions.is_empty()
        });
        Ok(())
    }

    fn status(&self) -> StoreStatus {
        let mut entries = 0;
        let mut bytes = 0;
        for (key, versions) in &self.versions {
            entries += u64::from(self.entry(key, self.revision).is_some());
            let values: usize = versions
                .iter()
                .filter_map(|version| version.content.as_ref())
                .map(|content| content.value.len())
                .sum();
            bytes += (key.len() + values) as u64;
        }
        StoreStatus { revision: self.revision, compacted: self.compacted, entries, bytes }
    }
}

/// Ignores poisoning: every method checks before it changes anything, so a panic leaves the state usable.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many batches a watch takes from the history at once.
const BATCHES_AT_ONCE: usize = 64;
