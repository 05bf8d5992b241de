//! What may be handed on, against the requests themselves: rights that are covered allow nothing new.

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{
        escalation::{compact, covers, full_authority},
        *,
    },
    ask, ask_path, user,
};

fn rules(value: serde_json::Value) -> Vec<PolicyRule> {
    serde_json::from_value(value).unwrap()
}

fn refs(rules: &[PolicyRule]) -> Vec<&PolicyRule> {
    rules.iter().collect()
}

#[test]
fn the_refusal_is_worded_as_by_the_real_server() {
    let requested = rules(json!([
        {"nonResourceURLs": ["/x"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["a"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["watch"]}
    ]));
    let bob = user("bob", &["system:authenticated"]);
    let refused = super::earlier_bootstrap().confirm_no_escalation(&bob, &[], "ns", &requested).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}
{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}
{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["get"]}
{NonResourceURLs:["/x"], Verbs:["get"]}"#
    );
}

#[test]
fn roles_that_could_not_be_read_are_named_after_the_missing_rights() {
    let bind = |name: &str, role: &str| {
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": "bob"}]})
    };
    let requested = rules(json!([{"nonResourceURLs": ["/x"], "verbs": ["get"]}]));
    let refusal = |manifests: &[serde_json::Value]| {
        let policy = super::policy(manifests);
        let refused = policy.confirm_no_escalation(&user("bob", &[]), &[], "", &requested).unwrap_err();
        refused.to_string().lines().last().unwrap().to_owned()
    };
    let missing = |name: &str| format!("clusterrole.rbac.authorization.k8s.io \"{name}\" not found");
    assert_eq!(
        refusal(&[bind("a", "gone")]),
        format!("{{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}}; resolution errors: [{}]", missing("gone"))
    );
    assert_eq!(
        refusal(&[bind("a", "gone"), bind("b", "lost")]),
        format!(
            "{{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}}; resolution errors: [[{}, {}]]",
            missing("gone"),
            missing("lost")
        )
    );
}

#[test]
fn one_right_covers_another_as_in_the_api_server() {
    let check = |held: serde_json::Value, asked: serde_json::Value, expected: bool| {
        let (held, asked) = (rules(json!([held])), rules(json!([asked])));
        assert_eq!(covers(&refs(&held), &asked).is_ok(), expected, "{held:?} {asked:?}");
    };
    let on = |resource: &str, names: &[&str]| json!({"apiGroups": ["apps"], "resources": [resource], "resourceNames": names, "verbs": ["get"]});
    let url = |url: &str| json!({"nonResourceURLs": [url], "verbs": ["get"]});
    check(on("deployments", &[]), on("deployments", &["a"]), true);
    check(on("deployments", &["a"]), on("deployments", &[]), false);
    check(on("deployments", &["a", "b"]), on("deployments", &["b"]), true);
    check(on("*/scale", &[]), on("deployments/scale", &[]), true);
    check(on("*/scale", &[]), on("*/scale", &[]), true);
    check(on("*/scale", &[]), on("deployments", &[]), false);
    check(on("pods", &[]), on("pods/log", &[]), false);
    check(on("*", &[]), on("pods/log", &[]), true);
    check(on("pods", &[]), on("*", &[]), false);
    check(url("/healthz/*"), url("/healthz/etcd"), true);
    check(url("/healthz/*"), url("/healthz/*"), true);
    check(url("/healthz/*"), url("/healthz"), false);
    check(url("/healthz"), url("/healthz/*"), false);
    check(url("*"), url("/healthz/*"), true);
    // Nothing is asked for by a rule without verbs.
    check(url("/x"), json!({"apiGroups": ["*"], "resources": ["*"], "verbs": []}), true);
}

#[test]
fn only_cluster_admin_holds_full_authority() {
    let policy = super::earlier_bootstrap();
    let check = |groups: &[&str], namespace: &str, expected: bool| {
        let user = user("u", groups);
        assert_eq!(policy.confirm_no_escalation(&user, &[], namespace, &full_authority()).is_ok(), expected);
    };
    check(&["system:masters"], "", true);
    check(&["system:authenticated"], "", false);
}

