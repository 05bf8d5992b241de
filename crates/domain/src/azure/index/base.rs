//! All assignments in sorted arrays: by scope, and within a scope by the fingerprint of the principal.
//!
//! A scope with few assignments is scanned and each compared with the caller's principals; in one with many
//! the caller's principals are looked up, behind a filter. Either way the cost hangs on the caller and on
//! the smaller side, not on the number of assignments.

use std::sync::Arc;

use super::wanted::{FILTER_BITS, Wanted, fingerprint, has_bit, set_bit};
use crate::{assignment::RoleAssignment, azure::hash, id::AssignmentId, scope::Scope};

#[derive(Debug, Default)]
pub(super) struct Base {
    assignments: Vec<Arc<RoleAssignment>>,
    /// Of the principals, parallel to the assignments.
    fingerprints: Vec<u32>,
    /// Runs of assignments with one scope, in the order of the folded scopes.
    runs: Vec<Run>,
    /// Open addressing by the hash of the folded scope: an index into the runs, or `EMPTY`. Its length is a
    /// power of two and at least a quarter is empty, so that every search ends.
    table: Vec<u32>,
    filters: Vec<u64>,
}

#[derive(Debug)]
struct Run {
    hash: u64,
    first: u32,
    count: u32,
    filter: u32,
    filter_words: u32,
}

impl Base {
    /// Sorts and packs. No two assignments may have one id.
    pub(super) fn build(assignments: Vec<Arc<RoleAssignment>>) -> Self {
        Self::pack(sorted(assignments))
    }

    /// This base less what `keep` refuses, and with what was added.
    pub(super) fn merged(
        &self,
        keep: impl Fn(AssignmentId) -> bool,
        added: Vec<Arc<RoleAssignment>>,
    ) -> Self {
        let kept = self.fingerprints.iter().copied().zip(self.assignments.iter().cloned());
        let kept = kept.filter(|(_, assignment)| keep(assignment.id));
        let mut all = Vec::with_capacity(self.assignments.len() + added.len());
        let mut added = sorted(added).into_iter().peekable();
        for entry in kept {
            while let Some(first) = added.next_if(|first| order(first) < order(&entry)) {
                all.push(first);
            }
            all.push(entry);
        }
        all.extend(added);
        Self::pack(all)
    }

    pub(super) fn find(
        &self,
        key: u64,
        scope: &str,
        wanted: &Wanted,
        mut found: impl FnMut(&Arc<RoleAssignment>, usize),
    ) {
        let Some((run, fingerprints, assignments)) = self.run(key, scope) else { return };
        let mut confirm = |fingerprint: u32, assignment: &Arc<RoleAssignment>| {
            if let Some(place) = wanted.place(fingerprint, assignment.principal) {
                found(assignment, place);
            }
        };
        if run.filter_words == 0 || fingerprints.len() <= wanted.fingerprints().len() {
            for (fingerprint, assignment) in fingerprints.iter().zip(assignments) {
                if wanted.may_hold(*fingerprint) {
                    confirm(*fingerprint, assignment);
                }
            }
            return;
        }
        let start = run.filter as usize;
        let filter = self.filters.get(start..start + run.filter_words as usize).unwrap_or_default();
        for (place, fingerprint) in wanted.fingerprints().iter().enumerate() {
            if !has_bit(filter, *fingerprint) {
                continue;
            }
            let first = fingerprints.partition_point(|each| each < fingerprint);
            let same = fingerprints.iter().zip(assignments).skip(first);
            for (_, assignment) in same.take_while(|(each, _)| *each == fingerprint) {
                if wanted.id(place) == Some(assignment.principal)
                    && wanted.place(*fingerprint, assignment.principal) == Some(place)
                {
                    found(assignment, place);
                }
            }
        }
    }

    /// The assignments at exactly this scope.
    pub(super) fn at(&self, key: u64, scope: &str) -> &[Arc<RoleAssignment>] {
        self.run(key, scope).map_or(&[], |(_, _, assignments)| assignments)
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.runs.iter().filter_map(|run| Some(&self.assignments.get(run.first as usize)?.scope))
    }

