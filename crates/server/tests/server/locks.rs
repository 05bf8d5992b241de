//! Locks: what they forbid to everybody, and who may set them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::arm::{Arm, CONTRIBUTOR, names};

fn lock(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/locks/{name}")
}

fn level(level: &str) -> Value {
    json!({"properties": {"level": level, "notes": "till Monday"}})
}

async fn cluster(arm: &Arm) -> String {
    arm.site.cluster().await;
    format!("{}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1", arm.subscription)
}

#[tokio::test]
async fn a_lock_forbids_deletion_at_its_scope_above_it_and_below() {
    let arm = Arm::start().await;
    let cluster = cluster(&arm).await;
    let group = format!("{}/resourceGroups/rg", arm.subscription);
    for place in [&arm.subscription, &group, &cluster] {
        let path = lock(place, "keep");
        let (status, made) = arm.ask(&arm.admin, Method::PUT, &path, level("CanNotDelete")).await;
        assert_eq!((status, &made["properties"]["level"]), (StatusCode::CREATED, &json!("CanNotDelete")));
        for target in [&cluster, &group] {
            let (status, refused) = arm.ask(&arm.admin, Method::DELETE, target, Value::Null).await;
            assert_eq!(status, StatusCode::CONFLICT, "{refused}");
            assert_eq!(refused["error"]["code"], "ScopeLocked");
            let text = refused["error"]["message"].as_str().unwrap();
            let expected = format!(
                "cannot perform delete operation because following scope(s) are locked: '{place}'. Please"
            );
            assert!(text.contains(&expected), "{text}");
        }
        // Changes go on.
        let body = json!({"location": "local", "tags": {"a": "b"}});
        arm.ok(Method::PUT, &group, body).await;
        let (status, _) = arm.ask(&arm.admin, Method::DELETE, &path, Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(arm.ask(&arm.admin, Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    }
    arm.ok(Method::DELETE, &cluster, Value::Null).await;
    arm.ok(Method::DELETE, &group, Value::Null).await;
}

#[tokio::test]
async fn a_read_only_lock_forbids_changes_and_what_is_asked_for_by_post() {
    let arm = Arm::start().await;
    let cluster = cluster(&arm).await;
    let group = format!("{}/resourceGroups/rg", arm.subscription);
    arm.ok(Method::PUT, &lock(&group, "frozen"), level("readonly")).await;
    let locked = (409, "ScopeLocked".to_owned());
    for (method, path, body) in [
        (Method::PUT, group.clone(), json!({"location": "local"})),
        (Method::PUT, cluster.clone(), json!({"location": "local", "properties": {}})),
        (Method::DELETE, cluster.clone(), Value::Null),
        (Method::POST, format!("{cluster}/listClusterUserCredential"), Value::Null),
        (Method::POST, format!("{cluster}/listClusterAdminCredential"), Value::Null),
        (Method::POST, format!("{cluster}/rotateClusterCertificates"), Value::Null),
    ] {
        assert_eq!(arm.refusal(&arm.admin, method, &path, body).await, locked, "{path}");
    }
    arm.get(&cluster).await;
    arm.resource_group("other").await;
    // Roles are not given there, and can always be taken away.
    let ada = arm.someone("ada").await;
    let path = super::arm::assignment(ada.id, CONTRIBUTOR, &group);
    let body = super::arm::assigning(ada.id, CONTRIBUTOR);
    assert_eq!(arm.refusal(&arm.admin, Method::PUT, &path, body.clone()).await, locked);
    arm.ok(Method::DELETE, &lock(&group, "frozen"), Value::Null).await;
    arm.ok(Method::PUT, &path, body).await;
    arm.ok(Method::PUT, &lock(&group, "frozen"), level("ReadOnly")).await;
    arm.ok(Method::DELETE, &path, Value::Null).await;
}

#[tokio::test]
async fn locks_are_shown_and_listed_at_a_scope_and_below_it() {
    let arm = Arm::start().await;
    let cluster = cluster(&arm).await;
    let group = format!("{}/resourceGroups/rg", arm.subscription);
    for (place, name) in [(&arm.subscription, "one"), (&group, "two"), (&cluster, "three")] {
        arm.ok(Method::PUT, &lock(place, name), level("CanNotDelete")).await;
    }
    let list = |scope: &str, filter: &str| format!("{scope}/providers/Microsoft.Authorization/locks{filter}");
    let shown = arm.get(&lock(&group.replace("resourceGroups/rg", "RESOURCEGROUPS/RG"), "TWO")).await;
    assert_eq!(shown["id"], lock(&group, "two"));
    assert_eq!(shown["properties"]["notes"], "till Monday");
    // As az addresses a resource: with nothing between the provider and the type.
    let az = cluster.replace("Microsoft.ContainerService/", "Microsoft.ContainerService//");
    assert_eq!(arm.get(&lock(&az, "three")).await["name"], "three");
    for (scope, filter, expected) in [
        (&arm.subscription, "", &["one", "two", "three"][..]),
        (&group, "", &["two", "three"]),
        (&cluster, "", &["three"]),
        (&group, "?$filter=atScope()", &["one", "two"]),
    ] {
        let mut found = names(&arm.get(&list(scope, filter)).await);
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{scope} {filter}");
    }
    let path = list(&group, "?$filter=level%20eq%20'x'");
    assert_eq!(arm.refusal(&arm.admin, Method::GET, &path, Value::Null).await, (400, "InvalidFilter".into()));
    let missing = arm.refusal(&arm.admin, Method::GET, &lock(&group, "none"), Value::Null).await;
    assert_eq!(missing, (404, "LockNotFound".into()));
}

#[tokio::test]
async fn setting_and_lifting_a_lock_takes_the_right_to() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let path = lock(&group, "keep");
    let ada = arm.someone("ada").await;
    assert_eq!(arm.ask("x", Method::PUT, &path, level("ReadOnly")).await.0, StatusCode::UNAUTHORIZED);
    // A contributor writes everything but what decides about access, and locks are of that kind.
    arm.assign(ada.id, CONTRIBUTOR, &arm.subscription).await;
    arm.ok(Method::PUT, &path, level("ReadOnly")).await;
    let refused = (403, "AuthorizationFailed".to_owned());
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &path, level("CanNotDelete")).await, refused);
    assert_eq!(arm.refusal(&ada.token, Method::DELETE, &path, Value::Null).await, refused);
    assert_eq!(arm.ask(&ada.token, Method::GET, &path, Value::Null).await.0, StatusCode::OK);
    for (path, body, expected) in [
        (path.clone(), level("Everything"), (400, "InvalidLockLevel")),
        (path.clone(), json!({}), (400, "InvalidRequestContent")),
        (
            path.clone(),
            json!({"properties": {"level": "ReadOnly", "notes": "x".repeat(513)}}),
            (400, "BadRequest"),
        ),
        (lock(&group, "a%20b"), level("ReadOnly"), (400, "InvalidResourceName")),
        (lock("", "x"), level("ReadOnly"), (400, "BadRequest")),
        (
            lock(&format!("{}/resourceGroups/none", arm.subscription), "x"),
            level("ReadOnly"),
            (404, "ResourceGroupNotFound"),
        ),
    ] {
        let found = arm.refusal(&arm.admin, Method::PUT, &path, body).await;
        assert_eq!(found, (expected.0, expected.1.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_lock_keeps_a_pool_and_an_add_ons_identity_from_a_write_that_leaves_them_out() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    let pool = |name: &str| json!({"name": name, "count": 1, "mode": "System"});
    let body = |pools: &[&str], routing: bool| {
        let pools: Vec<Value> = pools.iter().map(|name| pool(name)).collect();
        let addons = json!({"httpApplicationRouting": {"enabled": routing}});
        json!({"location": "local", "properties": {"agentPoolProfiles": pools, "addonProfiles": addons}})
    };
    arm.ok(Method::PUT, &cluster, body(&["p1", "p2"], true)).await;
    let second = format!("{cluster}/agentPools/p2");
    let locked = (409, "ScopeLocked".to_owned());
    for place in [&second, &cluster, &group] {
        for kind in ["CanNotDelete", "ReadOnly"] {
            arm.ok(Method::PUT, &lock(place, "keep"), level(kind)).await;
            for body in [body(&["p1"], true), body(&["p1"], false)] {
                assert_eq!(
                    arm.refusal(&arm.admin, Method::PUT, &cluster, body).await,
                    locked,
                    "{place} {kind}"
                );
            }
            if place != &second {
                let off = body(&["p1", "p2"], false);
                assert_eq!(
                    arm.refusal(&arm.admin, Method::PUT, &cluster, off).await,
                    locked,
                    "{place} {kind}"
                );
            }
            assert_eq!(arm.refusal(&arm.admin, Method::DELETE, &second, Value::Null).await, locked);
            arm.ok(Method::DELETE, &lock(place, "keep"), Value::Null).await;
        }
    }
    // A lock on one pool keeps neither the other nor the add-on.
    arm.ok(Method::PUT, &lock(&second, "keep"), level("CanNotDelete")).await;
    let changed = arm.ok(Method::PUT, &cluster, body(&["p2"], false)).await;
    assert_eq!(changed["properties"]["agentPoolProfiles"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lock_on_one_federated_credential_holds_for_that_one() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i");
    arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let credential = |name: &str| format!("{identity}/federatedIdentityCredentials/{name}");
    let body = |subject: &str| json!({"properties": {"issuer": "https://i.example", "subject": subject, "audiences": ["a"]}});
    let (one, other) = (credential("one"), credential("other"));
    let locked = (409, "ScopeLocked".to_owned());
    for kind in ["CanNotDelete", "ReadOnly"] {
        arm.ok(Method::PUT, &one, body("s1")).await;
        arm.ok(Method::PUT, &lock(&one, "keep"), level(kind)).await;
        arm.ok(Method::PUT, &other, body("s2")).await;
        arm.ok(Method::PUT, &other, body("s3")).await;
        arm.ok(Method::DELETE, &other, Value::Null).await;
        assert_eq!(arm.refusal(&arm.admin, Method::DELETE, &one, Value::Null).await, locked, "{kind}");
        if kind == "ReadOnly" {
            assert_eq!(arm.refusal(&arm.admin, Method::PUT, &one, body("x")).await, locked);
        }
        assert_eq!(arm.get(&one).await["properties"]["subject"], "s1");
        arm.ok(Method::DELETE, &lock(&one, "keep"), Value::Null).await;
    }
}
