//! What is being made or deleted in steps. It is out of use from the first step on, without a further write: a cluster
//! is not found by those who ask it, and managed identities of what is ending are disabled.
//!
//! Invariant: what is out of use follows from the records alone, in whatever order they are put.

use std::sync::Arc;

use super::Snapshot;
use crate::{
    application::{ServicePrincipal, ServicePrincipalKind},
    change::RecordKey,
    cluster::Cluster,
    id::{ClusterId, SubscriptionId},
    review::ClusterAccess,
    scope::Scope,
    subscription::ResourceGroup,
    unfinished::{ProvisioningState, Unfinished, Work, group_key, management_group_key, resource_key},
    unreadable::Unreadable,
};

impl Snapshot {
    /// What is being made or deleted, in the order of its keys.
    pub fn unfinished(&self) -> impl Iterator<Item = &Arc<Unfinished>> {
        self.unfinished.values()
    }

    /// The work of a key that [`Work::key`] made.
    pub fn unfinished_work(&self, key: &str) -> Option<&Arc<Unfinished>> {
        self.unfinished.get(key)
    }

    /// Clusters that are being made or deleted, which [`Snapshot::clusters`] leaves out.
    pub fn unfinished_clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.unfinished_clusters.values()
    }

    /// A cluster, whether it is in use or not.
    pub fn cluster_on_record(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(&id).or_else(|| self.unfinished_clusters.get(&id))
    }

    pub fn provisioning_state(&self, cluster: &Cluster) -> ProvisioningState {
        if self.is_ending_group(cluster.subscription, cluster.resource_group.as_str()) {
            return ProvisioningState::Deleting;
        }
        match self.unfinished.get(&Work::DeleteCluster(cluster.id).key()).map(|found| &found.work) {
            None if self.may_be_under_way(&Work::DeleteCluster(cluster.id).key()) => {
                ProvisioningState::Deleting
            }
            None => ProvisioningState::Succeeded,
            Some(Work::MakeCluster(_)) => ProvisioningState::Creating,
            Some(_) => ProvisioningState::Deleting,
        }
    }

    /// Whether a resource group is being deleted, by itself or with the cluster that it belongs to.
    pub fn is_ending_group(&self, subscription: SubscriptionId, name: &str) -> bool {
        (!self.unfinished.is_empty() || !self.unreadable.is_empty())
            && (self.may_be_under_way(&group_key(subscription, name))
                || self.manager_of(subscription, name).is_some_and(|cluster| {
                    self.unfinished_clusters.contains_key(&cluster.id)
                        && self.provisioning_state(cluster) == ProvisioningState::Deleting
                }))
    }

    /// Whether a management group, or a resource at or above the scope, is being deleted.
    pub fn is_ending_resource(&self, scope: &Scope) -> bool {
        if self.unfinished.is_empty() {
            return false;
        }
        if let Some(group) = scope.management_group_name() {
            return self.unfinished.contains_key(&management_group_key(group));
        }
        let mut at = Some(scope.clone());
        while let Some(scope) = at {
            if self.unfinished.contains_key(&resource_key(&scope)) {
                return true;
            }
            at = scope.parent();
        }
        false
    }

    /// The cluster that a resource group belongs to and goes with.
    pub fn manager_of(&self, subscription: SubscriptionId, name: &str) -> Option<&Arc<Cluster>> {
        self.clusters.values().chain(self.unfinished_clusters.values()).find(|cluster| {
            cluster.subscription == subscription
                && cluster.node_resource_group.as_ref().is_some_and(|own| own.matches(name))
        })
    }

    /// Whether a work is on record, or a record of its key that cannot be read: what it makes or deletes stays out of
    /// use.
    fn may_be_under_way(&self, key: &str) -> bool {
        let is_it =
            |each: &Arc<Unreadable>| matches!(&each.record, Some(RecordKey::Unfinished(of)) if of == key);
        self.unfinished.contains_key(key) || self.unreadable.values().any(is_it)
    }

    /// Puts every cluster among those that are in use, or among the others.
    pub(super) fn place_clusters(&mut self) {
        let all = self.clusters.values().chain(self.unfinished_clusters.values());
        for cluster in all.cloned().collect::<Vec<_>>() {
            self.place_cluster(cluster);
        }
    }

    pub(super) fn put_unfinished(&mut self, record: Unfinished) {
        let work = record.work.clone();
        self.unfinished.insert(work.key(), Arc::new(record));
        self.follow_work(&work);
        self.disable_ending_identities();
    }

    pub(super) fn remove_unfinished(&mut self, key: &str) {
        if let Some(done) = self.unfinished.remove(key) {
            self.follow_work(&done.work);
        }
    }

    /// Puts a cluster among those that are in use, or among the others.
    pub(super) fn place_cluster(&mut self, cluster: Arc<Cluster>) {
        self.rbac.entry(cluster.id).or_default();
        if let Some(name) = &cluster.node_resource_group
            && let Some(group) = self.resource_groups.get(&(cluster.subscription, name.folded()))
            && group.managed_by.is_none()
        {
            let group =
                ResourceGroup { managed_by: Some(cluster.resource_id()), ..ResourceGroup::clone(group) };
            self.resource_groups.insert((group.subscription, group.name.folded()), Arc::new(group));
        }
        let group = group_key(cluster.subscription, cluster.resource_group.as_str());
        let work = Work::DeleteCluster(cluster.id).key();
        if self.may_be_under_way(&work) || self.may_be_under_way(&group) {
            self.clusters.remove(&cluster.id);
            self.cluster_access.remove(&cluster.id);
            self.unfinished_clusters.insert(cluster.id, cluster);
            return;
        }
        match ClusterAccess::of(&cluster) {
            Some(access) => self.cluster_access.insert(cluster.id, Arc::new(access)),
            None => self.cluster_access.remove(&cluster.id),
        };
        self.unfinished_clusters.remove(&cluster.id);
        self.clusters.insert(cluster.id, cluster);
    }

    /// A group that a cluster made before groups said whose they are says it now.
    pub(super) fn with_manager(&self, mut group: ResourceGroup) -> ResourceGroup {
        if group.managed_by.is_none() {
            let manager = self.manager_of(group.subscription, group.name.as_str());
            group.managed_by = manager.map(|cluster| cluster.resource_id());
        }
        group
    }

    /// A service principal as it counts: disabled where what it belongs to is being deleted.
    pub(super) fn with_standing(&self, mut principal: ServicePrincipal) -> ServicePrincipal {
        principal.enabled &= !self.is_ending_identity(&principal);
        principal
    }

    fn follow_work(&mut self, work: &Work) {
        let concerned: Vec<Arc<Cluster>> = match work {
            Work::MakeCluster(id) | Work::DeleteCluster(id) => {
                self.cluster_on_record(*id).cloned().into_iter().collect()
            }
            Work::DeleteResourceGroup { subscription, name } => {
                let all = self.clusters.values().chain(self.unfinished_clusters.values());
                let inside = |cluster: &&Arc<Cluster>| {
                    cluster.subscription == *subscription && cluster.resource_group == *name
                };
                all.filter(inside).cloned().collect()
            }
            Work::DeleteResource(_)
            | Work::DeleteManagementGroup(_)
            | Work::ForgetMemberships(_)
            | Work::ForgetIdentity(_)
            | Work::AggregateRoles(_)
            | Work::DeleteTokenSecrets(_) => return,
        };
        for cluster in concerned {
            self.place_cluster(cluster);
        }
    }

    fn disable_ending_identities(&mut self) {
        let ending =
            |principal: &&Arc<ServicePrincipal>| principal.enabled && self.is_ending_identity(principal);
        let ending: Vec<_> = self.directory.service_principals().filter(ending).cloned().collect();
        for principal in ending {
            self.directory.put_service_principal(ServicePrincipal {
                enabled: false,
                ..ServicePrincipal::clone(&principal)
            });
        }
    }

    fn is_ending_identity(&self, principal: &ServicePrincipal) -> bool {
        let ServicePrincipalKind::ManagedIdentity(resource) = &principal.kind else { return false };
        if self.unfinished.is_empty() {
            return false;
        }
        // One whose resource cannot be named has nothing that it belongs to.
        let Ok(resource) = Scope::parse(resource) else { return true };
        let group = resource.subscription_id().zip(resource.resource_group_name());
        if group.is_some_and(|(id, name)| self.unfinished.contains_key(&group_key(id, name)))
            || self.is_ending_resource(&resource)
        {
            return true;
        }
        self.unfinished_clusters.values().any(|cluster| {
            cluster.owns(&resource)
                && cluster.identities.values().any(|identity| identity.object_id == principal.id)
                && self.provisioning_state(cluster) == ProvisioningState::Deleting
        })
    }
}
