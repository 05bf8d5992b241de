//! Azure RBAC: role definitions, assignments and deny assignments at scopes, and the decision over them.
//!
//! ```text
//! caller + scope ──► found.rs: chain of scopes (hierarchy.rs) x assignments (index.rs)   remembered: memo.rs
//!                        │
//! actions + attributes ──► decide: deny assignments, then roles (compiled.rs) and conditions ──► reason.rs
//! ```
//!
//! Kubernetes requests become such questions in [`kubernetes`]. Here is no rule about who may write a role
//! assignment: that is a decision like any other, asked by who writes.

mod actions;
mod builtin;
mod compiled;
mod decide;
mod denies;
mod found;
mod hash;
mod hierarchy;
mod index;
pub mod kubernetes;
mod list;
mod memo;
mod operations;
mod reason;
mod roles;
pub(crate) mod text;

use std::sync::Arc;

use imbl::HashMap;

pub use actions::{Action, Plane};
pub use builtin::BuiltIn;
pub use decide::{Access, Attributes};
pub use hierarchy::{ManagementGroup, management_group_scope};
pub use list::Held;
pub use operations::{KnownResource, Operations};
pub use reason::{Grant, Lack, Reason, Refusal};

use crate::{
    assignment::{DenyAssignment, RoleAssignment},
    id::{AssignmentId, ObjectId, RoleId, SubscriptionId},
    name::ResourceName,
    role::{RoleDefinition, RoleKind},
    scope::ScopeError,
};
use actions::KnownActions;
use denies::Denies;
use hierarchy::Hierarchy;
use index::Index;
use memo::{Mark, Memo};
use roles::Roles;

/// Everything of one tenant that Azure RBAC decides by. A copy costs a few counters and shares everything
/// with the original until one of them is changed.
#[derive(Clone, Debug)]
pub struct Policy {
    known: Arc<KnownActions>,
    roles: Roles,
    assignments: HashMap<AssignmentId, Arc<RoleAssignment>>,
    index: Index,
    denies: Denies,
    hierarchy: Hierarchy,
    memo: Arc<Memo>,
    /// Renewed by every change of what is decided by.
    mark: Mark,
}

/// Who asks: an object of the directory and all groups that it is in, nested ones included.
#[derive(Clone, Debug)]
pub struct Caller {
    pub object_id: ObjectId,
    pub groups: Arc<[ObjectId]>,
}

/// The outcome of [`Policy::fold`], to be handed to [`Policy::adopt`].
#[derive(Debug)]
pub struct Folded(index::Folded);

impl Policy {
    /// With the built-in roles and nothing else.
    pub fn new(built_in: &BuiltIn, operations: &Operations) -> Self {
        let known = Arc::new(KnownActions::collect(operations, built_in.roles()));
        let mut roles = Roles::default();
        for role in built_in.roles() {
            roles.put(role.clone(), &known);
        }
        Self {
            known,
            roles,
            assignments: HashMap::new(),
            index: Index::default(),
            denies: Denies::default(),
            hierarchy: Hierarchy::default(),
            memo: Arc::default(),
            mark: Arc::default(),
        }
    }

    /// Makes or replaces a custom role. Returns `false`, and changes nothing, where a built-in role has that
    /// id.
    pub fn put_role(&mut self, role: RoleDefinition) -> bool {
        if self.is_built_in(role.id) {
            return false;
        }
        self.roles.put(Arc::new(role), &self.known);
        self.changed();
        true
    }

    /// Assignments of a role that is gone grant nothing. Built-in roles stay.
    pub fn remove_role(&mut self, id: RoleId) -> Option<Arc<RoleDefinition>> {
        if self.is_built_in(id) {
            return None;
        }
        let role = self.roles.remove(id)?;
        self.changed();
        Some(role)
    }

    pub fn put_assignment(&mut self, assignment: RoleAssignment) {
        let assignment = Arc::new(self.with_kept_scope(assignment));
        self.assignments.insert(assignment.id, assignment.clone());
        self.index.put(assignment);
        self.changed();
        if self.index.pending() > PENDING_LIMIT.max(self.index.folded_len() / 4) {
            let folded = self.fold();
            self.adopt(&folded);
        }
    }

