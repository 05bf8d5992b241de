//! The table of kinds is complete and free of contradictions.

use serde_json::json;

use super::*;
use crate::{schema::schema, status::Status};

#[test]
fn every_row_has_a_message_and_plain_names() {
    let mut names = std::collections::BTreeSet::new();
    for kind in kinds() {
        assert!(schema().find(kind.message).is_some(), "{}", kind.message);
        assert!(schema().find(kind.message).unwrap().field("metadata").is_some());
        assert!(names.insert((kind.group, kind.plural)), "{} twice", kind.plural);
        assert_eq!(kind.kind.to_lowercase(), kind.singular);
        let mut verbs = kind.verbs.to_vec();
        verbs.sort_unstable();
        assert_eq!(verbs, kind.verbs, "verbs are in order");
        let subresources: Vec<_> = kind.subresources.iter().map(|each| each.name).collect();
        assert!(subresources.is_sorted());
    }
}

#[test]
fn defaults_change_nothing_the_second_time() {
    let pod_template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i",
        "ports": [{"containerPort": 1}], "livenessProbe": {"httpGet": {"port": 1}}}],
        "volumes": [{"name": "v"}, {"name": "w", "secret": {"secretName": "s"}}]}});
    for kind in kinds().iter().filter(|kind| kind.role == Role::Stored) {
        let mut value = json!({"metadata": {"name": "a"}, "roleRef": {"kind": "Role"}, "subjects": [{"kind": "User"}],
            "stringData": {"a": "b"},
            "spec": {"template": pod_template, "containers": pod_template["spec"]["containers"],
                "ports": [{"port": 1}]}});
        (kind.default)(&mut value);
        let once = value.clone();
        (kind.default)(&mut value);
        assert_eq!(value, once, "{}", kind.kind);
    }
}

#[test]
fn deployments_get_the_defaults_of_kubernetes() {
    let kind = find_stored("apps", "deployments").unwrap();
    let mut value = json!({"spec": {"selector": {}, "template": {"spec": {"containers": [
        {"name": "c", "image": "registry:5000/i", "ports": [{"containerPort": 80}]},
        {"name": "d", "image": "i:1"}, {"name": "e", "image": "i@sha256:0"}]}}}});
    (kind.default)(&mut value);
    insta::assert_json_snapshot!(value);
}

fn problems(group: &str, plural: &str, value: Value, old: Option<Value>) -> Vec<String> {
    let kind = find_stored(group, plural).unwrap();
    let mut found = Vec::new();
    let whole = |mut value: Value| {
        value["kind"] = kind.kind.into();
        value["apiVersion"] = format!("{group}/v1").into();
        value["metadata"] = json!({"name": "a"});
        value
    };
    (kind.validate)(&whole(value), old.map(whole).as_ref(), &mut found);
    found.iter().map(Problem::to_string).collect()
}

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

#[test]
fn rules_are_validated() {
    assert_eq!(
        problems(
            RBAC_GROUP,
            "roles",
            json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}, {}]}),
            None
        ),
        [
            "rules[0].nonResourceURLs: Invalid value: []string{\"/x\"}: namespaced rules cannot apply to non-resource URLs",
            "rules[1].verbs: Required value: verbs must contain at least one value",
            "rules[1].apiGroups: Required value: resource rules must supply at least one api group",
            "rules[1].resources: Required value: resource rules must supply at least one resource",
        ]
    );
    assert_eq!(
        problems(RBAC_GROUP, "clusterroles", json!({"aggregationRule": {}}), None),
        [
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
        ]
    );
    assert!(
        problems(
            RBAC_GROUP,
            "clusterroles",
            json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
            None
        )
        .is_empty()
    );
}

#[test]
fn the_role_of_a_binding_cannot_be_changed() {
    let reference = |name: &str| json!({"roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": name}});
    assert_eq!(
        problems(RBAC_GROUP, "rolebindings", reference("other"), Some(reference("one"))),
        [
            "roleRef: Invalid value: rbac.RoleRef{APIGroup:\"rbac.authorization.k8s.io\", Kind:\"Role\", Name:\"other\"}: cannot change roleRef"
        ]
    );
    assert!(problems(RBAC_GROUP, "rolebindings", reference("one"), Some(reference("one"))).is_empty());
}

