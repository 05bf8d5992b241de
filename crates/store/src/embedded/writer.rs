//! The writer: the one thread that changes the store file.
//!
//! ```text
//! commits ──► collect all waiting ──► check guards, assign revisions ──► append, sync once ──► mark ──► publish,
//! answer
//! ```
//!
//! Commits that arrive during a sync form the next group, so many transactions share one sync, each with its own
//! revision. Readers see a revision only after its sync. If a write fails, the whole group is undone and each of its
//! commits gets the error.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::file::{Appender, StoreFile};
use super::format::{FIRST_FRAME, FrameKind, FrameWriter, Record};
use super::index::{Index, Version};
use super::place::Directory;
use super::rewrite::{self, Plan, Rewritten};
use super::shared::{Shared, State};
use crate::{Batch, Change, Event, Key, Revision, StoreError, Txn, Write};

/// A message to the writer.
#[derive(Debug)]
pub(super) enum Message {
    Commit(Commit),
    Compact {
        through: Revision,
        answer: CompactAnswer,
        permit: OwnedSemaphorePermit,
    },
    /// The rewriting thread has finished.
    Rewritten(Result<Rewritten, StoreError>),
    /// The store is being dropped.
    Close,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) txn: Txn,
    pub(super) answer: oneshot::Sender<Result<Revision, StoreError>>,
    /// The queue permit; released when this is dropped.
    pub(super) permit: OwnedSemaphorePermit,
}

pub(super) type CompactAnswer = oneshot::Sender<Result<(), StoreError>>;

