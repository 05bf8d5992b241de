//! Federated credentials and consent for everybody, as Graph gives them: who may, and what is refused.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;

struct Scene {
    site: Site,
    /// Of the application that everything is about.
    application: String,
    principal: String,
    admin: String,
    other: String,
}

impl Scene {
    async fn start() -> Self {
        let site = Site::start(|_| {}).await;
        let app = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
        let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": app["appId"]})).await;
        site.user("other@portcullis.local").await;
        let admin = site.management().await;
        let other = site.token("other@portcullis.local", &format!("{}/.default", site.running.url)).await;
        let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
        Self { application: text(&app), principal: text(&principal), site, admin, other }
    }

    async fn ask(&self, who: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.site.http.request(method, self.site.url(path)).bearer_auth(who).json(&body);
        self.site.send(request).await
    }
}

#[tokio::test]
async fn federated_credentials_are_for_administrators_and_owners_and_checked() {
    let scene = Scene::start().await;
    let path = format!("/v1.0/applications/{}/federatedIdentityCredentials", scene.application);
    let good = json!({"name": "till", "issuer": "https://issuer.example/a", "subject": "s",
        "audiences": ["api://AzureADTokenExchange"]});
    assert_eq!(scene.ask("x", Method::POST, &path, good.clone()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.ask(&scene.other, Method::POST, &path, good.clone()).await.0, StatusCode::FORBIDDEN);
    for (member, wrong) in [
        ("name", json!("a")),
        ("name", json!("a b c")),
        ("name", json!("../../x")),
        ("name", json!(null)),
        ("issuer", json!("http://issuer.example")),
        ("issuer", json!("https://user@issuer.example")),
        ("issuer", json!("file:///etc/passwd")),
        ("issuer", json!("https://issuer.example/?x=1")),
        ("issuer", json!("https://issuer.example/\u{0}")),
        ("subject", json!("")),
        ("subject", json!("s".repeat(601))),
        ("audiences", json!([])),
        ("audiences", json!(["a", "b"])),
        ("audiences", json!("a")),
    ] {
        let mut bad = good.clone();
        bad[member] = wrong;
        let (status, body) = scene.ask(&scene.admin, Method::POST, &path, bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
    assert_eq!(scene.ask(&scene.admin, Method::POST, &path, good.clone()).await.0, StatusCode::CREATED);
    assert_eq!(scene.ask(&scene.admin, Method::POST, &path, good.clone()).await.0, StatusCode::BAD_REQUEST);
    let mut same = good.clone();
    same["name"] = "again".into();
    assert_eq!(scene.ask(&scene.admin, Method::POST, &path, same).await.0, StatusCode::BAD_REQUEST);
    let one = format!("{path}/till");
    let (status, _) = scene.ask(&scene.other, Method::PATCH, &one, json!({"subject": "t"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = scene.ask(&scene.admin, Method::PATCH, &one, json!({"subject": "t"})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, shown) = scene.ask(&scene.other, Method::GET, &one, Value::Null).await;
    assert_eq!((&shown["subject"], &shown["issuer"]), (&json!("t"), &good["issuer"]));
    let (_, listed) = scene.ask(&scene.admin, Method::GET, &path, Value::Null).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    assert_eq!(scene.ask(&scene.other, Method::DELETE, &one, Value::Null).await.0, StatusCode::FORBIDDEN);
    assert_eq!(scene.ask(&scene.admin, Method::DELETE, &one, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.ask(&scene.admin, Method::GET, &one, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_an_administrator_changes_the_tenant() {
    let scene = Scene::start().await;
    let path = format!("/v1.0/organization/{}", scene.site.admin.tenant);
    let good = json!({"allowPasswordGrant": true});
    assert_eq!(scene.ask("x", Method::PATCH, &path, good.clone()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.ask(&scene.other, Method::PATCH, &path, good.clone()).await.0, StatusCode::FORBIDDEN);
    let elsewhere = "/v1.0/organization/00000000-0000-0000-0000-000000000001";
    assert_eq!(
        scene.ask(&scene.admin, Method::PATCH, elsewhere, good.clone()).await.0,
        StatusCode::NOT_FOUND
    );
    for bad in [json!({"allowPasswordGrant": "yes"}), json!({"displayName": "x"}), json!([])] {
        assert_eq!(scene.ask(&scene.admin, Method::PATCH, &path, bad).await.0, StatusCode::BAD_REQUEST);
    }
    assert_eq!(scene.ask(&scene.admin, Method::PATCH, &path, good).await.0, StatusCode::NO_CONTENT);
    let (_, shown) = scene.ask(&scene.other, Method::GET, &path, Value::Null).await;
    assert_eq!(shown["allowPasswordGrant"], true);
    let (_, listed) = scene.ask(&scene.other, Method::GET, "/v1.0/organization", Value::Null).await;
    assert_eq!(listed["value"][0]["verifiedDomains"][0]["name"], "portcullis.local");
}

#[tokio::test]
async fn only_an_administrator_consents_for_everybody_and_may_take_it_back() {
    let scene = Scene::start().await;
    let path = "/v1.0/oauth2PermissionGrants";
    let graph = "00000003-0000-0000-c000-000000000000";
    let good = json!({"clientId": scene.principal, "consentType": "AllPrincipals", "resourceId": graph,
        "scope": "User.Read"});
    assert_eq!(scene.ask("x", Method::POST, path, good.clone()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.ask(&scene.other, Method::POST, path, good.clone()).await.0, StatusCode::FORBIDDEN);
    for (member, wrong, expected) in [
        ("consentType", json!("Principal"), StatusCode::BAD_REQUEST),
        ("resourceId", json!("https://elsewhere.example"), StatusCode::BAD_REQUEST),
        ("clientId", json!(graph), StatusCode::NOT_FOUND),
        ("clientId", json!(null), StatusCode::BAD_REQUEST),
    ] {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert_eq!(scene.ask(&scene.admin, Method::POST, path, bad).await.0, expected, "{member}");
    }
    let one = format!("{path}/{}", scene.principal);
    assert_eq!(scene.ask(&scene.admin, Method::GET, &one, Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(scene.ask(&scene.admin, Method::POST, path, good).await.0, StatusCode::CREATED);
    let (_, shown) = scene.ask(&scene.other, Method::GET, &one, Value::Null).await;
    assert_eq!(shown["scope"], format!("{graph}/User.Read"));
    assert_eq!(scene.ask(&scene.other, Method::DELETE, &one, Value::Null).await.0, StatusCode::FORBIDDEN);
    assert_eq!(scene.ask(&scene.admin, Method::DELETE, &one, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.ask(&scene.admin, Method::GET, &one, Value::Null).await.0, StatusCode::NOT_FOUND);
}
