//! Objects of the directory from their first write to their end, and what somebody is told who may not.

use http::StatusCode;
use serde_json::{Value, json};

use super::{DENIED, MISSING, Stage, outcome};

fn ids(list: &Value) -> Vec<&str> {
    list["value"].as_array().unwrap().iter().map(|each| each["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.client(home, &home.admin).await;
    let new = json!({"userPrincipalName": "ann@example.org", "displayName": "Ann", "accountEnabled": true,
        "mailNickname": "ann",
        "passwordProfile": {"password": testkit::PASSWORD, "forceChangePasswordNextSignIn": false}});
    let made = admin.post("/v1.0/users", &new).await.expect(StatusCode::CREATED);
    let path = format!("/v1.0/users/{}", made["id"].as_str().unwrap());
    assert!(!made.to_string().contains(testkit::PASSWORD));
    assert_eq!(admin.get("/v1.0/users/ann@example.org").await.ok()["id"], made["id"]);
    assert_eq!(admin.post("/v1.0/users", &new).await.status, StatusCode::BAD_REQUEST);
    let change = json!({"displayName": "Ann B", "jobTitle": "Smith"});
    admin.patch(&path, &change).await.expect(StatusCode::NO_CONTENT);
    let read = admin.get(&path).await.ok();
    assert_eq!(
        (&read["displayName"], &read["userPrincipalName"]),
        (&json!("Ann B"), &json!("ann@example.org"))
    );
    admin.delete(&path).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(outcome(&admin.get(&path).await), MISSING);
    // The name is free again, and another object has it.
    let again = admin.post("/v1.0/users", &new).await.expect(StatusCode::CREATED);
    assert_ne!(again["id"], made["id"]);
}

#[tokio::test]
async fn members_read_the_directory_and_administrators_and_owners_change_it() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let ann = home.person("ann@example.org").await;
    let bob = home.user("bob@example.org").await;
    let group = home.group("crew", &[]).await;
    let client = stage.client(home, &ann).await;
    let path = format!("/v1.0/groups/{group}");
    let member = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{bob}", testkit::BASE)});
    assert_eq!(outcome(&stage.anonymous().get(&path).await), "401 InvalidAuthenticationToken");
    assert_eq!(outcome(&client.get(&path).await), "200");
    assert_eq!(outcome(&client.post(&format!("{path}/members/$ref"), &member).await), DENIED);
    assert_eq!(outcome(&client.patch(&path, &json!({"displayName": "x"})).await), DENIED);
    let owned = app::directory::owners::Owned::Group(group);
    stage.world.app.directory().add_owner(&home.admin, owned, ann.object_id).await.unwrap();
    client.post(&format!("{path}/members/$ref"), &member).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ids(&client.get(&format!("{path}/members")).await.ok()), [bob.to_string()]);
    let remove = format!("{path}/members/{bob}/$ref");
    client.delete(&remove).await.expect(StatusCode::NO_CONTENT);
    assert!(ids(&client.get(&format!("{path}/members")).await.ok()).is_empty());
    // Of another tenant nobody can be a member.
    let stranger = stage.elsewhere().user("eve@elsewhere.example").await;
    let member = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{stranger}", testkit::BASE)});
    assert!(!client.post(&format!("{path}/members/$ref"), &member).await.status.is_success());
}

#[tokio::test]
async fn memberships_are_told_through_groups_of_groups() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let ann = home.person("ann@example.org").await;
    let inner = home.group("inner", &[ann.object_id]).await;
    let outer = home.group("outer", &[inner]).await;
    let client = stage.client(home, &ann).await;
    assert_eq!(ids(&client.get("/v1.0/me/memberOf").await.ok()), [inner.to_string()]);
    let all = client.get("/v1.0/me/transitiveMemberOf").await.ok();
    let mut all = ids(&all);
    all.sort_unstable();
    let mut expected = [inner.to_string(), outer.to_string()];
    expected.sort_unstable();
    assert_eq!(all, expected);
    let asked = json!({"groupIds": [outer, home.id]});
    let checked = client.post("/v1.0/me/checkMemberGroups", &asked).await.ok();
    assert_eq!(checked["value"], json!([outer]));
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.client(home, &home.admin).await;
    let registered = home.application("till").await;
    let path = format!("/v1.0/applications/{}", registered.application);
    let made = admin.post(&format!("{path}/addPassword"), &json!({})).await.ok();
    let secret = made["secretText"].as_str().unwrap();
    let read = admin.get(&path).await;
    assert!(!read.text.contains(secret) && read.text.contains(made["keyId"].as_str().unwrap()));
    let remove = json!({"keyId": made["keyId"]});
    admin.post(&format!("{path}/removePassword"), &remove).await.expect(StatusCode::NO_CONTENT);
    assert!(!admin.get(&path).await.text.contains(made["keyId"].as_str().unwrap()));
}

#[tokio::test]
async fn who_signs_out_everywhere_is_out() {
    let stage = Stage::new().await;
    let home = &stage.world.home;
    let admin = stage.client(home, &home.admin).await;
    let ann = home.person("ann@example.org").await;
    let client = stage.client(home, &ann).await;
    assert_eq!(outcome(&client.get("/v1.0/me").await), "200");
    let path = format!("/v1.0/users/{}/revokeSignInSessions", ann.object_id);
    assert!(admin.post(&path, &json!({})).await.status.is_success());
    assert_eq!(outcome(&client.get("/v1.0/me").await), "401 InvalidAuthenticationToken");
}
