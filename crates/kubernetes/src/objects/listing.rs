//! Objects of a place as they are, or were, at one revision, read while they are asked for: a list of any length holds
//! the snapshot that it is of, and a few objects.
//!
//! What was is what is, with what each later change has replaced in its place: as far back as changes are remembered.

use std::{
    collections::BTreeMap,
    iter::{self, Peekable},
    ops::Bound,
    sync::Arc,
    vec,
};

use domain::{
    change::{Change, Record, RecordKey},
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};

use super::watch::is_within;
use state::Applied;

/// A list that is being read, in order of namespace and name.
#[derive(Clone, Debug)]
pub struct Listing {
    snapshot: Arc<Snapshot>,
    revision: u64,
    /// What has changed since `revision`, as it was then.
    past: Arc<BTreeMap<ObjectKey, Option<Arc<Object>>>>,
    place: ObjectKey,
    /// Where reading goes on, which need not exist.
    last: Option<ObjectKey>,
    ahead: vec::IntoIter<Arc<Object>>,
}

impl Listing {
    /// All objects of a place: a key without a name, and without a namespace for those of all namespaces.
    pub(super) fn new(snapshot: Arc<Snapshot>, place: ObjectKey) -> Self {
        let revision = snapshot.revision();
        Self { snapshot, revision, past: Arc::default(), place, last: None, ahead: Vec::new().into_iter() }
    }

    /// As [`Listing::new`], as it was at `revision`. `later` is everything between that and the snapshot, oldest first.
    pub(super) fn past(
        snapshot: Arc<Snapshot>,
        place: ObjectKey,
        revision: u64,
        later: &[Arc<Applied>],
    ) -> Self {
        let mut past = BTreeMap::new();
        for batch in later {
            let mut previous = batch.previous.iter();
            for change in &batch.changes {
                let key = match change {
                    Change::Put(Record::Object(object)) => &object.key,
                    Change::Delete(RecordKey::Object(key)) => key,
                    Change::Put(_) | Change::Delete(_) => continue,
                };
                let before = previous.next().cloned().flatten();
                if is_within(&place, key) && !past.contains_key(key) {
                    past.insert(key.clone(), before);
                }
            }
        }
        Self { revision, past: Arc::new(past), ..Self::new(snapshot, place) }
    }

    /// The revision that the list is of.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Those after a place in the order.
    #[must_use]
    pub fn after(self, namespace: &str, name: &str) -> Self {
        let ObjectKey { cluster, group, resource, .. } = &self.place;
        let last = ObjectKey::new(*cluster, group, resource, namespace, name);
        Self { last: Some(last), ahead: Vec::new().into_iter(), ..self }
    }

    /// How many are still to be read, where that is `most` at most.
    pub fn count_up_to(&self, most: usize) -> Option<usize> {
        let count = self.ahead.len() + self.beyond().take(most.saturating_add(1)).count();
        (count <= most).then_some(count)
    }

    fn beyond(&self) -> impl Iterator<Item = &Arc<Object>> {
        let last = self.last.as_ref().unwrap_or(&self.place);
        let now = self.snapshot.objects_after(&self.place, last);
        let past = self.past.range((Bound::Excluded(last.clone()), Bound::Unbounded));
        merge(now.peekable(), past.peekable())
    }
}

/// What is, but for what was another: in the order of both.
fn merge<'a>(
    mut now: Peekable<impl Iterator<Item = &'a Arc<Object>>>,
    mut past: Peekable<impl Iterator<Item = (&'a ObjectKey, &'a Option<Arc<Object>>)>>,
) -> impl Iterator<Item = &'a Arc<Object>> {
    iter::from_fn(move || {
        loop {
            let Some((key, was)) = past.peek().copied() else { return now.next() };
            if let Some(object) = now.next_if(|object| object.key < *key) {
                return Some(object);
            }
            now.next_if(|object| object.key == *key);
            past.next();
            if was.is_some() {
                return was.as_ref();
            }
        }
    })
}

impl Iterator for Listing {
    type Item = Arc<Object>;

    fn next(&mut self) -> Option<Arc<Object>> {
        if self.ahead.as_slice().is_empty() {
            let ahead: Vec<_> = self.beyond().take(AHEAD).cloned().collect();
            self.last = Some(ahead.last()?.key.clone());
            self.ahead = ahead.into_iter();
        }
        self.ahead.next()
    }
}

/// How many are looked up at once.
const AHEAD: usize = 64;
