//! What holds for everything that is given at a scope: that the scope is there, and how lists and writes tell what they
//! did.

use state::Kind;
use std::sync::Arc;

use domain::{
    change::RecordKey,
    cluster::Cluster,
    id::{SubscriptionId, TenantId},
    name::ResourceName,
    scope::Scope,
    snapshot::Snapshot,
};
use state::{Error, Tx};

use crate::management_group_tree::Group;

/// Which entries of a scope a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeFilter {
    /// At the scope and above it.
    AtScope,
    /// At the scope, above it and below it.
    All,
}

/// Whether a write made a record or changed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreatedOrUpdated {
    Created,
    Updated,
}

/// Refuses a scope whose management group, subscription, resource group or cluster does not exist in the tenant: what
/// is given there would wait for whoever makes it. Other resources, and what is below a cluster, need not be known.
pub(crate) fn require_scope(snapshot: &Snapshot, tenant: TenantId, scope: &Scope) -> Result<(), Error> {
    if let Some(group) = scope.management_group_name() {
        let known = Group::find(snapshot, tenant, group);
        return known.map(drop).ok_or_else(|| Error::not_found(Kind::ManagementGroup, group));
    }
    let Some(subscription) = scope.subscription_name() else { return Ok(()) };
    let own = |id: &SubscriptionId| snapshot.subscription(*id).is_some_and(|found| found.tenant == tenant);
    let known = scope.subscription_id().filter(own);
    let known = known.ok_or_else(|| Error::not_found(Kind::Subscription, subscription))?;
    if let Some(group) = scope.resource_group_name() {
        snapshot.resource_group(known, group).ok_or_else(|| Error::not_found(Kind::ResourceGroup, group))?;
        if let Some(cluster) = scope.cluster_name() {
            let found = snapshot.cluster_by_name(known, group, cluster);
            found.ok_or_else(|| Error::not_found(Kind::ManagedCluster, cluster))?;
        }
    }
    Ok(())
}

/// Clusters of a resource group, also those that are not in use.
pub(crate) fn clusters_in<'a>(
    snapshot: &'a Snapshot,
    subscription: SubscriptionId,
    group: &'a str,
) -> impl Iterator<Item = &'a Arc<Cluster>> {
    let all = snapshot.clusters().chain(snapshot.unfinished_clusters());
    all.filter(move |cluster| cluster.subscription == subscription && cluster.resource_group.matches(group))
}

/// Deletes the role assignments at a scope and below it, which is about to go, as far as the transaction has room.
/// Whether that were all.
pub(crate) fn delete_assignments_below(tx: &mut Tx, scope: &Scope) -> bool {
    let going = tx.snapshot().azure().assignments_at_or_below(scope);
    tx.delete_all(going.into_iter().map(|each| RecordKey::Assignment(each.id)))
}

pub(crate) fn group_scope(subscription: SubscriptionId, name: &str) -> Result<Scope, Error> {
    let name = ResourceName::parse(name)?;
    Scope::subscription(subscription)
        .child("resourceGroups", name.as_str())
        .map_err(|error| Error::invalid("resourceGroupName", error))
}
