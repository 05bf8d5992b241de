//! What is shown beside a resource, as the caller's tenant has it: where it is in the tree of management groups, and
//! whether it is being made or deleted.

use std::sync::Arc;

use domain::{
    cluster::Cluster,
    id::TenantId,
    snapshot::Snapshot,
    subscription::{ResourceGroup, Subscription},
    unfinished::ProvisioningState,
};

use crate::{
    ResourceManager,
    management_group_tree::{Group, management_group_of},
    management_groups::MOST_LEVELS,
};
use state::Caller;

/// A tenant's resources, as they were at one revision. Groups and subscriptions of another tenant are nowhere in it.
#[derive(Clone, Debug)]
pub struct TenantResources {
    snapshot: Arc<Snapshot>,
    tenant: TenantId,
}

impl ResourceManager {
    /// For what surrounds a record that the caller was given: whoever may read a management group may see what is in it
    /// and what it is in.
    pub fn of(&self, caller: &Caller) -> TenantResources {
        TenantResources { snapshot: self.state.snapshot(), tenant: caller.tenant }
    }
}

impl TenantResources {
    /// Compared without regard to case.
    pub fn management_group(&self, name: &str) -> Option<Group> {
        Group::find(&self.snapshot, self.tenant, name)
    }

    /// The groups above one, from itself upwards.
    pub fn above(&self, group: &Group) -> Vec<Group> {
        let above = |group: &Group| self.parent(group);
        std::iter::successors(above(group), above).take(MOST_LEVELS + 1).collect()
    }

    pub fn parent(&self, group: &Group) -> Option<Group> {
        self.management_group(group.parent.as_ref()?.as_str())
    }

    /// The groups directly below, by name.
    pub fn groups_below(&self, group: &Group) -> Vec<Group> {
        if group.tenant == self.tenant { group.groups_below(&self.snapshot) } else { Vec::new() }
    }

    /// The subscriptions directly below.
    pub fn subscriptions_below(&self, group: &Group) -> Vec<Arc<Subscription>> {
        if group.tenant == self.tenant { group.subscriptions_below(&self.snapshot) } else { Vec::new() }
    }

    /// The group that a subscription is in.
    pub fn group_of(&self, subscription: &Subscription) -> Option<Group> {
        let own = subscription.tenant == self.tenant;
        own.then(|| management_group_of(&self.snapshot, subscription))
            .and_then(|name| self.management_group(name.as_str()))
    }

    /// Of a cluster that the caller was given.
    pub fn cluster_state(&self, cluster: &Cluster) -> ProvisioningState {
        self.snapshot.provisioning_state(cluster)
    }

    /// Of a resource group that the caller was given.
    pub fn resource_group_state(&self, group: &ResourceGroup) -> ProvisioningState {
        match self.snapshot.is_ending_group(group.subscription, group.name.as_str()) {
            true => ProvisioningState::Deleting,
            false => ProvisioningState::Succeeded,
        }
    }
}
