//! Who gets into a cluster by the directory: only where that was enabled, and for its issuer, everybody.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::CLUSTER;

use super::arm::Arm;

struct Shop {
    arm: Arm,
    /// Resource id.
    cluster: String,
}

impl Shop {
    async fn open(properties: Value) -> Self {
        let arm = Arm::start().await;
        let group = arm.resource_group("rg").await;
        let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
        let shop = Self { arm, cluster };
        shop.put(properties).await;
        shop
    }

    async fn put(&self, properties: Value) -> Value {
        self.arm.ok(Method::PUT, &self.cluster, json!({"location": "local", "properties": properties})).await
    }

    async fn refused(&self, properties: Value) -> (u16, String) {
        let body = json!({"location": "local", "properties": properties});
        self.arm.refusal(&self.arm.admin, Method::PUT, &self.cluster, body).await
    }

    fn address(&self) -> String {
        let id = self.arm.site.running.app.whole_snapshot().clusters().next().unwrap().id;
        self.arm.site.url(&format!("/clusters/{id}"))
    }

    async fn token(&self) -> String {
        self.arm.site.token(&self.arm.site.admin.name, &format!("{CLUSTER}/.default")).await
    }

    async fn ask(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let request = self.arm.site.http.get(format!("{}{path}", self.address()));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        self.arm.site.send(request).await
    }

    async fn credential(&self, which: &str) -> (StatusCode, Value) {
        self.arm.ask(&self.arm.admin, Method::POST, &format!("{}/{which}", self.cluster), Value::Null).await
    }
}

const SELF: &str = "/apis";