    /// Many at once, folded in place: for reading a whole state, where one fold is cheaper than many changes.
    pub fn put_assignments(&mut self, assignments: impl IntoIterator<Item = RoleAssignment>) {
        let mut scopes = std::collections::HashMap::new();
        for mut assignment in assignments {
            let scope: &crate::scope::Scope =
                scopes.entry(assignment.scope.clone()).or_insert_with(|| assignment.scope.clone());
            if scope.as_str() == assignment.scope.as_str() {
                assignment.scope = scope.clone();
            }
            self.assignments.insert(assignment.id, Arc::new(assignment));
        }
        self.index.replace(self.assignments.values().cloned().collect());
        self.changed();
    }

    pub fn remove_assignment(&mut self, id: AssignmentId) -> Option<Arc<RoleAssignment>> {
        let assignment = self.assignments.remove(&id)?;
        self.index.remove(id);
        self.changed();
        Some(assignment)
    }

    pub fn put_deny(&mut self, deny: DenyAssignment) {
        self.denies.put(deny, &self.known);
        self.changed();
    }

    pub fn remove_deny(&mut self, id: AssignmentId) -> Option<Arc<DenyAssignment>> {
        let deny = self.denies.remove(id)?;
        self.changed();
        Some(deny)
    }

    pub fn put_management_group(&mut self, group: ManagementGroup) -> Result<(), ScopeError> {
        self.hierarchy.put_group(group)?;
        self.changed();
        Ok(())
    }

    /// What was in it stays placed under its name, and so under the root.
    pub fn remove_management_group(&mut self, name: &ResourceName) -> bool {
        let removed = self.hierarchy.remove_group(name);
        self.changed();
        removed
    }

    /// Puts a subscription into a management group instead of under the root.
    pub fn place_subscription(&mut self, id: SubscriptionId, group: &ResourceName) -> Result<(), ScopeError> {
        self.hierarchy.place_subscription(id, group)?;
        self.changed();
        Ok(())
    }

    /// Puts a subscription back under the root.
    pub fn unplace_subscription(&mut self, id: SubscriptionId) -> bool {
        let removed = self.hierarchy.take_out_subscription(id);
        self.changed();
        removed
    }

    /// Whether so many changes wait beside the index's base that decisions begin to feel them.
    pub fn needs_fold(&self) -> bool {
        self.index.pending() >= PENDING_WANTED
    }

    /// Makes an index with all changes in its base. It takes time with the number of assignments (about a
    /// second for ten million), so call it where nobody waits, on a copy, and hand the outcome to the newest
    /// state's [`Policy::adopt`].
    pub fn fold(&self) -> Folded {
        Folded(self.index.fold())
    }

    /// Takes over a fold of an earlier state; the changes since are kept. No decision changes by it. Returns
    /// `false`, and changes nothing, if the fold is of another history.
    pub fn adopt(&mut self, folded: &Folded) -> bool {
        self.index.adopt(&folded.0)
    }

    /// Bytes that the index takes beyond the assignments themselves, and how many assignments it holds.
    pub fn index_size(&self) -> (usize, usize) {
        (self.index.bytes(), self.index.folded_len())
    }

    fn is_built_in(&self, id: RoleId) -> bool {
        self.roles.definition(id).is_some_and(|role| role.kind == RoleKind::BuiltIn)
    }

    /// Equal scopes share their memory.
    fn with_kept_scope(&self, mut assignment: RoleAssignment) -> RoleAssignment {
        if let Some(scope) = self.index.kept_scope(&assignment.scope) {
            assignment.scope = scope.clone();
        }
        assignment
    }

    /// Whatever was remembered of this state is not of the next.
    fn changed(&mut self) {
        self.mark = Mark::default();
    }
}

impl Caller {
    pub fn new(object_id: ObjectId, groups: Arc<[ObjectId]>) -> Self {
        Self { object_id, groups }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.object_id == other.object_id
            && (Arc::ptr_eq(&self.groups, &other.groups) || self.groups == other.groups)
    }
}

/// From here on a fold is worth its time.
const PENDING_WANTED: usize = 1024;
/// Beyond this, or a quarter of the base, a write folds by itself: nobody else did.
const PENDING_LIMIT: usize = 16_384;

#[cfg(test)]
mod tests;
