//! The current snapshot. A task follows the store's watch, folds each batch and publishes the result;
//! everything that reads or decides takes what is published and never waits. Whoever must hear of every change follows
//! with [`Changes`].

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use domain::{
    change::{Change, Record},
    object::Object,
    snapshot::Snapshot,
    unreadable::Unreadable,
};
use store::{At, Events, Key, Range, Revision, Store, StoreError};
use tokio::sync::watch;

use crate::{
    Error, State,
    sealed::Seal,
    tables::{self, DecodedEvent},
};

/// What one committed transaction changed, with what was there before.
#[derive(Debug)]
pub struct Applied {
    pub revision: u64,
    pub changes: Vec<Change>,
    /// For each object among the changes, in their order: its previous state.
    pub previous: Vec<Option<Arc<Object>>>,
    /// Whether any change can alter a decision.
    pub bears_on_access: bool,
    /// What the changes take in the store.
    bytes: usize,
}

/// Follows all changes after a revision, in order, none missing and none twice.
#[derive(Debug)]
pub struct Changes {
    state: State,
    /// Fetched, and not handed out yet.
    ahead: VecDeque<Arc<Applied>>,
    /// Everything up to here is told once `ahead` is.
    complete: u64,
    through: u64,
    newest: watch::Receiver<u64>,
}

impl Changes {
    pub(crate) fn after(state: &State, revision: u64) -> Result<Self, Expired> {
        // Subscribed before the look: what comes after the look is heard.
        let newest = state.inner.live.subscribe();
        let (ahead, complete) = state.inner.live.step(revision)?;
        Ok(Self { state: state.clone(), ahead, complete, through: revision, newest })
    }

    /// The revision up to which everything has been told.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// Waits for the next change; `Ok(None)` where what came has none. None: the server is stopping. Nothing is lost
    /// when the wait is given up.
    pub async fn next(&mut self) -> Option<Result<Option<Arc<Applied>>, Expired>> {
        if self.ahead.is_empty() && self.complete <= self.through {
            let from = self.through;
            self.newest.wait_for(|newest| *newest > from).await.ok()?;
            match self.state.inner.live.step(from) {
                Ok((ahead, complete)) => (self.ahead, self.complete) = (ahead, complete),
                Err(expired) => return Some(Err(expired)),
            }
        }
        let applied = self.ahead.pop_front();
        self.through = match &applied {
            Some(applied) if !self.ahead.is_empty() => applied.revision,
            _ => self.complete,
        };
        Some(Ok(applied))
    }
}

#[derive(Debug)]
pub(crate) struct Live {
    current: ArcSwap<Snapshot>,
    seal: Arc<Seal>,
    revision: watch::Sender<u64>,
    recent: Mutex<Recent>,
    access_changed: AtomicU64,
}