/// The state of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    directory: Directory,
    appender: Appender,
    head: watch::Sender<Revision>,
    receiver: Receiver<Message>,
    /// For the thread that rewrites the file.
    sender: SyncSender<Message>,
    rewriting: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    /// Answers to send once a compaction has reclaimed space.
    compacting: Vec<CompactAnswer>,
    /// Whether a mark was written that no sync has made durable.
    mark_pending: bool,
    /// The frames of one group; the buffer is reused.
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        directory: Directory,
        appender: Appender,
        head: watch::Sender<Revision>,
        (sender, receiver): (SyncSender<Message>, Receiver<Message>),
    ) -> Writer {
        let (rewriting, compacting) = (None, Vec::new());
        let (closing, mark_pending, buffer) = (Arc::default(), false, Vec::new());
        Writer {
            shared,
            directory,
            appender,
            head,
            receiver,
            sender,
            rewriting,
            closing,
            compacting,
            mark_pending,
            buffer,
        }
    }

    /// Runs until the store is closed.
    pub(super) fn run(mut self) {
        self.rewrite_if_wasteful();
        let mut next = None;
        loop {
            next = match next.take().or_else(|| self.receive()) {
                Some(Message::Commit(first)) => self.collect(first),
                Some(Message::Compact { through, answer, permit }) => {
                    self.compact(through, answer);
                    drop(permit);
                    None
                }
                Some(Message::Rewritten(outcome)) => {
                    self.adopt(outcome);
                    None
                }
                Some(Message::Close) | None => return self.close(),
            }
        }
    }

    /// The next message. While there is none, a pending mark is made durable.
    fn receive(&mut self) -> Option<Message> {
        if self.mark_pending {
            match self.receiver.recv_timeout(IDLE) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.sync_mark(),
            }
        }
        self.receiver.recv().ok()
    }

    /// Commits `first` together with all commits that wait behind it. Returns the message that ended the collection.
    fn collect(&mut self, first: Commit) -> Option<Message> {
        let mut bytes = first.txn.bytes();
        let mut commits = vec![first];
        let mut next = None;
        while next.is_none() && commits.len() < MOST_COMMITS && bytes < MOST_COLLECTED_BYTES {
            match self.receiver.try_recv() {
                Ok(Message::Commit(commit)) => {
                    bytes += commit.txn.bytes();
                    commits.push(commit);
                }
                Ok(other) => next = Some(other),
                Err(_) => break,
            }
        }
        self.commit(commits);
        next
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        let mut batches = Vec::new();
        let mut answers = Vec::with_capacity(commits.len());
        let mut state = self.shared.write();
        let file = Arc::clone(&state.file);
        for Commit { txn, answer, permit } in commits {
            let outcome = stage(&mut state.index, &file, self.appender.end, &mut buffer, txn).map(|batch| {
                batches.extend(batch);
                state.index.head()
            });
            answers.push((answer, outcome, permit));
        }
        drop(state);
        // A conflict may depend on a transaction of this group, so conflicts, too, are answered only after the sync.
        let durable = if buffer.is_empty() { Ok(()) } else { self.append(&file, &buffer) };
        match &durable {
            Ok(()) if buffer.is_empty() => {}
            Ok(()) => self.publish(&file, batches),
            Err(problem) => {
                tracing::error!(%problem, "a group of commits could not be made durable and was taken back");
                let mut state = self.shared.write();
                let visible = state.visible;
                state.index.undo(visible);
            }
        }
        for (answer, outcome, _permit) in answers {
            // Fails if the caller no longer waits.
            let _ = answer.send(durable.clone().and(outcome));
        }
        if buffer.capacity() <= MOST_COLLECTED_BYTES {
            self.buffer = buffer;
        }
    }

    fn compact(&mut self, through: Revision, answer: CompactAnswer) {
        match self.forget(through) {
            Ok(()) => {
                self.compacting.push(answer);
                self.rewrite_if_wasteful();
            }
            Err(problem) => {
                let _ = answer.send(Err(problem));
            }
        }
    }

    /// Writes a durable compaction frame for `through`, then compacts the index.
    fn forget(&mut self, through: Revision) -> Result<(), StoreError> {
        let state = self.shared.read();
        if through <= state.index.compacted() {
            return Ok(());
        }
        state.check_revision(through)?;
        let file = Arc::clone(&state.file);
        drop(state);
        let mut buffer = Vec::new();
        let frame = FrameWriter::new(&mut buffer, self.appender.end, file.id);
        frame.finish(FrameKind::Compact, through, self.appender.end);
        self.append(&file, &buffer)?;
        self.shared.write().forget(through);
        self.publish(&file, Vec::new());
        Ok(())
    }

    fn append(&mut self, file: &StoreFile, bytes: &[u8]) -> Result<(), StoreError> {
        self.directory.sync_if_pending()?;
        self.appender.append(file, bytes)?;
        self.mark_pending = false;
        Ok(())
    }

    /// Makes durable revisions visible to readers and watches.
    fn publish(&mut self, file: &StoreFile, batches: Vec<Arc<Batch>>) {
        let revision = self.shared.read().index.head();
        match self.appender.write_mark(file, revision) {
            Ok(()) => self.mark_pending = true,
            // The frames are durable without it; the next mark covers them as well.
            Err(problem) => tracing::warn!(%problem, "a mark could not be written"),
        }
        self.shared.write().publish(batches, self.appender.end);
        self.head.send_replace(revision);
    }

    fn sync_mark(&mut self) {
        let file = Arc::clone(&self.shared.read().file);
        // Failure loses nothing: recovery handles a late mark.
        if let Err(problem) = file.file.sync_data() {
            tracing::warn!(%problem, "a mark could not be made durable");
        }
        self.mark_pending = false;
    }

    /// Starts to rewrite the file if it holds much compacted history; otherwise answers waiting compactions.
    fn rewrite_if_wasteful(&mut self) {
        if self.rewriting.is_some() {
            return;
        }
        let state = self.shared.read();
        let plan = is_wasteful(&state, self.appender.end).then(|| Plan::new(&state, self.appender.end));
        drop(state);
        let Some(plan) = plan else { return self.answer_compacting(&Ok(())) };
        let (target, sender, closing) =
            (self.directory.new_file(), self.sender.clone(), Arc::clone(&self.closing));
        let work = move || {
            let outcome = rewrite::rewrite(&plan, &target, &closing);
            // The queue has a slot for this message. Sending fails only if the writer, and so the store, is gone.
            let _ = sender.send(Message::Rewritten(outcome));
        };
        match thread::Builder::new().name("store-rewrite".into()).spawn(work) {
            Ok(thread) => self.rewriting = Some(thread),
            Err(problem) => {
                let problem =
                    StoreError::Unavailable(format!("cannot start a thread to rewrite the store: {problem}"));
                self.answer_compacting(&Err(problem));
            }
        }
    }

    fn adopt(&mut self, outcome: Result<Rewritten, StoreError>) {
        if let Some(thread) = self.rewriting.take() {
            // The thread has sent its outcome and is about to end.
            let _ = thread.join();
        }
        let source = Arc::clone(&self.shared.read().file);
        let adopted = outcome.and_then(|mut rewritten| {
            rewritten.catch_up(&source, self.appender.end)?;
            let state = self.shared.read();
            rewritten.check(&state.index)?;
            drop(state);
            self.directory.replace()?;
            Ok(rewritten)
        });
        match adopted {
            Ok(Rewritten { file, index, appender, .. }) => {
                let bytes = appender.end;
                tracing::info!(
                    before = self.appender.end,
                    bytes,
                    "rewrote the store file without forgotten history"
                );
                self.appender = appender;
                self.mark_pending = false;
                self.shared.write().replace(file, index, bytes);
                if let Err(problem) = self.directory.sync_if_pending() {
                    tracing::warn!(%problem, "commits wait until the name of the rewritten file is durable");
                }
                self.rewrite_if_wasteful();
            }
            Err(problem) => {
                tracing::warn!(%problem, "the store file could not be rewritten, its old form goes on");
                self.directory.discard();
                self.answer_compacting(&Err(problem));
            }
        }
    }

    fn answer_compacting(&mut self, outcome: &Result<(), StoreError>) {
        for answer in self.compacting.drain(..) {
            let _ = answer.send(outcome.clone());
        }
    }

    fn close(mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.rewriting.take() {
            let _ = thread.join();
            self.directory.discard();
        }
        if self.mark_pending {
            self.sync_mark();
        }
    }
}

