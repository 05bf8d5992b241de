//! Making, changing and deleting objects, each in one transaction that decides on the state it builds on.

use std::sync::Arc;

use domain::{
    object::{Object, ObjectKey, RBAC_GROUP},
    unfinished::Work,
};
use serde_json::{Value, json};

use super::{
    KubeCaller, ObjectError, ObjectReference, RequestedAccess, Resource, SelectedObjects,
    deletion::{ended, has_finalizers, is_finished, is_terminating, put, remove},
    grants, namespaces, service_accounts,
    values::{set, text},
};
use crate::Kubernetes;
use state::{Committed, Error, Run, Tx, unfinished};

/// What a delete insists on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    pub uid: Option<String>,
    pub revision: Option<u64>,
}

/// What became of a write.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As it is now; of a delete, as it was last.
    pub object: Arc<Object>,
    pub change: ObjectChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectChange {
    Created,
    Updated,
    /// The write would have changed nothing, so it is none.
    Unchanged,
    Deleted,
    /// It goes when its finalizers, or the contents of the namespace, are gone.
    Terminating,
}

impl Kubernetes {
    /// Makes an object. `value` carries its metadata whole, the name included.
    pub async fn create_object(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        value: Value,
        run: Run,
    ) -> Result<Outcome, ObjectError> {
        self.allow(caller, access)?;
        let value = self.complete_secret(caller.cluster, reference, value)?;
        let written = self
            .state
            .commit(run, |tx| {
                self.allow(caller, access)?;
                self.create_in(tx, caller, reference, &value)
            })
            .await?;
        Ok(outcome(written, run))
    }

    /// Changes an object. `change` gets the object as it is, none if there is none, and makes the new one;
    /// it may run several times. A new object where there was none also needs the right to create.
    pub async fn update_object<E: From<ObjectError> + From<Error> + Send>(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        run: Run,
        mut change: impl FnMut(Option<&Object>) -> Result<Value, E> + Send,
    ) -> Result<Outcome, E> {
        self.allow(caller, access)?;
        let written = self
            .state
            .commit(run, |tx| -> Result<WriteResult, E> {
                self.allow(caller, access)?;
                let key = reference.key(caller.cluster);
                match tx.snapshot().object(&key).cloned() {
                    None => {
                        let value = change(None)?;
                        self.allow(caller, &access.as_create())?;
                        Ok(self.create_in(tx, caller, reference, &value)?)
                    }
                    Some(old) => {
                        let value = change(Some(&old))?;
                        Ok(self.replace_in(tx, caller, reference, &old, value)?)
                    }
                }
            })
            .await?;
        let outcome = outcome(written, run);
        // A finalizer that has gone may be the last thing that kept a namespace.
        if outcome.change == ObjectChange::Deleted && reference.resource.namespaced {
            self.finish_namespaces(Some((caller.cluster, reference.namespace))).await?;
        }
        Ok(outcome)
    }

    /// Deletes an object, or begins to.
    pub async fn delete_object(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        preconditions: &Preconditions,
        run: Run,
    ) -> Result<Outcome, ObjectError> {
        self.allow(caller, access)?;
        let written = self
            .state
            .commit(run, |tx| {
                self.allow(caller, access)?;
                let old = tx.snapshot().object(&reference.key(caller.cluster)).cloned();
                let old = old.ok_or_else(|| reference.not_found())?;
                preconditions.check(reference, &old)?;
                delete_in(tx, reference, &old)
            })
            .await?;
        let outcome = outcome(written, run);
        if run == Run::Real && reference.resource.is_namespace() {
            self.empty_namespace(caller.cluster, reference.name).await?;
        }
        Ok(outcome)
    }

    /// Deletes the objects of a place that `selects` picks. Answers those that it picked.
    pub async fn delete_objects(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        run: Run,
        selects: impl Fn(&Object) -> bool + Send + Sync,
    ) -> Result<SelectedObjects, ObjectError> {
        self.allow(caller, access)?;
        let Resource { group, plural, .. } = reference.resource;
        let mut deleted = Vec::new();
        loop {
            let Committed { value: more, revision } = self
                .state
                .commit(run, |tx| -> Result<Vec<Arc<Object>>, ObjectError> {
                    self.allow(caller, access)?;
                    let found: Vec<_> = tx
                        .snapshot()
                        .objects(caller.cluster, group, plural, reference.namespace)
                        .filter(|object| selects(object) && !is_terminating(&object.value))
                        .take(if run == Run::Dry { usize::MAX } else { BATCH })
                        .cloned()
                        .collect();
                    let mut begun = Vec::new();
                    for object in found {
                        if run == Run::Real && !has_room(tx, &object) {
                            break;
                        }
                        let reference = ObjectReference {
                            namespace: &object.key.namespace,
                            name: &object.key.name,
                            ..reference.clone()
                        };
                        delete_in(tx, &reference, &object)?;
                        begun.push(object);
                    }
                    if group == RBAC_GROUP && plural == "clusterroles" && !begun.is_empty() {
                        // What selects several of them is worked out when all are gone.
                        unfinished::record(tx, Work::AggregateRoles(caller.cluster))
                            .map_err(ObjectError::App)?;
                    }
                    Ok(begun)
                })
                .await?;
            let last = more.is_empty() || run == Run::Dry;
            deleted.extend(more);
            if last {
                return Ok(SelectedObjects { objects: deleted, revision });
            }
        }
    }

