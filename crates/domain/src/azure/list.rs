//! Look-ups for listings and explanations. They may take time with the size of the policy; decisions do not
//! use them.

use std::{collections::BTreeSet, sync::Arc};

use super::{Action, Caller, Policy, found::Found, index::Candidate};
use crate::{
    assignment::{DenyAssignment, RoleAssignment},
    id::{AssignmentId, ObjectId, RoleId},
    role::{Permission, RoleDefinition},
    scope::{Scope, ScopeKind},
};

/// A role that a caller holds at a scope.
#[derive(Clone, Debug)]
pub struct Held {
    pub assignment: Arc<RoleAssignment>,
    pub role: Arc<RoleDefinition>,
    /// The group that holds it; `None`: the caller.
    pub through: Option<ObjectId>,
}

impl Policy {
    pub fn role(&self, id: RoleId) -> Option<&Arc<RoleDefinition>> {
        self.roles.definition(id)
    }

    /// Built-in and custom.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<RoleDefinition>> {
        self.roles.definitions()
    }

    /// Compared without regard to case.
    pub fn role_named(&self, name: &str) -> Option<&Arc<RoleDefinition>> {
        self.roles().find(|role| role.is_named(name))
    }

    /// Whether a role may be assigned at a scope: one of its assignable scopes is that scope or above it.
    pub fn is_assignable(&self, role: &RoleDefinition, scope: &Scope) -> bool {
        let within = |above: &Scope| above.contains(scope) || self.is_below(scope, above);
        role.assignable_scopes.iter().any(within)
    }

    pub fn assignment(&self, id: AssignmentId) -> Option<&Arc<RoleAssignment>> {
        self.assignments.get(&id)
    }

    /// In no order.
    pub fn assignments(&self) -> impl Iterator<Item = &Arc<RoleAssignment>> {
        self.assignments.values()
    }

    /// At exactly this scope.
    pub fn assignments_at(&self, scope: &Scope) -> Vec<Arc<RoleAssignment>> {
        self.at(scope.folded()).cloned().collect()
    }

    /// At this scope and above it: what counts there. The nearest first.
    pub fn assignments_at_or_above(&self, scope: &Scope) -> Vec<Arc<RoleAssignment>> {
        self.hierarchy.chain(scope).into_iter().flat_map(|text| self.at(text)).cloned().collect()
    }

    /// At this scope and everywhere below it, in the order of the scopes.
    pub fn assignments_at_or_below(&self, scope: &Scope) -> Vec<Arc<RoleAssignment>> {
        let by_text = !matches!(scope.kind(), ScopeKind::ManagementGroup);
        let is_within = |each: &&Scope| scope.contains(each) || (!by_text && self.is_below(each, scope));
        let scopes: BTreeSet<&str> = self.index.scopes().filter(is_within).map(Scope::folded).collect();
        scopes.into_iter().flat_map(|text| self.at(text)).cloned().collect()
    }

    /// Of exactly this principal, wherever. Looks at every assignment.
    pub fn assignments_of(&self, principal: ObjectId) -> Vec<Arc<RoleAssignment>> {
        self.assignments.values().filter(|each| each.principal == principal).cloned().collect()
    }

    pub fn deny(&self, id: AssignmentId) -> Option<&Arc<DenyAssignment>> {
        self.denies.find(id)
    }

    /// In no order.
    pub fn denies(&self) -> impl Iterator<Item = &Arc<DenyAssignment>> {
        self.denies.all()
    }

    /// Whether one scope is the other or below it, management groups considered.
    pub fn is_below(&self, scope: &Scope, above: &Scope) -> bool {
        self.hierarchy.is_below(scope, above)
    }

    /// Every role that the caller holds at a scope or above it, those with a condition included.
    pub fn held(&self, caller: &Caller, scope: &Scope) -> Vec<Held> {
        let held = |candidate: &Candidate| {
            let principal = caller.principal_at(candidate.place)?;
            let (assignment, _) = self.index.confirm(candidate, principal)?;
            Some(Held {
                assignment: self.assignments.get(&assignment)?.clone(),
                role: self.roles.compiled(candidate.role.slot())?.definition.clone(),
                through: (candidate.place != 0).then_some(principal),
            })
        };
        Found::look_up(self, caller, scope).grants.iter().filter_map(held).collect()
    }

    /// The permissions of every role that the caller holds there, each role once: what ARM's list of
    /// permissions shows. Conditions and deny assignments are not taken off.
    pub fn permissions(&self, caller: &Caller, scope: &Scope) -> Vec<Permission> {
        let mut seen = BTreeSet::new();
        let held = self.held(caller, scope).into_iter().map(|held| held.role);
        held.filter(|role| seen.insert(role.id)).flat_map(|role| role.permissions.clone()).collect()
    }

    /// The assignments that grant an action at a scope, to whomever; their conditions and deny assignments
    /// are not taken off.
    pub fn who_can(&self, action: &Action, scope: &Scope) -> Vec<Arc<RoleAssignment>> {
        let number = self.known.number(action);
        let mut granting = self.assignments_at_or_above(scope);
        granting.retain(|assignment| {
            self.roles.by_id(assignment.role).is_some_and(|role| role.permissions.names(action, number))
        });
        granting
    }

    /// The assignments at exactly this scope, in folded form.
    fn at(&self, scope: &str) -> impl Iterator<Item = &Arc<RoleAssignment>> {
        self.index.at(scope).filter_map(|id| self.assignments.get(&id))
    }
}
