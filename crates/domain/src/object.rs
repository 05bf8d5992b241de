//! An object of an embedded cluster, as JSON with its place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::ClusterId;

/// Where an object is. The order is that of a list: by cluster, group, resource, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    pub cluster: ClusterId,
    /// API group, empty for the core group.
    pub group: Arc<str>,
    /// Plural name.
    pub resource: Arc<str>,
    /// Empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// An object as stored: without `metadata.resourceVersion`, which is `revision`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub key: ObjectKey,
    /// Revision of the write that gave it this value.
    pub revision: u64,
    pub value: Arc<serde_json::Value>,
}

impl ObjectKey {
    pub fn new(cluster: ClusterId, group: &str, resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            cluster,
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Whether decisions depend on this object: writes to such objects are ordered with all others that
    /// change who may do what.
    pub fn bears_on_access(&self) -> bool {
        &*self.group == RBAC_GROUP || (self.group.is_empty() && &*self.resource == "serviceaccounts")
    }
}

pub const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
