//! Further subscriptions: who may make them, where they are, and whose they are.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::arm::{Arm, CONTRIBUTOR, GROUPS, OWNER, READER, assigning, assignment, names};

const ALIASES: &str = "/providers/Microsoft.Subscription/aliases";

#[tokio::test]
async fn a_subscription_is_made_by_alias_and_belongs_to_its_maker() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let shop = arm.management_group("shop", None).await;
    let path = format!("{ALIASES}/till");
    let body = json!({"properties": {"displayName": "Till", "workload": "Production", "billingScope": "/x",
        "additionalProperties": {"managementGroupId": shop}}});
    assert_eq!(arm.ask("x", Method::PUT, &path, body.clone()).await.0, StatusCode::UNAUTHORIZED);
    let refused = (403, "AuthorizationFailed".to_owned());
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &path, body.clone()).await, refused);
    // A contributor of the group makes subscriptions there, and nowhere else.
    arm.assign(ada.id, CONTRIBUTOR, &shop).await;
    let at_root = json!({"properties": {"displayName": "Till"}});
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &path, at_root).await, refused);
    let (status, made) = arm.ask(&ada.token, Method::PUT, &path, body.clone()).await;
    assert_eq!(
        (status, &made["properties"]["provisioningState"]),
        (StatusCode::CREATED, &json!("Succeeded"))
    );
    let id = made["properties"]["subscriptionId"].as_str().unwrap().to_owned();
    let (status, again) = arm.ask(&ada.token, Method::PUT, &path, body).await;
    assert_eq!((status, &again["properties"]["subscriptionId"]), (StatusCode::OK, &json!(id)));
    let other =
        json!({"properties": {"displayName": "Other", "additionalProperties": {"managementGroupId": shop}}});
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &path, other).await, (409, "Conflict".into()));

    let (_, hers) = arm.ask(&ada.token, Method::GET, "/subscriptions", Value::Null).await;
    assert_eq!(hers["value"][0]["displayName"], "Till");
    let bob = arm.someone("bob").await;
    let give = assignment(bob.id, READER, &format!("/subscriptions/{id}"));
    let (status, _) = arm.ask(&ada.token, Method::PUT, &give, assigning(bob.id, READER)).await;
    assert_eq!(status, StatusCode::CREATED);
    let placed = arm.get(&format!("{shop}/subscriptions")).await;
    assert_eq!(names(&placed), [id.as_str()]);
    assert_eq!(arm.get("/subscriptions").await["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn aliases_are_seen_by_whom_the_subscription_is_and_taken_away_without_it() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let body = json!({"properties": {"additionalProperties": {"subscriptionOwnerId": ada.id}}});
    let made = arm.ok(Method::PUT, &format!("{ALIASES}/Till"), body).await;
    let id = made["properties"]["subscriptionId"].as_str().unwrap();
    let (_, shown) = arm.ask(&ada.token, Method::GET, &format!("{ALIASES}/TILL"), Value::Null).await;
    assert_eq!((&shown["name"], &shown["properties"]["displayName"]), (&json!("Till"), &json!("Till")));
    let existing = json!({"properties": {"subscriptionId": id}});
    arm.ok(Method::PUT, &format!("{ALIASES}/second"), existing).await;
    let (_, hers) = arm.ask(&ada.token, Method::GET, ALIASES, Value::Null).await;
    assert_eq!(names(&hers), ["second", "Till"]);
    let bob = arm.someone("bob").await;
    let path = format!("{ALIASES}/till");
    let missing = (404, "ResourceNotFound".to_owned());
    assert_eq!(arm.refusal(&bob.token, Method::GET, &path, Value::Null).await, missing);
    assert_eq!(arm.ask(&bob.token, Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    arm.assign(bob.id, READER, &format!("/subscriptions/{id}")).await;
    assert_eq!(arm.refusal(&bob.token, Method::DELETE, &path, Value::Null).await.0, 403);
    assert_eq!(arm.ask(&ada.token, Method::DELETE, &path, Value::Null).await.0, StatusCode::OK);
    assert_eq!(arm.refusal(&ada.token, Method::GET, &path, Value::Null).await, missing);
    arm.get(&format!("/subscriptions/{id}")).await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_by_name() {
    let arm = Arm::start().await;
    for (alias, properties, expected) in [
        ("a%20b", json!({}), (400, "InvalidResourceName")),
        ("a", json!({"displayName": ""}), (400, "InvalidSubscriptionName")),
        ("a", json!({"subscriptionId": "x"}), (400, "InvalidRequestContent")),
        ("a", json!({"subscriptionId": OWNER}), (404, "SubscriptionNotFound")),
        (
            "a",
            json!({"additionalProperties": {"subscriptionTenantId": OWNER}}),
            (400, "InvalidSubscriptionTenant"),
        ),
        ("a", json!({"additionalProperties": {"subscriptionOwnerId": OWNER}}), (400, "PrincipalNotFound")),
        ("a", json!({"additionalProperties": {"managementGroupId": "x"}}), (400, "InvalidManagementGroupId")),
        (
            "a",
            json!({"additionalProperties": {"managementGroupId": format!("{GROUPS}/none")}}),
            (404, "NotFound"),
        ),
    ] {
        let body = json!({"properties": properties});
        let found = arm.refusal(&arm.admin, Method::PUT, &format!("{ALIASES}/{alias}"), body.clone()).await;
        assert_eq!(found, (expected.0, expected.1.to_owned()), "{body}");
    }
    assert_eq!(arm.get("/subscriptions").await["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn renaming_a_subscription_takes_the_right_to() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let path = format!("{}/providers/Microsoft.Subscription/rename", arm.subscription);
    let body = json!({"subscriptionName": "Shop"});
    arm.assign(ada.id, READER, &arm.subscription).await;
    assert_eq!(arm.refusal(&ada.token, Method::POST, &path, body.clone()).await.0, 403);
    arm.ok(Method::POST, &path, body).await;
    assert_eq!(arm.get(&arm.subscription).await["displayName"], "Shop");
    let refused = arm.refusal(&arm.admin, Method::POST, &path, json!({"subscriptionName": " "})).await;
    assert_eq!(refused, (400, "InvalidSubscriptionName".into()));
}
