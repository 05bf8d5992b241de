//! Work that takes more than one transaction: what is made or deleted in steps stands on record until the last step,
//! so that whoever starts after an interruption goes on with it.
//!
//! What is half made or half deleted is out of use: see [`Snapshot`](crate::snapshot::Snapshot).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClusterId, ObjectId, SubscriptionId},
    name::ResourceName,
    scope::Scope,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    pub work: Work,
    /// With the work it is one of a kind: what is made again under a name and deleted again is another work.
    pub since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Its first objects are not all there.
    MakeCluster(ClusterId),
    DeleteCluster(ClusterId),
    DeleteResourceGroup {
        subscription: SubscriptionId,
        name: ResourceName,
    },
    /// A resource with what is below it.
    DeleteResource(Scope),
    DeleteManagementGroup(ResourceName),
    /// The memberships of and in a principal that is gone.
    ForgetMemberships(ObjectId),
    /// The same, and the role assignments of a managed identity that is gone.
    ForgetIdentity(ObjectId),
    /// Aggregated roles of a cluster do not all have the rules of what they select.
    AggregateRoles(ClusterId),
    /// Secrets of a cluster hold tokens of service accounts that are gone.
    DeleteTokenSecrets(ClusterId),
}

/// Where a resource is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisioningState {
    Creating,
    Succeeded,
    Deleting,
}

impl Work {
    /// One work at a time has a key: making a cluster gives way to deleting it.
    pub fn key(&self) -> String {
        match self {
            Self::MakeCluster(id) | Self::DeleteCluster(id) => format!("cluster/{id}"),
            Self::DeleteResourceGroup { subscription, name } => group_key(*subscription, name.as_str()),
            Self::DeleteResource(id) => resource_key(id),
            Self::DeleteManagementGroup(name) => management_group_key(name.as_str()),
            Self::ForgetMemberships(id) | Self::ForgetIdentity(id) => format!("principal/{id}"),
            Self::AggregateRoles(id) => format!("aggregated-roles/{id}"),
            Self::DeleteTokenSecrets(id) => format!("token-secrets/{id}"),
        }
    }
}

impl ProvisioningState {
    /// As Azure Resource Manager says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Succeeded => "Succeeded",
            Self::Deleting => "Deleting",
        }
    }
}

pub(crate) fn group_key(subscription: SubscriptionId, name: &str) -> String {
    format!("resource-group/{subscription}/{}", name.to_ascii_lowercase())
}

pub(crate) fn resource_key(id: &Scope) -> String {
    format!("resource{}", id.folded())
}

pub(crate) fn management_group_key(name: &str) -> String {
    format!("management-group/{}", name.to_ascii_lowercase())
}
