//! The in-memory index: which keys exist, since when, and the file positions of their values.
//!
//! It holds every kept version of every key, oldest first, with the position of its value but not the value; also the
//! log of revisions after the compaction, with the keys that each one wrote. It does no file IO.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::ops::Bound;

use super::format::FilePosition;
use crate::{Guard, Key, Range, Revision};

#[derive(Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Key, Versions>,
    /// One for each revision after `compacted`, in order.
    log: VecDeque<Logged>,
    compacted: Revision,
    head: Revision,
    /// Keys that exist at the head.
    live: u64,
    /// Bytes of the records that make up the state at `compacted`.
    base_bytes: u64,
    /// Bytes of the frames in `log`.
    log_bytes: u64,
}

/// One version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) created: Revision,
    pub(super) modified: Revision,
    pub(super) deleted: bool,
    /// The file position of the record.
    pub(super) place: FilePosition,
}

#[derive(Debug)]
struct Versions {
    latest: Version,
    /// The versions before `latest`, oldest first.
    older: Vec<Version>,
}

/// One committed transaction.
#[derive(Debug)]
struct Logged {
    place: FilePosition,
    keys: Box<[Key]>,
}

impl Index {
    /// An index without keys whose history begins at `compacted`.
    pub(super) fn new(compacted: Revision) -> Index {
        Index { compacted, head: compacted, ..Index::default() }
    }

    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    /// The latest revision, durable or not.
    pub(super) fn head(&self) -> Revision {
        self.head
    }

