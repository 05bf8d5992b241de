use proptest::prelude::*;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

use super::{escalation::uncovered, *};
use serde_json::Value;
use crate::decision::Decision;

fn user(name: &str, groups: &[&str]) -> User {
    User { name: name.into(), groups: groups.iter().map(|&group| group.to_owned()).collect(), ..User::default() }
}

fn ask(user: User, verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Attributes {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes {
        user,
        verb: verb.into(),
        target: Target::Resource {
            group: group.into(),
            version: "v1".into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: namespace.into(),
            name: name.into(),
        },
    }
}

fn bootstrap() -> Policy {
    let mut policy = Policy::default();
    for object in bootstrap_objects().unwrap() {
        let kind = object["kind"].as_str().unwrap();
        if kind.contains("Role") {
            policy.put(Object::parse(&object).unwrap());
        }
    }
    policy
}

/// Puts a manifest of which the kind is told by its shape.
fn put(policy: &mut Policy, object: &Value) {
    let mut object = object.clone();
    let namespaced = object["metadata"]["namespace"].as_str().is_some_and(|namespace| !namespace.is_empty());
    let cluster = if namespaced { "" } else { "Cluster" };
    let kind = if object.get("roleRef").is_some() { "RoleBinding" } else { "Role" };
    if !namespaced {
        object["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
    object["kind"] = format!("{cluster}{kind}").into();
    policy.put(Object::parse(&object).unwrap());
}

fn bind(policy: &mut Policy, namespace: &str, name: &str, role: (&str, &str), subject: serde_json::Value) {
    let object = json!({"metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1}, "subjects": [subject]});
    put(policy, &object);
}

#[test]
fn reasons_are_those_of_the_real_server() {
    let mut policy = bootstrap();
    bind(&mut policy, "", "b", ("ClusterRole", "view"), json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"}));
    bind(&mut policy, "ns", "rb", ("Role", "r"), json!({"kind": "ServiceAccount", "name": "sa", "namespace": "ns"}));
    bind(&mut policy, "ns", "lost", ("Role", "missing"), json!({"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "g"}));
    let role = json!({"metadata": {"name": "r", "namespace": "ns"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]});
    put(&mut policy, &role);
    let check = |attributes: Attributes, expected: &str| {
        assert_eq!(policy.decide(&attributes).reason().to_string(), expected);
    };
    check(
        ask(user("u", &[]), "list", "", "pods", "x", ""),
        "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"view\" to User \"u\"",
    );
    check(
        ask(user("system:serviceaccount:ns:sa", &[]), "get", "", "secrets", "ns", "s"),
        "RBAC: allowed by RoleBinding \"rb/ns\" of Role \"r\" to ServiceAccount \"sa/ns\"",
    );
    check(
        ask(user("x", &["g"]), "get", "", "secrets", "ns", "s"),
        "RBAC: role.rbac.authorization.k8s.io \"missing\" not found",
    );
    check(ask(user("u", &[]), "get", "", "secrets", "x", "s"), "");
}

#[test]
fn a_rule_matches_as_the_evaluation_helpers_say() {
    let check = |resources: &[&str], asked: &str, expected: bool| {
        let rule = PolicyRule {
            verbs: vec!["get".into()],
            api_groups: vec!["".into()],
            resources: resources.iter().map(|&each| each.to_owned()).collect(),
            ..PolicyRule::default()
        };
        assert_eq!(rule.allows(&ask(user("u", &[]), "get", "", asked, "n", "x")), expected, "{resources:?} {asked}");
    };
    check(&["pods"], "pods", true);
    check(&["pods"], "pods/log", false);
    check(&["pods/log"], "pods/log", true);
    check(&["pods/log"], "pods", false);
    check(&["*"], "pods/log", true);
    check(&["*/log"], "pods/log", true);
    check(&["*/log"], "log", false);
    check(&["pods/*"], "pods/log", false);
    check(&["*/*"], "pods/log", false);
}

#[test]
fn paths_match_exactly_or_by_a_star_at_the_end() {
    let policy = bootstrap();
    let path = |path: &str| Attributes {
        user: user("u", &[User::AUTHENTICATED]),
        verb: "get".into(),
        target: Target::Path(path.into()),
    };
    for (asked, expected) in [("/healthz", true), ("/api/v1", true), ("/metrics", false), ("/healthz/etcd", false)] {
        assert_eq!(policy.decide(&path(asked)).is_allowed(), expected, "{asked}");
    }
}

#[test]
fn aggregated_roles_follow_the_roles_that_they_select() {
    let mut policy = bootstrap();
    bind(&mut policy, "", "b", ("ClusterRole", "view"), json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"}));
    let widgets = ask(user("u", &[]), "get", "example.org", "widgets", "n", "w");
    assert!(!policy.decide(&widgets).is_allowed());
    let extra = json!({"metadata": {"name": "widgets", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"verbs": ["get"], "apiGroups": ["example.org"], "resources": ["widgets"]}]});
    put(&mut policy, &extra);
    assert!(policy.decide(&widgets).is_allowed());
    // edit selects what is labelled for edit, and view's label does not reach it, but admin takes edit's rules.
    policy.remove(&ObjectKey::ClusterRole { name: "widgets".into() });
    assert!(!policy.decide(&widgets).is_allowed());
}

#[test]
fn roles_that_select_each_other_converge() {
    let mut policy = Policy::default();
    for (name, other) in [("a", "b"), ("b", "a")] {
        let role = json!({"metadata": {"name": name, "labels": {"to": other}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": name}}]}});
        put(&mut policy, &role);
    }
    let base = json!({"metadata": {"name": "base", "labels": {"to": "a"}},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    put(&mut policy, &base);
    assert_eq!(policy.cluster_role_rules("a").unwrap().len(), 1);
    assert_eq!(policy.cluster_role_rules("b").unwrap().len(), 1);
}

#[test]
fn an_escalation_names_each_missing_right_once() {
    let rules: Vec<PolicyRule> = serde_json::from_value(json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["a"], "verbs": ["get"]},
        {"nonResourceURLs": ["/x"], "verbs": ["get"]}
    ]))
    .unwrap();
    let bob = user("bob", &["system:authenticated"]);
    let error = escalation::confirm_no_escalation(&bob, &Held::default(), &rules).unwrap_err();
    assert_eq!(
        error.to_string(),
        "user \"bob\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}\n\
         {APIGroups:[\"apps\"], Resources:[\"deployments\"], ResourceNames:[\"a\"], Verbs:[\"get\"]}\n\
         {NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}"
    );
}

fn words(all: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(all).prop_map(str::to_owned), 0..3)
}

fn rules() -> impl Strategy<Value = Vec<PolicyRule>> {
    let rule = (
        words(&["get", "list", "*", "bind"]),
        words(&["", "apps", "*"]),
        words(&["pods", "pods/log", "*", "*/log", "deployments"]),
        words(&["a", "b"]),
        words(&["/healthz", "/healthz/*", "*", "/x"]),
    );
    let rule = rule.prop_map(|(verbs, api_groups, resources, resource_names, non_resource_urls)| PolicyRule {
        verbs,
        api_groups,
        resources,
        resource_names,
        non_resource_urls,
    });
    prop::collection::vec(rule, 0..3)
}

#[derive(Clone, Debug)]
enum Edit {
    Role(usize, usize, Vec<PolicyRule>),
    Binding(usize, usize, usize, Vec<usize>),
    RemoveRole(usize, usize),
    RemoveBinding(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        3 => (0..3usize, 0..3usize, rules()).prop_map(|(ns, name, rules)| Edit::Role(ns, name, rules)),
        3 => (0..3usize, 0..4usize, 0..6usize, prop::collection::vec(0..SUBJECTS.len(), 0..3))
            .prop_map(|(ns, name, role, subjects)| Edit::Binding(ns, name, role, subjects)),
        1 => (0..3usize, 0..3usize).prop_map(|(ns, name)| Edit::RemoveRole(ns, name)),
        1 => (0..3usize, 0..4usize).prop_map(|(ns, name)| Edit::RemoveBinding(ns, name)),
    ];
    prop::collection::vec(edit, 1..25)
}

/// The first stands for the cluster.
const NAMESPACES: [Option<&str>; 3] = [None, Some("n1"), Some("n2")];
const SUBJECTS: [(SubjectKind, &str, Option<&str>); 6] = [
    (SubjectKind::User, "u", None),
    (SubjectKind::Group, "g", None),
    (SubjectKind::ServiceAccount, "sa", Some("n1")),
    (SubjectKind::ServiceAccount, "sa", None),
    (SubjectKind::User, "system:serviceaccount:n1:sa", None),
    (SubjectKind::Group, "other", None),
];

type Roles = BTreeMap<(Option<&'static str>, String), Vec<PolicyRule>>;

/// The decision as the real authorizer takes it: a walk over plain lists, nothing remembered.
fn slow(roles: &Roles, bindings: &[Binding], attributes: &Attributes) -> bool {
    bindings.iter().any(|binding| {
        let place = binding.namespace.as_deref();
        let here = place.is_none_or(|namespace| namespace == attributes.namespace());
        let subject = binding.subjects.iter().any(|subject| match subject.kind {
            SubjectKind::User => *subject.name == attributes.user.name,
            SubjectKind::Group => attributes.user.groups.iter().any(|group| **group == *subject.name),
            SubjectKind::ServiceAccount => subject.namespace.as_deref().or(place).is_some_and(|namespace| {
                attributes.user.name == format!("system:serviceaccount:{namespace}:{}", subject.name)
            }),
        });
        let role = roles.iter().find(|((namespace, name), _)| {
            let wanted = if binding.role.kind == RoleKind::ClusterRole { None } else { place };
            let exists = binding.role.kind == RoleKind::ClusterRole || place.is_some();
            exists && *namespace == wanted && *name == *binding.role.name
        });
        here && subject && role.is_some_and(|(_, rules)| rules.iter().any(|rule| slow_allows(rule, attributes)))
    })
}

fn slow_allows(rule: &PolicyRule, attributes: &Attributes) -> bool {
    let has = |list: &[String], value: &str| list.contains(&"*".to_owned()) || list.contains(&value.to_owned());
    match &attributes.target {
        Target::Resource { group, resource, subresource, name, .. } => {
            let combined =
                if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
            has(&rule.verbs, &attributes.verb)
                && has(&rule.api_groups, group)
                && (has(&rule.resources, &combined)
                    || (!subresource.is_empty() && rule.resources.contains(&format!("*/{subresource}"))))
                && (rule.resource_names.is_empty() || rule.resource_names.contains(name))
        }
        Target::Path(path) => {
            has(&rule.verbs, &attributes.verb)
                && rule.non_resource_urls.iter().any(|url| {
                    url == "*" || url == path || (url.ends_with('*') && path.starts_with(&url[..url.len() - 1]))
                })
        }
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_linear_scan(edits in edits(), asked in prop::collection::vec(
        (0..3usize, prop::sample::select(&["get", "list", "bind"][..]), prop::sample::select(&["", "apps"][..]),
         prop::sample::select(&["pods", "pods/log", "deployments"][..]), prop::sample::select(&["", "a", "c"][..]),
         0..3usize), 1..12))
    {
        let mut policy = Policy::default();
        let mut roles = Roles::new();
        let mut bindings: Vec<Binding> = Vec::new();
        for edit in edits {
            match edit {
                Edit::Role(ns, name, rules) => {
                    let name = format!("r{name}");
                    policy.put(match NAMESPACES[ns] {
                        Some(namespace) => Object::Role(Role {
                            namespace: namespace.into(), name: name.as_str().into(), rules: rules.clone().into() }),
                        None => Object::ClusterRole(ClusterRole { name: name.as_str().into(), labels: BTreeMap::new(),
                            rules: rules.clone().into(), aggregation_rule: None }),
                    });
                    roles.insert((NAMESPACES[ns], name), rules);
                }
                Edit::Binding(ns, name, role, subjects) => {
                    let kind = if role < 3 { RoleKind::ClusterRole } else { RoleKind::Role };
                    let subjects = subjects.into_iter().map(|place| {
                        let (kind, name, namespace) = SUBJECTS[place];
                        Subject { kind, name: name.into(), namespace: namespace.map(Arc::from) }
                    });
                    let binding = Binding { namespace: NAMESPACES[ns].map(Arc::from), name: format!("b{name}").into(),
                        role: RoleRef { kind, name: format!("r{}", role % 3).into() }, subjects: subjects.collect() };
                    bindings.retain(|each| (&each.namespace, &each.name) != (&binding.namespace, &binding.name));
                    bindings.push(binding.clone());
                    policy.put(Object::Binding(binding));
                }
                Edit::RemoveRole(ns, name) => {
                    let name = format!("r{name}");
                    policy.remove(&match NAMESPACES[ns] {
                        Some(namespace) => ObjectKey::Role { namespace: namespace.into(), name: name.as_str().into() },
                        None => ObjectKey::ClusterRole { name: name.as_str().into() },
                    });
                    roles.remove(&(NAMESPACES[ns], name));
                }
                Edit::RemoveBinding(ns, name) => {
                    let name: Arc<str> = format!("b{name}").into();
                    bindings.retain(|each| (each.namespace.as_deref(), &each.name) != (NAMESPACES[ns], &name));
                    policy.remove(&match NAMESPACES[ns] {
                        Some(namespace) => ObjectKey::RoleBinding { namespace: namespace.into(), name },
                        None => ObjectKey::ClusterRoleBinding { name },
                    });
                }
            }
            for (ns, verb, group, resource, name, caller) in &asked {
                let caller = match caller {
                    0 => user("u", &[]),
                    1 => user("x", &["g", "system:authenticated"]),
                    _ => user("system:serviceaccount:n1:sa", &[]),
                };
                let attributes = ask(caller, verb, group, resource, NAMESPACES[*ns].unwrap_or_default(), name);
                let decision = policy.decide(&attributes);
                prop_assert_eq!(decision.is_allowed(), slow(&roles, &bindings, &attributes), "{:?}", attributes);
                prop_assert!(!matches!(decision, Decision::Deny(_)));
            }
        }
    }

    /// Every request of a small universe that the new rules allow is one that the owner's allow, if the
    /// check says that they cover them.
    #[test]
    fn covered_rules_allow_nothing_new(owner in rules(), wanted in rules()) {
        if uncovered(&owner, &wanted).is_empty() {
            for verb in ["get", "list", "bind", "other"] {
                for group in ["", "apps", "other"] {
                    for resource in ["pods", "pods/log", "deployments", "deployments/log", "other"] {
                        for name in ["", "a", "b", "c"] {
                            let attributes = ask(user("u", &[]), verb, group, resource, "n", name);
                            let allows = |rules: &[PolicyRule]| rules.iter().any(|rule| rule.allows(&attributes));
                            prop_assert!(!allows(&wanted) || allows(&owner), "{:?}", attributes);
                        }
                    }
                }
                for path in ["/healthz", "/healthz/x", "/x", "/y"] {
                    let attributes = Attributes { user: user("u", &[]), verb: verb.into(), target: Target::Path(path.into()) };
                    let allows = |rules: &[PolicyRule]| rules.iter().any(|rule| rule.allows(&attributes));
                    prop_assert!(!allows(&wanted) || allows(&owner), "{:?}", attributes);
                }
            }
        }
    }
}

#[test]
fn every_name_in_the_bootstrap_list_can_be_read() {
    let objects = bootstrap_objects().unwrap();
    assert_eq!(objects.len(), 119);
    let policy = bootstrap();
    assert!(policy.aggregated().any(|(name, _)| &**name == "admin"));
}
