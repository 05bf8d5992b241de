//! The deny assignments of a policy. They are few, so plain persistent maps serve.

use std::sync::Arc;

use imbl::HashMap;

use super::{
    actions::KnownActions,
    compiled::CompiledPermissions,
    found::CompiledDeny,
    hash::{self, FastMap},
};
use crate::{assignment::DenyAssignment, id::AssignmentId};

#[derive(Clone, Debug, Default)]
pub(super) struct Denies {
    by_id: HashMap<AssignmentId, Arc<CompiledDeny>>,
    /// By the hash of the folded scope; entries of scopes with the same hash are told apart when read.
    by_scope: FastMap<u64, Vec<Arc<CompiledDeny>>>,
}

impl Denies {
    pub(super) fn put(&mut self, definition: DenyAssignment, known: &KnownActions) {
        self.remove(definition.id);
        let permissions = CompiledPermissions::compile(&definition.permissions, known);
        let deny = Arc::new(CompiledDeny { definition: Arc::new(definition), permissions });
        let key = hash::of_text(deny.definition.scope.folded());
        self.by_scope.entry(key).or_default().push(deny.clone());
        self.by_id.insert(deny.definition.id, deny);
    }

    pub(super) fn remove(&mut self, id: AssignmentId) {
        let Some(deny) = self.by_id.remove(&id) else { return };
        let key = hash::of_text(deny.definition.scope.folded());
        if let Some(list) = self.by_scope.get_mut(&key) {
            list.retain(|each| each.definition.id != id);
            if list.is_empty() {
                self.by_scope.remove(&key);
            }
        }
    }

    /// Those at exactly this scope, in folded form.
    pub(super) fn at(&self, scope: &str) -> impl Iterator<Item = &Arc<CompiledDeny>> {
        let list = if self.by_scope.is_empty() { None } else { self.by_scope.get(&hash::of_text(scope)) };
        list.into_iter().flatten().filter(move |deny| deny.definition.scope.folded() == scope)
    }

    pub(super) fn find(&self, id: AssignmentId) -> Option<&Arc<DenyAssignment>> {
        Some(&self.by_id.get(&id)?.definition)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<DenyAssignment>> {
        self.by_id.values().map(|deny| &deny.definition)
    }
}
