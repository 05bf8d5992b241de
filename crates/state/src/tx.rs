//! The typed transaction on live records. Its body is synchronous: it sees one snapshot and yields guarded
//! writes, and may run again when the state has moved, so it has no side effects.
//!
//! Invariant: a transaction commits only if nothing that bears on access has changed since the snapshot
//! that it decided on. A right that was taken away before a write is committed is gone for that write.
//!
//! A transaction is small, so that every store takes it and nobody waits long for it. What may be many is written in
//! steps: each fills a transaction until [`Tx::is_full`], and [`Work`] on record says that
//! there is more.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use crypto::random::Random;
use domain::{
    azure::Access,
    change::{Record, RecordKey},
    decision::Reason,
    scope::Scope,
    snapshot::Snapshot,
    unfinished::Work,
};
use jiff::Timestamp;
use store::{Guard, Range, Revision, Txn, Write};

use crate::{Error, UniqueName, authorize, caller::Caller, limits, restrictions, sealed::Seal, tables};

/// What a transaction's body has made, once it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    pub value: T,
    /// The revision that the transaction took; of one that wrote nothing, the one that it looked at.
    pub revision: u64,
}

/// Names that are taken, with their kinds.
pub(crate) type Names = Vec<(UniqueName, String)>;

/// Writes what fits of a work into the transaction, and tells whether that is the end of it. Given by whoever composes
/// the areas, for each of them knows its own work.
pub type Steps = fn(&mut Tx, &Work) -> Result<bool, Error>;

#[derive(Debug)]
pub struct Tx {
    snapshot: Arc<Snapshot>,
    now: Timestamp,
    guards: Vec<Guard>,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    /// Of keys and values together.
    bytes: usize,
    unique: Names,
    seal: Arc<Seal>,
    random: Arc<dyn Random>,
    steps: Steps,
    /// What keeps it from being committed, found where nothing could be answered.
    refused: Option<Error>,
}

/// Whether a transaction is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Real,
    /// Everything is checked and answered, nothing is kept.
    Dry,
}

