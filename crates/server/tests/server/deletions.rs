//! Whatever can be made can be deleted, however much is in it: in small steps, and out of use from the first one on.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    change::Record,
    group::{Group, Membership},
    id::{AssignmentId, ObjectId, RoleId},
    name::DisplayName,
    object::{Object, ObjectKey},
    resource::Resource,
    role::Stamp,
    scope::Scope,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::CLUSTER;
use uuid::Uuid;

use super::arm::{Arm, READER};

fn config_map(cluster: &str, namespace: &str, number: usize, finalizers: &[&str]) -> Record {
    let name = format!("{number:0>200}");
    let id = domain::id::ClusterId::parse(cluster).unwrap();
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {},
        "metadata": {"name": name, "namespace": namespace, "uid": number.to_string(), "finalizers": finalizers}});
    let key = ObjectKey::new(id, "", "configmaps", namespace, &name);
    Record::Object(Object { key, revision: 0, value: Arc::new(value) })
}

fn assignment(arm: &Arm, number: u128, principal: ObjectId, scope: &str) -> Record {
    let stamp = Stamp { by: None, at: arm.site.running.app.now() };
    Record::Assignment(RoleAssignment {
        id: AssignmentId::new(Uuid::from_u128(number)),
        principal,
        principal_kind: PrincipalKind::ServicePrincipal,
        role: RoleId::parse(READER).unwrap(),
        scope: Scope::parse(scope).unwrap(),
        condition: None,
        description: None,
        created: stamp,
        updated: stamp,
    })
}

fn id(number: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(number))
}

fn group(arm: &Arm, number: u128) -> Record {
    Record::Group(Group {
        id: id(number),
        tenant: arm.site.admin.tenant,
        display_name: DisplayName::parse("crew").unwrap(),
        mail_nickname: "crew".into(),
        description: None,
        owners: [].into(),
        created: arm.site.running.app.now(),
    })
}

