//! The store: one ordered log of key-value changes with revisions.
//!
//! All persistent state of Portcullis goes through the five methods of [`Store`]. They have etcd's semantics: every
//! committed transaction takes the next revision of one total order, transactions compare and swap, reads may be at
//! an older revision, and a watch misses nothing. The in-memory snapshot that decisions read is built from such a
//! watch.
//!
//! ```text
//!   commit(guards, writes) ──► revision 1, 2, 3, …  ──► read(range, at revision)
//!                                      │
//!                                      └──────────────► watch(prefix, after revision): one batch per revision
//! ```
//!
//! Keys and values are bytes: this crate knows no record, no tenant and no clock. It has no TTL and no locks; records
//! carry their own expiry, and a lock is a record that is changed by compare-and-swap.

pub mod conformance;
mod embedded;
mod event;
mod memory;
mod open;
mod range;
mod txn;

use std::fmt;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use event::{Batch, Change, Event, Events};
pub use open::{StoreConfig, open};
pub use range::{At, Entry, Page, Range};
pub use txn::{Guard, MAX_KEY_BYTES, MAX_TXN_BYTES, Txn, Write};

/// A key: 1 to [`MAX_KEY_BYTES`] bytes, ordered bytewise.
pub type Key = Bytes;

/// A point in the one order of changes. Revision 0 is the empty store; the first commit makes revision 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The empty store, before the first commit.
    pub const ZERO: Revision = Revision(0);

    /// The revision that follows this one.
    pub fn next(self) -> Revision {
        Revision(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Why a store operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A guard of the transaction does not hold. Nothing was changed: read again and retry.
    #[error("the data has changed since it was read")]
    Conflict,
    /// The requested revision is older than the kept history: read the latest state, then watch from there.
    #[error("the revision is older than the history that is kept")]
    Compacted,
    /// The request itself is wrong (an empty transaction, two writes to one key, a revision that has not happened
    /// yet). Nothing was tried, and trying again does not help.
    #[error("invalid request to the store: {0}")]
    Invalid(String),
    /// The disk is full, or the file has reached its size limit. Commits fail as for `Unavailable`; reads still work.
    #[error("the store has no room: {0}")]
    Full(String),
    /// The store cannot serve now: in use by another process, or closed. Readers of this process see nothing of a
    /// commit that failed this way. It may appear after the next start only if the disk also refused to undo the
    /// write.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store is damaged, or the file is not a store. `place` has the file and, if known, the byte and key.
    #[error("the store is damaged: {place}: {problem}")]
    Corrupt { place: String, problem: String },
}

impl StoreError {
    /// The error for a revision that has not happened yet.
    pub(crate) fn not_yet(revision: Revision, latest: Revision) -> StoreError {
        StoreError::Invalid(format!("revision {revision} has not happened yet, the latest is {latest}"))
    }
}

/// The state of a store, for operators and the health page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// The latest committed revision.
    pub revision: Revision,
    /// History up to this revision is compacted; the state at this revision itself can still be read.
    pub compacted: Revision,
    /// Keys that exist now.
    pub entries: u64,
    /// Bytes on disk, or, for the memory store, of all keys and values that are kept.
    pub bytes: u64,
}

/// An ordered log of key-value changes. One total order of revisions per store.
///
/// A commit whose future is dropped may still happen, as with any request whose answer is not awaited.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// Entries of `range` in key order, as they were at one revision: `at`, or the latest.
    ///
    /// At most as many as the range's limit; [`Page::more`] says that others follow. `Compacted` if `at` is older than
    /// the kept history, `Invalid` if it has not happened yet.
    async fn read(&self, range: Range, at: At) -> Result<Page, StoreError>;

    /// Applies every write if every guard holds, else changes nothing and reports `Conflict`.
    ///
    /// Returns the revision of the transaction once it is durable. A transaction that changes nothing (it deletes only
    /// keys that do not exist) takes no revision and returns the latest one.
    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError>;

    /// All events under `prefix` after `after`, in order, none missing; an empty prefix watches everything.
    /// `Compacted` means: read again, then watch. `Invalid` if `after` has not happened yet.
    async fn watch(&self, prefix: Key, after: Revision) -> Result<Events, StoreError>;

    /// Forgets history up to `through`: reads and watches at older revisions then answer `Compacted`, reads at
    /// `through` itself still work. Returns when the space is reclaimed. Compacting to an older revision is no error.
    async fn compact(&self, through: Revision) -> Result<(), StoreError>;

    /// The latest revision, the compacted revision and the size.
    async fn status(&self) -> Result<StoreStatus, StoreError>;
}
