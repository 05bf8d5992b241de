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
    /// Absent: directly under the root group of the tenant.
    pub parent: Option<ResourceName>,
    pub subscriptions: Vec<SubscriptionId>,
    pub created: Timestamp,
}

impl ManagementGroup {
    /// The name of the group that a tenant has from the start, above all others: the tenant's id. There is no
    /// record of it.
    pub fn root_name(tenant: TenantId) -> ResourceName {
        tenant.into()
    }

    /// The root group of a tenant, as decisions know it.
    pub fn root_of(tenant: TenantId) -> crate::azure::ManagementGroup {
        let name = Self::root_name(tenant);
        crate::azure::ManagementGroup { name, parent: None, subscriptions: Vec::new() }
    }

    /// The name of the group above.
    pub fn parent_name(&self) -> ResourceName {
        self.parent.clone().unwrap_or_else(|| Self::root_name(self.tenant))
    }
}

impl From<&ManagementGroup> for crate::azure::ManagementGroup {
    fn from(group: &ManagementGroup) -> Self {
        Self {
            name: group.name.clone(),
            parent: Some(group.parent_name()),
            subscriptions: group.subscriptions.clone(),
        }
    }
}
