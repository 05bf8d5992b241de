//! Resource providers: what is served, and who may ask and register.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::arm::{Arm, CONTRIBUTOR, READER};

#[tokio::test]
async fn providers_are_registered_and_name_their_versions() {
    let arm = Arm::start().await;
    let path = format!("{}/providers", arm.subscription);
    let all = arm.get(&path).await;
    let namespaces: Vec<&str> =
        all["value"].as_array().unwrap().iter().map(|each| each["namespace"].as_str().unwrap()).collect();
    assert!(namespaces.is_sorted() && namespaces.len() >= 11, "{namespaces:?}");
    let one = arm.get(&format!("{path}/microsoft.containerservice")).await;
    assert_eq!(one["registrationState"], "Registered");
    let clusters = &one["resourceTypes"][0];
    assert_eq!(clusters["resourceType"], "managedClusters");
    assert!(clusters["apiVersions"].as_array().unwrap().len() > 1);
    let unknown = arm.refusal(&arm.admin, Method::GET, &format!("{path}/Contoso.Shop"), Value::Null).await;
    assert_eq!(unknown, (404, "InvalidResourceNamespace".into()));
}

#[tokio::test]
async fn whoever_has_a_right_in_the_subscription_reads_and_a_contributor_registers() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let path = format!("{}/providers/Microsoft.Management", arm.subscription);
    let register = format!("{path}/register");
    assert_eq!(arm.ask("x", Method::GET, &path, Value::Null).await.0, StatusCode::UNAUTHORIZED);
    let unseen = arm.refusal(&ada.token, Method::GET, &path, Value::Null).await;
    assert_eq!(unseen, (404, "SubscriptionNotFound".into()));
    let group = arm.resource_group("rg").await;
    arm.assign(ada.id, READER, &group).await;
    assert_eq!(arm.ask(&ada.token, Method::GET, &path, Value::Null).await.0, StatusCode::OK);
    let refused = arm.refusal(&ada.token, Method::POST, &register, Value::Null).await;
    assert_eq!(refused, (403, "AuthorizationFailed".into()));
    arm.assign(ada.id, CONTRIBUTOR, &arm.subscription).await;
    let (status, answer) = arm.ask(&ada.token, Method::POST, &register, Value::Null).await;
    assert_eq!((status, &answer["registrationState"]), (StatusCode::OK, &"Registered".into()));
}
