//! Subscriptions and resource groups. Lists show what the caller has any right in.

use state::Kind;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    change::{Record, RecordKey},
    id::SubscriptionId,
    name::ResourceName,
    scope::Scope,
    subscription::{ResourceGroup, Subscription},
    unfinished::Work,
};

use crate::{
    ResourceManager, clusters, locks, resources,
    scope_rules::{CreatedOrUpdated, clusters_in, group_scope},
};
use directory::owners::protect_administrators_below;
use state::{
    Caller, Error, Tx, authorize,
    unfinished::{self, WorkReference},
};

/// What a change of a resource group says; what it does not say stays.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    pub location: Option<String>,
    pub managed_by: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
}

impl ResourceManager {
    /// Subscriptions in which the caller has any right, at whatever scope.
    pub fn list_subscriptions(&self, caller: &Caller) -> Vec<Arc<Subscription>> {
        let snapshot = self.state.snapshot();
        let azure = snapshot.azure();
        let groups = snapshot.directory().transitive_groups(caller.object_id);
        let principals = groups.iter().copied().chain([caller.object_id]);
        let assigned: BTreeSet<Scope> =
            principals.flat_map(|each| azure.assignments_of(each)).map(|each| each.scope.clone()).collect();
        let own = |each: &&Arc<Subscription>| {
            let scope = Scope::subscription(each.id);
            each.tenant == caller.tenant
                && assigned
                    .iter()
                    .any(|at| azure.is_below(at, &scope) || azure.is_below(&scope, at) || *at == scope)
        };
        snapshot.subscriptions().filter(own).cloned().collect()
    }

    /// A subscription in which the caller has any right.
    pub fn find_subscription(&self, caller: &Caller, id: SubscriptionId) -> Result<Arc<Subscription>, Error> {
        let mut own = self.list_subscriptions(caller).into_iter();
        own.find(|each| each.id == id).ok_or_else(|| Error::not_found(Kind::Subscription, id))
    }

    /// Refuses a list of what is in a subscription or resource group that the caller may not see.
    pub(crate) fn require_visible(&self, caller: &Caller, scope: &Scope) -> Result<(), Error> {
        let named = scope.subscription_name().unwrap_or_default();
        let subscription =
            scope.subscription_id().ok_or_else(|| Error::not_found(Kind::Subscription, named))?;
        match scope.resource_group_name() {
            Some(group) => self.find_resource_group(caller, subscription, group).map(drop),
            None => self.find_subscription(caller, subscription).map(drop),
        }
    }

