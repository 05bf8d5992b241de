//! Nobody gives away more than they hold: which rules cover which
//! (`k8s.io/component-helpers/auth/rbac/validation`).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    attributes::User,
    policy::Held,
    reason::{Unresolved, describe},
    rule::{PolicyRule, url_covers},
};

/// Rights that somebody tries to give without holding them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    caller: String,
    missing: Vec<PolicyRule>,
    unresolved: Unresolved,
}

/// Checks that what `owner` holds covers every right of `rules`.
pub fn confirm_no_escalation(user: &User, owner: &Held, rules: &[PolicyRule]) -> Result<(), Escalation> {
    let missing = uncovered(&owner.rules, rules);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Escalation { caller: describe(user), missing: compact(missing), unresolved: owner.missing.clone() })
}

/// Each single right among `rules` that no rule of `owner` covers.
pub fn uncovered(owner: &[PolicyRule], rules: &[PolicyRule]) -> Vec<PolicyRule> {
    let single = rules.iter().flat_map(break_down);
    single.filter(|right| !owner.iter().any(|rule| covers(rule, right))).collect()
}

/// Whether a rule covers a single right.
fn covers(owner: &PolicyRule, right: &PolicyRule) -> bool {
    let has_all = |have: &[String], want: &[String]| {
        have.iter().any(|each| each == "*") || want.iter().all(|each| have.contains(each))
    };
    let resources = |want: &String| {
        let subresource = want.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
        owner.resources.iter().any(|have| have == "*" || have == want || Some(have) == subresource.as_ref())
    };
    let names = owner.resource_names.is_empty()
        || (!right.resource_names.is_empty()
            && right.resource_names.iter().all(|name| owner.resource_names.contains(name)));
    has_all(&owner.verbs, &right.verbs)
        && has_all(&owner.api_groups, &right.api_groups)
        && right.resources.iter().all(resources)
        && right.non_resource_urls.iter().all(|path| owner.non_resource_urls.iter().any(|rule| url_covers(rule, path)))
        && names
}

/// A rule as its single rights: one verb on one resource of one group (under one name), or on one path.
fn break_down(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut rights = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let right = PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    rights.push(right);
                    continue;
                }
                rights.extend(
                    rule.resource_names
                        .iter()
                        .map(|name| PolicyRule { resource_names: vec![name.clone()], ..right.clone() }),
                );
            }
        }
    }
    for path in &rule.non_resource_urls {
        for verb in &rule.verbs {
            rights.push(PolicyRule {
                verbs: vec![verb.clone()],
                non_resource_urls: vec![path.clone()],
                ..PolicyRule::default()
            });
        }
    }
    rights
}

/// Joins single rights that differ only in their verbs.
fn compact(rights: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut joined: BTreeMap<PolicyRule, Vec<String>> = BTreeMap::new();
    for right in rights {
        let verbs = right.verbs.clone();
        let known = joined.entry(PolicyRule { verbs: Vec::new(), ..right }).or_default();
        for verb in verbs {
            if !known.contains(&verb) {
                known.push(verb);
            }
        }
    }
    joined.into_iter().map(|(rule, verbs)| PolicyRule { verbs, ..rule }).collect()
}

impl std::fmt::Display for Escalation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: BTreeSet<String> = self.missing.iter().map(ToString::to_string).collect();
        let lines: Vec<String> = lines.into_iter().collect();
        write!(
            f,
            "{} is attempting to grant RBAC permissions not currently held:\n{}",
            self.caller,
            lines.join("\n")
        )?;
        if !self.unresolved.0.is_empty() {
            write!(f, "; resolution errors: [{}]", self.unresolved.texts().join(" "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Escalation {}
