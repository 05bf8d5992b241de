//! The life of a namespace: nothing is made where none is, or in one that ends; when it ends, everything in it
//! goes first, and it goes last.

use std::sync::Arc;

use domain::{
    change::Record,
    id::ClusterId,
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};

use super::{
    ObjectError, ObjectReference,
    deletion::{ended, has_finalizers, is_terminating, remove},
};
use crate::Kubernetes;

/// Refuses to make an object in a namespace that is missing or ends.
pub(super) fn check_open(
    snapshot: &Snapshot,
    cluster: ClusterId,
    reference: &ObjectReference<'_>,
) -> Result<(), ObjectError> {
    if !reference.resource.namespaced {
        return Ok(());
    }
    let namespace = snapshot.object(&ObjectKey::new(cluster, "", "namespaces", "", reference.namespace));
    let namespace = namespace.ok_or_else(|| ObjectError::not_found("", "namespaces", reference.namespace))?;
    if is_terminating(&namespace.value) {
        return Err(reference.forbidden(format!(
            "unable to create new content in namespace {} because it is being terminated",
            reference.namespace
        )));
    }
    Ok(())
}

/// Refuses to delete what a cluster cannot be without.
pub(super) fn check_deletable(reference: &ObjectReference<'_>) -> Result<(), ObjectError> {
    if reference.resource.is_namespace() && IMMORTAL.contains(&reference.name) {
        return Err(reference.forbidden("this namespace may not be deleted"));
    }
    Ok(())
}

impl Kubernetes {
    /// Removes the contents of a namespace that ends, then the namespace. What finalizers keep stays, and the
    /// namespace with it, until a later write takes them away.
    pub(super) async fn empty_namespace(&self, cluster: ClusterId, name: &str) -> Result<(), ObjectError> {
        // What was looked at already is not looked at again with each step.
        let beginning = ObjectKey::new(cluster, "", "", "", "");
        let mut from = beginning.clone();
        loop {
            let start = from.clone();
            let step = self
                .state
                .transact(|tx| {
                    let key = ObjectKey::new(cluster, "", "namespaces", "", name);
                    let base = tx.base();
                    let Some(namespace) = base.object(&key) else { return Ok(Step::Done) };
                    if !is_terminating(&namespace.value) {
                        return Ok(Step::Done);
                    }
                    let contents = base.cluster_objects_from(cluster, start.clone());
                    for object in contents.filter(|object| &*object.key.namespace == name) {
                        if !has_finalizers(&object.value) {
                            if tx.is_full() {
                                return Ok(Step::From(object.key.clone()));
                            }
                            remove(tx, &object.key)?;
                        } else if !is_terminating(&object.value) {
                            let value = Arc::new(ended(tx, &object.value));
                            let record = Object { key: object.key.clone(), revision: 0, value };
                            if !tx.put_if_room(&Record::Object(record)).map_err(ObjectError::App)? {
                                return Ok(Step::From(object.key.clone()));
                            }
                        }
                    }
                    // It goes in a step that has looked at everything.
                    if start != beginning {
                        return Ok(Step::From(beginning.clone()));
                    }
                    let kept = base
                        .cluster_objects(cluster)
                        .any(|object| &*object.key.namespace == name && has_finalizers(&object.value));
                    if !kept && !has_finalizers(&namespace.value) {
                        remove(tx, &key)?;
                    }
                    Ok::<_, ObjectError>(Step::Done)
                })
                .await?;
            match step {
                Step::Done => return Ok(()),
                Step::From(key) => from = key,
            }
        }
    }

    /// Goes on with every namespace that ends, in every cluster: after a restart, and when a finalizer has
    /// been taken away.
    pub async fn finish_namespaces(&self, only: Option<(ClusterId, &str)>) -> Result<(), ObjectError> {
        let snapshot = self.state.snapshot();
        let ending: Vec<(ClusterId, String)> = snapshot
            .clusters()
            .filter(|cluster| cluster.is_embedded() && only.is_none_or(|(id, _)| cluster.id == id))
            .flat_map(|cluster| snapshot.objects(cluster.id, "", "namespaces", ""))
            .filter(|object| is_terminating(&object.value))
            .filter(|object| only.is_none_or(|(_, name)| &*object.key.name == name))
            .map(|object| (object.key.cluster, object.key.name.to_string()))
            .collect();
        for (cluster, name) in ending {
            self.empty_namespace(cluster, &name).await?;
        }
        Ok(())
    }
}

/// How far the contents of a namespace are gone.
enum Step {
    Done,
    From(ObjectKey),
}

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
