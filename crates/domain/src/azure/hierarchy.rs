//! Management groups, and which of them each subscription is in: the part of the tree of scopes that the
//! texts of scopes do not tell. What is not placed hangs under the root.

use std::sync::Arc;

use imbl::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    id::SubscriptionId,
    name::ResourceName,
    role::Stamp,
    scope::{Scope, ScopeError},
};

/// A management group (`Microsoft.Management/managementGroups`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementGroup {
    /// Its id, unique in the tenant; compared without regard to case.
    pub name: ResourceName,
    pub display_name: String,
    /// Absent: it hangs under the root.
    pub parent: Option<ResourceName>,
    pub created: Stamp,
    pub updated: Stamp,
}

impl ManagementGroup {
    pub fn scope(&self) -> Result<Scope, ScopeError> {
        management_group_scope(&self.name)
    }
}

/// `/providers/Microsoft.Management/managementGroups/{name}`.
pub fn management_group_scope(name: &ResourceName) -> Result<Scope, ScopeError> {
    Scope::parse(&format!("/providers/Microsoft.Management/managementGroups/{name}"))
}

#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy {
    /// By the folded scope of the group.
    groups: HashMap<Arc<str>, Node>,
    /// By the folded scope of the subscription: the group that it is in.
    subscriptions: HashMap<Arc<str>, (SubscriptionId, Scope)>,
}

#[derive(Clone, Debug)]
struct Node {
    group: Arc<ManagementGroup>,
    parent: Option<Scope>,
}

impl Hierarchy {
    pub(super) fn put_group(&mut self, group: ManagementGroup) -> Result<(), ScopeError> {
        let scope = group.scope()?;
        let parent = group.parent.as_ref().map(management_group_scope).transpose()?;
        self.groups.insert(scope.folded().into(), Node { group: Arc::new(group), parent });
        Ok(())
    }

    pub(super) fn remove_group(&mut self, name: &ResourceName) -> bool {
        management_group_scope(name).is_ok_and(|scope| self.groups.remove(scope.folded()).is_some())
    }

    pub(super) fn place_subscription(
        &mut self,
        id: SubscriptionId,
        parent: &ResourceName,
    ) -> Result<(), ScopeError> {
        let parent = management_group_scope(parent)?;
        self.subscriptions.insert(Scope::subscription(id).folded().into(), (id, parent));
        Ok(())
    }

    pub(super) fn take_out_subscription(&mut self, id: SubscriptionId) -> bool {
        self.subscriptions.remove(Scope::subscription(id).folded()).is_some()
    }

    pub(super) fn group(&self, name: &ResourceName) -> Option<&Arc<ManagementGroup>> {
        let scope = management_group_scope(name).ok()?;
        Some(&self.groups.get(scope.folded())?.group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<ManagementGroup>> {
        self.groups.values().map(|node| &node.group)
    }

    pub(super) fn subscriptions(&self) -> impl Iterator<Item = (SubscriptionId, &Scope)> {
        self.subscriptions.values().map(|(id, parent)| (*id, parent))
    }

    /// The scope above a subscription or management group, or `None` where that is the root.
    pub(super) fn parent(&self, folded: &str) -> Option<&Scope> {
        if folded.starts_with("/subscriptions/") {
            self.subscriptions.get(folded).map(|(_, parent)| parent)
        } else {
            self.groups.get(folded)?.parent.as_ref()
        }
    }

    /// The folded texts of a scope and of all above it, nearest first; the root ends every chain. Groups
    /// that contain each other end the walk, each counted once.
    pub(super) fn chain<'a>(&'a self, scope: &'a Scope) -> Vec<&'a str> {
        let folded = scope.folded();
        let mut chain: Vec<&str> = Vec::with_capacity(USUAL_DEPTH);
        chain.extend(scope.ends().rev().filter_map(|end| folded.get(..end)));
        let mut top = chain.last().copied();
        while let Some(above) = top.and_then(|top| self.parent(top)) {
            if chain.contains(&above.folded()) {
                break;
            }
            chain.push(above.folded());
            top = Some(above.folded());
        }
        chain.push(ROOT);
        chain
    }

    /// Whether one scope is the other or below it, management groups considered.
    pub(super) fn is_below(&self, scope: &Scope, above: &Scope) -> bool {
        self.chain(scope).contains(&above.folded())
    }
}

const ROOT: &str = "/";
const USUAL_DEPTH: usize = 12;
