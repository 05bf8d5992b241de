//! Which assignments are at which scope for which principal: what a decision looks through.
//!
//! ```text
//! base      all assignments as of the last fold, in sorted arrays
//! changed   ids touched since: their entries in the base no longer count
//! added     what the touched ones are now, by scope
//! ```
//!
//! The base is shared by all copies. A change costs the same few small allocations whatever the base's
//! size; a fold, off the path of writes, makes a new base and leaves the changes that came after.
//! It does not know roles, conditions, or which scope is above which.

mod base;
mod wanted;

use std::sync::Arc;

use imbl::Vector;

use super::hash::{self, FastMap, HashedMap};
use crate::{assignment::RoleAssignment, id::AssignmentId, scope::Scope};
use base::Base;
pub(super) use wanted::Wanted;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    base: Arc<Base>,
    log: Vector<Change>,
    /// Where in the log each touched id was last changed.
    changed: FastMap<AssignmentId, usize>,
    /// By the hash of the folded scope; entries of scopes with the same hash are told apart when read.
    added: HashedMap<Arc<[Added]>>,
}

/// A new base, and the changes that are in it.
#[derive(Debug)]
pub(super) struct Folded {
    from: Arc<Base>,
    base: Arc<Base>,
    log: Vector<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Put(Arc<RoleAssignment>),
    Remove(AssignmentId),
}

#[derive(Clone, Copy, Debug)]
struct Added {
    fingerprint: u32,
    position: usize,
}

impl Index {
    pub(super) fn put(&mut self, assignment: Arc<RoleAssignment>) {
        self.drop_added(assignment.id);
        let added =
            Added { fingerprint: wanted::fingerprint(assignment.principal), position: self.log.len() };
        let key = hash::of_text(assignment.scope.folded());
        let list: Arc<[Added]> = self.added_at(key).iter().copied().chain([added]).collect();
        self.added.insert(key, list);
        self.changed.insert(assignment.id, added.position);
        self.log.push_back(Change::Put(assignment));
    }

    pub(super) fn remove(&mut self, id: AssignmentId) {
        self.drop_added(id);
        self.changed.insert(id, self.log.len());
        self.log.push_back(Change::Remove(id));
    }

    /// Replaces everything by the given assignments, folded at once. No two may have one id.
    pub(super) fn replace(&mut self, assignments: Vec<Arc<RoleAssignment>>) {
        *self = Self { base: Arc::new(Base::build(assignments)), ..Self::default() };
    }

    /// Calls `found` for every assignment at exactly this scope (in folded form) that one of the wanted
    /// principals holds, with that principal's place among the wanted.
    pub(super) fn find(
        &self,
        scope: &str,
        wanted: &Wanted,
        mut found: impl FnMut(&Arc<RoleAssignment>, usize),
    ) {
        let key = hash::of_text(scope);
        self.base.find(key, scope, wanted, |assignment, place| {
            if self.is_untouched(assignment.id) {
                found(assignment, place);
            }
        });
        if self.added.is_empty() {
            return;
        }
        for added in self.added_at(key).iter().filter(|added| wanted.may_hold(added.fingerprint)) {
            let Some(assignment) = self.put_at(added.position) else { continue };
            if assignment.scope.folded() == scope
                && let Some(place) = wanted.place(added.fingerprint, assignment.principal)
            {
                found(assignment, place);
            }
        }
    }

    /// Every assignment at exactly this scope, in folded form.
    pub(super) fn at(&self, scope: &str) -> impl Iterator<Item = &Arc<RoleAssignment>> {
        let key = hash::of_text(scope);
        let before = self.base.at(key, scope).iter().filter(|each| self.is_untouched(each.id));
        let added = self.added_at(key).iter().filter_map(|added| self.put_at(added.position));
        before.chain(added.filter(move |each| each.scope.folded() == scope))
    }

    /// The scopes that have assignments in the base, in the order of their folded texts, and those of later
    /// changes; some twice, some no longer in use.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.base.scopes().chain(self.puts().map(|assignment| &assignment.scope))
    }

    /// The scope that an equal one is kept as, so that equal texts share their memory.
    pub(super) fn kept_scope(&self, scope: &Scope) -> Option<&Scope> {
        let key = hash::of_text(scope.folded());
        let kept = self.base.at(key, scope.folded()).first().map(|assignment| &assignment.scope);
        kept.filter(|kept| kept.as_str() == scope.as_str())
    }

    /// How many changes wait to be folded in.
    pub(super) fn pending(&self) -> usize {
        self.log.len()
    }

    /// How many assignments the base holds.
    pub(super) fn folded_len(&self) -> usize {
        self.base.len()
    }

    /// Bytes that the base takes beyond the assignments themselves.
    pub(super) fn bytes(&self) -> usize {
        self.base.bytes()
    }

    /// Makes a base with all changes in it: linear in the number of assignments.
    pub(super) fn fold(&self) -> Folded {
        let added = self.puts().cloned();
        let base = self.base.merged(|id| self.is_untouched(id), added.collect());
        Folded { from: self.base.clone(), base: Arc::new(base), log: self.log.clone() }
    }

    /// Takes over a fold of an earlier state of this index and keeps what changed since. Refuses one of
    /// another history, and then changes nothing.
    pub(super) fn adopt(&mut self, folded: &Folded) -> bool {
        let same_history = Arc::ptr_eq(&self.base, &folded.from)
            && self.log.len() >= folded.log.len()
            && self.log.iter().zip(&folded.log).all(|(ours, theirs)| ours.is_same(theirs));
        if !same_history {
            return false;
        }
        let mut fresh = Self { base: folded.base.clone(), ..Self::default() };
        for change in self.log.iter().skip(folded.log.len()) {
            match change {
                Change::Put(assignment) => fresh.put(assignment.clone()),
                Change::Remove(id) => fresh.remove(*id),
            }
        }
        *self = fresh;
        true
    }

    fn is_untouched(&self, id: AssignmentId) -> bool {
        self.changed.is_empty() || !self.changed.contains_key(&id)
    }

    fn added_at(&self, key: u64) -> &[Added] {
        self.added.get(&key).map_or(&[], |list| list)
    }

    fn put_at(&self, position: usize) -> Option<&Arc<RoleAssignment>> {
        match self.log.get(position)? {
            Change::Put(assignment) => Some(assignment),
            Change::Remove(_) => None,
        }
    }

    /// The assignments as the changes since the fold left them.
    fn puts(&self) -> impl Iterator<Item = &Arc<RoleAssignment>> {
        self.changed.values().filter_map(|position| self.put_at(*position))
    }

    /// Takes an earlier change of the same id out of the lists by scope.
    fn drop_added(&mut self, id: AssignmentId) {
        let Some(position) = self.changed.get(&id).copied() else { return };
        let Some(before) = self.put_at(position) else { return };
        let key = hash::of_text(before.scope.folded());
        let list: Arc<[Added]> =
            self.added_at(key).iter().copied().filter(|added| added.position != position).collect();
        if list.is_empty() {
            self.added.remove(&key);
        } else {
            self.added.insert(key, list);
        }
    }
}

impl Change {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Put(ours), Self::Put(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Remove(ours), Self::Remove(theirs)) => ours == theirs,
            _ => false,
        }
    }
}