#[tokio::test]
async fn a_cluster_is_closed_to_the_directory_until_that_is_enabled() {
    let shop = Shop::open(json!({"dnsPrefix": "c1"})).await;
    let token = shop.token().await;
    assert_eq!(shop.arm.get(&shop.cluster).await["properties"]["aadProfile"], Value::Null);
    assert_eq!(shop.ask(SELF, Some(&token)).await.0, StatusCode::UNAUTHORIZED);
    for which in [
        "listClusterUserCredential",
        "listClusterMonitoringUserCredential",
        "accessProfiles/clusterUser/listCredential",
    ] {
        let (status, answer) = shop.credential(which).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("BadRequest")),
            "{answer}"
        );
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("--enable-aad"), "{message}");
    }
    assert_eq!(shop.credential("listClusterAdminCredential").await.0, StatusCode::OK);
    // Nobody at all could get in.
    let body = json!({"location": "local", "properties": {"disableLocalAccounts": true}});
    let refused = shop.arm.refusal(&shop.arm.admin, Method::PUT, &shop.cluster, body).await;
    assert_eq!(refused, (400, "BadRequest".into()));
    // As az does: the whole of what it read, with the profile in it.
    let mut read = shop.arm.get(&shop.cluster).await;
    read["properties"]["aadProfile"] = json!({"managed": true, "enableAzureRBAC": true});
    let made = shop.arm.ok(Method::PUT, &shop.cluster, read).await;
    assert_eq!(made["properties"]["aadProfile"]["tenantID"], shop.arm.tenant.as_str());
    assert_eq!(shop.ask(SELF, Some(&token)).await.0, StatusCode::OK);
    assert_eq!(shop.credential("listClusterUserCredential").await.0, StatusCode::OK);
    // What a later write does not say stays, guards above all.
    for properties in [json!({}), json!({"aadProfile": null}), json!({"disableLocalAccounts": true})] {
        let kept = shop.put(properties.clone()).await;
        assert_eq!(kept["properties"]["aadProfile"]["enableAzureRBAC"], true, "{properties}");
    }
    assert_eq!(shop.ask(SELF, Some(&token)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_cluster_of_an_earlier_release_stays_open_to_the_directory() {
    let shop = Shop::open(json!({"aadProfile": {"managed": true}})).await;
    let app = &shop.arm.site.running.app;
    let record = (**app.whole_snapshot().clusters().next().unwrap()).clone();
    let mut stored = serde_json::to_value(&record).unwrap();
    assert_eq!(stored["directory"], true);
    stored.as_object_mut().unwrap().remove("directory");
    let read: domain::cluster::Cluster = serde_json::from_value(stored).unwrap();
    assert_eq!(read, record);
}

#[tokio::test]
async fn discovery_and_keys_are_public_where_the_issuer_is_enabled() {
    let shop = Shop::open(json!({"aadProfile": {"managed": true}})).await;
    let paths = ["/.well-known/openid-configuration", "/openid/v1/jwks"];
    for path in paths {
        assert_eq!(shop.ask(path, None).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let made = shop.put(json!({"oidcIssuerProfile": {"enabled": true}})).await;
    let issuer = made["properties"]["oidcIssuerProfile"]["issuerURL"].as_str().unwrap();
    assert_eq!(issuer, shop.address());
    let (status, document) = shop.ask(paths[0], None).await;
    assert_eq!((status, &document["issuer"]), (StatusCode::OK, &json!(issuer)));
    let keys = document["jwks_uri"].as_str().unwrap();
    assert_eq!(keys, format!("{issuer}{}", paths[1]));
    let (status, keys) = shop.ask(paths[1], None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(keys["keys"][0]["n"].is_string() && keys["keys"][0]["d"].is_null(), "{keys}");
    // Nothing else is public, and the paths only to read.
    assert_eq!(shop.ask("/api", None).await.0, StatusCode::FORBIDDEN);
    let posted = shop.arm.site.send(shop.arm.site.http.post(format!("{issuer}{}", paths[1]))).await;
    assert!(posted.0.is_client_error(), "{}", posted.0);
    // Others trust it from now on, so it stays, also where a write does not say so.
    for properties in [json!({}), json!({"oidcIssuerProfile": null}), json!({"oidcIssuerProfile": {}})] {
        shop.put(properties.clone()).await;
        assert_eq!(shop.ask(paths[0], None).await.0, StatusCode::OK, "{properties}");
    }
    for (enabled, status, code) in
        [(json!(false), 400, "OIDCIssuerFeatureCannotBeDisabled"), (json!("x"), 400, "InvalidParameter")]
    {
        let refused = shop.refused(json!({"oidcIssuerProfile": {"enabled": enabled}})).await;
        assert_eq!(refused, (status, code.to_owned()), "{enabled}");
    }
    assert_eq!(shop.ask(paths[0], None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_identity_in_use_can_be_deleted_and_its_successor_is_another() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i1");
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    let make = async || {
        arm.ok(Method::PUT, &identity, json!({"location": "local"})).await["properties"]["principalId"]
            .clone()
    };
    let first = make().await;
    let body = json!({"location": "local", "properties": {}, "identity": {"type": "UserAssigned", "userAssignedIdentities": {(identity.as_str()): {}}}});
    let acts_as = |answer: &Value| {
        let users = answer["identity"]["userAssignedIdentities"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        users["principalId"].clone()
    };
    assert_eq!(acts_as(&arm.ok(Method::PUT, &cluster, body.clone()).await), first);
    arm.ok(Method::DELETE, &identity, Value::Null).await;
    let left = arm
        .get(&format!(
            "{}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{}'",
            arm.subscription,
            first.as_str().unwrap()
        ))
        .await;
    assert_eq!(left["value"], json!([]));
    // The cluster is there, and can be changed and deleted.
    arm.get(&cluster).await;
    arm.ok(Method::PATCH, &cluster, json!({"tags": {"a": "b"}})).await;
    let second = make().await;
    assert_ne!(first, second);
    assert_eq!(acts_as(&arm.ok(Method::PUT, &cluster, body).await), second);
    arm.ok(Method::DELETE, &identity, Value::Null).await;
    let (status, answer) = arm.ask(&arm.admin, Method::DELETE, &cluster, Value::Null).await;
    assert!(status.is_success(), "{status} {answer}");
}
