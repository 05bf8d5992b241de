//! Aggregated ClusterRoles: their rules are those of the roles that their selectors choose.
//!
//! kube-apiserver leaves this to a controller, which writes the rules into the object some time later and
//! whose answer, where aggregated roles select each other, depends on history: what two roles hand each
//! other in a circle outlives its source. Here the rules follow from the roles alone: those of every role
//! that can be reached, in the controller's order (selectors as written, roles by name, each rule once).

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{
    object::{ClusterRole, LabelSelector},
    rule::PolicyRule,
};

/// The ClusterRoles of one cluster, with the rules that aggregation gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterRoles {
    roles: imbl::HashMap<Arc<str>, Arc<Entry>>,
    aggregates: imbl::OrdMap<Arc<str>, Arc<Aggregate>>,
}

#[derive(Clone, Debug)]
struct Entry {
    role: ClusterRole,
    /// What the role grants: its own rules or the aggregated ones.
    rules: Arc<[PolicyRule]>,
}

/// An aggregated role's selectors, each with the names of the roles that it chooses.
#[derive(Clone, Debug)]
struct Aggregate {
    selectors: Vec<(LabelSelector, imbl::OrdSet<Arc<str>>)>,
}

impl ClusterRoles {
    pub(super) fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.aggregates.is_empty()
    }

    pub(super) fn rules(&self, name: &str) -> Option<&Arc<[PolicyRule]>> {
        self.roles.get(name).map(|entry| &entry.rules)
    }

    pub(super) fn find(&self, name: &str) -> Option<&ClusterRole> {
        self.roles.get(name).map(|entry| &entry.role)
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClusterRole, &Arc<[PolicyRule]>)> {
        self.roles.values().map(|entry| (&entry.role, &entry.rules))
    }

    pub(super) fn put(&mut self, role: ClusterRole) {
        if self.place(role) {
            self.aggregate();
        }
    }

    /// Puts many, and aggregates once.
    pub(super) fn extend(&mut self, roles: impl IntoIterator<Item = ClusterRole>) {
        let mut concerned = false;
        for role in roles {
            concerned |= self.place(role);
        }
        if concerned {
            self.aggregate();
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        if self.roles.remove(name).is_none() {
            return;
        }
        let was_aggregate = self.aggregates.remove(name).is_some();
        if self.leave(name) || was_aggregate {
            self.aggregate();
        }
    }

    /// Stores a role and its place among the chosen. True if aggregated rules may have changed.
    fn place(&mut self, role: ClusterRole) -> bool {
        let name = Arc::clone(&role.name);
        let was_aggregate = self.aggregates.remove(&name).is_some();
        let left = self.leave(&name);
        let joined = self.join(&role);
        let is_aggregate = role.aggregation_rule.is_some();
        let rules = if is_aggregate { Arc::default() } else { Arc::clone(&role.rules) };
        let aggregation_rule = role.aggregation_rule.clone();
        self.roles.insert(Arc::clone(&name), Arc::new(Entry { role, rules }));
        if let Some(aggregation_rule) = aggregation_rule {
            let selectors = aggregation_rule.cluster_role_selectors.into_iter();
            let selectors = selectors.map(|selector| {
                let chosen = self.roles.values().map(|entry| &entry.role);
                let chosen =
                    chosen.filter(|role| selector.selects(&role.labels)).map(|role| Arc::clone(&role.name));
                let chosen = chosen.collect();
                (selector, chosen)
            });
            let aggregate = Aggregate { selectors: selectors.collect() };
            self.aggregates.insert(name, Arc::new(aggregate));
        }
        was_aggregate || is_aggregate || left || joined
    }

    fn leave(&mut self, name: &str) -> bool {
        let holders: Vec<Arc<str>> = self.holders(|_, chosen| chosen.contains(name));
        for holder in &holders {
            for (_, chosen) in self.selectors(holder) {
                chosen.remove(name);
            }
        }
        !holders.is_empty()
    }

    fn join(&mut self, role: &ClusterRole) -> bool {
        let holders: Vec<Arc<str>> = self.holders(|selector, _| selector.selects(&role.labels));
        for holder in &holders {
            for (selector, chosen) in self.selectors(holder) {
                if selector.selects(&role.labels) {
                    chosen.insert(Arc::clone(&role.name));
                }
            }
        }
        !holders.is_empty()
    }

    fn holders(&self, holds: impl Fn(&LabelSelector, &imbl::OrdSet<Arc<str>>) -> bool) -> Vec<Arc<str>> {
        let aggregates = self.aggregates.iter();
        let aggregates = aggregates
            .filter(|(_, each)| each.selectors.iter().any(|(selector, chosen)| holds(selector, chosen)));
        aggregates.map(|(name, _)| Arc::clone(name)).collect()
    }

    fn selectors(
        &mut self,
        name: &str,
    ) -> impl Iterator<Item = &mut (LabelSelector, imbl::OrdSet<Arc<str>>)> {
        self.aggregates
            .get_mut(name)
            .into_iter()
            .flat_map(|aggregate| Arc::make_mut(aggregate).selectors.iter_mut())
    }

    fn aggregate(&mut self) {
        let names: Vec<Arc<str>> = self.aggregates.keys().cloned().collect();
        for name in names {
            let rules = self.reachable_rules(&name);
            if let Some(entry) = self.roles.get_mut(&name)
                && *entry.rules != *rules
            {
                Arc::make_mut(entry).rules = rules.into();
            }
        }
    }

    /// The rules of every plain role that `name` reaches, depth first, each rule once.
    fn reachable_rules(&self, name: &Arc<str>) -> Vec<PolicyRule> {
        let mut visited: BTreeSet<&str> = BTreeSet::from([&**name]);
        let mut known: HashSet<&PolicyRule> = HashSet::new();
        let mut rules = Vec::new();
        // Names yet to visit, the next one last.
        let mut pending: Vec<&Arc<str>> = self.chosen(name);
        while let Some(next) = pending.pop() {
            if !visited.insert(next) {
                continue;
            }
            if self.aggregates.contains_key(next) {
                pending.extend(self.chosen(next));
                continue;
            }
            let plain = self.roles.get(next).into_iter().flat_map(|entry| entry.rules.iter());
            rules.extend(plain.filter(|rule| known.insert(rule)).cloned());
        }
        rules
    }

    /// What an aggregated role selects, in reverse order.
    fn chosen(&self, name: &str) -> Vec<&Arc<str>> {
        let selectors =
            self.aggregates.get(name).into_iter().flat_map(|aggregate| aggregate.selectors.iter());
        let mut chosen: Vec<&Arc<str>> = selectors.flat_map(|(_, chosen)| chosen.iter()).collect();
        chosen.reverse();
        chosen
    }
}