    pub(super) fn len(&self) -> usize {
        self.assignments.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.assignments.capacity() * size_of::<Arc<RoleAssignment>>()
            + self.fingerprints.capacity() * size_of::<u32>()
            + self.runs.capacity() * size_of::<Run>()
            + self.table.capacity() * size_of::<u32>()
            + self.filters.capacity() * size_of::<u64>()
    }

    fn run(&self, key: u64, scope: &str) -> Option<(&Run, &[u32], &[Arc<RoleAssignment>])> {
        let mask = self.table.len().checked_sub(1)?;
        let mut place = key as usize & mask;
        loop {
            let run = self.runs.get(*self.table.get(place)? as usize)?;
            if run.hash == key {
                let range = run.first as usize..run.first as usize + run.count as usize;
                let assignments = self.assignments.get(range.clone())?;
                if assignments.first()?.scope.folded() == scope {
                    return Some((run, self.fingerprints.get(range)?, assignments));
                }
            }
            place = (place + 1) & mask;
        }
    }

    /// `all` is in order.
    fn pack(all: Vec<Entry>) -> Self {
        let mut base = Self {
            assignments: Vec::with_capacity(all.len()),
            fingerprints: Vec::with_capacity(all.len()),
            ..Self::default()
        };
        for entries in all.chunk_by(|left, right| left.1.scope == right.1.scope) {
            base.push_run(entries);
        }
        base.runs.shrink_to_fit();
        base.filters.shrink_to_fit();
        base.table = vec![EMPTY; (base.runs.len() * 4 / 3 + 1).next_power_of_two()];
        let mask = base.table.len() - 1;
        for (number, run) in (0..).zip(&base.runs) {
            let mut place = run.hash as usize & mask;
            while base.table.get(place).is_some_and(|taken| *taken != EMPTY) {
                place = (place + 1) & mask;
            }
            if let Some(free) = base.table.get_mut(place) {
                *free = number;
            }
        }
        base
    }

    fn push_run(&mut self, entries: &[Entry]) {
        let Some((_, first)) = entries.first() else { return };
        // Invariant: fewer than 2^32 assignments; at a hundred bytes each, memory ends long before.
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let words = if entries.len() > SCANNED {
            (entries.len() * FILTER_BITS).div_ceil(64).next_power_of_two()
        } else {
            0
        };
        self.runs.push(Run {
            hash: hash::of_text(first.scope.folded()),
            first: number(self.assignments.len()),
            count: number(entries.len()),
            filter: number(self.filters.len()),
            filter_words: number(words),
        });
        let mut filter = vec![0; words];
        for (fingerprint, assignment) in entries {
            set_bit(&mut filter, *fingerprint);
            self.fingerprints.push(*fingerprint);
            self.assignments.push(assignment.clone());
        }
        self.filters.extend(filter);
    }
}

type Entry = (u32, Arc<RoleAssignment>);

fn order(entry: &Entry) -> (&str, u32) {
    (entry.1.scope.folded(), entry.0)
}

/// In order. Scopes are few beside assignments, so they are sorted by themselves.
fn sorted(assignments: Vec<Arc<RoleAssignment>>) -> Vec<Entry> {
    let mut numbers: std::collections::HashMap<Scope, u32> = std::collections::HashMap::new();
    for assignment in &assignments {
        numbers.entry(assignment.scope.clone()).or_insert(0);
    }
    let mut scopes: Vec<Scope> = numbers.keys().cloned().collect();
    scopes.sort_unstable();
    for (number, scope) in (0..).zip(scopes) {
        numbers.insert(scope, number);
    }
    let rank = |scope: &Scope| numbers.get(scope).copied().unwrap_or(0);
    let mut all: Vec<(u32, u32, Arc<RoleAssignment>)> = assignments
        .into_iter()
        .map(|assignment| (rank(&assignment.scope), fingerprint(assignment.principal), assignment))
        .collect();
    all.sort_unstable_by_key(|(rank, fingerprint, _)| (*rank, *fingerprint));
    all.into_iter().map(|(_, fingerprint, assignment)| (fingerprint, assignment)).collect()
}

const EMPTY: u32 = u32::MAX;
/// Up to this many assignments a scope is always scanned, which is cheaper than its filter.
const SCANNED: usize = 64;