#[test]
fn subjects_of_a_binding_are_validated() {
    let binding = json!({"roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": "a"}, "subjects": [
        {"kind": "User", "apiGroup": "x", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}, {"kind": "Robot"}]});
    assert_eq!(
        problems(RBAC_GROUP, "clusterrolebindings", binding, None),
        [
            "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
            "subjects[0].apiGroup: Unsupported value: \"x\": supported values: \"rbac.authorization.k8s.io\"",
            "subjects[1].namespace: Required value",
            "subjects[2].name: Required value",
            "subjects[2].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
        ]
    );
}

#[test]
fn workloads_need_containers_and_a_matching_selector() {
    let deployment = json!({"spec": {"replicas": -1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "c"}}, "spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, {"name": "c", "image": "i"}]}}}});
    assert_eq!(
        problems("apps", "deployments", deployment, None),
        [
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"c\"}: `selector` does not match template `labels`",
            "spec.template.spec.containers[1].name: Duplicate value: \"c\"",
            "spec.template.spec.containers[0].image: Required value",
            "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        ]
    );
}

#[test]
fn quantities_are_not_negative_unless_they_were() {
    let pod = |limit: &str| {
        let resources = json!({"limits": {"cpu": limit}, "requests": {"memory": "0"}});
        json!({"spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
    };
    let negative =
        "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0";
    assert_eq!(problems("", "pods", pod("-1"), None), [negative]);
    assert!(problems("", "pods", pod("-1"), Some(pod("-1"))).is_empty());
    assert!(problems("", "pods", pod("1"), None).is_empty());
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod("-2m")["spec"]});
    let deployment = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}});
    assert_eq!(
        problems("apps", "deployments", deployment, None),
        [
            "spec.template.spec.containers[0].resources.limits[cpu]: Invalid value: \"-2m\": must be greater than or equal to 0"
        ]
    );
    let quota = |pods: &str| json!({"spec": {"hard": {"pods": pods}}});
    assert_eq!(
        problems("", "resourcequotas", quota("-1"), Some(quota("1"))),
        ["spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"]
    );
    assert!(problems("", "resourcequotas", quota("0"), None).is_empty());
    let claim = |storage: &str| json!({"spec": {"resources": {"requests": {"storage": storage}}}});
    for storage in ["0", "-1Gi"] {
        let text = format!(
            "spec.resources.requests[storage]: Invalid value: \"{storage}\": must be greater than zero"
        );
        assert_eq!(problems("", "persistentvolumeclaims", claim(storage), None), [text]);
    }
    assert!(problems("", "persistentvolumeclaims", claim("1Gi"), None).is_empty());
}

#[test]
fn secrets_and_config_maps_are_validated() {
    assert_eq!(
        problems("", "secrets", json!({"type": "kubernetes.io/service-account-token"}), None),
        ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]
    );
    assert_eq!(
        problems("", "secrets", json!({"type": "b"}), Some(json!({"type": "a"}))),
        ["type: Invalid value: \"b\": field is immutable"]
    );
    assert_eq!(problems("", "configmaps", json!({"data": {"a b": ""}}), None).len(), 1);
    assert_eq!(
        problems(
            "",
            "configmaps",
            json!({"data": {"a": "2"}, "immutable": true}),
            Some(json!({"data": {"a": "1"}, "immutable": true}))
        ),
        ["data: Forbidden: field is immutable when `immutable` is set"]
    );
}

#[test]
fn several_problems_make_one_status() {
    let kind = find_stored(RBAC_GROUP, "roles").unwrap();
    let status: Status = kind.invalid("bad", &[Problem::required("a", ""), Problem::invalid("b", "x", "y")]);
    insta::assert_json_snapshot!(status.to_json());
}
