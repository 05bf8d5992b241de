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
mod providers;
mod reason;
mod roles;
pub(crate) mod text;
mod whole;

use std::sync::Arc;

use imbl::HashMap;

pub use actions::{Action, Plane};
pub use builtin::BuiltIn;
pub use decide::{Access, Attributes};
pub use hierarchy::ManagementGroup;
pub use list::Held;
pub use operations::{KnownResource, Operations};
pub use providers::is_known_provider;
pub use reason::{Grant, MissingPermission, Reason, Refusal, UnmetCondition};
pub use whole::role_grants_whole;

use crate::{
    assignment::{DenyAssignment, RoleAssignment},
    id::{AssignmentId, ObjectId, RoleId, SubscriptionId},
    name::ResourceName,
    role::{RoleDefinition, RoleKind},
    scope::Scope,
    unreadable::UndecidedByDamage,
};
use actions::KnownActions;
use denies::Denies;
use hierarchy::Hierarchy;
use index::{Index, RoleTag, Row};
use memo::{Memo, PolicyVersion};
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
    mark: PolicyVersion,
    /// Absent: everything could be read.
    doubt: Option<Arc<UndecidedByDamage>>,
}

/// Who asks: an object of the directory and all groups that it is in, nested ones included.
#[derive(Clone, Debug)]
pub struct Caller {
    pub object_id: ObjectId,
    pub groups: Arc<[ObjectId]>,
}

/// The outcome of [`Policy::prepare_fold`], to be handed to [`Policy::adopt`].
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
            doubt: None,
        }
    }

    /// Makes or replaces a custom role. Changes nothing where a built-in role has that id.
    pub fn put_role(&mut self, role: RoleDefinition) {
        if !self.is_built_in(role.id) {
            self.roles.put(Arc::new(role), &self.known);
            self.changed();
        }
    }

    /// Assignments of a role that is gone grant nothing. Built-in roles stay.
    pub fn remove_role(&mut self, id: RoleId) {
        if !self.is_built_in(id) {
            self.roles.remove(id);
            self.changed();
        }
    }

    /// Makes or replaces.
    pub fn put_assignment(&mut self, assignment: RoleAssignment) {
        let assignment = self.with_kept_scope(assignment);
        let row = self.row(&assignment);
        self.index.put(&assignment.scope, row);
        self.assignments.insert(assignment.id, Arc::new(assignment));
        self.changed();
        if self.index.pending() > PENDING_LIMIT.max(self.index.folded_len() / 4) {
            self.fold();
        }
    }

    /// Many at once, folded in place: for reading a whole state, where one fold is cheaper than many changes.
    pub fn put_assignments(&mut self, assignments: impl IntoIterator<Item = RoleAssignment>) {
        let mut scopes = std::collections::HashMap::new();
        for mut assignment in assignments {
            let scope: &Scope =
                scopes.entry(assignment.scope.clone()).or_insert_with(|| assignment.scope.clone());
            if scope.as_str() == assignment.scope.as_str() {
                assignment.scope = scope.clone();
            }
            self.assignments.insert(assignment.id, Arc::new(assignment));
        }
        let all: Vec<_> = self.assignments.values().cloned().collect();
        let rows: Vec<_> = all.iter().map(|each| (each.scope.clone(), self.row(each))).collect();
        self.index.replace(rows);
        self.changed();
    }

    pub fn remove_assignment(&mut self, id: AssignmentId) {
        if self.assignments.remove(&id).is_some() {
            self.index.remove(id);
            self.changed();
        }
    }

    /// Makes or replaces.
    pub fn put_deny(&mut self, deny: DenyAssignment) {
        self.denies.put(deny, &self.known);
        self.changed();
    }

    pub fn remove_deny(&mut self, id: AssignmentId) {
        self.denies.remove(id);
        self.changed();
    }

    /// Makes or replaces.
    pub fn put_management_group(&mut self, group: ManagementGroup) {
        self.hierarchy.put(group);
        self.changed();
    }

    /// What was in it hangs under the root from now on. The name is compared without regard to case.
    pub fn remove_management_group(&mut self, name: &str) {
        self.hierarchy.remove(name);
        self.changed();
    }

    /// Says which management group a subscription is in that no group names.
    pub fn put_subscription(&mut self, id: SubscriptionId, root: &ResourceName) {
        self.hierarchy.put_subscription(id, root);
        self.changed();
    }

    pub fn remove_subscription(&mut self, id: SubscriptionId) {
        self.hierarchy.remove_subscription(id);
        self.changed();
    }

    /// Says what is refused because a record cannot be read that might refuse it.
    pub fn set_doubt(&mut self, doubt: UndecidedByDamage) {
        self.doubt = (!doubt.is_empty()).then(|| Arc::new(doubt));
    }

    /// Whether nothing may be allowed to the caller at the scope, as a refusal could not be read.
    fn is_in_doubt(&self, caller: &Caller, scope: &Scope) -> bool {
        let Some(doubt) = &self.doubt else { return false };
        let names = |id: &ObjectId| doubt.principals.contains(id);
        names(&caller.object_id)
            || caller.groups.iter().any(names)
            || doubt.scopes.iter().any(|above| self.hierarchy.is_below(scope, above))
    }

    /// Whether so many changes wait beside the index's base that decisions begin to feel them.
    pub fn needs_fold(&self) -> bool {
        self.index.pending() >= PENDING_WANTED
    }

    /// Packs the index, all changes included. No decision changes by it. It takes time with the number of
    /// assignments (some 0.05 seconds for a million): where writes must not wait for it, use
    /// [`Policy::prepare_fold`] on a copy and [`Policy::adopt`].
    pub fn fold(&mut self) {
        let folded = self.prepare_fold();
        self.adopt(&folded);
    }

    /// Does the long part of [`Policy::fold`], for this or a later state to adopt.
    pub fn prepare_fold(&self) -> Folded {
        Folded(self.index.fold())
    }

    /// Takes over the fold of an earlier state; the changes since are kept. Returns `false`, and changes
    /// nothing, if the fold is of another history.
    pub fn adopt(&mut self, folded: &Folded) -> bool {
        let adopted = self.index.adopt(&folded.0);
        // What is remembered points into the index.
        self.changed();
        adopted
    }

    /// Bytes that the index takes beyond the records themselves, and how many assignments it holds.
    pub fn index_size(&self) -> (usize, usize) {
        (self.index.bytes(), self.index.folded_len())
    }

    fn is_built_in(&self, id: RoleId) -> bool {
        self.roles.definition(id).is_some_and(|role| role.kind == RoleKind::BuiltIn)
    }

    fn row(&mut self, assignment: &RoleAssignment) -> Row {
        let slot = self.roles.slot(assignment.role);
        Row {
            principal: assignment.principal,
            assignment: assignment.id,
            role: RoleTag::new(slot, assignment.condition.is_some()),
        }
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
        self.mark = PolicyVersion::default();
    }
}

impl Caller {
    pub fn new(object_id: ObjectId, groups: Arc<[ObjectId]>) -> Self {
        Self { object_id, groups }
    }

    /// The caller at place 0, then the groups.
    fn principal_at(&self, place: u32) -> Option<ObjectId> {
        match place.checked_sub(1) {
            None => Some(self.object_id),
            Some(group) => self.groups.get(group as usize).copied(),
        }
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
