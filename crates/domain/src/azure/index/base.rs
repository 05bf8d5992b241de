//! All assignments in sorted arrays: by scope, and within a scope by the fingerprint of the principal.
//!
//! A scope with few assignments is scanned and each compared with the caller's principals; in one with many
//! the caller's principals are looked up, behind a filter. Either way the cost hangs on the caller and on
//! the smaller side, not on the number of assignments.

use std::collections::HashMap;

use hashbrown::HashTable;

use super::{
    RoleTag, Row,
    wanted::{FILTER_BITS, Wanted, fingerprint, has_bit, set_bit},
};
use crate::{
    azure::hash,
    id::{AssignmentId, ObjectId},
    scope::Scope,
};

#[derive(Debug, Default)]
pub(super) struct Base {
    /// What is looked through: small, and beside each other.
    keys: Vec<Key>,
    /// The rest of each row, parallel to the keys.
    ids: Vec<(ObjectId, AssignmentId)>,
    /// Rows with one scope each, in the order of the folded scopes.
    runs: Vec<Run>,
    /// Indexes into the runs, by the hash of the folded scope.
    table: HashTable<u32>,
    filters: Vec<u64>,
}

/// Ordered by the fingerprint, within a run.
#[derive(Clone, Copy, Debug)]
struct Key {
    fingerprint: u32,
    role: RoleTag,
}

/// A row, and the run that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowLocation {
    run: u32,
    row: u32,
}

#[derive(Debug)]
pub(super) struct Run {
    hash: u64,
    scope: Scope,
    first: u32,
    count: u32,
    filter: u32,
    /// 0: no filter, the run is scanned.
    filter_words: u32,
}

impl Base {
    /// Sorts and packs. No two rows may have one assignment.
    pub(super) fn build(rows: impl IntoIterator<Item = (Scope, Row)>) -> Self {
        let rows = by_scope(rows);
        let mut base = Self::with_capacity(rows.iter().map(|(_, rows)| rows.len()).sum());
        for (scope, rows) in rows {
            base.push_run(scope, rows);
        }
        base.finished()
    }

    /// This base less what `keep` refuses, and with what was added.
    pub(super) fn merged(
        &self,
        keep: impl Fn(AssignmentId) -> bool,
        added: impl IntoIterator<Item = (Scope, Row)>,
    ) -> Self {
        let mut added = by_scope(added).into_iter().peekable();
        let mut base = Self::with_capacity(self.keys.len());
        for run in &self.runs {
            while let Some((scope, rows)) = added.next_if(|(scope, _)| *scope < run.scope) {
                base.push_run(scope, rows);
            }
            let mut rows: Vec<Entry> = self.entries(run).filter(|(_, row)| keep(row.assignment)).collect();
            if let Some((_, more)) = added.next_if(|(scope, _)| *scope == run.scope) {
                rows.extend(more);
                rows.sort_by_key(|(fingerprint, _)| *fingerprint);
            }
            base.push_run(run.scope.clone(), rows);
        }
        for (scope, rows) in added {
            base.push_run(scope, rows);
        }
        base.finished()
    }

    /// The run of a scope, with its number. `key` is the hash of the text.
    pub(super) fn run(&self, key: u64, scope: &str) -> Option<(u32, &Run)> {
        let run = |number: u32| self.runs.get(number as usize);
        let is_it = |run: &Run| run.hash == key && run.scope.folded() == scope;
        let number = *self.table.find(key, |number| run(*number).is_some_and(is_it))?;
        Some((number, run(number)?))
    }

