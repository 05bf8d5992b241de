//! The embedded store: one file, made durable before a commit is acknowledged.
//!
//! ```text
//!            ┌── shared: index of all kept versions, how far it is visible ──┐
//!  read ─────┤                                                               ├───── watch
//!            └──────────────── the file: header, marks, frames ──────────────┘
//!                                        ▲ appends
//!  commit, compact ──► queue ──► writer thread ──► (rewriting thread, when much is forgotten)
//! ```
//!
//! The file is a log of committed transactions (`format`); opening it reads and verifies all of it (`recover`). Keys
//! and the file positions of their values are in memory; values stay on disk and are verified at each read. It
//! deliberately has no value cache (the system's page cache serves), no encryption, and no repair: damage is an error
//! that names the position.

mod checksum;
mod file;
mod format;
#[cfg(test)]
mod fuzz;
mod index;
mod lock;
mod place;
mod recover;
mod rewrite;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task;

use self::lock::DirectoryLock;
use self::place::Directory;
use self::shared::Shared;
use self::writer::{Commit, Message, Writer};
use crate::{At, Events, Key, Page, Range, Revision, Store, StoreError, StoreStatus, Txn};

/// An embedded store, in its own directory.
#[derive(Debug)]
pub(crate) struct EmbeddedStore {
    shared: Arc<Shared>,
    head: watch::Receiver<Revision>,
    sender: SyncSender<Message>,
    /// Permits for the writer's queue.
    room: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    /// Invariant: outlives the writer, which is joined before this is dropped.
    _lock: DirectoryLock,
}

impl EmbeddedStore {
    /// Opens the store in `directory`, or creates one if the directory never held a store. Reads all of it.
    pub(crate) async fn open(directory: &Path) -> Result<EmbeddedStore, StoreError> {
        let directory = directory.to_owned();
        blocking(move || EmbeddedStore::open_blocking(&directory)).await
    }

    fn open_blocking(directory: &Path) -> Result<EmbeddedStore, StoreError> {
        let mut directory = Directory::open(directory)?;
        let mut lock = DirectoryLock::lock(directory.path())?;
        directory.create_store(&lock)?;
        let path = directory.file();
        let (file, index, appender) = recover::recover(&path, &path)?;
        lock.note_store()?;
        let (head_sender, head) = watch::channel(index.head());
        let shared = Arc::new(Shared::new(file, index, appender.end));
        let (sender, receiver) = sync_channel(QUEUE + 2);
        let writer =
            Writer::new(Arc::clone(&shared), directory, appender, head_sender, (sender.clone(), receiver));
        let writer = thread::Builder::new().name("store-writer".into()).spawn(move || writer.run()).map_err(
            |problem| StoreError::Unavailable(format!("cannot start the writer thread: {problem}")),
        )?;
        let room = Arc::new(Semaphore::new(QUEUE));
        Ok(EmbeddedStore { shared, head, sender, room, writer: Some(writer), _lock: lock })
    }

    /// Sends a message to the writer once the queue has room, and waits for its answer.
    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, StoreError>>, OwnedSemaphorePermit) -> Message,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Unavailable("the writer has stopped".into());
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopped())?;
        let (answer, answered) = oneshot::channel();
        self.sender.try_send(message(answer, permit)).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn read(&self, range: Range, at: At) -> Result<Page, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.page(&range, at)).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        txn.check()?;
        self.ask(|answer, permit| Message::Commit(Commit { txn, answer, permit })).await
    }

    async fn watch(&self, prefix: Key, after: Revision) -> Result<Events, StoreError> {
        self.shared.read().check_revision(after)?;
        let history: Arc<Shared> = Arc::clone(&self.shared);
        Ok(Events::new(history, self.head.clone(), prefix, after))
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        self.ask(|answer, permit| Message::Compact { through, answer, permit }).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        Ok(self.shared.read().status())
    }
}

impl Drop for EmbeddedStore {
    /// Waits for the writer to finish queued messages, so that the directory is unlocked when this returns.
    fn drop(&mut self) {
        // Fails only if the writer has ended already.
        let _ = self.sender.send(Message::Close);
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread of the store had panicked");
        }
    }
}

/// Runs disk work on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(problem) => Err(StoreError::Unavailable(format!("work on the store was aborted: {problem}"))),
    }
}

/// How many commits may wait in the writer's queue; further ones wait for a permit. The queue has two more slots, for
/// the rewriting thread and for closing.
const QUEUE: usize = 1024;
