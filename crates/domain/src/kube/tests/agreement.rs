//! The engine against a slow, obvious evaluator: a walk over plain lists of objects, as kube-apiserver does
//! it, after every single change.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{super::*, ask, user};
use crate::{
    comparisons::compare,
    decision::{self, Decision},
    id::ObjectId,
};

/// Objects by key; their order is the order in which bindings are walked.
type Objects = BTreeMap<ObjectKey, Object>;

/// The first binding, in order, that grants; and the roles that bindings of the caller name in vain.
fn slow(objects: &Objects, attributes: &Attributes) -> (Option<String>, Vec<String>) {
    let bindings = objects.values().filter_map(|object| match object {
        Object::Binding(binding) => Some(binding),
        _ => None,
    });
    let (cluster, local): (Vec<&Binding>, Vec<&Binding>) =
        bindings.partition(|each| each.namespace.is_none());
    let local = local.into_iter().filter(|each| each.namespace.as_deref() == Some(attributes.namespace()));
    let mut missing = Vec::new();
    for binding in cluster.into_iter().chain(local) {
        if !binding.subjects.iter().any(|subject| is_caller(binding, subject, &attributes.user)) {
            continue;
        }
        let key = match (binding.role.kind, binding.namespace.clone()) {
            (RoleKind::ClusterRole, _) => ObjectKey::ClusterRole { name: binding.role.name.clone() },
            (RoleKind::Role, namespace) => {
                ObjectKey::Role { namespace: namespace.unwrap_or_default(), name: binding.role.name.clone() }
            }
        };
        let rules = match objects.get(&key) {
            Some(Object::Role(role)) => &role.rules,
            Some(Object::ClusterRole(role)) => &role.rules,
            _ => {
                missing.push(binding.role.name.to_string());
                continue;
            }
        };
        if rules.iter().any(|rule| slow_allows(rule, attributes)) {
            return (Some(binding.name.to_string()), missing);
        }
    }
    (None, missing)
}

fn is_caller(binding: &Binding, subject: &Subject, user: &User) -> bool {
    match subject.kind {
        SubjectKind::User => *subject.name == user.name,
        SubjectKind::Group => user.groups.iter().any(|group| **group == *subject.name),
        SubjectKind::ServiceAccount => {
            let named = subject.namespace.as_deref().filter(|namespace| !namespace.is_empty());
            let namespace = named.or(binding.namespace.as_deref()).unwrap_or_default();
            !namespace.is_empty()
                && user.name == format!("system:serviceaccount:{namespace}:{}", subject.name)
        }
    }
}

fn slow_allows(rule: &PolicyRule, attributes: &Attributes) -> bool {
    let has = |list: &[String], asked: &str| list.iter().any(|each| each == "*" || each == asked);
    let of_verb = has(&rule.verbs, &attributes.verb);
    match &attributes.target {
        Target::Resource { group, resource, subresource, name, .. } => {
            let combined =
                if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
            let of_all = !subresource.is_empty() && rule.resources.contains(&format!("*/{subresource}"));
            let of_name = rule.resource_names.is_empty() || rule.resource_names.contains(name);
            of_verb && has(&rule.api_groups, group) && (has(&rule.resources, &combined) || of_all) && of_name
        }
        Target::Path(path) => {
            let matches = |url: &String| match url.split_once('*') {
                None => url == path,
                Some((front, _)) => path.starts_with(front),
            };
            of_verb && rule.non_resource_urls.iter().any(matches)
        }
    }
}

const NAMESPACES: [&str; 3] = ["", "n1", "n2"];
const DIRECTORY_GROUP: &str = "6f1e2b7a-0000-4000-8000-000000000001";
const SUBJECTS: [(SubjectKind, &str, Option<&str>); 8] = [
    (SubjectKind::User, "u", None),
    (SubjectKind::User, "g", None),
    (SubjectKind::Group, "g", None),
    (SubjectKind::Group, DIRECTORY_GROUP, None),
    (SubjectKind::ServiceAccount, "sa", Some("n1")),
    (SubjectKind::ServiceAccount, "sa", Some("")),
    (SubjectKind::ServiceAccount, "sa", None),
    (SubjectKind::User, "system:serviceaccount:n1:sa", None),
];

fn words(all: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(all).prop_map(str::to_owned), 0..3)
}

fn rules() -> impl Strategy<Value = Vec<PolicyRule>> {
    let rule = (
        words(&["get", "list", "*"]),
        words(&["", "apps", "*"]),
        words(&["pods", "pods/log", "*", "*/log"]),
        prop_oneof![3 => Just(Vec::new()), 1 => words(&["a", "b"])],
        words(&["/healthz", "/healthz/*", "*"]),
    );
    let rule = rule.prop_map(|(verbs, api_groups, resources, resource_names, non_resource_urls)| {
        PolicyRule { verbs, api_groups, resources, resource_names, non_resource_urls }
    });
    prop::collection::vec(rule, 0..4)
}