    /// The runs of several scopes. Each step is taken for all of them before the next one is, so that its reads, most of
    /// them far away in memory, do not wait for each other: first the table and the runs, then their texts.
    pub(super) fn runs<'a>(&'a self, scopes: &[&str]) -> Vec<(u64, Option<(u32, &'a Run)>)> {
        let has_hash =
            |number: u32, key: u64| self.runs.get(number as usize).is_some_and(|run| run.hash == key);
        let guess = |scope: &&str| {
            let key = hash::of_text(scope);
            (key, self.table.find(key, |number| has_hash(*number, key)).copied())
        };
        let guesses: Vec<(u64, Option<u32>)> = scopes.iter().map(guess).collect();
        let run = |((key, number), scope): ((u64, Option<u32>), &&str)| {
            let run = number.and_then(|number| match self.runs.get(number as usize) {
                Some(run) if run.scope.folded() == *scope => Some((number, run)),
                // Two scopes share a hash.
                _ => self.run(key, scope),
            });
            (key, run)
        };
        guesses.into_iter().zip(scopes).map(run).collect()
    }

    /// Calls `found` for every row whose fingerprint is that of a wanted principal, with the principal's
    /// place among the wanted. Whether it is that principal's is for [`Base::row`] to tell.
    pub(super) fn find(
        &self,
        number: u32,
        run: &Run,
        wanted: &Wanted,
        mut found: impl FnMut(RoleTag, u32, RowLocation),
    ) {
        let keys = self.keys(run);
        if run.filter_words == 0 || keys.len() <= wanted.fingerprints().len() {
            for (row, key) in (run.first..).zip(keys) {
                if wanted.may_hold(key.fingerprint) {
                    for place in wanted.places(key.fingerprint) {
                        found(key.role, place, RowLocation { run: number, row });
                    }
                }
            }
            return;
        }
        let start = run.filter as usize;
        let filter = self.filters.get(start..start + run.filter_words as usize).unwrap_or_default();
        for (place, fingerprint) in (0..).zip(wanted.fingerprints()) {
            if has_bit(filter, *fingerprint) {
                let first = keys.partition_point(|key| key.fingerprint < *fingerprint);
                let same = keys.get(first..).unwrap_or_default().iter();
                let same = same.take_while(|key| key.fingerprint == *fingerprint);
                for (row, key) in (run.first as usize + first..).zip(same) {
                    found(key.role, place, RowLocation { run: number, row: index(row) });
                }
            }
        }
    }

    /// Principal, assignment and scope of a row.
    pub(super) fn row(&self, place: RowLocation) -> Option<(ObjectId, AssignmentId, &Scope)> {
        let (principal, assignment) = *self.ids.get(place.row as usize)?;
        Some((principal, assignment, &self.runs.get(place.run as usize)?.scope))
    }

    pub(super) fn assignments(&self, run: &Run) -> impl Iterator<Item = AssignmentId> {
        self.ids(run).iter().map(|(_, assignment)| *assignment)
    }

    pub(super) fn scope(&self, run: u32) -> Option<&Scope> {
        self.runs.get(run as usize).map(|run| &run.scope)
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.runs.iter().map(|run| &run.scope)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<Key>()
            + self.ids.capacity() * size_of::<(ObjectId, AssignmentId)>()
            + self.runs.capacity() * size_of::<Run>()
            + self.table.allocation_size()
            + self.filters.capacity() * size_of::<u64>()
    }

    fn keys(&self, run: &Run) -> &[Key] {
        let first = run.first as usize;
        self.keys.get(first..first + run.count as usize).unwrap_or_default()
    }

    fn ids(&self, run: &Run) -> &[(ObjectId, AssignmentId)] {
        let first = run.first as usize;
        self.ids.get(first..first + run.count as usize).unwrap_or_default()
    }

    fn entries(&self, run: &Run) -> impl Iterator<Item = Entry> {
        self.keys(run).iter().zip(self.ids(run)).map(|(key, (principal, assignment))| {
            (key.fingerprint, Row { principal: *principal, assignment: *assignment, role: key.role })
        })
    }

    fn with_capacity(rows: usize) -> Self {
        Self { keys: Vec::with_capacity(rows), ids: Vec::with_capacity(rows), ..Self::default() }
    }

    /// `rows` is in order.
    fn push_run(&mut self, scope: Scope, rows: Vec<Entry>) {
        if rows.is_empty() {
            return;
        }
        let is_scanned = rows.len() <= SCANNED;
        let words = (rows.len() * FILTER_BITS).div_ceil(64).next_power_of_two();
        let words = if is_scanned { 0 } else { words };
        self.runs.push(Run {
            hash: hash::of_text(scope.folded()),
            scope,
            first: index(self.keys.len()),
            count: index(rows.len()),
            filter: index(self.filters.len()),
            filter_words: index(words),
        });
        let start = self.filters.len();
        self.filters.resize(start + words, 0);
        let filter = self.filters.get_mut(start..).unwrap_or_default();
        for (fingerprint, row) in rows {
            set_bit(filter, fingerprint);
            self.keys.push(Key { fingerprint, role: row.role });
            self.ids.push((row.principal, row.assignment));
        }
    }

    /// Gives back spare memory and fills the table.
    fn finished(mut self) -> Self {
        self.keys.shrink_to_fit();
        self.ids.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.filters.shrink_to_fit();
        self.table = HashTable::with_capacity(self.runs.len());
        for (number, run) in (0..).zip(&self.runs) {
            self.table.insert_unique(run.hash, number, |number| {
                self.runs.get(*number as usize).map_or(0, |run| run.hash)
            });
        }
        self
    }
}

type Entry = (u32, Row);

/// A position as the arrays keep it. Invariant: fewer than 2^32 rows; at forty bytes each, memory ends before.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Scopes in order, the rows of each in the order of their fingerprints.
fn by_scope(rows: impl IntoIterator<Item = (Scope, Row)>) -> Vec<(Scope, Vec<Entry>)> {
    let mut groups: HashMap<Scope, Vec<Entry>> = HashMap::new();
    for (scope, row) in rows {
        groups.entry(scope).or_default().push((fingerprint(row.principal), row));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    for (_, rows) in &mut groups {
        rows.sort_by_key(|(fingerprint, _)| *fingerprint);
    }
    groups
}

/// Up to this many assignments a scope is always scanned, which is cheaper than its filter.
const SCANNED: usize = 64;
