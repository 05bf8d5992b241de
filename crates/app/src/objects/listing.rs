//! Objects of a place as they are at one revision, read while they are asked for: a list of any length holds the
//! snapshot that it is of, and a few objects.

use std::{sync::Arc, vec};

use domain::{
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};

/// A list that is being read, in order of namespace and name.
#[derive(Clone, Debug)]
pub struct Listing {
    snapshot: Arc<Snapshot>,
    place: ObjectKey,
    /// Where reading goes on, which need not exist.
    last: Option<ObjectKey>,
    ahead: vec::IntoIter<Arc<Object>>,
}

impl Listing {
    /// All objects of a place: a key without a name, and without a namespace for those of all namespaces.
    pub(super) fn new(snapshot: Arc<Snapshot>, place: ObjectKey) -> Self {
        Self { snapshot, place, last: None, ahead: Vec::new().into_iter() }
    }

    /// The revision that the list is of.
    pub fn revision(&self) -> u64 {
        self.snapshot.revision()
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
        self.snapshot.objects_after(&self.place, self.last.as_ref().unwrap_or(&self.place))
    }
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
