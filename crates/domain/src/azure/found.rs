//! Everything at a scope and above it that concerns one caller, before any action is looked at.

use std::sync::Arc;

use super::{
    Policy,
    compiled::{CompiledPermissions, CompiledRole},
    index::Wanted,
};
use crate::{
    assignment::{DenyAssignment, RoleAssignment},
    id::ObjectId,
    scope::Scope,
};

#[derive(Debug, Default)]
pub(super) struct Found {
    /// Without a condition first, then the nearest scope, then the caller's own, then by id: the first that
    /// grants an action is the one to name.
    pub(super) grants: Vec<FoundGrant>,
    pub(super) denies: Vec<FoundDeny>,
}

#[derive(Debug)]
pub(super) struct FoundGrant {
    pub(super) assignment: Arc<RoleAssignment>,
    pub(super) role: Arc<CompiledRole>,
    /// The group that holds it; `None`: the caller.
    pub(super) through: Option<ObjectId>,
}

#[derive(Debug)]
pub(super) struct FoundDeny {
    pub(super) deny: Arc<CompiledDeny>,
    /// The group that it names; `None`: the caller, or everyone.
    pub(super) through: Option<ObjectId>,
}

#[derive(Debug)]
pub(super) struct CompiledDeny {
    pub(super) definition: Arc<DenyAssignment>,
    pub(super) permissions: CompiledPermissions,
}

impl Found {
    /// An assignment of a role that does not exist grants nothing and is left out.
    pub(super) fn look_up(policy: &Policy, object_id: ObjectId, groups: &[ObjectId], scope: &Scope) -> Self {
        let wanted = Wanted::new(object_id, groups);
        let mut ranked = Vec::new();
        let mut denies = Vec::new();
        for (depth, text) in policy.hierarchy.chain(scope).into_iter().enumerate() {
            policy.index.find(text, &wanted, |assignment, place| {
                if let Some(role) = policy.roles.compiled(assignment.role) {
                    let rank = (assignment.condition.is_some(), depth, place != 0, assignment.id);
                    ranked.push((rank, assignment.clone(), role.clone(), place));
                }
            });
            let concerned = policy
                .denies
                .at(text)
                .filter(|deny| depth == 0 || !deny.definition.does_not_apply_to_children);
            for deny in concerned {
                if let Some(through) = through(&deny.definition, object_id, groups) {
                    denies.push(FoundDeny { deny: deny.clone(), through });
                }
            }
        }
        ranked.sort_unstable_by_key(|(rank, ..)| *rank);
        let grants = ranked.into_iter().map(|(_, assignment, role, place)| FoundGrant {
            assignment,
            role,
            through: if place == 0 { None } else { wanted.id(place) },
        });
        Self { grants: grants.collect(), denies }
    }
}

/// How a deny assignment reaches a caller: `Some(None)` by the caller's own id or because everyone is meant.
fn through(deny: &DenyAssignment, object_id: ObjectId, groups: &[ObjectId]) -> Option<Option<ObjectId>> {
    let is_caller = |principal: &ObjectId| *principal == object_id || groups.contains(principal);
    if deny.exclude_principals.iter().any(is_caller) {
        return None;
    }
    if deny.everyone || deny.principals.contains(&object_id) {
        return Some(None);
    }
    deny.principals.iter().find(|principal| groups.contains(principal)).map(|group| Some(*group))
}
