//! A resource from its first write to its end, and what somebody is told who may not.

use http::{StatusCode, header};
use serde_json::json;
use testkit::roles;

use super::{Stage, outcome, versioned};

#[tokio::test]
async fn a_resource_group_is_made_read_changed_and_deleted() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.admin(home).await;
    let id = format!("/subscriptions/{}/resourceGroups/rg", home.subscription);
    let path = versioned(&id);
    assert_eq!(outcome(&admin.get(&path).await), "404 ResourceGroupNotFound");
    let made = admin.put(&path, &json!({"location": "local", "tags": {"a": "1"}})).await;
    let made = made.expect(StatusCode::CREATED);
    assert_eq!((&made["id"], &made["tags"]), (&json!(id), &json!({"a": "1"})));
    admin.put(&path, &json!({"location": "local"})).await.ok();
    assert_eq!(admin.patch(&path, &json!({"tags": {"b": "2"}})).await.ok()["tags"], json!({"b": "2"}));
    assert_eq!(admin.get(&path).await.ok()["tags"], json!({"b": "2"}));
    assert!(admin.delete(&path).await.status.is_success());
    assert_eq!(outcome(&admin.get(&path).await), "404 ResourceGroupNotFound");
}

#[tokio::test]
async fn a_write_counts_where_the_resource_is_what_its_writer_has_seen() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.admin(home).await;
    home.resource_group("rg").await;
    let path = versioned(&format!(
        "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net",
        home.subscription
    ));
    let fresh = admin.with(header::IF_NONE_MATCH, "*");
    let made = fresh.put(&path, &json!({"location": "local"})).await;
    let tag = made.expect(StatusCode::CREATED)["etag"].as_str().unwrap().to_owned();
    let body = json!({"location": "local", "tags": {"a": "1"}});
    assert_eq!(fresh.put(&path, &body).await.status, StatusCode::PRECONDITION_FAILED);
    let seen = admin.with(header::IF_MATCH, &format!("\"{tag}\""));
    seen.put(&path, &body).await.ok();
    assert_eq!(seen.put(&path, &json!({"location": "local"})).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(admin.get(&path).await.ok()["tags"], json!({"a": "1"}));
}

#[tokio::test]
async fn rights_are_those_of_the_role_at_its_scope() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let person = home.person("ann@example.org").await;
    let ann = stage.anonymous().bearer(&home.token(&person).await);
    let scope = home.resource_group("rg").await;
    home.resource_group("aside").await;
    let [own, aside] = ["rg", "aside"]
        .map(|name| versioned(&format!("/subscriptions/{}/resourceGroups/{name}", home.subscription)));
    let body = json!({"location": "local"});
    assert_eq!(outcome(&stage.anonymous().get(&own).await), "401 AuthenticationFailed");
    assert_eq!(outcome(&ann.get(&own).await), "403 AuthorizationFailed");
    home.assign(person.object_id, roles::READER, &scope).await;
    assert_eq!(outcome(&ann.get(&own).await), "200");
    assert_eq!(outcome(&ann.get(&aside).await), "403 AuthorizationFailed");
    assert_eq!(outcome(&ann.put(&own, &body).await), "403 AuthorizationFailed");
    home.assign(person.object_id, roles::CONTRIBUTOR, &scope).await;
    assert_eq!(outcome(&ann.put(&own, &body).await), "200");
    assert_eq!(outcome(&ann.put(&aside, &body).await), "403 AuthorizationFailed");
    // Contributors give no roles.
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", home.id);
    let body = json!({"properties": {"principalId": person.object_id,
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", roles::OWNER)}});
    assert_eq!(outcome(&ann.put(&versioned(&id), &body).await), "403 AuthorizationFailed");
    let groups = versioned(&format!("/subscriptions/{}/resourceGroups", home.subscription));
    let listed = ann.get(&groups).await.ok();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn a_lock_holds_and_its_end_frees() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.admin(home).await;
    let scope = home.resource_group("rg").await;
    let group = versioned(scope.as_str());
    let lock = versioned(&format!("{scope}/providers/Microsoft.Authorization/locks/stay"));
    admin.put(&lock, &json!({"properties": {"level": "CanNotDelete"}})).await.expect(StatusCode::CREATED);
    assert_eq!(outcome(&admin.delete(&group).await), "409 ScopeLocked");
    admin.put(&group, &json!({"location": "local"})).await.ok();
    admin.put(&lock, &json!({"properties": {"level": "ReadOnly"}})).await.ok();
    assert_eq!(outcome(&admin.put(&group, &json!({"location": "local"})).await), "409 ScopeLocked");
    assert!(admin.delete(&lock).await.status.is_success());
    assert!(admin.delete(&group).await.status.is_success());
}

#[tokio::test]
async fn what_is_no_request_is_told_in_its_own_words() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.admin(home).await;
    let group = versioned(&format!("/subscriptions/{}/resourceGroups/rg", home.subscription));
    assert_eq!(outcome(&admin.get("/subscriptions").await), "400 MissingApiVersionParameter");
    assert_eq!(outcome(&admin.get(&versioned("/subscriptions/x")).await), "400 InvalidSubscriptionId");
    assert_eq!(outcome(&admin.put(&group, &json!([])).await), "400 InvalidRequestContent");
    assert_eq!(outcome(&admin.post(&group, &json!({})).await), "405 MethodNotAllowed");
    assert_eq!(outcome(&admin.get(&versioned("/providers/x/y")).await), "404 InvalidResourceType");
}
