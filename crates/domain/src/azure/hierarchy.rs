//! Management groups, and which of them each subscription is in: the part of the tree of scopes that the
//! texts of scopes do not tell. A subscription that no group names is in the root group of its tenant; what is not
//! placed at all hangs under the root.

use std::sync::Arc;

use super::hash::FastMap;
use crate::{id::SubscriptionId, name::ResourceName, scope::Scope};

/// A management group (`Microsoft.Management/managementGroups`), as far as decisions know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementGroup {
    pub name: ResourceName,
    /// Absent: it hangs under the root.
    pub parent: Option<ResourceName>,
    pub subscriptions: Vec<SubscriptionId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy {
    /// By the folded scope of the group.
    groups: FastMap<Arc<str>, Node>,
    /// By the folded scope of the subscription: the groups that name it, sorted. There should be one; of
    /// several the first counts, so that the order of writes does not matter.
    homes: FastMap<Arc<str>, Vec<Scope>>,
    /// By the folded scope of the subscription: the root group of its tenant.
    roots: FastMap<Arc<str>, Scope>,
}

#[derive(Clone, Debug)]
struct Node {
    scope: Scope,
    parent: Option<Scope>,
    subscriptions: Vec<SubscriptionId>,
}

impl Hierarchy {
    pub(super) fn put(&mut self, group: ManagementGroup) {
        let scope = Scope::management_group(&group.name);
        self.take_out(scope.folded());
        for id in &group.subscriptions {
            let homes = self.homes.entry(Scope::subscription(*id).folded().into()).or_default();
            if let Err(place) = homes.binary_search(&scope) {
                homes.insert(place, scope.clone());
            }
        }
        let parent = group.parent.as_ref().map(Scope::management_group);
        let key = scope.folded().into();
        self.groups.insert(key, Node { scope, parent, subscriptions: group.subscriptions });
    }

    /// By name, in any case.
    pub(super) fn remove(&mut self, name: &str) {
        if let Ok(name) = ResourceName::parse(name) {
            self.take_out(Scope::management_group(&name).folded());
        }
    }

    pub(super) fn put_subscription(&mut self, id: SubscriptionId, root: &ResourceName) {
        let key = Scope::subscription(id).folded().into();
        self.roots.insert(key, Scope::management_group(root));
    }

    pub(super) fn remove_subscription(&mut self, id: SubscriptionId) {
        self.roots.remove(Scope::subscription(id).folded());
    }

    /// The scope above a subscription or management group; `None` where that is the root, as it is where
    /// the parent does not exist.
    fn parent(&self, folded: &str) -> Option<&Scope> {
        if folded.starts_with("/subscriptions/") {
            self.homes.get(folded).and_then(|homes| homes.first()).or_else(|| self.roots.get(folded))
        } else {
            let parent = self.groups.get(folded)?.parent.as_ref();
            parent.filter(|parent| self.groups.contains_key(parent.folded()))
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

    fn take_out(&mut self, folded: &str) {
        let Some(node) = self.groups.remove(folded) else { return };
        for id in node.subscriptions {
            let subscription = Scope::subscription(id);
            if let Some(homes) = self.homes.get_mut(subscription.folded()) {
                homes.retain(|home| *home != node.scope);
                if homes.is_empty() {
                    self.homes.remove(subscription.folded());
                }
            }
        }
    }
}

const ROOT: &str = "/";
const USUAL_DEPTH: usize = 12;