#[test]
fn a_request_too_large_to_take_apart_is_lacking_as_a_whole() {
    let many: Vec<String> = (0..400).map(|each| format!("x{each}")).collect();
    let huge = vec![PolicyRule {
        verbs: many.clone(),
        api_groups: many.clone(),
        resources: many,
        ..Default::default()
    }];
    assert_eq!(covers(&[], &huge), Err(huge.clone()));
    assert_eq!(covers(&refs(&full_authority()), &huge), Ok(()));
    assert_eq!(covers(&refs(&huge), &huge), Ok(()));
}

fn words(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(all).prop_map(str::to_owned), 0..=most)
}

fn any_rules() -> impl Strategy<Value = Vec<PolicyRule>> {
    let rule = (
        words(&["get", "list", "*"], 2),
        words(&["", "apps", "*"], 2),
        words(&["pods", "pods/log", "*", "*/log"], 2),
        words(&["a", "b"], 2),
        words(&["/h", "/h/*", "*", "/x"], 2),
        any::<bool>(),
    );
    let rule =
        rule.prop_map(|(verbs, api_groups, resources, resource_names, non_resource_urls, is_resource)| {
            if is_resource {
                PolicyRule { verbs, api_groups, resources, resource_names, ..PolicyRule::default() }
            } else {
                PolicyRule { verbs, non_resource_urls, ..PolicyRule::default() }
            }
        });
    prop::collection::vec(rule, 0..4)
}

/// Every request of a universe in which each word of the rules has a meaning of its own: a verb, group,
/// resource, name or path that no rule names stands for all others.
fn universe() -> impl Iterator<Item = Attributes> {
    let verbs = ["get", "list", "other"];
    let resources = verbs.into_iter().flat_map(|verb| {
        ["", "apps", "other"].into_iter().flat_map(move |group| {
            ["pods", "pods/log", "other", "other/log", "other/thing"].into_iter().flat_map(move |resource| {
                ["", "a", "b", "other"]
                    .into_iter()
                    .map(move |name| ask(user("u", &[]), verb, group, resource, "n", name))
            })
        })
    });
    let paths = verbs.into_iter().flat_map(|verb| {
        ["/h", "/h/", "/h/y", "/x", "/other"]
            .into_iter()
            .map(move |path| Attributes { verb: verb.into(), ..ask_path(user("u", &[]), path) })
    });
    resources.chain(paths)
}

fn allows(rules: &[PolicyRule], attributes: &Attributes) -> bool {
    rules.iter().any(|rule| rule.allows(attributes))
}

proptest! {
    #[test]
    fn covered_rights_allow_no_new_request(held in any_rules(), requested in any_rules()) {
        if covers(&refs(&held), &requested).is_ok() {
            for attributes in universe() {
                prop_assert!(!allows(&requested, &attributes) || allows(&held, &attributes), "{:?}", attributes);
            }
        }
    }

    /// One single right needs one held rule, so there the check is exact: what it refuses is something new.
    #[test]
    fn a_single_right_that_is_refused_allows_a_new_request(held in any_rules(), requested in any_rules()) {
        let Err(missing) = covers(&refs(&held), &requested) else { return Ok(()) };
        for right in missing {
            let is_new = universe().any(|attributes| {
                right.allows(&attributes) && !held.iter().any(|rule| rule.allows(&attributes))
            });
            let is_wildcard = [&right.verbs, &right.api_groups, &right.resources, &right.non_resource_urls]
                .iter()
                .any(|list| list.iter().any(|text| text.contains('*')));
            // Several held rules may together grant what one wildcard or one rule without names grants; the
            // API server does not put them together.
            prop_assert!(is_new || is_wildcard || right.resource_names.is_empty(), "{}", right);
        }
    }

    #[test]
    fn joining_rules_changes_no_request(held in any_rules()) {
        let joined = compact(held.clone());
        for attributes in universe() {
            prop_assert_eq!(allows(&held, &attributes), allows(&joined, &attributes));
        }
    }
}
