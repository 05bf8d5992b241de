//! The default roles of clusters that an earlier program has made, which had those of release 1.20.

use std::sync::Arc;

use domain::{
    change::{Record, RecordKey},
    cluster::{Cluster, ObjectsForm},
    kube::{bootstrap_objects, earlier_bootstrap_objects},
    object::{Object, ObjectKey, RBAC_GROUP},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Who, World};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";

fn key(world: &World, kind: &str, name: &str) -> ObjectKey {
    let resource = if kind == "ClusterRole" { "clusterroles" } else { "clusterrolebindings" };
    ObjectKey::new(world.cluster.id, RBAC_GROUP, resource, "", name)
}

fn stored(world: &World, name: &str) -> Value {
    Value::clone(&world.app.whole_snapshot().object(&key(world, "ClusterRole", name)).unwrap().value)
}

/// Makes the cluster what an earlier program has left, changed by `change`.
async fn make_earlier(world: &World, change: impl Fn(&mut Value) + Sync) {
    let cluster = Cluster { objects_form: ObjectsForm::First, ..Cluster::clone(&world.cluster) };
    let earlier = earlier_bootstrap_objects();
    let is_earlier = |name: &Value| earlier.iter().any(|object| object["metadata"]["name"] == *name);
    for object in bootstrap_objects() {
        let kind = object["kind"].as_str().unwrap();
        if !kind.starts_with("Cluster") {
            continue;
        }
        let name = &object["metadata"]["name"];
        let key = key(world, kind, name.as_str().unwrap());
        world
            .app
            .whole_state()
            .transact(|tx| {
                let old = tx.snapshot().object(&key).unwrap().value["metadata"]["uid"].clone();
                let found =
                    earlier.iter().find(|each| each["kind"] == kind && each["metadata"]["name"] == *name);
                let Some(found) = found else {
                    tx.delete(&RecordKey::Object(key.clone()));
                    return Ok(());
                };
                let mut value = found.clone();
                value["metadata"]["uid"] = old;
                change(&mut value);
                tx.put(&Record::Object(Object { key: key.clone(), revision: 0, value: Arc::new(value) }))
            })
            .await
            .unwrap();
    }
    assert!(is_earlier(&"edit".into()));
    world.app.whole_state().transact(|tx| tx.put(&Record::Cluster(Box::new(cluster.clone())))).await.unwrap();
}

async fn may(world: &World, who: &Who, verb: &str, resource: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({"spec": {"resourceAttributes": {
        "verb": verb, "resource": resource, "subresource": subresource, "namespace": "default"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    world.post(who, path, &review).await.expect(StatusCode::CREATED)["status"]["allowed"] == true
}

#[tokio::test]
async fn a_cluster_of_an_earlier_program_gets_what_is_missing_and_loses_what_was_a_hole() {
    let world = World::new().await;
    let editor = world.person("ed@example.org").await;
    world.bind("ed@example.org", "edit", "default").await;
    assert!(!may(&world, &editor, "create", "endpoints").await);
    let added = json!({"apiGroups": ["example.org"], "resources": ["widgets"], "verbs": ["get"]});
    let alone = "system:controller:endpoint-controller";
    make_earlier(&world, |role| {
        let name = role["metadata"]["name"].clone();
        if name == "system:aggregate-to-edit" {
            role["rules"].as_array_mut().unwrap().push(added.clone());
        }
        if name == alone {
            role["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = "false".into();
        }
    })
    .await;
    assert!(may(&world, &editor, "create", "endpoints").await);
    assert!(!may(&world, &editor, "create", "events").await);
    let (before, left_alone) = (stored(&world, "edit"), stored(&world, alone));

    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    assert!(!may(&world, &editor, "create", "endpoints").await);
    assert!(may(&world, &editor, "get", "endpoints").await);
    assert!(may(&world, &editor, "create", "events").await);
    assert!(may(&world, &editor, "create", "pods/eviction").await);
    assert_eq!(stored(&world, alone), left_alone);
    // What people added stays, here and in the roles that it is aggregated to; so does who an object is.
    for name in ["system:aggregate-to-edit", "edit", "admin"] {
        assert!(stored(&world, name)["rules"].as_array().unwrap().contains(&added), "{name}");
    }
    assert_eq!(stored(&world, "edit")["metadata"]["uid"], before["metadata"]["uid"]);
    // Everything else is now as in a cluster that is made today.
    let fresh = bootstrap_objects();
    for wanted in fresh.iter().filter(|object| object["kind"] == "ClusterRole") {
        let name = wanted["metadata"]["name"].as_str().unwrap();
        if name == alone {
            continue;
        }
        let sorted = |role: &Value| {
            let mut rules: Vec<_> = role["rules"].as_array().unwrap().iter().map(Value::to_string).collect();
            rules.retain(|rule| !rule.contains("example.org"));
            rules.sort();
            rules
        };
        assert_eq!(sorted(&stored(&world, name)), sorted(wanted), "{name}");
    }
}

#[tokio::test]
async fn what_people_give_after_the_change_is_theirs() {
    let world = World::new().await;
    let editor = world.person("ed@example.org").await;
    world.bind("ed@example.org", "edit", "default").await;
    make_earlier(&world, |_| {}).await;
    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    assert!(!may(&world, &editor, "create", "endpoints").await);
    let earlier = earlier_bootstrap_objects();
    let earlier = earlier.iter().find(|role| role["metadata"]["name"] == "system:aggregate-to-edit").unwrap();
    let hole = earlier["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["resources"].as_array().unwrap().contains(&"endpoints".into()));
    let (administrator, _) = world.administrator().await;
    let patch = json!([{"op": "add", "path": "/rules/-", "value": hole.unwrap()}]);
    let path = format!("{ROLES}/system:aggregate-to-edit");
    world.patch(&administrator, &path, "json-patch+json", &patch).await.expect(StatusCode::OK);
    assert!(may(&world, &editor, "create", "endpoints").await);
    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    assert!(may(&world, &editor, "create", "endpoints").await);
}

#[tokio::test]
async fn what_is_deleted_of_the_defaults_is_put_back_with_its_rules_and_labels() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    for name in ["edit", "system:aggregate-to-edit", "view"] {
        let path = format!("{ROLES}/{name}");
        world.send(&administrator, Method::DELETE, &path, &[], vec![]).await.expect(StatusCode::OK);
    }
    let path = format!("{ROLES}/system:aggregate-to-admin");
    let patch = json!({"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-admin": null}}});
    world.patch(&administrator, &path, "merge-patch+json", &patch).await.expect(StatusCode::OK);
    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    for wanted in bootstrap_objects().iter().filter(|object| object["kind"] == "ClusterRole") {
        let name = wanted["metadata"]["name"].as_str().unwrap();
        let kept = stored(&world, name);
        assert_eq!(kept["metadata"]["labels"], wanted["metadata"]["labels"], "{name}");
        let count = |role: &Value| role["rules"].as_array().unwrap().len();
        assert_eq!(count(&kept), count(wanted), "{name}");
    }
}
