//! Management groups: the tree above the subscriptions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{SubscriptionId, TenantId},
    name::{DisplayName, ResourceName},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementGroup {
    pub tenant: TenantId,
    pub name: ResourceName,
    pub display_name: DisplayName,
    /// Absent: directly under the root.
    pub parent: Option<ResourceName>,
    pub subscriptions: Vec<SubscriptionId>,
    pub created: Timestamp,
}

impl From<&ManagementGroup> for crate::azure::ManagementGroup {
    fn from(group: &ManagementGroup) -> Self {
        Self {
            name: group.name.clone(),
            parent: group.parent.clone(),
            subscriptions: group.subscriptions.clone(),
        }
    }
}
