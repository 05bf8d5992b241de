//! Reasons, rules and objects in small cases. The larger comparisons have files of their own.

use serde_json::{Value, json};

use super::{attributes::Target, *};

mod aggregation;
mod agreement;
mod corpus;
mod escalation;
mod manifest;

pub(super) fn user(name: &str, groups: &[&str]) -> User {
    User {
        name: name.into(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        ..User::default()
    }
}

/// A request for `resource`, which may have a subresource after a slash.
pub(super) fn ask(
    user: User,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Attributes {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let target = Target::Resource {
        group: group.into(),
        version: "v1".into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    Attributes { user, verb: verb.into(), target }
}

pub(super) fn ask_path(user: User, path: &str) -> Attributes {
    Attributes { user, verb: "get".into(), target: Target::Path(path.into()) }
}

/// A policy of the manifests given, whose apiVersion is filled in.
pub(super) fn policy(manifests: &[Value]) -> Policy {
    let mut policy = Policy::default();
    policy.extend(manifests.iter().map(object));
    policy
}

pub(super) fn object(manifest: &Value) -> Object {
    let mut manifest = manifest.clone();
    manifest["apiVersion"] = super::manifest::API_VERSION.into();
    Object::parse(&manifest).unwrap()
}

pub(super) fn bootstrap() -> Policy {
    policy_of(bootstrap_objects())
}

/// As the API server of release 1.20 has it, which the recorded cases are compared with.
pub(super) fn earlier_bootstrap() -> Policy {
    policy_of(earlier_bootstrap_objects())
}

fn policy_of(objects: Vec<Value>) -> Policy {
    let objects = objects.into_iter().filter(|object| object["kind"] != "Namespace");
    let mut policy = Policy::default();
    policy.extend(objects.map(|object| Object::parse(&object).unwrap()));
    policy
}

fn binding(name: &str, role: &str, subject: Value) -> Value {
    json!({"kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject]})
}

fn pods_reader(name: &str) -> Value {
    json!({"kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]})
}

#[test]
fn reasons_are_those_of_the_real_server() {
    let policy = policy(&[
        pods_reader("r"),
        binding("b", "r", json!({"kind": "User", "name": "u"})),
        binding("lost-1", "missing", json!({"kind": "Group", "name": "g"})),
        binding("lost-2", "missing", json!({"kind": "Group", "name": "g"})),
        json!({"kind": "Role", "metadata": {"name": "r", "namespace": "ns"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]}),
        json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"},
            "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "sa"}]}),
        json!({"kind": "RoleBinding", "metadata": {"name": "lost", "namespace": "ns"},
            "roleRef": {"kind": "Role", "name": "gone"}, "subjects": [{"kind": "Group", "name": "g"}]}),
    ]);
    let check = |attributes: Attributes, expected: &str| {
        assert_eq!(policy.decide(&attributes).reason().to_string(), expected);
    };
    check(
        ask(user("u", &[]), "get", "", "pods", "ns", "p"),
        r#"RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "u""#,
    );
    check(
        ask(user("system:serviceaccount:ns:sa", &[]), "get", "", "secrets", "ns", "s"),
        r#"RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "sa/ns""#,
    );
    check(ask(user("u", &[]), "get", "", "secrets", "ns", "s"), "");
    check(
        ask(user("x", &["g"]), "get", "", "secrets", "other", "s"),
        r#"RBAC: clusterrole.rbac.authorization.k8s.io "missing" not found"#,
    );
    check(
        ask(user("x", &["g"]), "get", "", "secrets", "ns", "s"),
        "RBAC: [clusterrole.rbac.authorization.k8s.io \"missing\" not found, \
         role.rbac.authorization.k8s.io \"gone\" not found]",
    );
}

#[test]
fn a_grant_names_binding_role_rule_and_the_first_subject_that_applies() {
    let mut two = binding("b", "r", json!({"kind": "Group", "name": "h"}));
    two["subjects"].as_array_mut().unwrap().push(json!({"kind": "Group", "name": "g"}));
    two["subjects"].as_array_mut().unwrap().push(json!({"kind": "User", "name": "u"}));
    let mut role = pods_reader("r");
    role["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}));
    let policy = policy(&[role, two]);
    let decision = policy.decide(&ask(user("u", &["g"]), "get", "apps", "deployments", "n", "d"));
    let crate::decision::Reason::Kube(Reason::Grant(grant)) = decision.reason() else {
        panic!("{decision:?}")
    };
    assert_eq!((&*grant.binding.name, &*grant.binding.role.name, grant.rule), ("b", "r", 1));
    assert_eq!((grant.subject.kind, &*grant.subject.name), (SubjectKind::Group, "g"));
}

#[test]
fn cluster_bindings_come_first_and_equals_by_name() {
    let policy = policy(&[
        pods_reader("r"),
        binding("y", "r", json!({"kind": "User", "name": "u"})),
        binding("x", "r", json!({"kind": "Group", "name": "g"})),
        json!({"kind": "RoleBinding", "metadata": {"name": "a", "namespace": "ns"},
            "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}),
    ]);
    let reason = policy.decide(&ask(user("u", &["g"]), "get", "", "pods", "ns", "p")).reason().to_string();
    assert_eq!(reason, r#"RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "r" to Group "g""#);
}

#[test]
fn groups_of_the_directory_count_as_those_of_the_request() {
    let id = "6f1e2b7a-0000-4000-8000-000000000001";
    let policy = policy(&[pods_reader("r"), binding("b", "r", json!({"kind": "Group", "name": id}))]);
    let attributes = ask(user("u", &[]), "get", "", "pods", "n", "p");
    let groups = [crate::id::ObjectId::parse(id).unwrap()];
    assert!(!policy.decide(&attributes).is_allowed());
    assert!(policy.decide_with(&attributes, &groups).is_allowed());
    assert!(policy.decide_within(&attributes, &groups).is_allowed());
    assert_eq!(policy.rules_for(&attributes.user, &groups, "").rules.len(), 1);
}

#[test]
fn where_the_directory_gives_the_groups_an_object_id_in_the_request_does_not_count() {
    let id = "6f1e2b7a-0000-4000-8000-000000000001";
    let subjects = [json!({"kind": "Group", "name": id}), json!({"kind": "Group", "name": "system:ops"})];
    let attributes = |group: &str| ask(user("u", &[group]), "get", "", "pods", "n", "p");
    for (subject, expected) in subjects.into_iter().zip([false, true]) {
        let group = subject["name"].as_str().unwrap().to_owned();
        let policy = policy(&[pods_reader("r"), binding("b", "r", subject)]);
        assert!(policy.decide(&attributes(&group)).is_allowed());
        assert_eq!(policy.decide_within(&attributes(&group), &[]).is_allowed(), expected, "{group}");
    }
}

#[test]
fn resources_match_as_in_the_api_server() {
    let check = |ruled: &[&str], asked: &str, expected: bool| {
        let rule = PolicyRule {
            verbs: vec!["get".into()],
            api_groups: vec![String::new()],
            resources: ruled.iter().map(|&each| each.to_owned()).collect(),
            ..PolicyRule::default()
        };
        assert_eq!(
            rule.allows(&ask(user("u", &[]), "get", "", asked, "n", "x")),
            expected,
            "{ruled:?} {asked}"
        );
    };
    check(&["pods"], "pods", true);
    check(&["pods"], "pods/log", false);
    check(&["pods/log"], "pods/log", true);
    check(&["pods/log"], "pods", false);
    check(&["*"], "pods/log", true);
    check(&["*/log"], "pods/log", true);
    check(&["*/log"], "log", false);
    check(&["*/og"], "pods/log", false);
    check(&["pods/*"], "pods/log", false);
    check(&["*/*"], "pods/log", false);
}

#[test]
fn urls_match_exactly_or_by_their_beginning() {
    let check = |url: &str, path: &str, expected: bool| {
        let rule = PolicyRule {
            verbs: vec!["get".into()],
            non_resource_urls: vec![url.into()],
            ..PolicyRule::default()
        };
        assert_eq!(rule.allows(&ask_path(user("u", &[]), path)), expected, "{url} {path}");
    };
    check("*", "/any", true);
    check("/healthz", "/healthz", true);
    check("/healthz", "/healthz/etcd", false);
    check("/healthz/*", "/healthz/etcd", true);
    check("/healthz/*", "/healthz", false);
    check("/api*", "/apis", true);
    check("/api**", "/api/v1", true);
    check("/a*b", "/axb", false);
}

#[test]
fn url_rules_count_only_where_they_are_bound_for_the_cluster() {
    let role = json!({"kind": "ClusterRole", "metadata": {"name": "r"},
        "rules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]});
    let in_namespace = json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"},
        "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]});
    let mut policy = policy(&[role, in_namespace]);
    assert!(!policy.decide(&ask_path(user("u", &[]), "/metrics")).is_allowed());
    policy.put(object(&binding("b", "r", json!({"kind": "User", "name": "u"}))));
    assert!(policy.decide(&ask_path(user("u", &[]), "/metrics")).is_allowed());
}

#[test]
fn a_clone_does_not_see_later_changes() {
    let before = policy(&[pods_reader("r"), binding("b", "r", json!({"kind": "User", "name": "u"}))]);
    let mut after = before.clone();
    after.remove(&ObjectKey::ClusterRoleBinding { name: "b".into() });
    let attributes = ask(user("u", &[]), "get", "", "pods", "n", "p");
    assert!(before.decide(&attributes).is_allowed());
    assert!(!after.decide(&attributes).is_allowed());
}

#[test]
fn the_helpful_roles_are_those_that_grant_least() {
    let names = |attributes: &Attributes| -> Vec<String> {
        bootstrap().roles_that_allow(attributes, 3).iter().map(|role| role.name.to_string()).collect()
    };
    assert_eq!(names(&ask(user("u", &[]), "list", "", "pods", "n", "")), ["view", "edit", "admin"]);
    assert_eq!(
        names(&ask(user("u", &[]), "list", "", "secrets", "n", "")),
        ["edit", "admin", "cluster-admin"]
    );
    assert_eq!(names(&ask(user("u", &[]), "list", "", "nodes", "", "")), ["cluster-admin"]);
}

#[test]
fn the_default_roles_are_those_of_the_release_that_is_said() {
    let binding = object(&json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": "u"}]}));
    for (mut policy, is_new) in [(bootstrap(), true), (earlier_bootstrap(), false)] {
        policy.put(binding.clone());
        let may = |verb: &str, group: &str, resource: &str| {
            policy.decide(&ask(user("u", &[]), verb, group, resource, "n", "")).is_allowed()
        };
        assert!(may("create", "", "pods") && may("get", "", "endpoints"));
        // CVE-2021-25740.
        assert_eq!(may("create", "", "endpoints"), !is_new);
        assert!(!may("patch", "discovery.k8s.io", "endpointslices"));
        assert_eq!(may("create", "", "events"), is_new);
        assert_eq!(may("create", "", "pods/eviction"), is_new);
    }
}

#[test]
fn every_bootstrap_object_can_be_read() {
    assert_eq!(bootstrap_objects().len(), 139);
    let policy = bootstrap();
    let authenticated = || user("u", &[User::AUTHENTICATED]);
    for (path, expected) in
        [("/healthz", true), ("/api/v1", true), ("/metrics", false), ("/healthz/etcd", false)]
    {
        assert_eq!(policy.decide(&ask_path(authenticated(), path)).is_allowed(), expected, "{path}");
    }
    // Aggregation gives these roles the rules that the real server's controller gave them.
    for object in bootstrap_objects().iter().filter(|object| object.get("aggregationRule").is_some()) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let given = serde_json::to_value(&**policy.cluster_role_rules(name).unwrap()).unwrap();
        let sorted = |value: &Value| -> Vec<Value> {
            let mut rules = value.as_array().unwrap().clone();
            rules.sort_by_key(Value::to_string);
            rules
        };
        assert_eq!(sorted(&given), sorted(&object["rules"]), "{name}");
    }
}
