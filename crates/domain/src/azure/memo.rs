//! What was found for a caller at a scope, remembered. All copies of a policy share one memory; each entry
//! carries the mark of the very state it was found in, so that it is never read by another state.

use std::sync::{Arc, RwLock};

use super::{Caller, found::Found, hash};
use crate::scope::Scope;

/// Stands for one state of a policy. Compared by identity; entries hold it, so that it is not reused.
pub(super) type Mark = Arc<()>;

#[derive(Debug, Default)]
pub(super) struct Memo {
    shards: [RwLock<Vec<Option<Arc<Entry>>>>; SHARDS],
}

#[derive(Debug)]
pub(super) struct Entry {
    mark: Mark,
    caller: Caller,
    scope: Scope,
    pub(super) found: Found,
}

impl Memo {
    /// Never waits: where another thread is just writing, nothing is known.
    pub(super) fn get(&self, mark: &Mark, caller: &Caller, scope: &Scope) -> Option<Arc<Entry>> {
        let (shard, place) = place(caller, scope);
        let slots = self.shards.get(shard)?.try_read().ok()?;
        let entry = slots.get(place)?.as_ref()?;
        (Arc::ptr_eq(&entry.mark, mark) && entry.scope == *scope && entry.caller.is_same(caller))
            .then(|| entry.clone())
    }

    /// Remembers in the place of whatever was there; forgets instead of waiting.
    pub(super) fn put(&self, mark: &Mark, caller: &Caller, scope: &Scope, found: Found) -> Arc<Entry> {
        let entry =
            Arc::new(Entry { mark: mark.clone(), caller: caller.clone(), scope: scope.clone(), found });
        let (shard, place) = place(caller, scope);
        let slots = self.shards.get(shard).and_then(|shard| shard.try_write().ok());
        let before = slots.and_then(|mut slots| {
            if slots.is_empty() {
                slots.resize(SLOTS, None);
            }
            slots.get_mut(place).and_then(|slot| slot.replace(entry.clone()))
        });
        drop(before);
        entry
    }
}

fn place(caller: &Caller, scope: &Scope) -> (usize, usize) {
    let hash = hash::mix(hash::of_object(caller.object_id), hash::of_text(scope.folded()));
    (hash as usize % SHARDS, (hash >> 32) as usize % SLOTS)
}

const SHARDS: usize = 16;
/// Bounds the memory: 16 x 4096 pairs of caller and scope are remembered.
const SLOTS: usize = 4096;
