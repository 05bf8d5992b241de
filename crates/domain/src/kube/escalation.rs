//! Whether somebody holds the rights that they are about to hand on.
//!
//! Who writes a role must hold its rules already, and who writes a binding those of the role, unless they
//! may `escalate` or `bind` (`pkg/registry/rbac/validation`). Those two verbs are decisions of their own and
//! are asked by the API server; members of `system:masters` are not asked at all.

use std::{collections::BTreeSet, fmt};

use crate::id::ObjectId;

use super::{
    attributes::User,
    policy::Policy,
    quote::{Quoted, QuotedList},
    reason::{Aggregate, Unresolved},
    rule::{ALL, PolicyRule, url_covers},
};

/// Rights that a caller would grant without holding them. `Display` is kube-apiserver's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub user: String,
    pub groups: Vec<String>,
    /// What is lacking, rules that differ only in verbs joined.
    pub missing: Vec<PolicyRule>,
    /// Roles of the caller that could not be read.
    pub errors: Vec<Unresolved>,
}

/// Whether `owner` holds everything that `requested` grants; otherwise what is lacking, one right a rule.
///
/// A request that combines to more than 100,000 single rights and is not covered rule by rule is lacking
/// as a whole: the comparison must end.
pub fn covers(owner: &[&PolicyRule], requested: &[PolicyRule]) -> Result<(), Vec<PolicyRule>> {
    let mut missing = Vec::new();
    let mut budget = MAX_RIGHTS;
    for rule in requested {
        // A rule about resources and URLs at once, which a server refuses, is always taken apart.
        let is_mixed = !rule.resource_names.is_empty() && !rule.non_resource_urls.is_empty();
        if !is_mixed && owner.iter().any(|held| rule_covers(held, rule)) {
            continue;
        }
        let count = count(rule);
        if count > budget {
            missing.push(rule.clone());
            continue;
        }
        budget -= count;
        let rights = break_down(rule);
        missing.extend(rights.filter(|right| !owner.iter().any(|held| rule_covers(held, right))));
    }
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

/// Joins rules about one resource of one group that differ only in verbs.
pub fn compact(rules: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut compacted: Vec<PolicyRule> = Vec::with_capacity(rules.len());
    let mut places = std::collections::HashMap::new();
    for rule in rules {
        let is_simple = rule.resource_names.is_empty() && rule.non_resource_urls.is_empty();
        let ([group], [resource], true) = (rule.api_groups.as_slice(), rule.resources.as_slice(), is_simple)
        else {
            compacted.push(rule);
            continue;
        };
        let place = *places.entry((group.clone(), resource.clone())).or_insert(compacted.len());
        match compacted.get_mut(place) {
            Some(existing) => existing.verbs.extend(rule.verbs),
            None => compacted.push(rule),
        }
    }
    compacted
}

/// What `cluster-admin` may do. Who sets an aggregation rule must hold it: the rule could gather anything.
pub fn full_authority() -> Vec<PolicyRule> {
    let all = || vec![ALL.to_owned()];
    vec![
        PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() },
        PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() },
    ]
}

impl Policy {
    /// Whether the caller holds `rules` in `namespace` (empty: across the cluster) and so may grant them.
    pub fn confirm_no_escalation(
        &self,
        user: &User,
        directory_groups: &[ObjectId],
        namespace: &str,
        rules: &[PolicyRule],
    ) -> Result<(), Escalation> {
        let held = self.rules_for(user, directory_groups, namespace);
        covers(&held.rules, rules).map_err(|missing| Escalation {
            user: user.name.clone(),
            groups: user.groups.to_vec(),
            missing: compact(missing),
            errors: held.errors,
        })
    }
}

impl std::error::Error for Escalation {}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: BTreeSet<String> = self.missing.iter().map(PolicyRule::to_string).collect();
        let lines: Vec<String> = lines.into_iter().collect();
        write!(
            f,
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            Quoted(&self.user),
            QuotedList(&self.groups),
            lines.join("\n")
        )?;
        if self.errors.is_empty() {
            Ok(())
        } else {
            write!(f, "; resolution errors: [{}]", Aggregate(&self.errors))
        }
    }
}

/// Whether one rule includes all of another.
fn rule_covers(held: &PolicyRule, rule: &PolicyRule) -> bool {
    has_all_or_every(&held.verbs, &rule.verbs)
        && has_all_or_every(&held.api_groups, &rule.api_groups)
        && resources_cover(&held.resources, &rule.resources)
        && names_cover(&held.resource_names, &rule.resource_names)
        && rule
            .non_resource_urls
            .iter()
            .all(|url| held.non_resource_urls.iter().any(|held| url_covers(held, url)))
}

fn has_all_or_every(held: &[String], asked: &[String]) -> bool {
    has(held, ALL) || asked.iter().all(|each| has(held, each))
}

/// `*/scale` includes `deployments/scale`; `pods` does not include `pods/log`.
fn resources_cover(held: &[String], asked: &[String]) -> bool {
    has(held, ALL)
        || asked.iter().all(|each| {
            let of_all = || {
                each.split_once('/').is_some_and(|(_, subresource)| has(held, &format!("*/{subresource}")))
            };
            has(held, each) || of_all()
        })
}

/// No names means every name.
fn names_cover(held: &[String], asked: &[String]) -> bool {
    held.is_empty() || !asked.is_empty() && asked.iter().all(|each| has(held, each))
}

fn has(list: &[String], asked: &str) -> bool {
    list.iter().any(|each| each == asked)
}

/// How many single rights a rule combines to.
fn count(rule: &PolicyRule) -> usize {
    let things = rule.api_groups.len().saturating_mul(rule.resources.len());
    let things = things.saturating_mul(rule.resource_names.len().max(1));
    things.saturating_add(rule.non_resource_urls.len()).saturating_mul(rule.verbs.len())
}

/// The single rights of a rule: one verb on one resource of one group, by at most one name, or on one URL.
fn break_down(rule: &PolicyRule) -> impl Iterator<Item = PolicyRule> {
    let one = |text: &String| vec![text.clone()];
    let names: Vec<Vec<String>> = match rule.resource_names.as_slice() {
        [] => vec![Vec::new()],
        names => names.iter().map(one).collect(),
    };
    let mut rights = Vec::new();
    for (group, resource) in pairs(&rule.api_groups, &rule.resources) {
        for (verb, name) in pairs(&rule.verbs, &names) {
            rights.push(PolicyRule {
                verbs: one(verb),
                api_groups: one(group),
                resources: one(resource),
                resource_names: name.clone(),
                ..PolicyRule::default()
            });
        }
    }
    for (url, verb) in pairs(&rule.non_resource_urls, &rule.verbs) {
        rights.push(PolicyRule { verbs: one(verb), non_resource_urls: one(url), ..PolicyRule::default() });
    }
    rights.into_iter()
}

fn pairs<'a, A, B>(first: &'a [A], second: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    first.iter().flat_map(move |one| second.iter().map(move |other| (one, other)))
}

const MAX_RIGHTS: usize = 100_000;
