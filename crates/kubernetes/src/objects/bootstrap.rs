//! What every embedded cluster has from its first moment: namespaces, roles and bindings, the administrators'
//! binding (W1) and that of the admin groups (W3). What is missing is put back at every start.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    change::{Record, RecordKey},
    cluster::{AdminCertificate, Cluster, ObjectsForm},
    id::ClusterId,
    kube::{
        bootstrap_objects, earlier_bootstrap_objects, reason::ADMIN_GROUPS_BINDING, reconciled,
        without_earlier_rules,
    },
    object::{Object, ObjectKey, RBAC_GROUP},
};
use serde_json::{Value, json};

use super::{
    grants, service_accounts,
    values::{set, stamp, text},
};
use crate::Kubernetes;
use state::{Error, Tx};

/// Binds the holders of administrator certificates to cluster-admin.
const ADMIN_BINDING: &str = "aks-cluster-admin-binding";

/// Writes the objects of a cluster that is being made, as far as the transaction has room. Whether that were all.
pub fn write_bootstrap(tx: &mut Tx, cluster: &Cluster) -> Result<bool, Error> {
    for manifest in manifests() {
        if tx.is_full() {
            return Ok(false);
        }
        let key = place(cluster.id, &manifest)?;
        if tx.snapshot().object(&key).is_none() {
            let (key, value) = complete(tx, cluster.id, manifest)?;
            put(tx, key, value)?;
        }
        if &*key.resource == "namespaces" {
            service_accounts::put_default(tx, cluster.id, &key.name)?;
        }
    }
    keep_admin_group_binding(tx, cluster)?;
    Ok(true)
}

/// Makes, changes or removes the binding of the admin groups, so that it says what the configuration says.
pub fn keep_admin_group_binding(tx: &mut Tx, cluster: &Cluster) -> Result<(), Error> {
    let key = ObjectKey::new(cluster.id, RBAC_GROUP, "clusterrolebindings", "", ADMIN_GROUPS_BINDING);
    let old = tx.snapshot().object(&key).cloned();
    if cluster.azure_rbac || cluster.admin_groups.is_empty() {
        if old.is_some() {
            tx.delete(&RecordKey::Object(key));
        }
        return Ok(());
    }
    let subjects = cluster.admin_groups.iter().map(|group| group.to_string());
    let wanted = binding(ADMIN_GROUPS_BINDING, subjects);
    let (_, fresh) = complete(tx, cluster.id, wanted)?;
    let value = match old {
        None => fresh,
        Some(old) => {
            let mut value = Value::clone(&old.value);
            for member in ["subjects", "roleRef"] {
                set(&mut value, member, fresh.get(member).cloned().unwrap_or_default());
            }
            if value == *old.value {
                return Ok(());
            }
            value
        }
    };
    put(tx, key, value)
}

impl Kubernetes {
    /// Puts back what is missing of the objects that every cluster has, takes away what only the default roles of an
    /// earlier release gave, and goes on with namespaces that were ending. For the start of the program.
    pub async fn restore_bootstrap_objects(&self) -> Result<(), Error> {
        let clusters: Vec<(ClusterId, ObjectsForm)> = self
            .state
            .snapshot()
            .clusters()
            .filter(|cluster| cluster.is_embedded())
            .map(|cluster| (cluster.id, cluster.objects_form))
            .collect();
        // They are read for whoever needs them: an idle server stays small.
        let wanted = if clusters.is_empty() { Vec::new() } else { manifests() };
        let has_earlier = clusters.iter().any(|(_, form)| *form == ObjectsForm::First);
        let earlier = if has_earlier { earlier_bootstrap_objects() } else { Vec::new() };
        for (cluster, _) in clusters {
            let mut more = true;
            while more {
                more = match self.state.transact(|tx| restore_some(tx, cluster, &wanted, &earlier)).await {
                    // One cluster's trouble is not the others'.
                    Err(
                        error @ (Error::Conflict(_)
                        | Error::Invalid(_)
                        | Error::TooLarge { .. }
                        | Error::Internal(_)),
                    ) => {
                        tracing::error!(cluster.id = %cluster, %error, "the default objects of a cluster were not put back");
                        false
                    }
                    restored => restored?,
                };
            }
        }
        self.finish_namespaces(None).await.map_err(Error::internal)
    }
}