impl Tx {
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        now: Timestamp,
        seal: Arc<Seal>,
        random: Arc<dyn Random>,
        steps: Steps,
    ) -> Self {
        let since = Revision(snapshot.revision());
        let guards = vec![Guard::Unchanged(Range::prefix(tables::ACCESS), since)];
        let (writes, unique) = (BTreeMap::new(), Vec::new());
        Self { snapshot, now, guards, writes, bytes: 0, unique, seal, random, steps, refused: None }
    }

    /// The state that this transaction builds on. Its own writes are not in it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The same, to walk through while writing.
    pub fn base(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether a decision may be another one once this is committed.
    pub(crate) fn bears_on_access(&self) -> bool {
        self.writes.keys().any(|key| key.starts_with(tables::ACCESS.as_bytes()))
    }

    /// Does one step of a work. Whether that is its end.
    pub(crate) fn step(&mut self, work: &Work) -> Result<bool, Error> {
        (self.steps)(self, work)
    }

    /// A fresh random id for an object that this transaction makes (RFC 9562, version 4). An id that followed from a
    /// name would give what is made again under it the tokens of what was there before.
    pub fn new_uid(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(Error::internal)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// Refuses unless Azure RBAC gives the caller the control-plane `action` at `scope`, and where what is there is
    /// not for the caller to change.
    pub fn authorize(&self, caller: &Caller, action: &str, scope: &Scope) -> Result<Reason, Error> {
        let reason = authorize::control_plane(&self.snapshot, caller, action, scope, self.now)?;
        restrictions::check(&self.snapshot, caller, action, scope)?;
        Ok(reason)
    }

    /// As [`Tx::authorize`], for an access that carries attributes for conditions.
    pub fn authorize_access(&self, caller: &Caller, action: &str, access: &Access) -> Result<Reason, Error> {
        let reason = authorize::access(&self.snapshot, caller, action, access, self.now)?;
        restrictions::check(&self.snapshot, caller, action, &access.scope)?;
        Ok(reason)
    }

    /// Refuses unless the caller administers the tenant's directory.
    pub fn require_administrator(&self, caller: &Caller, action: &str) -> Result<(), Error> {
        authorize::administrator(&self.snapshot, caller, action)
    }

    /// Writes a record that must not exist yet.
    pub fn create(&mut self, record: &Record) -> Result<(), Error> {
        let key = tables::key(&record.key());
        let value = self.encode(record, &key)?;
        self.guards.push(Guard::Absent(key.clone()));
        self.write(key, Some(value));
        Ok(())
    }

    /// Writes a record, whether it exists or not. Where it bears on access, it is still as the snapshot has
    /// it; an object of a cluster is guarded by the revision that the snapshot has.
    pub fn put(&mut self, record: &Record) -> Result<(), Error> {
        let record_key = record.key();
        let key = tables::key(&record_key);
        let value = self.encode(record, &key)?;
        self.guard_object(&record_key, &key);
        self.write(key, Some(value));
        Ok(())
    }

    /// As [`Tx::put`], unless the record is one too many for this transaction: then it is left to the next. `false`:
    /// it was left.
    pub fn put_if_room(&mut self, record: &Record) -> Result<bool, Error> {
        let record_key = record.key();
        let key = tables::key(&record_key);
        let value = self.encode(record, &key)?;
        if !self.has_room_for(key.len() + value.len()) {
            return Ok(false);
        }
        self.guard_object(&record_key, &key);
        self.write(key, Some(value));
        Ok(true)
    }

    /// Refuses a record that could not be stored.
    pub fn check(&self, record: &Record) -> Result<(), Error> {
        self.encode(record, &tables::key(&record.key())).map(drop)
    }

    /// Whether what may be many shall go on in another transaction.
    pub fn is_full(&self) -> bool {
        self.writes.len() >= STEP_WRITES || self.bytes >= STEP_BYTES
    }

    /// Whether one more write of so many bytes fits. The first one always does.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.writes.is_empty() || (!self.is_full() && self.bytes + bytes <= STEP_BYTES)
    }

    /// Deletes a record, and with it the parts of it that cannot be read. What is itself set aside stays, and so does
    /// a resource group in which there is something that nobody could look at: the transaction is refused then.
    pub fn delete(&mut self, record_key: &RecordKey) {
        let key = tables::key(record_key);
        if self.snapshot.unreadable().next().is_some() {
            self.delete_unreadable_parts(record_key);
            let refused = self.check_deletable(record_key).err();
            self.refused = self.refused.take().or(refused);
        }
        self.guard_object(record_key, &key);
        self.write(key, None);
    }

    /// Refuses what cannot be deleted as long as something cannot be read: see [`Tx::delete`]. Deleting in steps looks
    /// at it before the first.
    pub fn check_deletable(&self, record_key: &RecordKey) -> Result<(), Error> {
        self.check_readable(&tables::key(record_key))?;
        match self.snapshot.unreadable().find(|each| each.may_be_within(record_key)) {
            None => Ok(()),
            Some(each) => Err(Error::Conflict(format!(
                "{} cannot be read and may be in it: an operator has to repair it first",
                each.place
            ))),
        }
    }

    /// Whether the record cannot be read, so that nothing can be written in its place.
    pub fn is_set_aside(&self, record_key: &RecordKey) -> bool {
        self.check_readable(&tables::key(record_key)).is_err()
    }

    /// Deletes records as long as there is room. Whether that were all.
    pub fn delete_all(&mut self, keys: impl IntoIterator<Item = RecordKey>) -> bool {
        for key in keys {
            if self.is_full() {
                return false;
            }
            self.delete(&key);
        }
        true
    }

    /// Takes a name of a kind (`upn`, `cluster`, ...) that only one record may have. The error of a name that
    /// is taken already is [`Error::AlreadyExists`].
    pub fn take_name(&mut self, kind: UniqueName, name: &str) {
        let key = tables::unique_key(kind, name);
        if self.writes.get(&key) == Some(&None) {
            // Released by this very transaction: the write turns back, its name stays taken.
            self.writes.remove(&key);
            self.bytes -= key.len();
            return;
        }
        self.unique.push((kind, name.to_owned()));
        self.guards.push(Guard::Absent(key.clone()));
        self.write(key, Some(Bytes::new()));
    }

    /// Gives a name free again.
    pub fn release_name(&mut self, kind: UniqueName, name: &str) {
        self.write(tables::unique_key(kind, name), None);
    }

    /// Refuses what could not be committed for a reason that nobody could be told before.
    pub(crate) fn check_allowed(self) -> Result<(), Error> {
        self.refused.map_or(Ok(()), Err)
    }

    /// What is to be committed. Too many writes are a fault of ours: somebody forgot to go in steps.
    pub(crate) fn finish(self) -> Result<(Txn, Names), Error> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        if self.writes.len() > MOST_WRITES {
            let count = self.writes.len();
            return Err(Error::internal(format!(
                "a transaction of {count} writes, expected at most {MOST_WRITES}"
            )));
        }
        // One record is as large as its kind may be, with little beside it: the end of a work, names, deletions.
        let sizes = self.writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let largest = sizes.max().unwrap_or_default();
        if self.bytes > MOST_BYTES && self.bytes - largest > BESIDE_BYTES {
            return Err(Error::TooLarge {
                kind: "what is written at once",
                bytes: self.bytes,
                most: MOST_BYTES,
            });
        }
        let writes = self.writes.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put(key, value),
            None => Write::Delete(key),
        });
        Ok((Txn { guards: self.guards, writes: writes.collect() }, self.unique))
    }

    /// The stored form of what may be stored at the key.
    fn encode(&self, record: &Record, key: &Bytes) -> Result<Bytes, Error> {
        self.check_readable(key)?;
        if key.len() > store::MAX_KEY_BYTES {
            return Err(Error::TooLarge { kind: "a name", bytes: key.len(), most: store::MAX_KEY_BYTES });
        }
        limits::check(&self.snapshot, record)?;
        match tables::encode_readable(record, key, &self.seal) {
            // What an earlier release let grow larger can still be changed, and shrink.
            Err(Error::TooLarge { kind, bytes, most }) => {
                let old = limits::find(&self.snapshot, record);
                let old = old.map(|old| tables::encode(&old, &self.seal)).transpose()?;
                match old {
                    Some(old) if old.len() >= bytes => tables::encode(record, &self.seal),
                    _ => Err(Error::TooLarge { kind, bytes, most }),
                }
            }
            encoded => encoded,
        }
    }

    /// A key at which there is a record that cannot be read stays taken.
    fn check_readable(&self, key: &Bytes) -> Result<(), Error> {
        match self.snapshot.unreadable_at(&tables::place(key)) {
            None => Ok(()),
            Some(_) => Err(Error::Conflict(
                "what is stored there cannot be read and is not written over: an operator has to repair it"
                    .into(),
            )),
        }
    }

    fn delete_unreadable_parts(&mut self, whole: &RecordKey) {
        let parts = self.snapshot.unreadable().filter(|each| each.is_part_of(whole));
        let keys: Vec<Bytes> = parts.map(|each| Bytes::from(each.place.as_bytes().to_vec())).collect();
        keys.into_iter().for_each(|key| self.write(key, None));
    }

    fn write(&mut self, key: Bytes, value: Option<Bytes>) {
        let size = |value: Option<&Bytes>| value.map_or(0, Bytes::len);
        self.bytes += key.len() + size(value.as_ref());
        let length = key.len();
        if let Some(old) = self.writes.insert(key, value) {
            self.bytes -= length + size(old.as_ref());
        }
    }

    fn guard_object(&mut self, record_key: &RecordKey, key: &Bytes) {
        if let RecordKey::Object(object_key) = record_key {
            self.guards.push(match self.snapshot.object(object_key) {
                Some(object) => Guard::Modified(key.clone(), Revision(object.revision)),
                None => Guard::Absent(key.clone()),
            });
        }
    }
}

/// The most that any transaction writes, and the most bytes of one with several writes. Every store takes both.
pub const MOST_WRITES: usize = 100;
pub const MOST_BYTES: usize = 1024 * 1024;
/// The most bytes beside one large record.
const BESIDE_BYTES: usize = 8 * 1024;
/// Where a step ends: what it must write beside what may be many finds room behind it.
const STEP_WRITES: usize = 80;
const STEP_BYTES: usize = 256 * 1024;