/// Checks the guards, gives the transaction the next revision and appends its frame to `buffer`, which will be
/// written at `offset`. `None` if it changes nothing.
fn stage(
    index: &mut Index,
    file: &StoreFile,
    offset: u64,
    buffer: &mut Vec<u8>,
    txn: Txn,
) -> Result<Option<Arc<Batch>>, StoreError> {
    if !txn.guards.iter().all(|guard| index.holds(guard)) {
        return Err(StoreError::Conflict);
    }
    let revision = index.head().next();
    let mut frame = FrameWriter::new(buffer, offset, file.id);
    let mut events = Vec::with_capacity(txn.writes.len());
    let mut versions = Vec::with_capacity(txn.writes.len());
    for write in txn.writes {
        let created = match (index.find(write.key()), write.value()) {
            (None, None) => continue,
            (None, Some(_)) => revision,
            (Some(before), _) => before.created,
        };
        let value = write.value().map(AsRef::as_ref);
        let place = frame.record(Record { key: write.key(), value, created, modified: revision });
        // A copy, because the caller's key may be a slice of a large buffer.
        let key = Key::copy_from_slice(write.key());
        versions.push((key, Version { created, modified: revision, deleted: value.is_none(), place }));
        events.push(match write {
            Write::Put(key, value) => Event { key, change: Change::Put(value) },
            Write::Delete(key) => Event { key, change: Change::Delete },
        });
    }
    if events.is_empty() {
        frame.abandon();
        return Ok(None);
    }
    let place = frame.finish(FrameKind::Commit, revision, offset);
    index.commit(place, versions);
    Ok(Some(Arc::new(Batch { revision, events })))
}

fn is_wasteful(state: &State, end: u64) -> bool {
    end - FIRST_FRAME > 2 * state.index.kept_bytes() + TOLERATED_WASTE_BYTES
}

const MOST_COMMITS: usize = 1024;
const MOST_COLLECTED_BYTES: usize = 4 * 1024 * 1024;
/// How long the writer is idle before it syncs a pending mark.
const IDLE: Duration = Duration::from_millis(20);
/// The least waste that makes a rewrite worthwhile.
const TOLERATED_WASTE_BYTES: u64 = 256 * 1024;