/// Whether there may be more to restore: a transaction holds only so many writes.
fn restore_some(tx: &mut Tx, cluster: ClusterId, wanted: &[Value], earlier: &[Value]) -> Result<bool, Error> {
    let Some(cluster) = tx.snapshot().cluster(cluster).cloned() else { return Ok(false) };
    let earlier = match cluster.objects_form {
        ObjectsForm::First => earlier,
        ObjectsForm::Roles | ObjectsForm::Types => &[],
    };
    let earlier = earlier.iter().map(|manifest| Ok((place(cluster.id, manifest)?, manifest)));
    let earlier: BTreeMap<ObjectKey, &Value> = earlier.collect::<Result<_, Error>>()?;
    let mut writes = Vec::new();
    for manifest in wanted {
        let key = place(cluster.id, manifest)?;
        match tx.snapshot().object(&key) {
            None if tx.is_set_aside(&RecordKey::Object(key.clone())) => {}
            None => writes.push((key, complete(tx, cluster.id, manifest.clone())?.1)),
            Some(old) => {
                let kept = match earlier.get(&key) {
                    Some(earlier) => without_earlier_rules(&old.value, earlier, manifest),
                    None => Value::clone(&old.value),
                };
                let value = reconciled(&kept, manifest);
                if value != *old.value {
                    writes.push((key, value));
                }
            }
        }
    }
    if !writes.is_empty() {
        for (key, value) in writes {
            if !tx.put_if_room(&Record::Object(Object { key, revision: 0, value: Arc::new(value) }))? {
                break;
            }
        }
        return Ok(true);
    }
    if !grants::keep_all_aggregated(tx, cluster.id)? {
        return Ok(true);
    }
    for namespace in wanted.iter().filter(|manifest| text(manifest, "/kind") == "Namespace") {
        service_accounts::put_default(tx, cluster.id, text(namespace, "/metadata/name"))?;
    }
    keep_admin_group_binding(tx, &cluster)?;
    if cluster.objects_form < ObjectsForm::Roles {
        let cluster = Cluster { objects_form: ObjectsForm::Roles, ..Cluster::clone(&cluster) };
        tx.put(&Record::Cluster(Box::new(cluster)))?;
    }
    Ok(false)
}

fn manifests() -> Vec<Value> {
    let mut manifests = bootstrap_objects();
    manifests.push(binding(ADMIN_BINDING, std::iter::once(AdminCertificate::GROUP.to_owned())));
    manifests
}

fn binding(name: &str, groups: impl Iterator<Item = String>) -> Value {
    let subjects: Vec<_> =
        groups.map(|group| json!({"kind": "Group", "apiGroup": RBAC_GROUP, "name": group})).collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
    })
}

/// Where the object of a manifest stands.
fn place(cluster: ClusterId, manifest: &Value) -> Result<ObjectKey, Error> {
    let (group, resource) = match text(manifest, "/kind") {
        "Namespace" => ("", "namespaces"),
        "ClusterRole" => (RBAC_GROUP, "clusterroles"),
        "ClusterRoleBinding" => (RBAC_GROUP, "clusterrolebindings"),
        "Role" => (RBAC_GROUP, "roles"),
        "RoleBinding" => (RBAC_GROUP, "rolebindings"),
        other => return Err(Error::internal(format!("no cluster begins with a {other}"))),
    };
    let (namespace, name) = (text(manifest, "/metadata/namespace"), text(manifest, "/metadata/name"));
    Ok(ObjectKey::new(cluster, group, resource, namespace, name))
}

/// A manifest with its place, and with what the server itself gives an object.
fn complete(tx: &Tx, cluster: ClusterId, mut value: Value) -> Result<(ObjectKey, Value), Error> {
    let key = place(cluster, &value)?;
    stamp(tx, &mut value)?;
    if &*key.resource == "namespaces" {
        if let Some(metadata) = value.get_mut("metadata") {
            set(metadata, "labels", json!({"kubernetes.io/metadata.name": &*key.name}));
        }
        set(&mut value, "status", json!({"phase": "Active"}));
    }
    Ok((key, value))
}

fn put(tx: &mut Tx, key: ObjectKey, value: Value) -> Result<(), Error> {
    tx.put(&Record::Object(Object { key, revision: 0, value: Arc::new(value) }))
}
