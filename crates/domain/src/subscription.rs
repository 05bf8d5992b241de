//! Subscriptions and resource groups: the containers that resources live in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{SubscriptionId, TenantId},
    name::{DisplayName, ResourceName},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub tenant: TenantId,
    pub display_name: DisplayName,
    /// By which names it was asked for (`Microsoft.Subscription/aliases`).
    #[serde(default)]
    pub aliases: Vec<ResourceName>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGroup {
    pub subscription: SubscriptionId,
    pub name: ResourceName,
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// Resource id of the cluster that it belongs to and goes with. Only that cluster changes what is in it.
    #[serde(default)]
    pub managed_by: Option<String>,
    pub created: Timestamp,
}
