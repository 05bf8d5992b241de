//! The roles of the directory, as Graph gives and takes them: who may, whom, and who stays.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;

use super::arm::{Arm, OWNER};

const ROLE: &str = "/v1.0/directoryRoles/roleTemplateId=62e90394-69f5-4237-9190-012177145e10";

struct Scene {
    site: Site,
    admin: String,
}

impl Scene {
    async fn start() -> Self {
        let site = Site::start(|_| {}).await;
        let admin = site.management().await;
        Self { site, admin }
    }

    async fn ask(&self, who: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.site.http.request(method, self.site.url(path)).bearer_auth(who);
        self.site.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(&self.admin, Method::GET, path, Value::Null).await;
        assert!(status.is_success(), "{path}: {body}");
        body
    }

    async fn add(&self, who: &str, id: &str) -> (StatusCode, Value) {
        let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{id}", self.site.running.url)});
        self.ask(who, Method::POST, &format!("{ROLE}/members/$ref"), reference).await
    }

    async fn remove(&self, who: &str, id: &str) -> (StatusCode, Value) {
        self.ask(who, Method::DELETE, &format!("{ROLE}/members/{id}/$ref"), Value::Null).await
    }
}

#[tokio::test]
async fn a_role_has_the_ids_and_words_of_entra_under_each_of_its_names() {
    let scene = Scene::start().await;
    let template = "62e90394-69f5-4237-9190-012177145e10";
    let listed = scene.get("/v1.0/directoryRoles").await;
    let role = &listed["value"][0];
    assert_eq!(role["roleTemplateId"], template);
    assert_eq!(role["displayName"], "Global Administrator");
    for path in [ROLE, &format!("/v1.0/directoryRoles/{}", role["id"].as_str().unwrap())] {
        let shown = scene.get(path).await;
        assert_eq!((&shown["id"], &shown["roleTemplateId"]), (&role["id"], &role["roleTemplateId"]));
    }
    let filter = "/v1.0/directoryRoles?$filter=roleTemplateId%20eq%20";
    assert_eq!(scene.get(&format!("{filter}'{template}'")).await["value"].as_array().unwrap().len(), 1);
    assert_eq!(scene.get(&format!("{filter}'x'")).await["value"], json!([]));
    assert_eq!(scene.get("/v1.0/directoryRoleTemplates").await["value"][0]["id"], template);
    for unknown in
        ["/v1.0/directoryRoles/x", "/v1.0/directoryRoles/other=62e90394-69f5-4237-9190-012177145e10"]
    {
        let (status, body) = scene.ask(&scene.admin, Method::GET, unknown, Value::Null).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!("Request_ResourceNotFound"))
        );
    }
}

