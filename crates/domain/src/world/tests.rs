//! Worlds as data. Reading YAML, lines and exit statuses are tested with the command.

use serde_json::{Value, json};

use super::*;

const CLUSTER: &str = "/subscriptions/11111111-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/c1";
const ANN: &str = "22222222-0000-4000-8000-000000000001";

fn world(mut file: Value) -> Result<World, String> {
    file["apiVersion"] = "portcullis.io/v1".into();
    file["kind"] = "World".into();
    let file: WorldFile = serde_json::from_value(file).map_err(|error| error.to_string())?;
    World::build(file, &Common::load().unwrap()).map_err(|error| error.to_string())
}

fn answers(file: Value) -> Vec<Outcome> {
    let world = world(file).unwrap();
    world.questions().iter().map(|question| world.answer(question, Timestamp::UNIX_EPOCH)).collect()
}

fn list_pods(more: Value) -> Value {
    let mut spec = json!({"user": "ann", "extra": {"oid": [ANN]},
        "resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "web"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"spec": spec})
}

fn assignment(role: &str) -> Value {
    json!({"principalId": ANN, "role": role, "scope": "/"})
}

#[test]
fn an_empty_world_allows_nothing() {
    let outcome = answers(json!({"reviews": [list_pods(json!({}))]})).remove(0);
    assert_eq!((outcome.decision, outcome.reason.as_str()), (Verdict::NoOpinion, "nothing allows it"));
    assert_eq!((outcome.name.as_str(), outcome.azure), ("reviews[0]", None));
}

#[test]
fn every_default_is_that_of_the_contract() {
    let world = world(json!({"cluster": {"id": CLUSTER}})).unwrap();
    let mut settings = azure::kubernetes::Settings::new(crate::scope::Scope::parse(CLUSTER).unwrap());
    assert_eq!(world.access.settings, settings);
    assert!(world.access.kubernetes_rbac && !world.access.azure_rbac && world.access.admin_groups.is_empty());
    let written = json!({"cluster": {"id": CLUSTER, "kubernetesRbac": false, "azureRbac": true, "adminGroups": [ANN],
        "customResources": "literal", "operations": "none", "subresourceAttribute": true, "managedNamespaces": true,
        "fleet": "/subscriptions/x/resourceGroups/rg/providers/Microsoft.ContainerService/fleets/f",
        "discoveryPaths": false, "skipUsersWithoutObjectId": false}});
    let fleet = crate::scope::Scope::parse(written["cluster"]["fleet"].as_str().unwrap()).unwrap();
    settings.custom_resources = azure::kubernetes::CustomResources::Literal;
    settings.operations = azure::kubernetes::KnownOperations::None;
    settings.subresource_attribute = true;
    settings.managed_namespaces = true;
    settings.fleet = Some(fleet);
    settings.discovery_paths = false;
    settings.skip_users_without_object_id = false;
    let world = self::world(written).unwrap();
    assert_eq!(world.access.settings, settings);
    assert!(!world.access.kubernetes_rbac && world.access.azure_rbac && world.access.admin_groups.len() == 1);
}

#[test]
fn keys_may_be_null_or_left_out() {
    let file = json!({"cluster": {"id": CLUSTER, "fleet": null, "adminGroups": null}, "managementGroups": null,
        "groups": [{"id": ANN, "members": null}], "roleDefinitions": null, "denyAssignments": null, "kubernetes": null,
        "roleAssignments": [{"id": null, "principalId": ANN, "role": "Azure Kubernetes Service RBAC Reader",
            "scope": "/", "condition": null, "conditionVersion": null}],
        "reviews": [{"name": null, "spec": {"user": "ann", "groups": null, "extra": null,
            "nonResourceAttributes": {"verb": "get", "path": "/x"}}, "expect": null}]});
    assert_eq!(answers(file).len(), 1);
}

#[test]
fn roles_are_found_by_name_guid_and_full_id() {
    let reader = "7f6c6a51-bcf8-42ba-9220-52d62157d7db";
    for role in [
        "Azure Kubernetes Service RBAC Reader".to_owned(),
        "AZURE kubernetes service rbac reader".to_owned(),
        reader.to_owned(),
        reader.to_uppercase(),
        format!("/providers/Microsoft.Authorization/roleDefinitions/{reader}"),
        format!("/subscriptions/x/PROVIDERS/microsoft.authorization/roledefinitions/{reader}"),
    ] {
        let file = json!({"cluster": {"id": CLUSTER, "azureRbac": true}, "roleAssignments": [assignment(&role)],
            "reviews": [list_pods(json!({}))]});
        assert_eq!(answers(file)[0].decision, Verdict::Allowed, "{role}");
    }
}

#[test]
fn roles_that_are_not_known_or_not_one_are_errors_that_name_them() {
    let custom = |id: &str, name: &str| json!({"id": id, "roleName": name, "assignableScopes": ["/"], "permissions": []});
    let check = |definitions: Value, role: &str, expected: &str| {
        let error = world(json!({"roleDefinitions": definitions, "roleAssignments": [assignment(role)]}))
            .unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let one = "bbbbbbbb-0000-4000-8000-000000000001";
    let two = "bbbbbbbb-0000-4000-8000-000000000002";
    check(json!([]), "Reeder", "roleAssignments[0].role: \"Reeder\" is not the name");
    check(json!([]), one, "roleAssignments[0].role: no role definition has the id bbbbbbbb");
    check(json!([]), &format!("/roles/{one}"), "is not the name, GUID or resource id");
    check(
        json!([custom(one, "Mine"), custom(two, "mine")]),
        "MINE",
        &format!("\"MINE\" is the name of 2 role definitions: {one}, {two}"),
    );
    check(
        json!([custom(one, "Azure Kubernetes Service RBAC Reader")]),
        "Azure Kubernetes Service RBAC Reader",
        "is the name of 2 role definitions",
    );
    check(json!([custom(one, "a"), custom(one, "b")]), "a", &format!("role definition {one} appears twice"));
    check(
        json!([custom("7f6c6a51-bcf8-42ba-9220-52d62157d7db", "a")]),
        "a",
        "is the built-in role \"Azure Kubernetes Service RBAC Reader\"",
    );
    check(json!([custom("mine", "a")]), "a", "roleDefinitions[0].id: \"mine\" is no GUID or resource id");
}

#[test]
fn roles_may_be_pasted_as_az_prints_them() {
    let file = json!({"roleDefinitions": [{
        "id": "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/bbbbbbbb-0000-4000-8000-000000000001",
        "name": "bbbbbbbb-0000-4000-8000-000000000001", "roleName": "Mine", "roleType": "CustomRole",
        "description": "", "type": "Microsoft.Authorization/roleDefinitions", "assignableScopes": ["/"],
        "permissions": [{"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}]}]});
    assert!(world(file).is_ok());
}

#[test]
fn what_may_be_there_once_is_refused_twice() {
    let check = |file: Value, expected: &str| {
        let error = world(file).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let reader = "Azure Kubernetes Service RBAC Reader";
    let with_id = json!({"id": ANN, "principalId": ANN, "role": reader, "scope": "/"});
    check(json!({"roleAssignments": [with_id, with_id]}), "roleAssignments[1].id: role assignment 2222");
    check(json!({"groups": [{"id": ANN, "members": []}, {"id": ANN}]}), "groups[1].id: group 2222");
    let subscription = "11111111-0000-4000-8000-000000000001";
    check(
        json!({"managementGroups": [{"id": "a", "subscriptions": [subscription]}, {"id": "b", "subscriptions": [subscription]}]}),
        "managementGroups[1].subscriptions: subscription 1111",
    );
    check(
        json!({"managementGroups": [{"id": "a"}, {"id": "A"}]}),
        "managementGroups[1].id: management group a",
    );
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": []});
    let mut same = role.clone();
    same["metadata"]["namespace"] = "default".into();
    check(json!({"kubernetes": [role, same]}), "kubernetes[1] (Role \"r\"): this object appears twice");
    check(
        json!({"denyAssignments": [{"scope": "/", "permissions": []}]}),
        "denyAssignments[0]: a deny assignment needs",
    );
}

#[test]
fn assignments_without_an_id_are_told_apart_and_keep_theirs() {
    let reader = assignment("Azure Kubernetes Service RBAC Reader");
    let file = json!({"cluster": {"id": CLUSTER, "azureRbac": true}, "roleAssignments": [reader, reader],
        "reviews": [list_pods(json!({}))]});
    let first = answers(file.clone())[0].azure.clone().unwrap().assignment;
    assert!(first.is_some());
    assert_eq!(answers(file)[0].azure.clone().unwrap().assignment, first);
}

#[test]
fn a_deny_assignment_is_named_in_the_answer() {
    let file = json!({"cluster": {"id": CLUSTER, "azureRbac": true},
        "denyAssignments": [{"id": "dddddddd-0000-4000-8000-000000000001", "name": "freeze", "everyone": true,
            "scope": "/", "permissions": [{"dataActions": ["*"]}]}],
        "reviews": [list_pods(json!({}))]});
    let azure = answers(file).remove(0).azure.unwrap();
    assert_eq!(azure.assignment.unwrap().to_string(), "dddddddd-0000-4000-8000-000000000001");
    assert!(azure.reason.contains("freeze"), "{}", azure.reason);
}

#[test]
fn every_key_that_is_expected_is_compared() {
    let file = json!({"cluster": {"id": CLUSTER, "azureRbac": true},
        "roleAssignments": [assignment("Azure Kubernetes Service RBAC Reader")], "reviews": [list_pods(json!({}))]});
    let outcome = answers(file).remove(0);
    let differing = |expected: Value| -> Vec<String> {
        let expectation: Expectation = serde_json::from_value(expected).unwrap();
        expectation.differences(&outcome).into_iter().map(|difference| difference.key).collect()
    };
    let mut all = serde_json::to_value(&outcome).unwrap();
    assert!(differing(all.clone()).is_empty());
    for pointer in ["name", "reason", "kubernetesRbac/reason", "azure/reason", "azure/scope"] {
        let mut changed = all.clone();
        *changed.pointer_mut(&format!("/{pointer}")).unwrap() = "other".into();
        assert_eq!(differing(changed), [pointer.replace('/', ".")]);
    }
    for pointer in ["decision", "kubernetesRbac/decision", "azure/decision"] {
        let mut changed = all.clone();
        *changed.pointer_mut(&format!("/{pointer}")).unwrap() = "error".into();
        assert_eq!(differing(changed), [pointer.replace('/', ".")]);
    }
    assert_eq!(differing(json!({"azure": null})), ["azure"]);
    assert_eq!(differing(json!({"azure": {"assignment": null}})), ["azure.assignment"]);
    assert_eq!(differing(json!({"azure": {"actions": []}})), ["azure.actions"]);
    assert_eq!(differing(json!({"azure": {"attributes": {"a": "b"}}})), ["azure.attributes.a"]);
    assert!(differing(json!({"azure": {}})).is_empty());
    all["azure"] = json!({"scope": outcome.azure.clone().unwrap().scope.to_uppercase()});
    assert!(differing(all).is_empty());
}

#[test]
fn attributes_are_compared_one_by_one_and_none_means_none() {
    let file = json!({"cluster": {"id": CLUSTER, "azureRbac": true}, "reviews": [list_pods(json!({
        "resourceAttributes": {"verb": "get", "group": "example.org", "resource": "widgets"}}))]});
    let outcome = answers(file).remove(0);
    let differing = |attributes: Value| {
        let expected = json!({"azure": {"attributes": attributes}});
        serde_json::from_value::<Expectation>(expected).unwrap().differences(&outcome).len()
    };
    let group = "Microsoft.ContainerService/managedClusters/customResources:group";
    assert_eq!(differing(json!({group: "example.org"})), 0);
    assert_eq!(differing(json!({group: "example.com"})), 1);
    assert_eq!(differing(json!({})), 1);
}

#[test]
fn reviews_keep_the_rules_of_the_real_ones() {
    let both = json!({"spec": {"user": "u", "resourceAttributes": {}, "nonResourceAttributes": {}}});
    let nobody = json!({"spec": {"user": "", "groups": [], "resourceAttributes": {}}});
    let group_only =
        json!({"spec": {"groups": ["g"], "resourceAttributes": {"fieldSelector": {"rawSelector": "a=b"}}}});
    let verdicts: Vec<Verdict> = answers(json!({"reviews": [both, nobody, group_only]}))
        .iter()
        .map(|outcome| outcome.decision)
        .collect();
    assert_eq!(verdicts, [Verdict::Error, Verdict::Error, Verdict::NoOpinion]);
}

#[test]
fn groups_that_contain_each_other_are_followed_once() {
    let group = |last: u8| format!("22222222-0000-4000-8000-0000000000{last:02x}");
    let groups: Vec<Value> = (0..50u8)
        .map(|each| json!({"id": group(100 + each), "members": [group(100 + (each + 1) % 50), ANN]}))
        .collect();
    let world = world(json!({"groups": groups})).unwrap();
    assert_eq!(world.directory_groups(ObjectId::parse(ANN).unwrap()).len(), 50);
    assert_eq!(world.directory_groups(ObjectId::parse(&group(2)).unwrap()).len(), 0);
}
