//! Remembered group lists of one state of the directory. The owner starts a new memory whenever any
//! membership changes, so an entry is never older than the directory that it is read from.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::id::ObjectId;

#[derive(Debug)]
pub(super) struct Flattened {
    /// Split by id, so that readers on several threads seldom meet. A lock is held for one look-up only,
    /// and never by a writer of the directory.
    shards: [RwLock<HashMap<ObjectId, Arc<[ObjectId]>>>; SHARDS],
}

impl Default for Flattened {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl Flattened {
    pub(super) fn get_or_compute(
        &self,
        member: ObjectId,
        compute: impl FnOnce() -> Arc<[ObjectId]>,
    ) -> Arc<[ObjectId]> {
        let place = usize::from(member.uuid().as_bytes().last().copied().unwrap_or(0)) % SHARDS;
        let Some(shard) = self.shards.get(place) else { return compute() };
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&member) {
            return known.clone();
        }
        let groups = compute();
        let mut entries = shard.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= SHARD_ENTRIES {
            entries.clear();
        }
        entries.entry(member).or_insert(groups).clone()
    }
}

const SHARDS: usize = 16;
/// Bounds the memory: 16 x 4096 callers at a time are remembered.
const SHARD_ENTRIES: usize = 4096;
