//! Resources of providers that have no behaviour of their own here: permissions are about them, and identities
//! stand behind some. Clusters and resource groups are records of their own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::{AppId, ObjectId},
    scope::Scope,
    write_only,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The resource id, as written.
    pub id: Scope,
    pub location: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Who it is in the directory: a user-assigned identity itself, or what acts for another resource.
    pub identity: Option<ManagedIdentity>,
    /// All other members as clients wrote them, less what is [secret](write_only): `properties`, `sku`, `kind`.
    #[serde(deserialize_with = "write_only::deserialize")]
    pub other: Map<String, Value>,
    /// Resource id of the cluster that made it in its own group, and that it goes with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// An identity that no secret belongs to, with the resource that it comes and goes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Resource id of the user-assigned identity, or of the resource that has one assigned by the system.
    pub resource: Scope,
    pub object_id: ObjectId,
    pub client_id: AppId,
}

impl Resource {
    /// Whether the resource is of a type such as `Microsoft.ManagedIdentity/userAssignedIdentities`.
    pub fn is_of_type(&self, resource_type: &str) -> bool {
        self.id.resource_type().is_some_and(|own| own.eq_ignore_ascii_case(resource_type))
    }
}

/// The type of user-assigned identities.
pub const USER_ASSIGNED_IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
