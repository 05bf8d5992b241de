//! The tree of management groups as its readers see it: the root group, which has no record, among the others, and where
//! each subscription is.

use std::sync::Arc;

use domain::{
    id::TenantId, management_group::ManagementGroup, name::ResourceName, scope::Scope, snapshot::Snapshot,
    subscription::Subscription,
};
use jiff::Timestamp;

/// A group as its readers see it, the root group included.
#[derive(Clone, Debug)]
pub struct Group {
    pub tenant: TenantId,
    pub name: ResourceName,
    pub display_name: String,
    /// Absent: this is the root group.
    pub parent: Option<ResourceName>,
    pub created: Timestamp,
}

impl Group {
    pub fn scope(&self) -> Scope {
        Scope::management_group(&self.name)
    }

    /// Compared without regard to case.
    pub(crate) fn find(snapshot: &Snapshot, tenant: TenantId, name: &str) -> Option<Self> {
        let root_name = ManagementGroup::root_name(tenant);
        if root_name.matches(name) {
            let created = snapshot.directory().tenant(tenant)?.created;
            let display_name = "Tenant Root Group".to_owned();
            return Some(Self { tenant, name: root_name, display_name, parent: None, created });
        }
        let found = snapshot.management_group(name).filter(|found| found.tenant == tenant)?;
        Some(Self::from(&**found))
    }

    /// The groups directly below, by name.
    pub(crate) fn groups_below(&self, snapshot: &Snapshot) -> Vec<Self> {
        let below =
            |group: &&Arc<ManagementGroup>| group.tenant == self.tenant && group.parent_name() == self.name;
        let mut found: Vec<Self> =
            snapshot.management_groups().filter(below).map(|group| Self::from(&**group)).collect();
        found.sort_by_cached_key(|group| group.name.folded());
        found
    }

    /// The subscriptions directly below.
    pub(crate) fn subscriptions_below(&self, snapshot: &Snapshot) -> Vec<Arc<Subscription>> {
        let here = |subscription: &&Arc<Subscription>| {
            subscription.tenant == self.tenant && management_group_of(snapshot, subscription) == self.name
        };
        snapshot.subscriptions().filter(here).cloned().collect()
    }
}

impl From<&ManagementGroup> for Group {
    fn from(group: &ManagementGroup) -> Self {
        Self {
            tenant: group.tenant,
            name: group.name.clone(),
            display_name: group.display_name.as_str().to_owned(),
            parent: Some(group.parent_name()),
            created: group.created,
        }
    }
}

/// The name of the group that a subscription is in.
pub(crate) fn management_group_of(snapshot: &Snapshot, subscription: &Subscription) -> ResourceName {
    let holding = snapshot.management_groups().filter(|group| group.subscriptions.contains(&subscription.id));
    let named = holding.min_by_key(|group| group.name.folded()).map(|group| group.name.clone());
    named.unwrap_or_else(|| ManagementGroup::root_name(subscription.tenant))
}