/// The latest batches, for watches that resume. Bounded by number and size of changes.
#[derive(Debug)]
struct Recent {
    batches: VecDeque<Arc<Applied>>,
    changes: usize,
    bytes: usize,
    /// All batches up to this revision are here, or were. Never ahead of them: they change together.
    through: u64,
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
        let mut unreadable = Vec::new();
        let revision = loop {
            let page = store.read(range.clone(), at).await?;
            let mut changes = Vec::with_capacity(page.entries.len());
            for entry in &page.entries {
                match tables::read(&entry.key, Some(&entry.value), entry.modified.0, &seal) {
                    DecodedEvent::Change(Change::Put(Record::Assignment(assignment))) => {
                        assignments.push(assignment)
                    }
                    DecodedEvent::Change(change) => changes.push(change),
                    DecodedEvent::Nothing => {}
                    DecodedEvent::Unreadable(each) => unreadable.push(each),
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
        for each in unreadable {
            warn(&each);
            snapshot.set_aside(each);
        }
        let events = store.watch(tables::LIVE.into(), revision).await?;
        let recent = Recent {
            batches: VecDeque::new(),
            changes: 0,
            bytes: 0,
            through: revision.0,
            forgotten: revision.0,
        };
        let live = Self {
            current: ArcSwap::from_pointee(snapshot),
            seal,
            revision: watch::Sender::new(revision.0),
            recent: Mutex::new(recent),
            access_changed: AtomicU64::new(revision.0),
        };
        Ok((live, events))
    }

    /// Follows the watch until the store closes. A record that cannot be read is set aside and holds up nobody else.
    pub(crate) async fn follow(&self, mut events: Events) -> Result<(), Error> {
        loop {
            let batch = events.next().await?;
            let mut news = BatchChanges::default();
            for event in &batch.events {
                let value = match &event.change {
                    store::Change::Put(value) => Some(value.as_ref()),
                    store::Change::Delete => None,
                };
                news.bytes += value.map_or(0, <[u8]>::len);
                match tables::read(&event.key, value, batch.revision.0, &self.seal) {
                    DecodedEvent::Change(change) => news.changes.push(change),
                    DecodedEvent::Nothing => {}
                    DecodedEvent::Unreadable(each) => {
                        warn(&each);
                        // Watches are told that what stood there is gone.
                        news.changes.extend(each.record.clone().map(Change::Delete));
                        news.unreadable.push(each);
                    }
                }
                news.places.push(event.key.clone());
            }
            self.publish(batch.revision, news);
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
        Ok(recent.after(revision)?.cloned().collect())
    }

    /// The first batches after `revision`, with how far one has looked by then. All in one look: a revision that is
    /// read after the batches may be newer than they are.
    fn step(&self, revision: u64) -> Result<(VecDeque<Arc<Applied>>, u64), Expired> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let batches: VecDeque<_> = recent.after(revision)?.take(AHEAD).cloned().collect();
        let complete = match batches.back() {
            Some(last) if batches.len() == AHEAD => last.revision,
            _ => recent.through.max(revision),
        };
        Ok((batches, complete))
    }

    /// The newest revision that bears on access.
    pub(crate) fn access_changed(&self) -> u64 {
        self.access_changed.load(Ordering::Acquire)
    }

    fn publish(&self, revision: Revision, news: BatchChanges) {
        let BatchChanges { changes, unreadable, places, bytes } = news;
        let mut next = Snapshot::clone(&self.current.load());
        if next.unreadable().next().is_some() {
            places.iter().for_each(|key| next.forget_unreadable(&tables::place(key)));
        }
        let applied = (!changes.is_empty()).then(|| {
            let previous = changes.iter().filter_map(|change| next.previous_object(change)).collect();
            let bears_on_access = changes
                .iter()
                .any(|change| tables::key(&change.key()).starts_with(tables::ACCESS.as_bytes()));
            let changes = changes.clone();
            Arc::new(Applied { revision: revision.0, changes, previous, bears_on_access, bytes })
        });
        next.apply(revision.0, changes);
        let in_doubt = !unreadable.is_empty();
        unreadable.into_iter().for_each(|each| next.set_aside(each));
        // In this order: whoever hears of a change decides on a snapshot that has it, and whoever is woken finds it.
        self.current.store(Arc::new(next));
        if in_doubt || applied.as_ref().is_some_and(|applied| applied.bears_on_access) {
            self.access_changed.store(revision.0, Ordering::Release);
        }
        self.remember(revision.0, applied);
        self.revision.send_replace(revision.0);
    }

    fn remember(&self, revision: u64, applied: Option<Arc<Applied>>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.through = revision;
        let Some(applied) = applied else { return };
        recent.changes += applied.changes.len();
        recent.bytes += applied.bytes;
        recent.batches.push_back(applied);
        while recent.changes > REMEMBERED_CHANGES || recent.bytes > REMEMBERED_BYTES {
            let Some(oldest) = recent.batches.pop_front() else { break };
            recent.changes -= oldest.changes.len();
            recent.bytes -= oldest.bytes;
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

impl Recent {
    fn after(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<Applied>>, Expired> {
        if revision < self.forgotten {
            return Err(Expired);
        }
        let start = self.batches.partition_point(|batch| batch.revision <= revision);
        Ok(self.batches.range(start..))
    }
}

/// What one batch of the store says.
#[derive(Debug, Default)]
struct BatchChanges {
    changes: Vec<Change>,
    unreadable: Vec<Unreadable>,
    /// All keys of which it says something.
    places: Vec<Key>,
    /// Of what it stores.
    bytes: usize,
}

fn warn(unreadable: &Unreadable) {
    let Unreadable { place, problem, effect, .. } = unreadable;
    tracing::error!(
        record = &**place,
        problem,
        %effect,
        "a stored record cannot be read and is set aside: see `portcullis repair`"
    );
}

impl From<Expired> for StoreError {
    fn from(Expired: Expired) -> Self {
        Self::Compacted
    }
}

const FOLD_TRIES: usize = 8;
const PAGE: usize = 4096;
/// How many batches one who follows fetches at once.
const AHEAD: usize = 16;
const REMEMBERED_CHANGES: usize = 20_000;
/// Of what is stored; in memory it is some times as much, which what is current shares.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;
/// How long a writer waits for the local snapshot before it says that the state is stale.
const CATCH_UP: Duration = Duration::from_secs(10);
