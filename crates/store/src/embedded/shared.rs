//! State shared by readers, watches and the writer: the file, the index, and the visible revision.
//!
//! The index may hold revisions that are not durable yet; readers see nothing after `visible`. The lock is held for
//! lookups, never during disk IO.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use super::file::StoreFile;
use super::format::FilePosition;
use super::index::Index;
use crate::event::History;
use crate::{At, Batch, Change, Page, Range, Revision, StoreError, StoreStatus};

#[derive(Debug)]
pub(super) struct Shared(RwLock<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) file: Arc<StoreFile>,
    pub(super) index: Index,
    /// The latest revision that is durable.
    pub(super) visible: Revision,
    /// How many keys exist at `visible`.
    entries: u64,
    /// How long the file is.
    bytes: u64,
    /// The latest batches, without gap up to `visible`, so that up-to-date watches need not read the file.
    recent: VecDeque<Arc<Batch>>,
    recent_bytes: usize,
}

/// Where to read the batches for a watch.
enum Source {
    Recent(Vec<Arc<Batch>>),
    File(Arc<StoreFile>, Vec<FilePosition>),
}

impl Shared {
    pub(super) fn new(file: StoreFile, index: Index, bytes: u64) -> Shared {
        let (visible, entries) = (index.head(), index.live());
        let (file, recent, recent_bytes) = (Arc::new(file), VecDeque::new(), 0);
        Shared(RwLock::new(State { file, index, visible, entries, bytes, recent, recent_bytes }))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        // Only the writer changes the state; if it has panicked, it changes nothing more, and reads up to the visible
        // revision are still correct.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`crate::Store::read`]. Reads the disk.
    pub(super) fn page(&self, range: &Range, at: At) -> Result<Page, StoreError> {
        let state = self.read();
        let revision = match at {
            At::Latest => state.visible,
            At::Revision(revision) => revision,
        };
        state.check_revision(revision)?;
        let (found, more) = state.index.read(range, revision);
        let file = Arc::clone(&state.file);
        drop(state);
        Ok(Page { entries: file.entries(found)?, revision, more })
    }

    fn source(&self, after: Revision) -> Result<Source, StoreError> {
        let state = self.read();
        state.check_revision(after)?;
        Ok(state.source(after))
    }
}

impl State {
    /// Whether the state at `revision` and all changes after it are known.
    pub(super) fn check_revision(&self, revision: Revision) -> Result<(), StoreError> {
        if revision < self.index.compacted() {
            return Err(StoreError::Compacted);
        }
        if revision > self.visible {
            return Err(StoreError::not_yet(revision, self.visible));
        }
        Ok(())
    }

    pub(super) fn status(&self) -> StoreStatus {
        let (revision, compacted) = (self.visible, self.index.compacted());
        StoreStatus { revision, compacted, entries: self.entries, bytes: self.bytes }
    }

    /// Makes everything in the index visible. `batches` are the new revisions.
    pub(super) fn publish(&mut self, batches: Vec<Arc<Batch>>, bytes: u64) {
        self.visible = self.index.head();
        self.entries = self.index.live();
        self.bytes = bytes;
        self.recent_bytes += batches.iter().map(|batch| weight(batch)).sum::<usize>();
        self.recent.extend(batches);
        while self.recent.len() > MOST_RECENT || self.recent_bytes > MOST_RECENT_BYTES {
            let Some(batch) = self.recent.pop_front() else { break };
            self.recent_bytes -= weight(&batch);
        }
    }

    /// Forgets history up to `through`.
    pub(super) fn forget(&mut self, through: Revision) {
        self.index.forget(through);
        while let Some(batch) = self.recent.pop_front_if(|batch| batch.revision <= through) {
            self.recent_bytes -= weight(&batch);
        }
    }

    /// Switches to a rewritten file with the same content.
    pub(super) fn replace(&mut self, file: StoreFile, index: Index, bytes: u64) {
        self.file = Arc::new(file);
        self.index = index;
        self.bytes = bytes;
    }

    fn source(&self, after: Revision) -> Source {
        if self.recent.front().is_some_and(|first| first.revision <= after.next()) {
            let skipped = self.recent.partition_point(|batch| batch.revision <= after);
            return Source::Recent(self.recent.range(skipped..).take(MOST_BATCHES).map(Arc::clone).collect());
        }
        let mut bytes = 0;
        let visible = self.index.frames_after(after).take_while(|(revision, _)| *revision <= self.visible);
        let few = visible.take(MOST_BATCHES).map(|(_, place)| place).take_while(|place| {
            let enough = bytes >= MOST_BATCH_BYTES;
            bytes += u64::from(place.length);
            !enough
        });
        Source::File(Arc::clone(&self.file), few.collect())
    }
}

#[async_trait]
impl History for Shared {
    async fn batches(&self, after: Revision) -> Result<Vec<Arc<Batch>>, StoreError> {
        match self.source(after)? {
            Source::Recent(batches) => Ok(batches),
            Source::File(file, places) => {
                super::blocking(move || {
                    places.into_iter().map(|place| file.batch(place).map(Arc::new)).collect()
                })
                .await
            }
        }
    }
}

fn weight(batch: &Batch) -> usize {
    let event = |event: &crate::Event| {
        let value = match &event.change {
            Change::Put(value) => value.len(),
            Change::Delete => 0,
        };
        event.key.len() + value + 64
    };
    batch.events.iter().map(event).sum::<usize>() + 64
}

/// How many batches, and how many of their bytes, a watch takes from the file at once.
const MOST_BATCHES: usize = 256;
const MOST_BATCH_BYTES: u64 = 1024 * 1024;
/// How many batches, and how many of their bytes, are kept in memory for watches that keep up.
const MOST_RECENT: usize = 1024;
const MOST_RECENT_BYTES: usize = 4 * 1024 * 1024;
