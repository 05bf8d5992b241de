//! What is where it is: nobody but a cluster changes what is in the resource group that belongs to it, and nothing is
//! made in, or done to, what is being deleted.
//!
//! This is no right: whoever may do everything is refused as well. Roles and locks can be set in a cluster's group, as
//! in Azure, and taken away everywhere. Things of others that an earlier release let into a cluster's group stay
//! theirs: they can be used, changed and deleted, and remain when the cluster goes.

use std::sync::Arc;

use domain::{
    change::RecordKey,
    cluster::Cluster,
    id::{ObjectId, SubscriptionId},
    resource::Resource,
    scope::Scope,
    snapshot::Snapshot,
    unfinished::ProvisioningState,
    unreadable::Unreadable,
};

use crate::{Caller, Error, Rule};

/// Refuses an action that changes something where the caller is not to, or nobody is.
pub fn check(snapshot: &Snapshot, caller: &Caller, action: &str, scope: &Scope) -> Result<(), Error> {
    if action.ends_with("/read") || TAKES_AWAY.contains(&action) {
        return Ok(());
    }
    let group = scope.subscription_id().zip(scope.resource_group_name());
    check_not_ending(snapshot, group, action, scope)?;
    match group {
        Some(group) => check_not_managed(snapshot, caller, group, action, scope),
        None => Ok(()),
    }
}

/// Refuses what is asked of a cluster that is being made or deleted.
pub fn check_in_use(snapshot: &Snapshot, cluster: &Cluster) -> Result<(), Error> {
    let state = match snapshot.provisioning_state(cluster) {
        ProvisioningState::Succeeded => return Ok(()),
        state => state.as_str(),
    };
    let text = format!(
        "Operation is not allowed: Another operation ({state}) is in progress on the managed cluster '{}', please wait for it to finish before starting a new operation.",
        cluster.name
    );
    Err(Error::Rule(Rule::InProgress, text))
}

/// The resources in a cluster's group that go with it, or the others.
pub fn is_own(cluster: &Cluster, resource: &Resource) -> bool {
    let made = resource.managed_by.as_ref();
    cluster.owns(&resource.id)
        && (cluster.identities.values().any(|identity| identity.resource == resource.id)
            || made.is_some_and(|by| by.eq_ignore_ascii_case(&cluster.resource_id())))
}

/// The cluster that makes a resource at this scope for itself: it goes with that cluster.
pub fn maker(snapshot: &Snapshot, caller: &Caller, scope: &Scope) -> Option<String> {
    let manager = snapshot.manager_of(scope.subscription_id()?, scope.resource_group_name()?)?;
    acts_as(manager, caller.object_id).then(|| manager.resource_id())
}

fn check_not_ending(
    snapshot: &Snapshot,
    group: Option<(SubscriptionId, &str)>,
    action: &str,
    scope: &Scope,
) -> Result<(), Error> {
    if action == DELETE_GROUP {
        return Ok(());
    }
    if let Some((subscription, name)) = group {
        if snapshot.is_ending_group(subscription, name) {
            let text = format!(
                "The resource group '{name}' is in deprovisioning state and cannot perform this operation."
            );
            return Err(Error::Rule(Rule::GroupEnding, text));
        }
        let named = |cluster: &&Arc<Cluster>| {
            cluster.subscription == subscription
                && cluster.resource_group.matches(name)
                && scope.cluster_name().is_some_and(|asked| cluster.name.matches(asked))
        };
        // Deleting it again is going on with it, and writing what is being made waits for it.
        let waits = |cluster: &Cluster| match action {
            DELETE_CLUSTER => true,
            WRITE_CLUSTER => snapshot.provisioning_state(cluster) == ProvisioningState::Creating,
            _ => false,
        };
        if let Some(cluster) = snapshot.unfinished_clusters().find(named).filter(|cluster| !waits(cluster)) {
            return check_in_use(snapshot, cluster);
        }
    }
    // Deleting it again is going on with it.
    if !action.ends_with("/delete") && snapshot.is_ending_resource(scope) {
        let text = format!(
            "Operation is not allowed: '{scope}' is being deleted, please wait for it to finish before starting a new operation."
        );
        return Err(Error::Rule(Rule::InProgress, text));
    }
    Ok(())
}

fn check_not_managed(
    snapshot: &Snapshot,
    caller: &Caller,
    (subscription, name): (SubscriptionId, &str),
    action: &str,
    scope: &Scope,
) -> Result<(), Error> {
    let allowed =
        action == DELETE_GROUP || action == ASSIGN_IDENTITY || action.starts_with("Microsoft.Authorization/");
    if allowed {
        return Ok(());
    }
    let Some(manager) = snapshot.manager_of(subscription, name) else {
        return check_manager_readable(snapshot, (subscription, name));
    };
    // To each their own.
    if acts_as(manager, caller.object_id) != is_of_others(snapshot, manager, (subscription, name), scope) {
        return Ok(());
    }
    let owner = manager.resource_id();
    if action == WRITE_GROUP {
        let text = format!(
            "The managed by property of the resource group '{name}' cannot be changed from its current value '{owner}': the group belongs to that cluster."
        );
        return Err(Error::Rule(Rule::GroupManaged, text));
    }
    Err(Error::Rule(
        Rule::ManagedContents,
        format!(
            "The operation '{action}' on '{scope}' is not allowed: the resource group '{name}' is managed by '{owner}'; each changes there what is their own only."
        ),
    ))
}

/// Refuses where the cluster that a group belongs to may be one whose record cannot be read.
fn check_manager_readable(
    snapshot: &Snapshot,
    (subscription, name): (SubscriptionId, &str),
) -> Result<(), Error> {
    let group = snapshot.resource_group(subscription, name);
    let Some(owner) = group.and_then(|group| group.managed_by.as_deref()) else { return Ok(()) };
    let is_cluster = |each: &Arc<Unreadable>| matches!(each.record, Some(RecordKey::Cluster(_)));
    match snapshot.unreadable().find(|each| is_cluster(each)) {
        None => Ok(()),
        Some(each) => Err(Error::Conflict(format!(
            "the resource group '{name}' is managed by '{owner}', and {} cannot be read: an operator has to repair it first",
            each.place
        ))),
    }
}

/// Whether the scope is, or is below, something in the group that is not the cluster's.
fn is_of_others(
    snapshot: &Snapshot,
    manager: &Cluster,
    (subscription, name): (SubscriptionId, &str),
    scope: &Scope,
) -> bool {
    if let Some(cluster) = scope.cluster_name() {
        return snapshot.cluster_by_name(subscription, name, cluster).is_some();
    }
    let mut at = Some(scope.clone());
    while let Some(scope) = at {
        if let Some(found) = snapshot.resource(&scope) {
            return !is_own(manager, found);
        }
        at = scope.parent();
    }
    false
}

fn acts_as(cluster: &Cluster, caller: ObjectId) -> bool {
    cluster.identities.values().any(|identity| identity.object_id == caller)
}

const WRITE_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";
const DELETE_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";
const WRITE_CLUSTER: &str = "Microsoft.ContainerService/managedClusters/write";
const DELETE_CLUSTER: &str = "Microsoft.ContainerService/managedClusters/delete";
/// Letting something act as a managed identity.
pub const ASSIGN_IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
/// What lets somebody do less is never held up.
const TAKES_AWAY: [&str; 2] =
    ["Microsoft.Authorization/roleAssignments/delete", "Microsoft.Authorization/locks/delete"];
