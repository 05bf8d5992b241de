//! What was found for a caller at a scope, remembered. All copies of a policy share one memory; each entry
//! carries the mark of the very state it was found in, so that it is never read by another state.

use std::sync::Arc;

use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{Caller, found::Found, hash};
use crate::scope::Scope;

/// Stands for one state of a policy. Compared by identity; entries hold it, so that it is not reused.
pub(super) type PolicyVersion = Arc<()>;

#[derive(Debug)]
pub(super) struct Memo(Cache<u64, Arc<Entry>, UnitWeighter, hash::TableState>);

impl Default for Memo {
    fn default() -> Self {
        let lifecycle = DefaultLifecycle::default();
        Self(Cache::with(MOST, MOST as u64, UnitWeighter, hash::TableState::default(), lifecycle))
    }
}

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
        let entry = self.0.try_get(&spot.0).ok()??;
        let is_it = Arc::ptr_eq(&entry.mark, mark) && entry.scope == *scope && entry.caller.is_same(caller);
        is_it.then_some(entry)
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
        // Not kept where another thread is just writing.
        drop(self.0.try_insert(spot.0, entry.clone()));
        entry
    }
}

/// Bounds the memory: pairs of caller and scope that are remembered.
const MOST: usize = 65_536;
