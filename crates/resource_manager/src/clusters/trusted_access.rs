//! Trusted access: a resource whose identity may use a cluster's API, in roles that are made for its type
//! (`trustedAccessRoles`, `trustedAccessRoleBindings`).
//!
//! In the cluster a binding is a ClusterRole for each of its roles and a ClusterRoleBinding to the object id of the
//! resource's identity, so that it is decided, listed and explained as every other binding.

use state::Kind;
use std::sync::Arc;

use domain::{
    change::{Record, RecordKey},
    cluster::{Cluster, TrustedAccess},
    id::ObjectId,
    name::ResourceName,
    object::{Object, ObjectKey, RBAC_GROUP},
    scope::Scope,
    snapshot::Snapshot,
    unfinished::Work,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ClusterName;
use crate::{ResourceManager, locks, scope_rules::CreatedOrUpdated};
use kubernetes::objects;
use state::{Caller, Error, Tx, authorize, unfinished};

/// A role that resources of one type may be given in clusters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedAccessRole {
    pub source_resource_type: String,
    pub name: String,
    pub rules: Vec<Rule>,
}

/// As in a ClusterRole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub verbs: Vec<String>,
    pub api_groups: Vec<String>,
    pub resources: Vec<String>,
    #[serde(default)]
    pub resource_names: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    pub non_resource_urls: Vec<String>,
}

/// Every trusted access role there is.
pub fn roles() -> Result<Vec<TrustedAccessRole>, Error> {
    serde_json::from_str(include_str!("trusted_access_roles.json")).map_err(Error::internal)
}

impl ResourceManager {
    /// Lets a resource into a cluster, or changes the roles that it has there.
    pub async fn put_trusted_access(
        &self,
        caller: &Caller,
        name: &ClusterName,
        binding: &ResourceName,
        source: &Scope,
        wanted: &[String],
    ) -> Result<(TrustedAccess, CreatedOrUpdated), Error> {
        let scope = binding_scope(name, binding)?;
        self.state.transact(|tx| {
            tx.authorize(caller, WRITE, &scope)?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
            let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
            if !cluster.is_embedded() {
                return Err(Error::Conflict(
                    "trusted access is for embedded clusters: bind the identity in the attached cluster itself".into(),
                ));
            }
            let principal = identity_of(tx.snapshot(), source)?;
            let chosen = choose(source, wanted)?;
            let key = binding.folded();
            let old = cluster.trusted_access.get(&key).cloned();
            if let Some(old) = &old {
                if old.source != *source {
                    return Err(Error::invalid(
                        "properties.sourceResourceId",
                        format!("the binding is of {} and cannot be changed to {source}", old.source),
                    ));
                }
                remove_objects(tx, &cluster, old);
            }
            let record = TrustedAccess {
                name: old.as_ref().map_or_else(|| binding.to_string(), |old| old.name.clone()),
                source: source.clone(),
                roles: chosen.iter().map(TrustedAccessRole::id).collect(),
            };
            for role in &chosen {
                write_objects(tx, &cluster, &record, role, principal)?;
            }
            cluster.trusted_access.insert(key, record.clone());
            tx.put(&Record::Cluster(Box::new(cluster)))?;
            Ok((record, if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created }))
        })
        .await
    }

    pub fn find_trusted_access(
        &self,
        caller: &Caller,
        name: &ClusterName,
        binding: &ResourceName,
    ) -> Result<TrustedAccess, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &binding_scope(name, binding)?, self.state.now())?;
        let found = name.require(&snapshot)?.trusted_access.get(&binding.folded());
        found.cloned().ok_or_else(|| Error::not_found(Kind::TrustedAccessRoleBinding, binding))
    }

    pub fn list_trusted_access(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<Vec<TrustedAccess>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &name.scope()?, self.state.now())?;
        Ok(name.require(&snapshot)?.trusted_access.values().cloned().collect())
    }

    /// `false`: there was none.
    pub async fn delete_trusted_access(
        &self,
        caller: &Caller,
        name: &ClusterName,
        binding: &ResourceName,
    ) -> Result<bool, Error> {
        let scope = binding_scope(name, binding)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, DELETE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Delete)?;
                let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
                let Some(old) = cluster.trusted_access.remove(&binding.folded()) else { return Ok(false) };
                remove_objects(tx, &cluster, &old);
                unfinished::begin(tx, Work::DeleteResource(scope.clone()))?;
                tx.put(&Record::Cluster(Box::new(cluster)))?;
                Ok(true)
            })
            .await
    }
}

