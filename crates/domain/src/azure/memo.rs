//! What was found for a caller at a scope, remembered. All copies of a policy share one memory; each entry
//! carries the mark of the very state it was found in, so that it is never read by another state.

use std::sync::{Arc, RwLock};

use super::{Caller, found::Found, hash};
use crate::scope::Scope;

/// Stands for one state of a policy. Compared by identity; entries hold it, so that it is not reused.
pub(super) type PolicyVersion = Arc<()>;

#[derive(Debug, Default)]
pub(super) struct Memo {
    shards: [RwLock<Vec<Option<Slot>>>; SHARDS],
}

/// An entry beside the hash that it is kept by: another one's is known as such without being read.
type Slot = (u64, Arc<Entry>);

#[derive(Debug)]
pub(super) struct Entry {
    mark: PolicyVersion,
    caller: Caller,
    scope: Scope,
    pub(super) found: Found,
}

/// Where a caller and a scope are remembered, if they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoKey(u64);

impl MemoKey {
    fn shard(self) -> usize {
        self.0 as usize % SHARDS
    }

    fn slot(self) -> usize {
        (self.0 >> 32) as usize % SLOTS
    }
}

impl Memo {
    pub(super) fn spot(&self, caller: &Caller, scope: &Scope) -> MemoKey {
        MemoKey(hash::of_object_and_text(caller.object_id, scope.folded()))
    }

    /// Never waits: where another thread is just writing, nothing is known.
    pub(super) fn get(
        &self,
        spot: MemoKey,
        mark: &PolicyVersion,
        caller: &Caller,
        scope: &Scope,
    ) -> Option<Arc<Entry>> {
        let slots = self.shards.get(spot.shard())?.try_read().ok()?;
        let (_, entry) = slots.get(spot.slot())?.as_ref().filter(|(hash, _)| *hash == spot.0)?;
        (Arc::ptr_eq(&entry.mark, mark) && entry.scope == *scope && entry.caller.is_same(caller))
            .then(|| entry.clone())
    }

    /// Remembers in the place of whatever was there; forgets instead of waiting.
    pub(super) fn put(
        &self,
        spot: MemoKey,
        mark: &PolicyVersion,
        caller: &Caller,
        scope: &Scope,
        found: Found,
    ) -> Arc<Entry> {
        let entry =
            Arc::new(Entry { mark: mark.clone(), caller: caller.clone(), scope: scope.clone(), found });
        let slots = self.shards.get(spot.shard()).and_then(|shard| shard.try_write().ok());
        let before = slots.and_then(|mut slots| {
            if slots.is_empty() {
                slots.resize(SLOTS, None);
            }
            slots.get_mut(spot.slot()).and_then(|slot| slot.replace((spot.0, entry.clone())))
        });
        drop(before);
        entry
    }
}

const SHARDS: usize = 16;
/// Bounds the memory: 16 x 4096 pairs of caller and scope are remembered.
const SLOTS: usize = 4096;
