//! ClusterRoles that take their rules from others, chosen by label
//! (`pkg/controller/clusterroleaggregation` of Kubernetes).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{object::ClusterRole, rule::PolicyRule};

/// The rules of every aggregated role, by name. `roles` are all ClusterRoles in order of name.
///
/// Roles that select each other converge: rules only ever join, and there are finitely many of them.
pub fn aggregate<'a>(roles: impl Iterator<Item = &'a Arc<ClusterRole>>) -> BTreeMap<Arc<str>, Arc<[PolicyRule]>> {
    let roles: Vec<&Arc<ClusterRole>> = roles.collect();
    let selections: Vec<(&Arc<ClusterRole>, Vec<&Arc<ClusterRole>>)> = roles
        .iter()
        .filter_map(|role| {
            let rule = role.aggregation_rule.as_ref()?;
            let mut seen = BTreeSet::new();
            let selected = rule.cluster_role_selectors.iter().flat_map(|selector| {
                roles.iter().filter(move |other| other.name != role.name && selector.selects(&other.labels))
            });
            Some((*role, selected.copied().filter(|other| seen.insert(other.name.clone())).collect()))
        })
        .collect();
    let mut rules: BTreeMap<Arc<str>, Vec<PolicyRule>> =
        selections.iter().map(|(role, _)| (role.name.clone(), Vec::new())).collect();
    loop {
        let mut grown = false;
        for (role, selected) in &selections {
            let mut joined: Vec<PolicyRule> = Vec::new();
            let mut known = BTreeSet::new();
            for other in selected {
                let theirs = rules.get(&other.name).map_or(&*other.rules, Vec::as_slice);
                joined.extend(theirs.iter().filter(|rule| known.insert((*rule).clone())).cloned());
            }
            if let Some(ours) = rules.get_mut(&role.name)
                && ours.len() != joined.len()
            {
                *ours = joined;
                grown = true;
            }
        }
        if !grown {
            return rules.into_iter().map(|(name, rules)| (name, rules.into())).collect();
        }
    }
}
