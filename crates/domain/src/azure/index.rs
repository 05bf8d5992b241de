//! Which assignments are at which scope for which principal: what a decision looks through.
//!
//! ```text
//! base      all assignments as of the last fold, in sorted arrays
//! changed   ids touched since: their rows in the base no longer count
//! added     what the touched ones are now, by scope
//! ```
//!
//! The base is shared by all copies. A change costs the same few small allocations whatever the base's
//! size; a fold, off the path of writes, makes a new base and leaves the changes that came after.
//! It holds what nearly every decision needs of an assignment and no more: the rest is looked up by id.
//! It does not know what roles grant, or which scope is above which.

mod base;
mod wanted;

use std::sync::Arc;

use imbl::Vector;

use super::hash::{self, FastMap};
use crate::{
    id::{AssignmentId, ObjectId},
    scope::Scope,
};
use base::Base;
pub(super) use wanted::Wanted;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    base: Arc<Base>,
    log: Vector<Change>,
    /// Where in the log each touched id was last changed.
    changed: FastMap<AssignmentId, u32>,
    /// By the hash of the folded scope; entries of scopes with the same hash are told apart when read.
    added: FastMap<u64, Arc<[Added]>>,
}

/// A new base, and the changes that are in it.
#[derive(Debug)]
pub(super) struct Folded {
    from: Arc<Base>,
    base: Arc<Base>,
    log: Vector<Change>,
}

/// What the index holds of one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) principal: ObjectId,
    pub(super) assignment: AssignmentId,
    pub(super) role: RoleTag,
}

/// The slot of an assignment's role, and whether the assignment has a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoleTag(u32);

/// An assignment that is most likely one of a wanted principal. [`Index::confirm`] tells for certain; few
/// candidates come so far, since most have a role that does not matter, which this already knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// How many steps above the scope in question it is.
    pub(super) depth: u32,
    /// Among the wanted: 0 is the caller, then the groups in their order.
    pub(super) place: u32,
    pub(super) role: RoleTag,
    spot: RowPosition,
}

#[derive(Clone, Copy, Debug)]
enum RowPosition {
    Base(base::RowLocation),
    /// A position in the log.
    Added(u32),
}

#[derive(Clone, Debug)]
enum Change {
    Put(Arc<(Scope, Row)>),
    Remove(AssignmentId),
}

#[derive(Clone, Copy, Debug)]
struct Added {
    fingerprint: u32,
    position: u32,
}

impl Index {
    pub(super) fn put(&mut self, scope: &Scope, row: Row) {
        self.drop_added(row.assignment);
        let fingerprint = wanted::fingerprint(row.principal);
        let added = Added { fingerprint, position: self.next_position() };
        let key = hash::of_text(scope.folded());
        let list: Arc<[Added]> = self.added_at(key).iter().copied().chain([added]).collect();
        self.added.insert(key, list);
        self.changed.insert(row.assignment, added.position);
        self.log.push_back(Change::Put(Arc::new((scope.clone(), row))));
    }

    pub(super) fn remove(&mut self, id: AssignmentId) {
        self.drop_added(id);
        self.changed.insert(id, self.next_position());
        self.log.push_back(Change::Remove(id));
    }

    /// Replaces everything by the given rows, folded at once. No two may have one id.
    pub(super) fn replace(&mut self, rows: impl IntoIterator<Item = (Scope, Row)>) {
        *self = Self { base: Arc::new(Base::build(rows)), ..Self::default() };
    }

    /// Calls `found` for every assignment at exactly one of these scopes (in folded form) that one of the
    /// wanted principals may hold, scope by scope. None that one of the principals does hold is left out.
    pub(super) fn find(&self, scopes: &[&str], wanted: &Wanted, mut found: impl FnMut(Candidate)) {
        for (depth, (scope, (key, run))) in (0..).zip(scopes.iter().zip(self.base.runs(scopes))) {
            if let Some((number, run)) = run {
                self.base.find(number, run, wanted, |role, place, row| {
                    found(Candidate { depth, place, role, spot: RowPosition::Base(row) });
                });
            }
            if !self.added.is_empty() {
                self.find_added(key, scope, wanted, |role, place, position| {
                    found(Candidate { depth, place, role, spot: RowPosition::Added(position) });
                });
            }
        }
    }

