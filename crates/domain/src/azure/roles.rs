//! The role definitions of a policy, compiled, by id and from narrow to wide.

use std::sync::Arc;

use super::{
    actions::{Action, KnownActions},
    compiled::CompiledRole,
    hash::FastMap,
};
use crate::{
    id::RoleId,
    role::{RoleDefinition, RoleKind},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    /// A number for every role that was ever defined or assigned; never given to another one, so that the
    /// index may hold it while roles come and go.
    slots: FastMap<RoleId, u32>,
    by_slot: Arc<Vec<Option<Arc<CompiledRole>>>>,
    /// By the number of known actions, then built-in before custom, then by name.
    narrow_to_wide: Arc<Vec<Arc<CompiledRole>>>,
}

impl Roles {
    pub(super) fn put(&mut self, definition: Arc<RoleDefinition>, known: &KnownActions) {
        self.remove(definition.id);
        let role = Arc::new(CompiledRole::compile(definition, known));
        let list = Arc::make_mut(&mut self.narrow_to_wide);
        let place = list.partition_point(|each| rank(each) <= rank(&role));
        list.insert(place, role.clone());
        let slot = self.slot(role.definition.id) as usize;
        if let Some(place) = Arc::make_mut(&mut self.by_slot).get_mut(slot) {
            *place = Some(role);
        }
    }

    pub(super) fn remove(&mut self, id: RoleId) {
        let Some(slot) = self.slots.get(&id) else { return };
        if let Some(place) = Arc::make_mut(&mut self.by_slot).get_mut(*slot as usize) {
            *place = None;
            Arc::make_mut(&mut self.narrow_to_wide).retain(|each| each.definition.id != id);
        }
    }

    /// The slot of a role, taken for it now if it has none.
    pub(super) fn slot(&mut self, id: RoleId) -> u32 {
        if let Some(slot) = self.slots.get(&id) {
            return *slot;
        }
        let by_slot = Arc::make_mut(&mut self.by_slot);
        // Invariant: fewer than 2^31 roles, as memory allows.
        let slot = u32::try_from(by_slot.len()).unwrap_or(u32::MAX);
        by_slot.push(None);
        self.slots.insert(id, slot);
        slot
    }

    pub(super) fn compiled(&self, slot: u32) -> Option<&CompiledRole> {
        self.by_slot.get(slot as usize)?.as_deref()
    }

    pub(super) fn by_id(&self, id: RoleId) -> Option<&CompiledRole> {
        self.compiled(*self.slots.get(&id)?)
    }

    pub(super) fn definition(&self, id: RoleId) -> Option<&Arc<RoleDefinition>> {
        Some(&self.by_id(id)?.definition)
    }

    pub(super) fn definitions(&self) -> impl Iterator<Item = &Arc<RoleDefinition>> {
        self.narrow_to_wide.iter().map(|role| &role.definition)
    }

    /// Roles that grant all these actions, the narrowest first.
    pub(super) fn granting(
        &self,
        actions: &[(&Action, Option<u32>)],
    ) -> impl Iterator<Item = &Arc<RoleDefinition>> {
        self.narrow_to_wide
            .iter()
            .filter(|role| actions.iter().all(|(action, number)| role.permissions.names(action, *number)))
            .map(|role| &role.definition)
    }
}

fn rank(role: &CompiledRole) -> (usize, bool, &str) {
    (role.breadth, role.definition.kind == RoleKind::Custom, &role.definition.name)
}