impl TrustedAccessRole {
    /// `Provider/type/role`.
    fn id(&self) -> String {
        format!("{}/{}", self.source_resource_type, self.name)
    }
}

fn binding_scope(name: &ClusterName, binding: &ResourceName) -> Result<Scope, Error> {
    let scope = name.scope()?.child("trustedAccessRoleBindings", binding.as_str());
    scope.map_err(|error| Error::invalid("name", error))
}

/// The roles that a binding names, which must be made for the type of its resource.
fn choose(source: &Scope, wanted: &[String]) -> Result<Vec<TrustedAccessRole>, Error> {
    if wanted.is_empty() {
        return Err(Error::invalid("properties.roles", "expected at least one role"));
    }
    let known = roles()?;
    let own = source.resource_type().unwrap_or_default();
    let find = |id: &String| {
        let role = known.iter().find(|role| role.id().eq_ignore_ascii_case(id));
        let role = role.filter(|role| role.source_resource_type.eq_ignore_ascii_case(&own));
        role.cloned().ok_or_else(|| {
            Error::invalid("properties.roles", format!("\"{id}\": expected a trusted access role for {own}"))
        })
    };
    wanted.iter().map(find).collect()
}

fn identity_of(snapshot: &Snapshot, source: &Scope) -> Result<ObjectId, Error> {
    let resource = snapshot.resource(source).ok_or_else(|| Error::not_found(Kind::Resource, source))?;
    let identity = resource.identity.as_ref().ok_or_else(|| {
        Error::invalid("properties.sourceResourceId", format!("{source} has no managed identity"))
    })?;
    Ok(identity.object_id)
}

fn keys(cluster: &Cluster, record: &TrustedAccess, role_id: &str) -> [ObjectKey; 2] {
    let role = role_id.rsplit('/').next().unwrap_or_default();
    let name = format!("aks:trustedaccess:{}:{role}", record.name);
    ["clusterroles", "clusterrolebindings"]
        .map(|resource| ObjectKey::new(cluster.id, RBAC_GROUP, resource, "", &name))
}

fn write_objects(
    tx: &mut Tx,
    cluster: &Cluster,
    record: &TrustedAccess,
    role: &TrustedAccessRole,
    principal: ObjectId,
) -> Result<(), Error> {
    let [role_key, binding_key] = keys(cluster, record, &role.id());
    let labels = json!({"kubernetes.azure.com/managedby": "aks"});
    let name = &*role_key.name;
    let cluster_role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels}, "rules": role.rules,
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": labels},
        "subjects": [{"kind": "User", "apiGroup": RBAC_GROUP, "name": principal}],
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name},
    });
    put(tx, role_key.clone(), cluster_role)?;
    put(tx, binding_key, binding)
}

fn put(tx: &mut Tx, key: ObjectKey, mut value: Value) -> Result<(), Error> {
    objects::stamp(tx, &mut value)?;
    if let Some(old) = tx.snapshot().object(&key) {
        // A change of the roles: whoever it lets in, the binding is the same.
        for field in ["uid", "creationTimestamp"] {
            if let (Some(kept), Some(metadata)) =
                (old.value.pointer(&format!("/metadata/{field}")), value.get_mut("metadata"))
            {
                objects::set(metadata, field, kept.clone());
            }
        }
    }
    tx.put(&Record::Object(Object { key, revision: 0, value: Arc::new(value) }))
}

fn remove_objects(tx: &mut Tx, cluster: &Cluster, record: &TrustedAccess) {
    for role in &record.roles {
        for key in keys(cluster, record, role) {
            if tx.snapshot().object(&key).is_some() {
                tx.delete(&RecordKey::Object(key));
            }
        }
    }
}

const READ: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/read";
const WRITE: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write";
const DELETE: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/delete";