#[tokio::test]
async fn administrators_are_made_by_administrators_and_the_last_one_stays() {
    let scene = Scene::start().await;
    let ann = scene.site.user("ann@portcullis.local").await.to_string();
    let first = scene.site.admin.object_id.to_string();
    let hers = scene.site.management_of("ann@portcullis.local").await;
    assert_eq!(scene.add(&hers, &ann).await.0, StatusCode::FORBIDDEN);
    let (status, body) = scene.remove(&scene.admin, &first).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["error"]["message"].as_str().unwrap().contains("last administrator"), "{body}");

    assert_eq!(scene.add(&scene.admin, &ann).await.0, StatusCode::NO_CONTENT);
    let (status, body) = scene.add(&scene.admin, &ann).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("Request_BadRequest")));
    assert_eq!(scene.get(&format!("{ROLE}/members")).await["value"].as_array().unwrap().len(), 2);
    // At once, with the token that she has.
    let (status, _) = scene.ask(&hers, Method::POST, "/v1.0/groups", json!({"displayName": "crew"})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(scene.remove(&hers, &first).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.remove(&scene.admin, &ann).await.0, StatusCode::FORBIDDEN);
    assert_eq!(scene.remove(&hers, &ann).await.0, StatusCode::CONFLICT);
    let (status, _) = scene.remove(&hers, &first).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_role_is_among_what_its_holder_is_a_member_of_and_groups_hold_none() {
    let scene = Scene::start().await;
    let group = scene.site.post("/v1.0/groups", &json!({"displayName": "crew"})).await;
    let group = group["id"].as_str().unwrap();
    let (status, body) = scene.add(&scene.admin, group).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("is a group"), "{body}");
    assert_eq!(
        scene.add(&scene.admin, "00000000-0000-0000-0000-000000000001").await.0,
        StatusCode::NOT_FOUND
    );
    let first = scene.site.admin.object_id;
    scene.site.nested_groups(3, first).await;
    let types = |list: &Value| -> Vec<String> {
        let all = list["value"].as_array().unwrap().iter();
        all.map(|each| each["@odata.type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()).collect()
    };
    let user = format!("/v1.0/users/{first}");
    let mut direct = types(&scene.get(&format!("{user}/memberOf")).await);
    direct.sort();
    assert_eq!(direct, ["directoryRole", "group"]);
    let transitive = types(&scene.get(&format!("{user}/transitiveMemberOf?$count=true")).await);
    assert_eq!(transitive.iter().filter(|each| *each == "group").count(), 3);
    assert_eq!(transitive.len(), 4);
    // Page by page they are the same, each once.
    let mut seen = Vec::new();
    let mut next = Some(scene.site.url(&format!("{user}/transitiveMemberOf?$top=1")));
    while let Some(url) = next {
        let page = scene.site.ok(scene.site.http.get(url).bearer_auth(&scene.admin)).await;
        seen.extend(types(&page));
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, transitive);
}

/// Whoever may write it in Resource Manager would else be an administrator too.
#[tokio::test]
async fn a_managed_identity_that_administers_the_directory_is_changed_by_administrators_only() {
    let arm = Arm::start().await;
    let scene = Scene { admin: arm.admin.clone(), site: arm.site };
    let ask = async |who: &str, method: Method, path: &str, body: &Value| {
        scene.ask(who, method, &format!("{path}?api-version=2024-11-01"), body.clone()).await
    };
    let group = format!("{}/resourceGroups/rg", arm.subscription);
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/boss");
    let network = format!("{group}/providers/Microsoft.Network/virtualNetworks/v");
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    let credential = format!("{identity}/federatedIdentityCredentials/fed");
    let local = json!({"location": "local"});
    let system = json!({"location": "local", "identity": {"type": "SystemAssigned"}});
    let federated =
        json!({"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}});
    let users = json!({&identity: {}});
    let acting = json!({"location": "local", "properties": {}, "identity": {"type": "UserAssigned", "userAssignedIdentities": users}});
    let made = async |path: &str, body: &Value| {
        let (status, made) = ask(&scene.admin, Method::PUT, path, body).await;
        assert!(status.is_success(), "{path}: {made}");
        made
    };
    made(&group, &local).await;
    let boss = made(&identity, &local).await["properties"]["principalId"].as_str().unwrap().to_owned();
    let of_network = made(&network, &system).await["identity"]["principalId"].as_str().unwrap().to_owned();
    let of_cluster = made(&cluster, &system).await["identity"]["principalId"].as_str().unwrap().to_owned();
    made(&credential, &federated).await;
    let alice = scene.site.user("alice@portcullis.local").await;
    let role = json!({"properties": {"principalId": alice, "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}")}});
    made(
        &format!("{group}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::from_u128(7)),
        &role,
    )
    .await;
    let alice = scene.site.management_of("alice@portcullis.local").await;
    let cases = [
        (&boss, Method::PUT, &credential, &federated),
        (&boss, Method::DELETE, &credential, &Value::Null),
        (&boss, Method::PUT, &cluster, &acting),
        (&boss, Method::DELETE, &identity, &Value::Null),
        (&of_network, Method::PUT, &network, &local),
        (&of_network, Method::DELETE, &network, &Value::Null),
        (&of_cluster, Method::PUT, &cluster, &acting),
        (&of_cluster, Method::DELETE, &cluster, &Value::Null),
        (&boss, Method::DELETE, &group, &Value::Null),
        (&of_cluster, Method::DELETE, &group, &Value::Null),
    ];
    for (principal, method, path, body) in &cases {
        assert_eq!(scene.add(&scene.admin, principal).await.0, StatusCode::NO_CONTENT);
        let (status, refused) = ask(&alice, method.clone(), path, body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {refused}");
        assert_eq!(scene.remove(&scene.admin, principal).await.0, StatusCode::NO_CONTENT);
    }
    // It is the administration alone that needs an administrator.
    for (_, method, path, body) in cases.iter().filter(|case| case.2 != &group) {
        let (status, answer) = ask(&alice, method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {answer}");
        if *method == Method::DELETE && path != &&credential {
            made(path, if path == &&identity { &local } else { &system }).await;
        }
    }
    let (status, answer) = ask(&alice, Method::DELETE, &group, &Value::Null).await;
    assert!(status.is_success(), "{answer}");
}
