//! A review of everything is allowed to whom each thing of it is: asked once as a whole, and one by one.

use std::collections::BTreeSet;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    super::kubernetes::{self, Settings},
    *,
};
use crate::{
    comparisons::compare,
    kube::{self, Target, User},
};

const CLUSTER: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/c1";
const PREFIX: &str = "Microsoft.ContainerService/managedClusters";
/// With the action that each asks for of a plain resource.
const VERBS: [(&str, &str); 3] = [("get", "read"), ("create", "write"), ("delete", "delete")];
const PATTERNS: [&str; 9] = [
    "*",
    "*/read",
    "*/write",
    "*/delete",
    "*/action",
    "customresources/*",
    "customresources/read",
    "secrets/*",
    "apps/*/read",
];
const GUARDS: [&str; 3] = [
    "!(ActionMatches{'Microsoft.ContainerService/managedClusters/customresources/*'}) OR \
     @Request[Microsoft.ContainerService/managedClusters/customResources:group] StringEquals 'good.io'",
    "!(ActionMatches{'Microsoft.ContainerService/managedClusters/customresources/*'}) OR \
     @Request[Microsoft.ContainerService/managedClusters/customResources:group] StringNotEquals 'evil.io'",
    "!(ActionMatches{'Microsoft.ContainerService/managedClusters/secrets/*'})",
];

fn ask(policy: &Policy, verb: &str, group: &str, resource: &str) -> bool {
    let target = Target::Resource {
        group: group.into(),
        version: "v1".into(),
        resource: resource.into(),
        subresource: String::new(),
        namespace: String::new(),
        name: String::new(),
    };
    let user = User { name: "ann@example.org".into(), ..User::default() };
    let attributes = kube::Attributes { user, verb: verb.into(), target };
    let caller = Caller::new(object(1), Arc::from([]));
    let settings = Settings::new(scope(CLUSTER));
    let answer = kubernetes::decide_as(policy, &OPERATIONS, &settings, &attributes, &caller, now());
    answer.decision.is_ok_and(|decision| decision.is_allowed())
}

static OPERATIONS: LazyLock<Operations> = LazyLock::new(|| Operations::published().unwrap());

/// Patterns that are granted, those taken out of them, and a condition.
type Grant = (Vec<&'static str>, Vec<&'static str>, Option<&'static str>);

fn policy_of(grants: &[Grant]) -> Policy {
    let mut policy = empty_policy();
    for (number, (granted, excepted, guard)) in (1..).zip(grants) {
        let named = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| format!("{PREFIX}/{text}")).collect();
            patterns(&texts.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let permission = Permission {
            data_actions: named(granted),
            not_data_actions: named(excepted),
            ..Permission::default()
        };
        policy.put_role(custom_role(number, vec![permission]));
        let mut new = assignment(number, object(1), role_id(number), scope(CLUSTER));
        new.condition = guard.map(|text| Condition::parse(text).unwrap());
        policy.put_assignment(new);
    }
    policy
}

#[test]
fn a_review_of_everything_is_allowed_to_whom_each_thing_is() {
    let names = |most| vec(select(PATTERNS.to_vec()), 0..most);
    let grant = (names(4), names(2), option::of(select(GUARDS.to_vec())));
    compare("reviews of everything", 96, &vec(grant, 1..4), |grants| {
        let policy = policy_of(&grants);
        let mut everything = BTreeSet::new();
        for (group, resource, operation) in OPERATIONS.resources() {
            for (verb, part) in VERBS {
                if operation.verbs.iter().any(|each| each == part) {
                    everything.insert((verb, group.to_owned(), resource.to_owned()));
                }
            }
        }
        for group in ["good.io", "evil.io", "other.io"] {
            everything.extend(VERBS.map(|(verb, _)| (verb, group.to_owned(), "things".to_owned())));
        }
        let mut asked = 0;
        let mut may = |verb: &str, group: &str, resource: &str| {
            asked += 1;
            ask(&policy, verb, group, resource)
        };
        for verb in ["get", "create", "delete", "*"] {
            if !may(verb, "*", "*") {
                continue;
            }
            for (each, group, resource) in everything.iter().filter(|(each, ..)| verb == "*" || *each == verb)
            {
                prop_assert!(may(each, group, resource), "{each} {group} {resource} in {verb} by {grants:?}");
            }
        }
        Ok(asked)
    });
}

#[test]
fn who_may_do_everything_is_told_so_and_who_is_kept_from_custom_resources_is_not() {
    let all = |guard| policy_of(&[(vec!["*"], Vec::new(), guard)]);
    for verb in ["*", "get", "list", "delete"] {
        assert!(ask(&all(None), verb, "*", "*"), "{verb}");
        for guard in [GUARDS[0], GUARDS[1]] {
            assert!(!ask(&all(Some(guard)), verb, "*", "*"), "{verb}");
        }
    }
    let reader = policy_of(&[(vec!["*/read"], vec!["customresources/read"], None)]);
    assert!(!ask(&reader, "get", "*", "*"));
    assert!(ask(&reader, "get", "*", "pods") && ask(&reader, "get", "apps", "*"));
}
