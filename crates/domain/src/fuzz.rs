//! Texts from outside, as nobody meant them: they are read or refused, in time, and what is read says the same when it
//! is written.

use fuzzing::{says_something, text};

use crate::{
    condition::Condition,
    id::{AppId, ObjectId},
    kube::{self, Manifest},
    name::{DisplayName, ResourceName, Upn},
    role::{ActionPattern, parse_definition_id},
    scope::Scope,
};

const CLUSTER: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
    Microsoft.ContainerService/managedClusters/c1";

#[test]
fn conditions() {
    let guarded = "((!(ActionMatches{'Microsoft.ContainerService/managedClusters/pods/write'} AND NOT \
        SubOperationMatches{'exec'})) OR (@Resource[Microsoft.ContainerService/managedClusters/\
        namespaces:name] ForAnyOfAnyValues:StringLikeIgnoreCase {'team-?*', '\\*'}) AND \
        @Request[subOperation] NumericGreaterThan 5 OR Exists @Principal[a:b<$key_case_sensitive$>])";
    let words = [
        "@Environment[UtcNow] DateTimeLessThan '2026-01-01T00:00:00Z'",
        "!(",
        "ForAllOfAllValues:",
        "{'",
        "'}",
    ];
    text(&[guarded, "@Request[a:b] GuidEquals {'11111111-1111-1111-1111-111111111111'}"], &words, |text| {
        match Condition::parse(text) {
            Ok(condition) => assert_eq!(Condition::parse(&condition.to_string()), Ok(condition)),
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn scopes() {
    let group = "/providers/Microsoft.Management/managementGroups/mg1";
    text(
        &["/", CLUSTER, group, "/subscriptions/x/", &format!("{CLUSTER}/namespaces/n")],
        &["//", "/.."],
        |text| match Scope::parse(text) {
            Ok(scope) => {
                assert_eq!(Scope::parse(&scope.to_string()), Ok(scope.clone()));
                assert!(Scope::root().contains(&scope), "{scope}");
            }
            Err(error) => says_something(error),
        },
    );
}

#[test]
fn names_and_ids() {
    let examples =
        ["ann@contoso.example", "rg-1_(a).b", "Ann Ö'Example", "11111111-1111-1111-1111-111111111111"];
    text(&examples, &["@", "/providers/Microsoft.Authorization/roleDefinitions/"], |text| {
        match Upn::parse(text) {
            Ok(name) => assert_eq!(Upn::parse(&name.to_string()), Ok(name)),
            Err(error) => says_something(error),
        }
        match DisplayName::parse(text) {
            Ok(name) => assert_eq!(DisplayName::parse(&name.to_string()), Ok(name)),
            Err(error) => says_something(error),
        }
        match ResourceName::parse(text) {
            Ok(name) => assert_eq!(ResourceName::parse(&name.to_string()), Ok(name)),
            Err(error) => says_something(error),
        }
        match ObjectId::parse(text) {
            Ok(id) => assert_eq!(ObjectId::parse(&id.to_string()), Ok(id)),
            Err(error) => says_something(error),
        }
        assert_eq!(AppId::parse(text).is_ok(), ObjectId::parse(text).is_ok());
        if let Some(id) = parse_definition_id(text) {
            assert_eq!(parse_definition_id(&id.to_string()), Some(id));
        }
    });
}

#[test]
fn action_patterns() {
    text(&["Microsoft.ContainerService/managedClusters/*/read", "*", "*/read"], &["/*", "**"], |text| {
        match ActionPattern::parse(text) {
            Ok(pattern) => assert_eq!(ActionPattern::parse(&pattern.to_string()), Ok(pattern)),
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn roles_and_bindings_of_kubernetes() {
    let role = r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r",
        "labels": {"a": "b"}}, "rules": [{"verbs": ["get", "*"], "apiGroups": ["", "apps"], "resources": ["pods/log"],
        "resourceNames": ["p"]}, {"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}], "aggregationRule":
        {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}, "matchExpressions":
        [{"key": "k", "operator": "NotIn", "values": ["v"]}]}]}}"#;
    let binding = r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b",
        "namespace": "n"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "User", "name": "u"}]}"#;
    text(&[role, binding], &["null", "[]", "{}", "\"ClusterRoleBinding\""], |text| {
        let Ok(value) = serde_json::from_str(text) else { return };
        if let Err(error) = kube::Object::parse(&value) {
            says_something(error);
        }
        let strictly: Result<Manifest, _> = serde_json::from_str(text);
        if let Err(error) = strictly {
            says_something(error);
        }
    });
}
