//! Everything at a scope and above it that concerns one caller, before any action is looked at.

use std::sync::Arc;

use super::{
    Caller, Policy,
    compiled::CompiledPermissions,
    index::{Candidate, Wanted},
};
use crate::{assignment::DenyAssignment, id::ObjectId, scope::Scope};

/// Of one state of a policy, and read with that state only.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is looked at for a grant, in this order: without a condition first, then the nearest scope, then
    /// the caller's own, then by group. The first that grants an action is the one to name.
    pub(super) grants: Vec<Candidate>,
    pub(super) denies: Vec<FoundDeny>,
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
    pub(super) fn look_up(policy: &Policy, caller: &Caller, scope: &Scope) -> Self {
        let wanted = Wanted::new(caller.object_id, &caller.groups);
        let mut found = Self { grants: Vec::with_capacity(USUAL_GRANTS), denies: Vec::new() };
        let chain = policy.hierarchy.chain(scope);
        policy.index.find(&chain, &wanted, |candidate| found.grants.push(candidate));
        let order =
            |candidate: &Candidate| (candidate.role.has_condition(), candidate.depth, candidate.place);
        found.grants.sort_unstable_by_key(order);
        // By id among those that say the same, so that always the same one is named. The ids are far away in memory,
        // and seldom needed.
        for same in found.grants.chunk_by_mut(|one, other| order(one) == order(other)) {
            if same.len() > 1 {
                same.sort_by_cached_key(|candidate| {
                    let principal = caller.principal_at(candidate.place);
                    let named = principal.and_then(|principal| policy.index.confirm(candidate, principal));
                    named.map(|(assignment, _)| assignment)
                });
            }
        }
        for (depth, text) in chain.into_iter().enumerate() {
            for deny in policy.denies.at(text) {
                if (depth == 0 || !deny.definition.does_not_apply_to_children)
                    && let Some(through) = through(&deny.definition, caller)
                {
                    found.denies.push(FoundDeny { deny: deny.clone(), through });
                }
            }
        }
        found
    }
}

/// How a deny assignment reaches a caller: `Some(None)` by the caller's own id or because everyone is meant.
fn through(deny: &DenyAssignment, caller: &Caller) -> Option<Option<ObjectId>> {
    let is_caller =
        |principal: &ObjectId| *principal == caller.object_id || caller.groups.contains(principal);
    if deny.exclude_principals.iter().any(is_caller) {
        return None;
    }
    if deny.everyone || deny.principals.contains(&caller.object_id) {
        return Some(None);
    }
    deny.principals.iter().find(|principal| caller.groups.contains(principal)).map(|group| Some(*group))
}

const USUAL_GRANTS: usize = 16;
