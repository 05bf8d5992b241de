//! Aggregated ClusterRoles against a plain reading of the controller: recompute every role until nothing
//! changes, starting from none.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::*, object, policy};
use crate::comparisons::compare;

fn rule(resource: &str) -> PolicyRule {
    PolicyRule {
        verbs: vec!["get".into()],
        api_groups: vec![String::new()],
        resources: vec![resource.into()],
        ..PolicyRule::default()
    }
}

fn role(name: &str, labels: Value, resources: &[&str]) -> Value {
    let rules: Vec<Value> = resources.iter().map(|each| serde_json::to_value(rule(each)).unwrap()).collect();
    json!({"kind": "ClusterRole", "metadata": {"name": name, "labels": labels}, "rules": rules})
}

fn aggregate(name: &str, labels: Value, selectors: Value) -> Value {
    json!({"kind": "ClusterRole", "metadata": {"name": name, "labels": labels},
        "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]})
}

fn resources(policy: &Policy, name: &str) -> Vec<String> {
    policy.cluster_role_rules(name).unwrap().iter().map(|rule| rule.resources[0].clone()).collect()
}

#[test]
fn rules_come_by_selector_then_name_each_once_and_own_rules_do_not_count() {
    let policy = policy(&[
        role("c", json!({"to": "x"}), &["pods", "secrets"]),
        role("a", json!({"to": "y"}), &["nodes"]),
        role("b", json!({"to": "x"}), &["secrets", "events"]),
        aggregate("x", json!({}), json!([{"matchLabels": {"to": "y"}}, {"matchLabels": {"to": "x"}}])),
    ]);
    assert_eq!(resources(&policy, "x"), ["nodes", "secrets", "events", "pods"]);
}

#[test]
fn a_change_of_a_selected_role_reaches_aggregates_of_aggregates() {
    let mut policy = policy(&[
        role("base", json!({"to": "x"}), &["pods"]),
        aggregate("x", json!({"to": "y"}), json!([{"matchLabels": {"to": "x"}}])),
        aggregate("y", json!({}), json!([{"matchLabels": {"to": "y"}}])),
    ]);
    assert_eq!(resources(&policy, "y"), ["pods"]);
    policy.put(object(&role("base", json!({"to": "x"}), &["nodes"])));
    assert_eq!(resources(&policy, "y"), ["nodes"]);
    policy.put(object(&role("base", json!({}), &["nodes"])));
    assert!(resources(&policy, "y").is_empty());
    policy.put(object(&role("late", json!({"to": "x"}), &["events"])));
    assert_eq!(resources(&policy, "y"), ["events"]);
    policy.remove(&ObjectKey::ClusterRole { name: "x".into() });
    assert!(resources(&policy, "y").is_empty());
}

#[test]
fn roles_that_select_each_other_share_what_they_reach_and_forget_it_together() {
    let mut policy = policy(&[
        role("base", json!({"to": "a"}), &["pods"]),
        aggregate("a", json!({"to": "b"}), json!([{"matchLabels": {"to": "a"}}])),
        aggregate("b", json!({"to": "a"}), json!([{"matchLabels": {"to": "b"}}])),
    ]);
    assert_eq!(resources(&policy, "a"), ["pods"]);
    assert_eq!(resources(&policy, "b"), ["pods"]);
    policy.remove(&ObjectKey::ClusterRole { name: "base".into() });
    assert!(resources(&policy, "a").is_empty());
    assert!(resources(&policy, "b").is_empty());
}

#[test]
fn selectors_read_labels_as_kubernetes_does() {
    let labels: BTreeMap<String, String> = [("a".to_owned(), "1".to_owned())].into();
    let check = |selector: Value, expected: bool| {
        let parsed: LabelSelector = serde_json::from_value(selector.clone()).unwrap();
        assert_eq!(parsed.selects(&labels), expected, "{selector}");
    };
    let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    check(json!({}), true);
    check(json!({"matchLabels": {"a": "1"}}), true);
    check(json!({"matchLabels": {"a": "2"}}), false);
    check(expression("a", "In", &["1", "2"]), true);
    check(expression("b", "In", &["1"]), false);
    check(expression("a", "NotIn", &["1"]), false);
    check(expression("b", "NotIn", &["1"]), true);
    check(expression("a", "Exists", &[]), true);
    check(expression("b", "DoesNotExist", &[]), true);
    check(
        json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}),
        false,
    );
}