/// Waits until nothing is unfinished.
async fn settled(arm: &Arm) {
    let mut revisions = arm.site.running.app.whole_state().revisions();
    while arm.site.running.app.whole_snapshot().unfinished().next().is_some() {
        revisions.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_of_more_than_a_hundred_writes_is_refused() {
    let arm = Arm::start().await;
    let app = &arm.site.running.app;
    let put = |count: u128| {
        let records: Vec<Record> = (0..count).map(|number| group(&arm, number + 1)).collect();
        async move { app.whole_state().transact(|tx| records.iter().try_for_each(|record| tx.put(record))).await }
    };
    put(100).await.unwrap();
    let error = put(101).await.unwrap_err();
    assert!(matches!(&error, app::Error::Internal(text) if text.contains("101 writes")), "{error}");
    let large = |bytes: usize| {
        let value = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(bytes)}});
        let key =
            |name: &str| ObjectKey::new(domain::id::ClusterId::new(Uuid::nil()), "", "configmaps", "x", name);
        let records = ["a", "b"].map(|name| {
            Record::Object(Object { key: key(name), revision: 0, value: Arc::new(value.clone()) })
        });
        async move { app.whole_state().transact(|tx| records.iter().try_for_each(|record| tx.put(record))).await }
    };
    large(400_000).await.unwrap();
    let error = large(600_000).await.unwrap_err();
    assert!(matches!(&error, app::Error::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_cluster_that_is_being_deleted_is_out_of_use_and_its_name_is_taken_until_the_end() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let cluster = format!(
        "{}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1",
        arm.subscription
    );
    let id = address.rsplit('/').next().unwrap().to_owned();
    let token = arm.site.token(&arm.site.admin.name, &format!("{CLUSTER}/.default")).await;
    let get = |path: &str| arm.site.http.get(format!("{address}{path}")).bearer_auth(&token);
    arm.site.fill((0..30_000).map(|number| config_map(&id, "default", number, &[]))).await;
    arm.site.ok(get("/api/v1/namespaces")).await;
    let principal = arm.get(&cluster).await["identity"]["principalId"].as_str().unwrap().to_owned();
    let request = arm.site.http.delete(arm.site.url(&format!("{cluster}?api-version=2026-06-01")));
    let answer = request.bearer_auth(&arm.admin).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let held = arm.site.running.app.whole_state().hold_writes().await;
    let poll =
        |header: &str| arm.site.http.get(answer.headers()[header].to_str().unwrap()).bearer_auth(&arm.admin);
    let status = arm.site.ok(poll("azure-asyncoperation")).await;
    assert_eq!(status["status"], "InProgress");
    assert_eq!(poll("location").send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(arm.get(&cluster).await["properties"]["provisioningState"], "Deleting");
    let list =
        arm.get(&format!("{}/providers/Microsoft.ContainerService/managedClusters", arm.subscription)).await;
    assert_eq!(list["value"][0]["properties"]["provisioningState"], "Deleting");
    let (status, _) = arm.site.send(get("/api/v1/namespaces")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let credential = format!("{cluster}/listClusterUserCredential");
    let busy = (409, "OperationNotAllowed".to_owned());
    assert_eq!(arm.refusal(&arm.admin, Method::POST, &credential, Value::Null).await, busy);
    let snapshot = arm.site.running.app.whole_snapshot();
    let acting = snapshot.directory().service_principal(ObjectId::parse(&principal).unwrap());
    assert!(acting.is_none_or(|acting| !acting.enabled));
    // Asked for while it goes on: its last step is held up.
    let nodes = format!("{}/resourceGroups/MC_rg_c1_local", arm.subscription);
    let body = json!({"location": "local", "properties": {}});
    let put = arm.refusal(&arm.admin, Method::PUT, &cluster, body);
    let network = format!("{nodes}/providers/Microsoft.Network/virtualNetworks/v");
    let inside = arm.refusal(&arm.admin, Method::PUT, &network, json!({"location": "local"}));
    let (put, inside) = tokio::join!(put, inside);
    drop(held);
    assert_eq!(put, busy);
    assert_eq!(inside, (409, "ResourceGroupBeingDeleted".to_owned()));
    settled(&arm).await;
    assert_eq!(arm.refusal(&arm.admin, Method::GET, &cluster, Value::Null).await.0, 404);
    assert_eq!(arm.site.ok(poll("azure-asyncoperation")).await["status"], "Succeeded");
    assert_eq!(poll("location").send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let snapshot = arm.site.running.app.whole_snapshot();
    let gone = domain::id::ClusterId::parse(&id).unwrap();
    assert_eq!(snapshot.cluster_objects(gone).count(), 0);
    assert_eq!(snapshot.directory().service_principals().count(), 0);
    assert_eq!(arm.refusal(&arm.admin, Method::GET, &nodes, Value::Null).await.0, 404);
    // The name is free, and what is made under it is another cluster.
    let made = arm.ok(Method::PUT, &cluster, json!({"location": "local", "properties": {}})).await;
    assert_ne!(made["properties"]["clusterId"], json!(id));
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn a_group_that_is_being_deleted_takes_nothing_in_and_lets_nobody_act() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let group = format!("{}/resourceGroups/rg", arm.subscription);
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who");
    let made = arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let acting = ObjectId::parse(made["properties"]["principalId"].as_str().unwrap()).unwrap();
    let now = arm.site.running.app.now();
    let networks = (0..20_000).map(|number| {
        Record::Resource(Resource {
            id: Scope::parse(&format!("{group}/providers/Microsoft.Network/virtualNetworks/v{number}"))
                .unwrap(),
            location: None,
            tags: BTreeMap::new(),
            identity: None,
            other: serde_json::Map::new(),
            managed_by: None,
            created: now,
            updated: now,
        })
    });
    arm.site.fill(networks).await;
    let (status, _) = arm.ask(&arm.admin, Method::DELETE, &group, Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let held = arm.site.running.app.whole_state().hold_writes().await;
    assert_eq!(arm.get(&group).await["properties"]["provisioningState"], "Deleting");
    let (status, _) = arm.site.send(arm.site.http.get(format!("{address}/version"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let snapshot = arm.site.running.app.whole_snapshot();
    assert!(snapshot.directory().service_principal(acting).is_none_or(|acting| !acting.enabled));
    let network = format!("{group}/providers/Microsoft.Network/virtualNetworks/v1");
    let ending = (409, "ResourceGroupBeingDeleted".to_owned());
    let place = json!({"location": "local"});
    let (again, inside) = tokio::join!(
        arm.refusal(&arm.admin, Method::PUT, &group, place.clone()),
        arm.refusal(&arm.admin, Method::PUT, &network, place.clone()),
    );
    assert_eq!((again, inside), (ending.clone(), ending));
    // Deleting it again goes on with it, or comes when all is gone.
    let ((deleted, _), ()) =
        tokio::join!(arm.ask(&arm.admin, Method::DELETE, &group, Value::Null), async { drop(held) });
    assert!([StatusCode::ACCEPTED, StatusCode::NO_CONTENT].contains(&deleted), "{deleted}");
    settled(&arm).await;
    assert_eq!(arm.refusal(&arm.admin, Method::GET, &group, Value::Null).await.0, 404);
    assert_eq!(arm.site.running.app.whole_snapshot().directory().service_principals().count(), 0);
    arm.resource_group("rg").await;
    assert_eq!(arm.get(&format!("{group}/resources")).await["value"], json!([]));
}

#[tokio::test]
async fn principals_with_many_memberships_and_assignments_are_deleted() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let crew = id(1);
    let membership = |group, member| Record::Membership(Membership { group, member });
    arm.site.fill((1..=1_000).map(|number| group(&arm, number))).await;
    arm.site.fill((2..=1_000).map(|number| membership(crew, id(number)))).await;
    arm.site.fill((1..=1_000).map(|number| membership(id(number), ada.id))).await;
    // Ada was let in by the group; who was in it is in nothing any more.
    arm.site
        .running
        .app
        .whole_state()
        .transact(|tx| tx.put(&assignment(&arm, 7, crew, &arm.subscription)))
        .await
        .unwrap();
    assert_eq!(arm.ask(&ada.token, Method::GET, &arm.subscription, Value::Null).await.0, StatusCode::OK);
    let delete = |path: String| arm.site.http.delete(arm.site.url(&path)).bearer_auth(&arm.admin);
    let (status, answer) = arm.site.send(delete(format!("/v1.0/groups/{crew}"))).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    assert_eq!(
        arm.ask(&ada.token, Method::GET, &arm.subscription, Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, answer) = arm.site.send(delete(format!("/v1.0/users/{}", ada.id))).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    settled(&arm).await;
    let snapshot = arm.site.running.app.whole_snapshot();
    assert_eq!(snapshot.directory().members(crew).count(), 0);
    assert_eq!(snapshot.directory().direct_groups(ada.id).count(), 0);
    assert_eq!(snapshot.directory().members(id(9)).count(), 0);
    // A managed identity with many roles, and many who have a role at it.
    let rg = arm.resource_group("rg").await;
    let identity = format!("{rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who");
    let made = arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let acting = ObjectId::parse(made["properties"]["principalId"].as_str().unwrap()).unwrap();
    arm.site
        .fill(
            (10_000..10_300)
                .map(|number| assignment(&arm, number, acting, &format!("{rg}/providers/a/b/c{number}"))),
        )
        .await;
    arm.site.fill((20_000..20_300).map(|number| assignment(&arm, number, id(number), &identity))).await;
    arm.ok(Method::DELETE, &identity, Value::Null).await;
    settled(&arm).await;
    let snapshot = arm.site.running.app.whole_snapshot();
    assert_eq!(snapshot.azure().assignments_of(acting).len(), 0);
    assert_eq!(snapshot.azure().assignments_at_or_below(&Scope::parse(&identity).unwrap()).len(), 0);
    assert!(snapshot.directory().service_principal(acting).is_none());
    // A management group with many roles at it.
    let shop = arm.management_group("shop", None).await;
    arm.site.fill((30_000..30_300).map(|number| assignment(&arm, number, id(number), &shop))).await;
    arm.ok(Method::DELETE, &shop, Value::Null).await;
    let snapshot = arm.site.running.app.whole_snapshot();
    assert_eq!(snapshot.azure().assignments_at_or_below(&Scope::parse(&shop).unwrap()).len(), 0);
    arm.management_group("shop", None).await;
}

#[tokio::test]
async fn namespaces_and_collections_are_deleted_in_steps() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let cluster = address.rsplit('/').next().unwrap().to_owned();
    let token = arm.site.token(&arm.site.admin.name, &format!("{CLUSTER}/.default")).await;
    let ask = |method: Method, path: &str| {
        arm.site.http.request(method, format!("{address}{path}")).bearer_auth(&token)
    };
    for namespace in ["one", "two"] {
        let body = json!({"metadata": {"name": namespace}});
        arm.site.ok(ask(Method::POST, "/api/v1/namespaces").json(&body)).await;
    }
    arm.site.fill((0..500).map(|number| config_map(&cluster, "one", number, &[]))).await;
    arm.site.fill((0..350).map(|number| config_map(&cluster, "two", number, &["x.example/keep"]))).await;
    arm.site.fill((350..700).map(|number| config_map(&cluster, "two", number, &[]))).await;
    let count = |namespace: &'static str| {
        let id = domain::id::ClusterId::parse(&cluster).unwrap();
        arm.site.running.app.whole_snapshot().objects(id, "", "configmaps", namespace).count()
    };
    let deleted = arm.site.ok(ask(Method::DELETE, "/api/v1/namespaces/one/configmaps")).await;
    assert_eq!(deleted["items"].as_array().unwrap().len(), 500);
    assert_eq!(count("one"), 0);
    // What is kept by a finalizer is marked, all of it, and keeps its namespace.
    arm.site.ok(ask(Method::DELETE, "/api/v1/namespaces/two")).await;
    assert_eq!(count("two"), 350);
    let list = arm.site.ok(ask(Method::GET, "/api/v1/namespaces/two/configmaps")).await;
    let items = list["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["metadata"]["deletionTimestamp"].is_string()));
    for number in 0..350 {
        let path = format!("/api/v1/namespaces/two/configmaps/{number:0>200}");
        let patch = ask(Method::PATCH, &path).header("content-type", "application/merge-patch+json");
        arm.site.ok(patch.body(r#"{"metadata":{"finalizers":null}}"#)).await;
    }
    let (status, _) = arm.site.send(ask(Method::GET, "/api/v1/namespaces/two")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn roles_that_many_select_are_written_in_steps() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let token = arm.site.token(&arm.site.admin.name, &format!("{CLUSTER}/.default")).await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let ask = |method: Method, path: &str| {
        arm.site.http.request(method, format!("{address}{roles}{path}")).bearer_auth(&token)
    };
    let role = |name: &str, labels: Value, selects: Value, rules: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels}, "aggregationRule": selects, "rules": rules,
        })
    };
    let selects = json!({"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]});
    for number in 0..230 {
        let body = role(&format!("sum{number}"), json!({}), selects.clone(), json!([]));
        arm.site.ok(ask(Method::POST, "").json(&body)).await;
    }
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    for name in ["part1", "part2"] {
        let body = role(name, json!({"part": "yes"}), Value::Null, rules.clone());
        arm.site.ok(ask(Method::POST, "").json(&body)).await;
    }
    settled(&arm).await;
    let sums = async || -> Vec<Value> {
        let list = arm.site.ok(ask(Method::GET, "")).await;
        let items = list["items"].as_array().unwrap().clone();
        let sum = |item: &Value| item["metadata"]["name"].as_str().unwrap().starts_with("sum");
        items.into_iter().filter(sum).map(|item| item["rules"].clone()).collect()
    };
    assert_eq!(sums().await, vec![rules.clone(); 230]);
    // Both are gone at once, and nothing of either is left.
    arm.site.ok(ask(Method::DELETE, "?labelSelector=part%3Dyes")).await;
    settled(&arm).await;
    let left = sums().await;
    assert!(left.iter().all(|rules| rules.as_array().is_none_or(Vec::is_empty)), "{left:?}");
}

fn token_secret(cluster: &str, account: &Value, number: usize) -> Record {
    let id = domain::id::ClusterId::parse(cluster).unwrap();
    let (name, uid) = (&account["metadata"]["name"], &account["metadata"]["uid"]);
    let secret = format!("{}-{number}", name.as_str().unwrap());
    let value = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": secret, "namespace": "default", "uid": secret, "annotations": {
            "kubernetes.io/service-account.name": name, "kubernetes.io/service-account.uid": uid}}});
    let key = ObjectKey::new(id, "", "secrets", "default", &secret);
    Record::Object(Object { key, revision: 0, value: Arc::new(value) })
}

#[tokio::test]
async fn service_accounts_with_many_tokens_can_be_deleted() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let cluster = address.rsplit('/').next().unwrap().to_owned();
    let token = arm.site.token(&arm.site.admin.name, &format!("{CLUSTER}/.default")).await;
    let ask = |method: Method, path: &str| {
        let path = format!("{address}/api/v1/namespaces/default/{path}");
        arm.site.http.request(method, path).bearer_auth(&token)
    };
    for (account, label) in [("many", "x"), ("one", "y"), ("two", "y"), ("three", "y"), ("kept", "z")] {
        let body = json!({"metadata": {"name": account, "labels": {"of": label}}});
        let made = arm.site.ok(ask(Method::POST, "serviceaccounts").json(&body)).await;
        let secrets = if account == "many" { 250 } else { 45 };
        arm.site.fill((0..secrets).map(|number| token_secret(&cluster, &made, number))).await;
    }
    arm.site.ok(ask(Method::DELETE, "serviceaccounts/many")).await;
    arm.site.ok(ask(Method::DELETE, "serviceaccounts?labelSelector=of%3Dy")).await;
    settled(&arm).await;
    let list = arm.site.ok(ask(Method::GET, "secrets")).await;
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 45, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("kept-")));
}

/// Of a role that selects others the rules are those of all of them: what makes it too large is refused, and what is
/// as large as it may be can still be brought up to date.
#[tokio::test]
async fn a_role_that_makes_a_selecting_one_too_large_is_refused() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let token = arm.site.token(&arm.site.admin.name, &format!("{CLUSTER}/.default")).await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let ask = |method: Method, path: &str| {
        arm.site.http.request(method, format!("{address}{roles}{path}")).bearer_auth(&token)
    };
    let selecting = |name: &str, part: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {part: "yes"}}]},
        })
    };
    let part = |name: &str, parts: &[&str], bytes: usize| {
        let labels: serde_json::Map<String, Value> =
            parts.iter().map(|part| ((*part).to_owned(), "yes".into())).collect();
        let names: Vec<String> = (0..bytes / 100).map(|number| format!("{name}-{number:0>90}")).collect();
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": names, "verbs": ["get"]}],
        })
    };
    for (name, of) in [("first", "a"), ("second", "b")] {
        arm.site.ok(ask(Method::POST, "").json(&selecting(name, of))).await;
    }
    arm.site.ok(ask(Method::POST, "").json(&part("large", &["b"], 800_000))).await;
    settled(&arm).await;
    let (status, refused) =
        arm.site.send(ask(Method::POST, "").json(&part("larger", &["a", "b"], 800_000))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{refused}");
    // Larger than a transaction of several records, and as large as one may be.
    for number in 0..6 {
        arm.site.ok(ask(Method::POST, "").json(&part(&format!("piece{number}"), &["b"], 110_000))).await;
    }
    settled(&arm).await;
    arm.site.ok(ask(Method::DELETE, "/piece5")).await;
    settled(&arm).await;
    let shown = arm.site.ok(ask(Method::GET, "/second")).await;
    assert_eq!(shown["rules"].as_array().unwrap().len(), 6);
    arm.site.ok(ask(Method::DELETE, "/large")).await;
    settled(&arm).await;
    assert_eq!(arm.site.ok(ask(Method::GET, "/second")).await["rules"].as_array().unwrap().len(), 5);
}

/// A cluster of which a deletion is on record that nobody can read stays out of use.
#[tokio::test]
async fn a_work_that_cannot_be_read_keeps_its_cluster_out_of_use() {
    let arm = Arm::start().await;
    let address = arm.site.cluster().await;
    let id = domain::id::ClusterId::parse(address.rsplit('/').next().unwrap()).unwrap();
    let mut snapshot = domain::snapshot::Snapshot::clone(&arm.site.running.app.whole_snapshot());
    let place = format!("/live/access/unfinished/cluster/{id}");
    let record = domain::change::RecordKey::Unfinished(format!("cluster/{id}"));
    snapshot.set_aside(domain::unreadable::Unreadable::new(&place, Some(record), b"{}", "damaged".into()));
    assert!(snapshot.cluster(id).is_none());
    let cluster = snapshot.cluster_on_record(id).unwrap();
    assert_eq!(snapshot.provisioning_state(cluster).as_str(), "Deleting");
    snapshot.forget_unreadable(&place);
    assert!(snapshot.cluster(id).is_some());
}