    /// Whether a candidate, found in this very state, is an assignment of this principal: the one at the
    /// candidate's place. Gives its id and scope.
    pub(super) fn confirm(
        &self,
        candidate: &Candidate,
        principal: ObjectId,
    ) -> Option<(AssignmentId, &Scope)> {
        let (holder, assignment, scope) = match candidate.spot {
            RowPosition::Base(place) => {
                let (holder, assignment, scope) = self.base.row(place)?;
                self.is_untouched(assignment).then_some((holder, assignment, scope))?
            }
            RowPosition::Added(position) => {
                let (scope, row) = self.put_at(position)?;
                (row.principal, row.assignment, scope)
            }
        };
        (holder == principal).then_some((assignment, scope))
    }

    /// Every assignment at exactly this scope, in folded form.
    pub(super) fn at(&self, scope: &str) -> impl Iterator<Item = AssignmentId> {
        let key = hash::of_text(scope);
        let before = self.base.run(key, scope).into_iter().flat_map(|(_, run)| self.base.assignments(run));
        let before = before.filter(|id| self.is_untouched(*id));
        let added = self.added_at(key).iter().filter_map(|added| self.put_at(added.position));
        let added = added.filter(move |(there, _)| there.folded() == scope);
        before.chain(added.map(|(_, row)| row.assignment))
    }

    /// The scopes that have assignments, or had some at the last fold; some of them twice.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.base.scopes().chain(self.puts().map(|(scope, _)| scope))
    }

    /// The scope that an equal one is kept as, so that equal texts share their memory.
    pub(super) fn kept_scope(&self, scope: &Scope) -> Option<&Scope> {
        let (number, _) = self.base.run(hash::of_text(scope.folded()), scope.folded())?;
        self.base.scope(number).filter(|kept| kept.as_str() == scope.as_str())
    }

    /// How many changes wait to be folded in.
    pub(super) fn pending(&self) -> usize {
        self.log.len()
    }

    /// How many assignments the base holds.
    pub(super) fn folded_len(&self) -> usize {
        self.base.len()
    }

    /// Bytes that the base takes, without the texts of scopes, which it shares with the assignments.
    pub(super) fn bytes(&self) -> usize {
        self.base.bytes()
    }

    /// Makes a base with all changes in it: linear in the number of assignments.
    pub(super) fn fold(&self) -> Folded {
        let added = self.puts().map(|(scope, row)| (scope.clone(), *row));
        let base = self.base.merged(|id| self.is_untouched(id), added);
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
                Change::Put(put) => fresh.put(&put.0, put.1),
                Change::Remove(id) => fresh.remove(*id),
            }
        }
        *self = fresh;
        true
    }

    fn find_added(&self, key: u64, scope: &str, wanted: &Wanted, mut found: impl FnMut(RoleTag, u32, u32)) {
        for added in self.added_at(key).iter().filter(|added| wanted.may_hold(added.fingerprint)) {
            let Some((_, row)) = self.put_at(added.position).filter(|(there, _)| there.folded() == scope)
            else {
                continue;
            };
            for place in wanted.places(added.fingerprint) {
                found(row.role, place, added.position);
            }
        }
    }

    /// Invariant: fewer than 2^32 changes between folds; a write folds by itself long before.
    fn next_position(&self) -> u32 {
        u32::try_from(self.log.len()).unwrap_or(u32::MAX)
    }

    fn is_untouched(&self, id: AssignmentId) -> bool {
        self.changed.is_empty() || !self.changed.contains_key(&id)
    }

    fn added_at(&self, key: u64) -> &[Added] {
        self.added.get(&key).map_or(&[], |list| list)
    }

    fn put_at(&self, position: u32) -> Option<&(Scope, Row)> {
        match self.log.get(position as usize)? {
            Change::Put(put) => Some(put),
            Change::Remove(_) => None,
        }
    }

    /// The assignments as the changes since the fold left them.
    fn puts(&self) -> impl Iterator<Item = &(Scope, Row)> {
        self.changed.values().filter_map(|position| self.put_at(*position))
    }

    /// Takes an earlier change of the same id out of the lists by scope.
    fn drop_added(&mut self, id: AssignmentId) {
        let Some(position) = self.changed.get(&id).copied() else { return };
        let Some((scope, _)) = self.put_at(position) else { return };
        let key = hash::of_text(scope.folded());
        let kept = self.added_at(key).iter().copied().filter(|added| added.position != position);
        let list: Arc<[Added]> = kept.collect();
        if list.is_empty() {
            self.added.remove(&key);
        } else {
            self.added.insert(key, list);
        }
    }
}

impl RoleTag {
    /// `slot` is below 2^31.
    pub(super) fn new(slot: u32, has_condition: bool) -> Self {
        Self(slot << 1 | u32::from(has_condition))
    }

    pub(super) fn slot(self) -> u32 {
        self.0 >> 1
    }

    pub(super) fn has_condition(self) -> bool {
        self.0 & 1 == 1
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
