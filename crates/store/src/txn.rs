//! Transactions: guards that must hold, and writes that are then applied together.
//!
//! A transaction is plain data: synchronous code can build it, and it can be logged and retried. It reads nothing:
//! conditions on what was read before are its guards.

use bytes::Bytes;

use crate::{Key, Range, Revision, StoreError};

/// Writes that are applied together, in one revision, if every guard holds; otherwise nothing changes.
///
/// ```
/// use store::{Guard, Revision, Txn, Write};
/// let create = Txn {
///     guards: vec![Guard::Absent("/users/1".into()), Guard::Unchanged(store::Range::key("/tenant"), Revision(7))],
///     writes: vec![Write::Put("/users/1".into(), "…".into()), Write::Put("/names/ada".into(), "1".into())],
/// };
/// assert!(create.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    pub guards: Vec<Guard>,
    /// Applied in this order, which is also the order of the batch's events. At least one; each key once.
    pub writes: Vec<Write>,
}

/// A condition for a transaction. A guard that cannot be evaluated does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent(Key),
    /// The key exists and its latest write was at this revision.
    Modified(Key, Revision),
    /// No key of the range was put or deleted after this revision. Does not hold for a revision that is older than
    /// the kept history or has not happened yet. The range's limit is ignored.
    Unchanged(Range, Revision),
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Put(Key, Bytes),
    /// Deleting a key that does not exist changes nothing and makes no event.
    Delete(Key),
}

impl Txn {
    /// Whether the transaction is well formed: at least one write, no key written twice, sizes within bounds.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.writes.is_empty() {
            return Err(StoreError::Invalid("a transaction needs at least one write".into()));
        }
        for write in &self.writes {
            check_key(write.key())?;
        }
        let bytes = self.bytes();
        if bytes > MAX_TXN_BYTES {
            return Err(StoreError::Invalid(format!(
                "a transaction of {bytes} bytes, expected at most {MAX_TXN_BYTES}"
            )));
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(Write::key).collect();
        keys.sort_unstable();
        for (key, next) in keys.iter().zip(keys.iter().skip(1)) {
            if key == next {
                let key = key.escape_ascii();
                return Err(StoreError::Invalid(format!("key {key} is written twice in one transaction")));
            }
        }
        Ok(())
    }

    /// The size that is compared with [`MAX_TXN_BYTES`].
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |write: &Write| write.key().len() + write.value().map_or(0, Bytes::len) + WRITE_BYTES;
        self.writes.iter().map(bytes).sum()
    }
}

impl Write {
    /// The key that is written.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put(key, _) | Write::Delete(key) => key,
        }
    }

    /// The value that is put; none for a delete.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Write::Put(_, value) => Some(value),
            Write::Delete(_) => None,
        }
    }
}

fn check_key(key: &Key) -> Result<(), StoreError> {
    let bytes = key.len();
    if (1..=MAX_KEY_BYTES).contains(&bytes) {
        return Ok(());
    }
    Err(StoreError::Invalid(format!("a key of {bytes} bytes, expected 1 to {MAX_KEY_BYTES}")))
}

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 4096;
/// The most bytes of keys and values that one transaction writes, where each write counts 32 more.
pub const MAX_TXN_BYTES: usize = 8 * 1024 * 1024;

const WRITE_BYTES: usize = 32;
