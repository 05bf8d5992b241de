//! Objects as they are read, and what is refused about them.

use serde_json::{Value, json};

use super::super::*;

fn problems(manifest: Value) -> String {
    let mut manifest = manifest;
    manifest["apiVersion"] = super::super::manifest::API_VERSION.into();
    match Object::parse(&manifest) {
        Ok(object) => panic!("not refused: {object:?}"),
        Err(error) => error.to_string(),
    }
}

fn role(rule: Value) -> Value {
    json!({"kind": "Role", "metadata": {"name": "bad", "namespace": "n"}, "rules": [rule]})
}

fn binding(change: impl FnOnce(&mut Value)) -> Value {
    let mut binding = json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}, "subjects": []});
    change(&mut binding);
    binding
}

#[test]
fn refusals_are_worded_as_by_the_real_server() {
    assert_eq!(
        problems(role(json!({"verbs": ["get"], "nonResourceURLs": ["/x"]}))),
        "rules[0].nonResourceURLs: Invalid value: []string{\"/x\"}: namespaced rules cannot apply to non-resource URLs"
    );
    assert_eq!(
        problems(role(json!({}))),
        "[rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: \
         resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must \
         supply at least one resource]"
    );
    let cluster_role = |aggregation: Value| json!({"kind": "ClusterRole", "metadata": {"name": "x"}, "aggregationRule": aggregation});
    assert_eq!(
        problems(cluster_role(json!({}))),
        "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if \
         aggregationRule is non-nil"
    );
    let expression = json!({"matchExpressions": [{"key": "a", "operator": "In"}]});
    assert_eq!(
        problems(cluster_role(json!({"clusterRoleSelectors": [expression]}))),
        "aggregationRule.clusterRoleSelectors[0].matchExpressions[0].values: Required value: must be specified when \
         `operator` is 'In' or 'NotIn'"
    );
    assert_eq!(problems(binding(|it| it["roleRef"]["name"] = "".into())), "roleRef.name: Required value");
    assert_eq!(
        problems(binding(|it| it["roleRef"]["kind"] = "Rule".into())),
        "roleRef.kind: Unsupported value: \"Rule\": supported values: \"Role\", \"ClusterRole\""
    );
    assert_eq!(
        problems(binding(|it| it["subjects"] = json!([{"kind": "Users", "name": "u"}]))),
        "subjects[0].kind: Unsupported value: \"Users\": supported values: \"ServiceAccount\", \"User\", \"Group\""
    );
    assert_eq!(
        problems(binding(|it| it["metadata"]["name"] = "a/b".into())),
        "metadata.name: Invalid value: \"a/b\": may not contain '/'"
    );
    let service_account = json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "sa"}]});
    assert_eq!(problems(service_account), "subjects[0].namespace: Required value");
    assert_eq!(
        problems(json!({"kind": "Role", "metadata": {"name": "r"}})),
        "metadata.namespace: Required value"
    );
}

#[test]
fn a_binding_keeps_its_role() {
    let role_ref = |name: &str| {
        let mut binding = binding(|it| it["roleRef"]["name"] = name.into());
        binding["apiVersion"] = super::super::manifest::API_VERSION.into();
        Manifest::parse(&binding).unwrap()
    };
    assert_eq!(check::check_role_ref_kept(&role_ref("lim"), &role_ref("lim")), None);
    assert_eq!(
        check::check_role_ref_kept(&role_ref("lim"), &role_ref("other")).unwrap().to_string(),
        "roleRef: Invalid value: rbac.RoleRef{APIGroup:\"rbac.authorization.k8s.io\", Kind:\"Role\", Name:\"other\"}: \
         cannot change roleRef"
    );
}

#[test]
fn stored_objects_may_hold_fields_that_are_not_known_and_nulls() {
    let manifest = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "status": {},
        "metadata": {"name": "r", "annotations": {"a": "b"}, "future": 1, "labels": null},
        "aggregationRule": null,
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": null, "new": true}]});
    let Object::ClusterRole(role) = Object::parse(&manifest).unwrap() else { panic!() };
    assert_eq!(role.rules.len(), 1);
    assert!(role.labels.is_empty() && role.aggregation_rule.is_none());
}

#[test]
fn written_manifests_may_not_hold_unknown_fields() {
    let check = |manifest: Value, unknown: &str| {
        let error = serde_json::from_value::<Manifest>(manifest).unwrap_err().to_string();
        assert!(error.contains(&format!("unknown field `{unknown}`")), "{error}");
    };
    let base = |rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": rules});
    check(base(json!([{"verb": ["get"]}])), "verb");
    let mut labelled = base(json!([]));
    labelled["metadata"]["label"] = json!({});
    check(labelled, "label");
    let mut other = base(json!([]));
    other["rule"] = json!([]);
    check(other, "rule");
}

#[test]
fn other_kinds_and_versions_are_not_read() {
    for (api_version, kind) in [("v1", "Pod"), ("rbac.authorization.k8s.io/v1beta1", "Role")] {
        let manifest = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
        let error = Object::parse(&manifest).unwrap_err();
        assert_eq!(error, ObjectError::Kind { api_version: api_version.into(), kind: kind.into() });
    }
}