    /// How many keys exist at the head.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// The approximate size of a file that holds only the kept records.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.base_bytes + self.log_bytes
    }

    /// The key as it is at the head, if it exists.
    pub(super) fn find(&self, key: &Key) -> Option<&Version> {
        self.keys.get(key).map(|versions| &versions.latest).filter(|version| !version.deleted)
    }

    /// The keys of `range` that existed at `revision`, in order, up to the range's limit, and whether there are more.
    pub(super) fn read(&self, range: &Range, revision: Revision) -> (Vec<(Key, Version)>, bool) {
        let mut found = Vec::new();
        for (key, versions) in self.within(range) {
            let Some(version) = versions.existing(revision) else { continue };
            if found.len() == range.most() {
                return (found, true);
            }
            found.push((key.clone(), *version));
        }
        (found, false)
    }

    /// The frames of the revisions after `after`, in order.
    pub(super) fn frames_after(&self, after: Revision) -> impl Iterator<Item = (Revision, FilePosition)> {
        self.log_after(after).map(|(revision, logged)| (revision, logged.place))
    }

    /// The records that make up the state at the compacted revision, in key order.
    pub(super) fn base(&self) -> Vec<FilePosition> {
        self.keys
            .values()
            .filter_map(|versions| versions.existing(self.compacted))
            .map(|version| version.place)
            .collect()
    }

    /// Whether the guard holds at the head.
    pub(super) fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(key) => self.find(key).is_none(),
            Guard::Modified(key, modified) => {
                self.find(key).is_some_and(|version| version.modified == *modified)
            }
            Guard::Unchanged(range, since) => {
                (self.compacted..=self.head).contains(since) && self.unchanged(range, *since)
            }
        }
    }

    /// Adds a key as it was at the compacted revision.
    pub(super) fn add_base(&mut self, key: Key, version: Version) {
        self.base_bytes += u64::from(version.place.length);
        self.add(key, version);
    }

    /// Applies the next revision, whose frame is at `place`.
    pub(super) fn commit(&mut self, place: FilePosition, versions: Vec<(Key, Version)>) {
        let keys = versions.into_iter().map(|(key, version)| self.add(key, version)).collect();
        self.log.push_back(Logged { place, keys });
        self.log_bytes += u64::from(place.length);
        self.head = self.head.next();
    }

    /// Undoes the revisions after `revision`, when their write failed.
    pub(super) fn undo(&mut self, revision: Revision) {
        while self.head > revision {
            let Some(logged) = self.log.pop_back() else { return };
            self.log_bytes -= u64::from(logged.place.length);
            self.head = Revision(self.head.0 - 1);
            for key in &logged.keys {
                self.take_back(key);
            }
        }
    }

    /// Compacts history up to `through`, which is at most the head.
    pub(super) fn forget(&mut self, through: Revision) {
        while self.compacted < through {
            let Some(logged) = self.log.pop_front() else { return };
            self.log_bytes -= u64::from(logged.place.length);
            let (before, now) = (self.compacted, self.compacted.next());
            self.compacted = now;
            for key in &logged.keys {
                let Some(versions) = self.keys.get_mut(key) else { continue };
                let bytes =
                    |version: Option<&Version>| version.map_or(0, |version| u64::from(version.place.length));
                self.base_bytes += bytes(versions.existing(now));
                self.base_bytes -= bytes(versions.existing(before));
                if versions.forget(now) {
                    self.keys.remove(key);
                }
            }
        }
    }

    /// Adds a version and returns the key stored here, so that equal keys share memory.
    fn add(&mut self, key: Key, version: Version) -> Key {
        let (key, before) = match self.keys.entry(key) {
            Entry::Occupied(mut entry) => {
                let versions = entry.get_mut();
                let before = mem::replace(&mut versions.latest, version);
                versions.older.push(before);
                (entry.key().clone(), Some(before))
            }
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(Versions { latest: version, older: Vec::new() });
                (key, None)
            }
        };
        self.account(before, Some(version));
        key
    }

    /// Removes the latest version of a key.
    fn take_back(&mut self, key: &Key) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let latest = versions.latest;
        let before = versions.older.pop();
        match before {
            Some(before) => versions.latest = before,
            None => {
                self.keys.remove(key);
            }
        }
        self.account(Some(latest), before);
    }

    fn account(&mut self, before: Option<Version>, after: Option<Version>) {
        self.live -= u64::from(before.is_some_and(|version| !version.deleted));
        self.live += u64::from(after.is_some_and(|version| !version.deleted));
    }

    /// Whether no key of `range` was written after `since`, a kept revision. Two searches find out: over every key of
    /// the range, and over every later revision. They advance in turn, so that the shorter one decides.
    fn unchanged(&self, range: &Range, since: Revision) -> bool {
        let mut keys = self.within(range);
        let mut later = self.log_after(since);
        loop {
            match keys.next() {
                None => return true,
                Some((_, versions)) if versions.latest.modified > since => return false,
                Some(_) => {}
            }
            match later.next() {
                None => return true,
                Some((_, logged)) if logged.keys.iter().any(|key| range.contains(key)) => return false,
                Some(_) => {}
            }
        }
    }

    fn within(&self, range: &Range) -> impl Iterator<Item = (&Key, &Versions)> {
        let end = range.end().map_or(Bound::Unbounded, Bound::Excluded);
        // `BTreeMap::range` panics if the end is before the start.
        let found =
            (!range.is_empty()).then(|| self.keys.range::<Key, _>((Bound::Included(range.start()), end)));
        found.into_iter().flatten()
    }

    fn log_after(&self, after: Revision) -> impl Iterator<Item = (Revision, &Logged)> {
        let skipped = after.0.saturating_sub(self.compacted.0);
        let first = self.compacted.0 + skipped + 1;
        (first..).map(Revision).zip(self.log.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)))
    }
}

impl Versions {
    fn at(&self, revision: Revision) -> Option<&Version> {
        if self.latest.modified <= revision {
            return Some(&self.latest);
        }
        self.older.iter().rev().find(|version| version.modified <= revision)
    }

    /// The version at `revision`, if the key existed then.
    fn existing(&self, revision: Revision) -> Option<&Version> {
        self.at(revision).filter(|version| !version.deleted)
    }

    /// Drops versions that no read at `through` or later can see. True if none is left.
    fn forget(&mut self, through: Revision) -> bool {
        if self.latest.modified <= through {
            self.older = Vec::new();
            return self.latest.deleted;
        }
        let dead = self.older.iter().take_while(|version| version.modified <= through).count();
        // The last of them is the state at `through`, unless the key did not exist then.
        let state =
            dead.checked_sub(1).and_then(|last| self.older.get(last)).filter(|version| !version.deleted);
        self.older.drain(..if state.is_some() { dead - 1 } else { dead });
        self.older.shrink_to_fit();
        false
    }
}