    fn create_in(
        &self,
        tx: &mut Tx,
        caller: &KubeCaller,
        reference: &ObjectReference<'_>,
        value: &Value,
    ) -> Result<WriteResult, ObjectError> {
        let key = reference.key(caller.cluster);
        if tx.snapshot().object(&key).is_some() {
            return Err(reference.already_exists());
        }
        namespaces::check_open(tx.snapshot(), caller.cluster, reference)?;
        let user = self.current_user(caller)?;
        self.check_grant(tx.snapshot(), caller.cluster, &user, reference, None, value)?;
        let value = grants::with_aggregated_rules(tx.snapshot(), &key, value.clone());
        put(tx, &key, value.clone())?;
        grants::keep_aggregated(tx, &key, Some(&value))?;
        if reference.resource.is_namespace() {
            service_accounts::put_default(tx, caller.cluster, reference.name)?;
        }
        Ok(WriteResult { key, value, previous: None, change: ObjectChange::Created })
    }

    fn replace_in(
        &self,
        tx: &mut Tx,
        caller: &KubeCaller,
        reference: &ObjectReference<'_>,
        old: &Arc<Object>,
        value: Value,
    ) -> Result<WriteResult, ObjectError> {
        let user = self.current_user(caller)?;
        self.check_grant(tx.snapshot(), caller.cluster, &user, reference, Some(&old.value), &value)?;
        let key = old.key.clone();
        let value = grants::with_aggregated_rules(tx.snapshot(), &key, value);
        let previous = Some(old.clone());
        if value == *old.value {
            return Ok(WriteResult { key, value, previous, change: ObjectChange::Unchanged });
        }
        if is_terminating(&value) && is_finished(reference, &value) {
            remove(tx, &key)?;
            return Ok(WriteResult { key, value, previous, change: ObjectChange::Deleted });
        }
        put(tx, &key, value.clone())?;
        grants::keep_aggregated(tx, &key, Some(&value))?;
        Ok(WriteResult { key, value, previous, change: ObjectChange::Updated })
    }
}

/// The object of a finished write, with the revision of that very transaction.
fn outcome(written: Committed<WriteResult>, run: Run) -> Outcome {
    let Committed { value: WriteResult { key, value, previous, change }, revision } = written;
    // A write of what is there already, a second delete among them, has left the object as it was.
    let is_kept = run == Run::Dry
        || change == ObjectChange::Unchanged
        || (change == ObjectChange::Terminating
            && previous.as_ref().is_some_and(|previous| *previous.value == value));
    let before = previous.as_ref().map_or(0, |object| object.revision);
    let revision = if is_kept { before } else { revision };
    Outcome { object: Arc::new(Object { key, revision, value: Arc::new(value) }), change }
}

impl Preconditions {
    fn check(&self, reference: &ObjectReference<'_>, object: &Object) -> Result<(), ObjectError> {
        let uid = text(&object.value, "/metadata/uid");
        if let Some(wanted) = &self.uid
            && wanted != uid
        {
            // The one message that names the kind in place of the resource.
            let because = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object \
                 might have been deleted and then recreated"
            );
            return Err(reference.conflict(reference.resource.kind, because));
        }
        if let Some(wanted) = self.revision
            && wanted != object.revision
        {
            let because = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in \
                 record ({}). The object might have been modified",
                object.revision
            );
            return Err(reference.conflict(reference.resource.kind, because));
        }
        Ok(())
    }
}

/// What a transaction's body has written.
struct WriteResult {
    key: ObjectKey,
    value: Value,
    previous: Option<Arc<Object>>,
    change: ObjectChange,
}

fn delete_in(
    tx: &mut Tx,
    reference: &ObjectReference<'_>,
    old: &Arc<Object>,
) -> Result<WriteResult, ObjectError> {
    namespaces::check_deletable(reference)?;
    let key = old.key.clone();
    let previous = Some(old.clone());
    let value = Value::clone(&old.value);
    if is_finished(reference, &value) {
        remove(tx, &key)?;
        return Ok(WriteResult { key, value, previous, change: ObjectChange::Deleted });
    }
    if is_terminating(&value) {
        return Ok(WriteResult { key, value, previous, change: ObjectChange::Terminating });
    }
    let mut value = ended(tx, &value);
    if reference.resource.is_namespace() {
        set(&mut value, "status", json!({"phase": "Terminating"}));
    }
    put(tx, &key, value.clone())?;
    Ok(WriteResult { key, value, previous, change: ObjectChange::Terminating })
}

/// Whether the end of an object, or the object with the mark that it ends, fits into the transaction.
fn has_room(tx: &Tx, object: &Object) -> bool {
    let stays = has_finalizers(&object.value) || object.value.pointer("/spec/finalizers").is_some();
    match stays {
        true => tx.has_room_for(object.value.to_string().len()),
        false => !tx.is_full(),
    }
}

/// Objects that are looked at for one transaction, which may end before.
const BATCH: usize = 100;
