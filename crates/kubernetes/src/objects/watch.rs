//! Following the objects of one place: what was there, then every change, none missing and none twice, until
//! the caller may not see it any more.
//!
//! A watch looks at the caller's credentials and rights again after every change that can alter a decision or end the
//! credentials, before it tells anything of that change.

use std::sync::Arc;

use domain::{
    change::{Change, Record, RecordKey},
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};

use super::{KubeCaller, ObjectError, ObjectReference, RequestedAccess, watch_limit::WatchPlace};
use crate::Kubernetes;
use state::{Applied, Changes};

/// One thing that happened to an object.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: EventKind,
    /// As it is after the change; of a deleted one as it was last, with the revision of its end.
    pub object: Arc<Object>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Added,
    Modified,
    Deleted,
}

/// An open watch.
#[derive(Debug)]
pub struct ObjectWatch {
    kubernetes: Kubernetes,
    caller: KubeCaller,
    access: RequestedAccess,
    within: ObjectKey,
    changes: Changes,
    /// Nothing up to here is told. It may be yet to come.
    after: u64,
    /// The caller's rights are those of this revision or of a newer one.
    allowed_at: u64,
    /// What the credentials end with beside what bears on access, each with its revision when it was looked at.
    bound: Vec<(ObjectKey, Option<u64>)>,
    _place: WatchPlace,
}

impl Kubernetes {
    /// Opens a watch on all changes of a place after `revision`. One that is yet to come is waited for.
    pub fn watch_objects(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        revision: u64,
    ) -> Result<ObjectWatch, ObjectError> {
        let before = self.state.snapshot();
        let bound = caller.bound_to().into_iter().map(|key| (key, None)).collect();
        self.allow(caller, access)?;
        let newest = self.state.snapshot().revision();
        let changes = self.state.follow_changes(revision.min(newest));
        let changes = changes.map_err(|_| ObjectError::Expired { requested: revision, oldest: newest })?;
        let user = self.current_user(caller)?.name;
        let place_among_watches = self.inner.watches.take(caller.cluster, &user)?;
        let mut watch = ObjectWatch {
            kubernetes: self.clone(),
            caller: caller.clone(),
            access: access.clone(),
            within: ObjectReference { name: "", ..reference.clone() }.key(caller.cluster),
            changes,
            after: revision,
            allowed_at: before.revision(),
            bound,
            _place: place_among_watches,
        };
        watch.note_bound(&before);
        Ok(watch)
    }
}

impl ObjectWatch {
    /// The revision up to which everything has been told.
    pub fn revision(&self) -> u64 {
        self.changes.through().max(self.after)
    }

    /// Looks at the caller's credentials and rights again, as time alone may have ended them.
    pub fn check(&self) -> Result<(), ObjectError> {
        self.kubernetes.allow(&self.caller, &self.access)
    }

    /// As [`ObjectWatch::check`], if anything has changed by now that can have ended them.
    pub fn check_changed(&mut self) -> Result<(), ObjectError> {
        let access_changed = self.kubernetes.state.access_changed();
        let state = self.kubernetes.state.clone();
        let now = state.look();
        let is_same = |(key, at): &(ObjectKey, Option<u64>)| revision_of(&now, key) == *at;
        if access_changed <= self.allowed_at && self.bound.iter().all(is_same) {
            return Ok(());
        }
        self.check()?;
        self.allowed_at = access_changed;
        self.note_bound(&now);
        Ok(())
    }

    fn note_bound(&mut self, snapshot: &Snapshot) {
        self.bound.iter_mut().for_each(|(key, at)| *at = revision_of(snapshot, key));
    }

    /// Waits for the next change, which may concern the place or not. `matches` says which objects belong to
    /// the watch: one that begins to is added, one that ceases to is deleted. An error ends the watch.
    pub async fn next(
        &mut self,
        matches: &(dyn Fn(&Object) -> bool + Send + Sync),
    ) -> Result<Vec<Event>, ObjectError> {
        let requested = self.changes.through();
        let Some(applied) = self.changes.next().await else {
            return Err(ObjectError::App(state::Error::Unavailable("the server is stopping".into())));
        };
        let expired =
            |_| ObjectError::Expired { requested, oldest: self.kubernetes.state.snapshot().revision() };
        let applied = applied.map_err(expired)?;
        // Also for what comes after this change: a right that is gone tells nothing any more, however late one is.
        self.check_changed()?;
        let Some(applied) = applied.filter(|applied| applied.revision > self.after) else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        self.collect(&applied, matches, &mut events);
        Ok(events)
    }

    fn collect(
        &self,
        batch: &Applied,
        matches: &(dyn Fn(&Object) -> bool + Send + Sync),
        events: &mut Vec<Event>,
    ) {
        let mut previous = batch.previous.iter();
        for change in &batch.changes {
            let (key, now) = match change {
                Change::Put(Record::Object(object)) => (&object.key, Some(object)),
                Change::Delete(RecordKey::Object(key)) => (key, None),
                Change::Put(_) | Change::Delete(_) => continue,
            };
            let before = previous.next().cloned().flatten();
            if !is_within(&self.within, key) {
                continue;
            }
            let was_there = before.as_ref().is_some_and(|object| matches(object));
            let is_there = now.is_some_and(matches);
            let kind = match (was_there, is_there) {
                (false, false) => continue,
                (false, true) => EventKind::Added,
                (true, true) => EventKind::Modified,
                (true, false) => EventKind::Deleted,
            };
            let last = now.cloned().or_else(|| before.map(|object| Object::clone(&object)));
            if let Some(object) = last {
                events.push(Event { kind, object: Arc::new(Object { revision: batch.revision, ..object }) });
            }
        }
    }
}

/// Whether an object is of a place: a key without a name, and without a namespace where it is all of them.
pub(super) fn is_within(reference: &ObjectKey, key: &ObjectKey) -> bool {
    key.cluster == reference.cluster
        && key.group == reference.group
        && key.resource == reference.resource
        && (reference.namespace.is_empty() || key.namespace == reference.namespace)
}

fn revision_of(snapshot: &Snapshot, key: &ObjectKey) -> Option<u64> {
    snapshot.object(key).map(|object| object.revision)
}