#[derive(Clone, Debug)]
struct Written {
    labels: Vec<usize>,
    resources: Vec<usize>,
    selects: Option<Vec<usize>>,
}

fn written() -> impl Strategy<Value = Written> {
    let few = || prop::collection::vec(0..4usize, 0..3);
    (few(), few(), prop::option::of(prop::collection::vec(0..4usize, 1..3)))
        .prop_map(|(labels, resources, selects)| Written { labels, resources, selects })
}

fn to_object(name: usize, role: &Written) -> Object {
    let label = |each: &usize| (format!("l{each}"), String::new());
    let selector =
        |each: &usize| LabelSelector { match_labels: [label(each)].into(), ..LabelSelector::default() };
    let rules: Vec<PolicyRule> = role.resources.iter().map(|each| rule(&format!("r{each}"))).collect();
    Object::ClusterRole(ClusterRole {
        name: format!("n{name}").into(),
        labels: role.labels.iter().map(label).collect(),
        rules: rules.into(),
        aggregation_rule: role.selects.as_ref().map(|selects| AggregationRule {
            cluster_role_selectors: selects.iter().map(selector).collect(),
        }),
    })
}

/// The controller's work, over and over, until no role gains a rule.
fn slow(roles: &BTreeMap<usize, Written>) -> BTreeMap<usize, Vec<PolicyRule>> {
    let own =
        |role: &Written| role.resources.iter().map(|each| rule(&format!("r{each}"))).collect::<Vec<_>>();
    let mut rules: BTreeMap<usize, Vec<PolicyRule>> = roles
        .iter()
        .map(|(name, role)| (*name, if role.selects.is_some() { Vec::new() } else { own(role) }))
        .collect();
    loop {
        let mut grown = false;
        for (name, role) in roles {
            let Some(selects) = &role.selects else { continue };
            let mut gathered: Vec<PolicyRule> = Vec::new();
            for label in selects {
                for (other, _) in
                    roles.iter().filter(|(other, each)| *other != name && each.labels.contains(label))
                {
                    for rule in &rules[other] {
                        if !gathered.contains(rule) {
                            gathered.push(rule.clone());
                        }
                    }
                }
            }
            grown |= gathered.len() > rules[name].len();
            rules.insert(*name, gathered);
        }
        if !grown {
            return rules;
        }
    }
}

#[test]
fn incremental_aggregation_gives_what_the_controller_gives() {
    let edits = prop::collection::vec((0..6usize, prop::option::weighted(0.8, written())), 1..20);
    compare("aggregated roles", 256, &edits, |edits| {
        let mut policy = Policy::default();
        let mut roles = BTreeMap::new();
        let mut compared = 0;
        for (name, role) in edits {
            match role {
                Some(role) => {
                    policy.put(to_object(name, &role));
                    roles.insert(name, role);
                }
                None => {
                    policy.remove(&ObjectKey::ClusterRole { name: format!("n{name}").into() });
                    roles.remove(&name);
                }
            }
            for (name, expected) in slow(&roles) {
                let sorted = |rules: &[PolicyRule]| {
                    let mut rules = rules.to_vec();
                    rules.sort();
                    rules
                };
                let given = policy.cluster_role_rules(&format!("n{name}")).unwrap();
                prop_assert_eq!(sorted(given), sorted(&expected));
                compared += 1;
            }
        }
        let mut at_once = Policy::default();
        at_once.extend(roles.iter().map(|(name, role)| to_object(*name, role)));
        for name in roles.keys() {
            let name = format!("n{name}");
            prop_assert_eq!(at_once.cluster_role_rules(&name), policy.cluster_role_rules(&name));
        }
        Ok(compared)
    });
}
