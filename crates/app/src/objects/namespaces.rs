//! The life of a namespace: nothing is made where none is, or in one that ends; when it ends, everything in it
//! goes first, and it goes last.

use domain::{id::ClusterId, object::ObjectKey, snapshot::Snapshot};
use serde_json::Value;

use super::{
    ObjectError, Place,
    write::{Run, ended, is_terminating, put, remove},
};
use crate::App;

/// Refuses to make an object in a namespace that is missing or ends.
pub(super) fn check_open(
    snapshot: &Snapshot,
    cluster: ClusterId,
    place: &Place<'_>,
) -> Result<(), ObjectError> {
    if !place.resource.namespaced {
        return Ok(());
    }
    let namespace = snapshot.object(&ObjectKey::new(cluster, "", "namespaces", "", place.namespace));
    let namespace = namespace.ok_or_else(|| ObjectError::not_found("", "namespaces", place.namespace))?;
    if is_terminating(&namespace.value) {
        return Err(place.forbidden(format!(
            "unable to create new content in namespace {} because it is being terminated",
            place.namespace
        )));
    }
    Ok(())
}

/// Refuses to delete what a cluster cannot be without.
pub(super) fn check_deletable(place: &Place<'_>) -> Result<(), ObjectError> {
    if place.resource.is_namespace() && IMMORTAL.contains(&place.name) {
        return Err(place.forbidden("this namespace may not be deleted"));
    }
    Ok(())
}

impl App {
    /// Removes the contents of a namespace that ends, then the namespace. What finalizers keep stays, and the
    /// namespace with it, until a later write takes them away.
    pub(super) async fn empty_namespace(&self, cluster: ClusterId, name: &str) -> Result<(), ObjectError> {
        loop {
            let more = self
                .write(Run::Real, |tx| {
                    let key = ObjectKey::new(cluster, "", "namespaces", "", name);
                    let Some(namespace) = tx.snapshot().object(&key).cloned() else { return Ok(false) };
                    if !is_terminating(&namespace.value) {
                        return Ok(false);
                    }
                    let contents: Vec<_> = tx
                        .snapshot()
                        .cluster_objects(cluster)
                        .filter(|object| &*object.key.namespace == name)
                        .cloned()
                        .collect();
                    let (kept, free): (Vec<_>, Vec<_>) =
                        contents.into_iter().partition(|object| has_finalizers(&object.value));
                    let more = free.len() > BATCH;
                    for object in free.iter().take(BATCH) {
                        remove(tx, &object.key)?;
                    }
                    for object in kept.iter().filter(|object| !is_terminating(&object.value)) {
                        let value = ended(tx, &object.value);
                        put(tx, &object.key, value)?;
                    }
                    if kept.is_empty() && !more && !has_finalizers(&namespace.value) {
                        remove(tx, &key)?;
                    }
                    Ok::<_, ObjectError>(more)
                })
                .await?
                .value;
            if !more {
                return Ok(());
            }
        }
    }

    /// Goes on with every namespace that ends, in every cluster: after a restart, and when a finalizer has
    /// been taken away.
    pub async fn finish_namespaces(&self, only: Option<(ClusterId, &str)>) -> Result<(), ObjectError> {
        let snapshot = self.snapshot();
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

fn has_finalizers(value: &Value) -> bool {
    value.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
/// Objects that one transaction removes.
const BATCH: usize = 1_000;
