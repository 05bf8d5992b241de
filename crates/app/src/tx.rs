//! The typed transaction on live records. Its body is synchronous: it sees one snapshot and yields guarded
//! writes, and may run again when the state has moved, so it has no side effects.
//!
//! Invariant: a transaction commits only if nothing that bears on access has changed since the snapshot
//! that it decided on. A right that was taken away before a write is committed is gone for that write.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use crypto::random::Random;
use domain::{
    azure::Access,
    change::{Record, RecordKey},
    decision::Reason,
    scope::Scope,
    snapshot::Snapshot,
};
use jiff::Timestamp;
use store::{Guard, Range, Revision, Txn, Write};

use crate::{Error, authorize, caller::Caller, sealed::Seal, tables};

/// What a transaction's body has made, once it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    pub value: T,
    /// The revision that the transaction took; of one that wrote nothing, the one that it looked at.
    pub revision: u64,
}

#[derive(Debug)]
pub struct Tx {
    snapshot: Arc<Snapshot>,
    now: Timestamp,
    guards: Vec<Guard>,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    unique: Vec<(&'static str, String)>,
    seal: Arc<Seal>,
    random: Arc<dyn Random>,
}

impl Tx {
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        now: Timestamp,
        seal: Arc<Seal>,
        random: Arc<dyn Random>,
    ) -> Self {
        let since = Revision(snapshot.revision());
        let guards = vec![Guard::Unchanged(Range::prefix(tables::ACCESS), since)];
        Self { snapshot, now, guards, writes: BTreeMap::new(), unique: Vec::new(), seal, random }
    }

    /// The state that this transaction builds on. Its own writes are not in it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A fresh random id for an object that this transaction makes (RFC 9562, version 4). An id that followed from a
    /// name would give what is made again under it the tokens of what was there before.
    pub(crate) fn new_uid(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(Error::internal)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// Refuses unless Azure RBAC gives the caller the control-plane `action` at `scope`.
    pub fn authorize(&self, caller: &Caller, action: &str, scope: &Scope) -> Result<Reason, Error> {
        authorize::control_plane(&self.snapshot, caller, action, scope, self.now)
    }

    /// As [`Tx::authorize`], for an access that carries attributes for conditions.
    pub fn authorize_access(&self, caller: &Caller, action: &str, access: &Access) -> Result<Reason, Error> {
        authorize::access(&self.snapshot, caller, action, access, self.now)
    }

    /// Refuses unless the caller administers the tenant's directory.
    pub fn require_administrator(&self, caller: &Caller, action: &str) -> Result<(), Error> {
        authorize::administrator(&self.snapshot, caller, action)
    }

    /// Writes a record that must not exist yet.
    pub fn create(&mut self, record: &Record) -> Result<(), Error> {
        let key = tables::key(&record.key());
        self.guards.push(Guard::Absent(key.clone()));
        self.write(key, Some(tables::encode(record, &self.seal)?));
        Ok(())
    }

    /// Writes a record, whether it exists or not. Where it bears on access, it is still as the snapshot has
    /// it; an object of a cluster is guarded by the revision that the snapshot has.
    pub fn put(&mut self, record: &Record) -> Result<(), Error> {
        let record_key = record.key();
        let key = tables::key(&record_key);
        self.guard_object(&record_key, &key);
        self.write(key, Some(tables::encode(record, &self.seal)?));
        Ok(())
    }

    pub fn delete(&mut self, record_key: &RecordKey) {
        let key = tables::key(record_key);
        self.guard_object(record_key, &key);
        self.write(key, None);
    }

    /// Takes a name of a kind (`upn`, `cluster`, ...) that only one record may have. The error of a name that
    /// is taken already is [`Error::AlreadyExists`].
    pub fn take_name(&mut self, kind: &'static str, name: &str) {
        let key = tables::unique_key(kind, name);
        if self.writes.get(&key) == Some(&None) {
            // Released by this very transaction: the write turns back, its name stays taken.
            self.writes.remove(&key);
            return;
        }
        self.unique.push((kind, name.to_owned()));
        self.guards.push(Guard::Absent(key.clone()));
        self.write(key, Some(Bytes::new()));
    }

    /// Gives a name free again.
    pub fn release_name(&mut self, kind: &'static str, name: &str) {
        self.write(tables::unique_key(kind, name), None);
    }

    pub(crate) fn finish(self) -> (Txn, Vec<(&'static str, String)>) {
        let writes = self.writes.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put(key, value),
            None => Write::Delete(key),
        });
        (Txn { guards: self.guards, writes: writes.collect() }, self.unique)
    }

    fn write(&mut self, key: Bytes, value: Option<Bytes>) {
        self.writes.insert(key, value);
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