fn objects() -> impl Strategy<Value = Object> {
    let role = (0..NAMESPACES.len(), 0..2usize, rules()).prop_map(|(namespace, name, rules)| {
        let name = format!("r{name}").into();
        let rules = rules.into();
        match NAMESPACES[namespace] {
            "" => Object::ClusterRole(ClusterRole {
                name,
                labels: BTreeMap::new(),
                rules,
                aggregation_rule: None,
            }),
            namespace => Object::Role(Role { namespace: namespace.into(), name, rules }),
        }
    });
    let subjects = prop::collection::vec(prop::sample::select(&SUBJECTS[..]), 0..4);
    let kind = prop_oneof![1 => Just(RoleKind::Role), 2 => Just(RoleKind::ClusterRole)];
    let binding = (0..NAMESPACES.len(), 0..4usize, kind, 0..2usize, subjects);
    let binding = binding.prop_map(|(namespace, name, kind, role, subjects)| {
        let subject = |(kind, name, namespace): (SubjectKind, &str, Option<&str>)| Subject {
            kind,
            name: name.into(),
            namespace: namespace.map(Into::into),
        };
        Object::Binding(Binding {
            namespace: (namespace > 0).then(|| NAMESPACES[namespace].into()),
            name: format!("b{name}").into(),
            role: RoleRef { kind, name: format!("r{role}").into() },
            subjects: subjects.into_iter().map(subject).collect(),
        })
    });
    prop_oneof![1 => role, 2 => binding]
}

fn callers() -> impl Strategy<Value = User> {
    prop_oneof![
        Just(user("u", &[])),
        Just(user("x", &["g", "system:authenticated"])),
        Just(user("u", &["g", DIRECTORY_GROUP, "g"])),
        Just(user("system:serviceaccount:n1:sa", &["system:serviceaccounts"])),
    ]
}

fn requests() -> impl Strategy<Value = Attributes> {
    let resource = (
        callers(),
        prop::sample::select(&["get", "list", "*"][..]),
        prop::sample::select(&["", "apps"][..]),
        prop::sample::select(&["pods", "pods/log", "*"][..]),
        prop::sample::select(&NAMESPACES[..]),
        prop::sample::select(&["", "a", "c"][..]),
    );
    let resource = resource.prop_map(|(caller, verb, group, resource, namespace, name)| {
        ask(caller, verb, group, resource, namespace, name)
    });
    let path = (callers(), prop::sample::select(&["/healthz", "/healthz/etcd", "/"][..]));
    prop_oneof![4 => resource, 1 => path.prop_map(|(caller, path)| super::ask_path(caller, path))]
}

#[test]
fn the_index_agrees_with_a_walk_over_all_bindings() {
    let edits = prop::collection::vec((objects(), any::<bool>(), prop::bool::weighted(0.2)), 1..30);
    let asked = prop::collection::vec(requests(), 8);
    compare("kubernetes decisions", 256, &(edits, asked), |(edits, asked)| {
        let mut policy = Policy::default();
        let mut plain = Objects::new();
        let mut compared = 0;
        for (object, at_once, remove) in edits {
            let key = object.key();
            if remove {
                policy.remove(&key);
                plain.remove(&key);
            } else {
                plain.insert(key, object.clone());
                if at_once { policy.extend([object]) } else { policy.put(object) }
            }
            for attributes in &asked {
                check(&policy, &plain, attributes)?;
                compared += 1;
            }
        }
        Ok(compared)
    });
}

fn check(policy: &Policy, plain: &Objects, attributes: &Attributes) -> Result<(), TestCaseError> {
    let (expected, missing) = slow(plain, attributes);
    match policy.decide(attributes) {
        Decision::Allow(decision::Reason::Kube(Reason::Grant(grant))) => {
            prop_assert_eq!(Some(grant.binding.name.to_string()), expected);
            prop_assert!(is_caller(&grant.binding, &grant.subject, &attributes.user));
        }
        Decision::NoOpinion(decision::Reason::Silent) => {
            prop_assert_eq!(None, expected);
            prop_assert!(missing.is_empty());
        }
        Decision::NoOpinion(decision::Reason::Kube(Reason::Unresolved(errors))) => {
            prop_assert_eq!(None, expected);
            let errors: Vec<String> = errors.iter().map(|error| error.0.name.to_string()).collect();
            prop_assert_eq!(errors, missing);
        }
        other => prop_assert!(false, "{:?}", other),
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_kept_of_what_was_removed(objects in prop::collection::vec(objects(), 1..30), order: u64) {
        let mut policy = Policy::default();
        policy.extend(objects.iter().cloned());
        let mut keys: Vec<ObjectKey> = objects.iter().map(Object::key).collect();
        let first = usize::try_from(order).unwrap_or_default() % keys.len();
        keys.rotate_left(first);
        prop_assert!(!policy.is_empty());
        for key in keys {
            policy.remove(&key);
        }
        prop_assert!(policy.is_empty(), "{:?}", policy);
    }

    #[test]
    fn a_group_counts_the_same_from_the_request_and_from_the_directory(
        objects in prop::collection::vec(objects(), 1..20),
        attributes in requests(),
    ) {
        let mut policy = Policy::default();
        policy.extend(objects);
        let mut with = attributes.clone();
        let groups = attributes.user.groups.iter().cloned().chain([DIRECTORY_GROUP.to_owned()]);
        with.user.groups = groups.collect();
        let directory = [ObjectId::parse(DIRECTORY_GROUP).unwrap()];
        prop_assert_eq!(policy.decide(&with), policy.decide_with(&attributes, &directory));
    }

    /// What a caller holds is what a caller may do.
    #[test]
    fn the_rules_held_allow_exactly_what_the_decision_allows(
        objects in prop::collection::vec(objects(), 1..20),
        attributes in requests(),
    ) {
        let mut policy = Policy::default();
        policy.extend(objects);
        let held = policy.rules_for(&attributes.user, &[], attributes.namespace());
        let allowed = held.rules.iter().any(|rule| rule.allows(&attributes));
        prop_assert_eq!(allowed, policy.decide(&attributes).is_allowed());
    }
}
