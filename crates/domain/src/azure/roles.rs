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
    by_id: FastMap<RoleId, Arc<CompiledRole>>,
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
        self.by_id.insert(role.definition.id, role);
    }

    pub(super) fn remove(&mut self, id: RoleId) {
        if self.by_id.remove(&id).is_some() {
            Arc::make_mut(&mut self.narrow_to_wide).retain(|each| each.definition.id != id);
        }
    }

    pub(super) fn compiled(&self, id: RoleId) -> Option<&Arc<CompiledRole>> {
        self.by_id.get(&id)
    }

    pub(super) fn definition(&self, id: RoleId) -> Option<&Arc<RoleDefinition>> {
        Some(&self.by_id.get(&id)?.definition)
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