    /// Makes or changes a resource group.
    pub async fn put_resource_group(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        name: &ResourceName,
        location: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<ResourceGroup>, CreatedOrUpdated), Error> {
        let scope = group_scope(subscription, name.as_str())?;
        self.state.transact(|tx| {
            tx.authorize(caller, "Microsoft.Resources/subscriptions/resourceGroups/write", &scope)?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
            let snapshot = tx.snapshot();
            snapshot
                .subscription(subscription)
                .ok_or_else(|| Error::not_found(Kind::Subscription, subscription))?;
            let old = snapshot.resource_group(subscription, name.as_str());
            if let Some(old) = old.filter(|old| !old.location.eq_ignore_ascii_case(location)) {
                return Err(Error::Conflict(format!(
                    "resource group \"{}\" is in location \"{}\", which cannot be changed to \"{location}\"",
                    old.name, old.location
                )));
            }
            let group = ResourceGroup {
                subscription,
                name: old.map_or_else(|| name.clone(), |old| old.name.clone()),
                location: location.to_owned(),
                tags: tags.clone(),
                managed_by: old.and_then(|old| old.managed_by.clone()),
                created: old.map_or(tx.now(), |old| old.created),
            };
            let written = if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created };
            tx.put(&Record::ResourceGroup(group.clone()))?;
            Ok((Arc::new(group), written))
        })
        .await
    }

    /// Changes the tags of a resource group that is there.
    pub async fn update_resource_group(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        name: &ResourceName,
        change: GroupChange,
    ) -> Result<Arc<ResourceGroup>, Error> {
        let scope = group_scope(subscription, name.as_str())?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, "Microsoft.Resources/subscriptions/resourceGroups/write", &scope)?;
                let found = tx.snapshot().resource_group(subscription, name.as_str());
                let mut group =
                    ResourceGroup::clone(found.ok_or_else(|| Error::not_found(Kind::ResourceGroup, name))?);
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let stays = |wanted: &Option<String>, held: Option<&str>| {
                    wanted
                        .as_deref()
                        .is_none_or(|wanted| held.is_some_and(|held| held.eq_ignore_ascii_case(wanted)))
                };
                if !stays(&change.location, Some(&group.location))
                    || !stays(&change.managed_by, group.managed_by.as_deref())
                {
                    return Err(Error::Conflict(format!(
                        "location and managedBy of resource group \"{}\" cannot be changed",
                        group.name
                    )));
                }
                if let Some(tags) = &change.tags {
                    group.tags.clone_from(tags);
                }
                tx.put(&Record::ResourceGroup(group.clone()))?;
                Ok(Arc::new(group))
            })
            .await
    }

    pub fn find_resource_group(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Arc<ResourceGroup>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(
            &snapshot,
            caller,
            READ_GROUP,
            &group_scope(subscription, name)?,
            self.state.now(),
        )?;
        let group = snapshot.resource_group(subscription, name);
        group.cloned().ok_or_else(|| Error::not_found(Kind::ResourceGroup, name))
    }

    /// Resource groups that the caller may read.
    pub fn list_resource_groups(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
    ) -> Result<Vec<Arc<ResourceGroup>>, Error> {
        self.find_subscription(caller, subscription)?;
        let snapshot = self.state.snapshot();
        let readable = |group: &&Arc<ResourceGroup>| {
            let scope = group_scope(subscription, group.name.as_str());
            scope.is_ok_and(|scope| authorize::may(&snapshot, caller, READ_GROUP, &scope, self.state.now()))
        };
        Ok(snapshot.resource_groups(subscription).filter(readable).cloned().collect())
    }

    /// Deletes a resource group with everything in it. One that belongs to a cluster goes with the cluster only.
    /// Gives what is left to wait for.
    pub async fn delete_resource_group(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<WorkReference>, Error> {
        let scope = group_scope(subscription, name)?;
        let awaited = self.state.transact(|tx| {
            tx.authorize(caller, DELETE_GROUP, &scope)?;
            let snapshot = tx.snapshot();
            let group = snapshot.resource_group(subscription, name);
            locks::check(snapshot, &scope, locks::Operation::Delete)?;
            let group = group.ok_or_else(|| Error::not_found(Kind::ResourceGroup, name))?.clone();
            if let Some(cluster) = snapshot.manager_of(subscription, name) {
                return Err(Error::Conflict(format!(
                    "resource group \"{}\" belongs to {} and goes with it: delete that",
                    group.name,
                    cluster.resource_id()
                )));
            }
            tx.check_deletable(&RecordKey::ResourceGroup(subscription, group.name.folded()))?;
            protect_administrators_below(tx, caller, &scope, DELETE_GROUP)?;
            for cluster in clusters_in(snapshot, subscription, name) {
                clusters::check_removable(tx, caller, cluster)?;
            }
            unfinished::begin(tx, Work::DeleteResourceGroup { subscription, name: group.name.clone() })
        });
        self.state.go_on(awaited.await?).await
    }
}

/// Deletes what is in a resource group, and it last, as far as the transaction has room. Whether that was all.
pub fn delete_group(tx: &mut Tx, subscription: SubscriptionId, name: &ResourceName) -> Result<bool, Error> {
    let base = tx.base();
    let scope = group_scope(subscription, name.as_str())?;
    for cluster in clusters_in(&base, subscription, name.as_str()) {
        if !clusters::delete(tx, cluster)? {
            return Ok(false);
        }
    }
    if !resources::delete_below(tx, &scope)? || tx.is_full() {
        return Ok(false);
    }
    tx.delete(&RecordKey::ResourceGroup(subscription, name.folded()));
    Ok(true)
}

const DELETE_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";
const READ_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
