//! Who may do what with the directory: people read it, owners manage what they own, administrators the rest, and
//! nobody gets further by what they own. Tenants do not see each other.

use domain::id::ObjectId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;

struct Scene {
    site: Site,
    admin: String,
    /// Owns the application, its service principal and the group, and nothing else.
    owner: String,
    owner_id: ObjectId,
    application: String,
    app_id: String,
    principal: String,
    group: String,
}

impl Scene {
    async fn start() -> Self {
        let site = Site::start(|_| {}).await;
        let admin = site.management().await;
        let owner_id = site.user("owner@portcullis.local").await;
        let owner = site.management_of("owner@portcullis.local").await;
        let application = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
        let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": application["appId"]})).await;
        let group = site.post("/v1.0/groups", &json!({"displayName": "crew"})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let scene = Self {
            application: format!("/v1.0/applications/{}", text(&application["id"])),
            app_id: text(&application["appId"]),
            principal: format!("/v1.0/servicePrincipals/{}", text(&principal["id"])),
            group: format!("/v1.0/groups/{}", text(&group["id"])),
            site,
            admin,
            owner,
            owner_id,
        };
        for place in [&scene.application, &scene.principal, &scene.group] {
            let add = scene.post(&scene.admin, &format!("{place}/owners/$ref"), reference(owner_id)).await;
            assert_eq!(add.0, StatusCode::NO_CONTENT, "{}", add.1);
        }
        scene
    }

    async fn call(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.site.http.request(method, self.site.url(path)).bearer_auth(who);
        self.site.send(body.iter().fold(request, |request, body| request.json(body))).await
    }

    async fn get(&self, who: &str, path: &str) -> (StatusCode, Value) {
        self.call(who, Method::GET, path, None).await
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(who, Method::POST, path, Some(body)).await
    }

    async fn patch(&self, who: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(who, Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, who: &str, path: &str) -> (StatusCode, Value) {
        self.call(who, Method::DELETE, path, None).await
    }

    fn id_of(&self, place: &str) -> ObjectId {
        ObjectId::parse(place.rsplit('/').next().unwrap()).unwrap()
    }
}

fn reference(id: ObjectId) -> Value {
    json!({"@odata.id": format!("https://localhost/v1.0/directoryObjects/{id}")})
}

#[track_caller]
fn refused((status, body): (StatusCode, Value)) {
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    assert_eq!(body["error"]["code"], "Authorization_RequestDenied", "{body}");
}

#[track_caller]
fn wrong((status, body): (StatusCode, Value), expected: StatusCode, code: &str) -> String {
    assert_eq!(status, expected, "{body}");
    assert_eq!(body["error"]["code"], code, "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn owners_manage_what_they_own_and_nothing_beyond() {
    let scene = Scene::start().await;
    let other = scene.site.user("other@portcullis.local").await;
    let name = json!({"displayName": "renamed"});
    for place in [&scene.application, &scene.group] {
        assert_eq!(scene.patch(&scene.owner, place, name.clone()).await.0, StatusCode::NO_CONTENT);
    }
    for place in [&scene.application, &scene.principal] {
        let (status, issued) = scene.post(&scene.owner, &format!("{place}/addPassword"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{issued}");
    }
    for place in [&scene.application, &scene.principal, &scene.group] {
        let owners = format!("{place}/owners");
        let add = scene.post(&scene.owner, &format!("{owners}/$ref"), reference(other)).await;
        assert_eq!(add.0, StatusCode::NO_CONTENT, "{}", add.1);
        let again = scene.post(&scene.owner, &format!("{owners}/$ref"), reference(other)).await;
        let text = wrong(again, StatusCode::BAD_REQUEST, "Request_BadRequest");
        assert!(text.starts_with("One or more added object references already exist"), "{text}");
        let crew = scene.id_of(&scene.group);
        let group = scene.post(&scene.owner, &format!("{owners}/$ref"), reference(crew)).await;
        wrong(group, StatusCode::BAD_REQUEST, "Request_BadRequest");
        let remove = format!("{owners}/{other}/$ref");
        assert_eq!(scene.delete(&scene.owner, &remove).await.0, StatusCode::NO_CONTENT);
        wrong(scene.delete(&scene.owner, &remove).await, StatusCode::NOT_FOUND, "Request_ResourceNotFound");
    }
    let members = format!("{}/members/$ref", scene.group);
    assert_eq!(scene.post(&scene.owner, &members, reference(other)).await.0, StatusCode::NO_CONTENT);

    let user = format!("/v1.0/users/{other}");
    refused(scene.patch(&scene.owner, &user, json!({"passwordProfile": {"password": "x"}})).await);
    refused(scene.patch(&scene.owner, &user, json!({"accountEnabled": false})).await);
    refused(scene.delete(&scene.owner, &user).await);
    refused(scene.post(&scene.owner, &format!("{user}/revokeSignInSessions"), json!({})).await);
    let mine = format!("/v1.0/users/{}", scene.owner_id);
    refused(scene.patch(&scene.owner, &mine, json!({"displayName": "root"})).await);
    let foreign = scene.site.post("/v1.0/applications", &json!({"displayName": "other"})).await;
    let foreign = format!("/v1.0/applications/{}", foreign["id"].as_str().unwrap());
    refused(scene.post(&scene.owner, &format!("{foreign}/addPassword"), json!({})).await);
    refused(scene.post(&scene.owner, &format!("{foreign}/owners/$ref"), reference(scene.owner_id)).await);
    let federated =
        json!({"name": "deploy", "issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]});
    let path = "federatedIdentityCredentials";
    refused(scene.post(&scene.owner, &format!("{foreign}/{path}"), federated.clone()).await);
    let own = scene.post(&scene.owner, &format!("{}/{path}", scene.application), federated).await;
    assert_eq!(own.0, StatusCode::CREATED, "{}", own.1);
}

/// Whoever shuts a program out does not mean that its owner lets it in again.
#[tokio::test]
async fn what_an_administrator_has_disabled_stays_so_whatever_its_owner_does() {
    let scene = Scene::start().await;
    let enabled = |enabled: bool| json!({"accountEnabled": enabled});
    let disable = scene.patch(&scene.admin, &scene.principal, enabled(false)).await;
    assert_eq!(disable.0, StatusCode::NO_CONTENT);
    refused(scene.patch(&scene.owner, &scene.principal, enabled(true)).await);
    refused(scene.delete(&scene.owner, &scene.principal).await);
    refused(scene.delete(&scene.owner, &scene.application).await);
    assert_eq!(scene.patch(&scene.admin, &scene.principal, enabled(true)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.patch(&scene.owner, &scene.principal, enabled(false)).await.0, StatusCode::NO_CONTENT);
}

/// Else an owner would be an administrator by a secret of their own.
#[tokio::test]
async fn an_application_that_administers_the_directory_is_changed_by_administrators_only() {
    let scene = Scene::start().await;
    let app = &scene.site.running.app;
    let id = scene.id_of(&scene.principal);
    app.directory().add_role_holder(&scene.site.admin, &domain::directory_role::ALL[0], id).await.unwrap();
    for place in [&scene.application, &scene.principal] {
        refused(scene.post(&scene.owner, &format!("{place}/addPassword"), json!({})).await);
        refused(scene.post(&scene.owner, &format!("{place}/owners/$ref"), reference(id)).await);
    }
    let federated =
        json!({"name": "deploy", "issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]});
    let path = format!("{}/federatedIdentityCredentials", scene.application);
    refused(scene.post(&scene.owner, &path, federated).await);
    refused(scene.patch(&scene.owner, &scene.application, json!({"displayName": "x"})).await);
    let (status, issued) =
        scene.post(&scene.admin, &format!("{}/addPassword", scene.application), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{issued}");
}

#[tokio::test]
async fn only_an_administrator_lets_an_application_take_passwords() {
    let scene = Scene::start().await;
    let form = json!({"allowPasswordGrant": true});
    refused(scene.patch(&scene.owner, &scene.application, form.clone()).await);
    assert_eq!(
        scene.patch(&scene.owner, &scene.application, json!({"allowPasswordGrant": false})).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(scene.patch(&scene.admin, &scene.application, form).await.0, StatusCode::NO_CONTENT);
}

/// Else tokens for one application would be as good as asked for by the name of another.
#[tokio::test]
async fn an_address_names_one_application() {
    let scene = Scene::start().await;
    let uris = |uri: &str| json!({"identifierUris": [uri]});
    let set = scene.patch(&scene.admin, &scene.application, uris("api://till")).await;
    assert_eq!(set.0, StatusCode::NO_CONTENT);
    let again = scene.patch(&scene.owner, &scene.application, uris("api://till")).await;
    assert_eq!(again.0, StatusCode::NO_CONTENT);
    let other = scene.site.post("/v1.0/applications", &json!({"displayName": "other"})).await;
    let other = format!("/v1.0/applications/{}", other["id"].as_str().unwrap());
    let code = "Request_MultipleObjectsWithSameKeyValue";
    for uri in ["api://till", "api://till/"] {
        wrong(scene.patch(&scene.admin, &other, uris(uri)).await, StatusCode::BAD_REQUEST, code);
        let mut form = uris(uri);
        form["displayName"] = "third".into();
        let create = scene.post(&scene.admin, "/v1.0/applications", form).await;
        wrong(create, StatusCode::BAD_REQUEST, code);
    }
    for taken in [
        format!("api://{}", scene.app_id),
        "https://management.azure.com".into(),
        scene.site.url("/"),
        format!("api://{}", testserver::CLUSTER),
    ] {
        let set = scene.patch(&scene.admin, &other, uris(&taken)).await;
        assert_eq!(set.0, StatusCode::BAD_REQUEST, "{taken}: {}", set.1);
    }
}

#[tokio::test]
async fn somebody_who_can_sign_in_always_administers_the_directory() {
    let scene = Scene::start().await;
    let site = &scene.site;
    let first = format!("/v1.0/users/{}", site.admin.object_id);
    let form = json!({"userPrincipalName": "spare@portcullis.local", "displayName": "spare"});
    let spare = site.post("/v1.0/users", &form).await;
    let spare = ObjectId::parse(spare["id"].as_str().unwrap()).unwrap();
    // Without a password nobody can sign in as this one.
    site.running
        .app
        .directory()
        .add_role_holder(&site.admin, &domain::directory_role::ALL[0], spare)
        .await
        .unwrap();
    let disable = json!({"accountEnabled": false});
    wrong(scene.patch(&scene.admin, &first, disable.clone()).await, StatusCode::CONFLICT, "Request_Conflict");
    wrong(scene.delete(&scene.admin, &first).await, StatusCode::CONFLICT, "Request_Conflict");
    let password = json!({"passwordProfile": {"password": "correct horse battery"}});
    let given = scene.patch(&scene.admin, &format!("/v1.0/users/{spare}"), password).await;
    assert_eq!(given.0, StatusCode::NO_CONTENT, "{}", given.1);
    assert_eq!(scene.patch(&scene.admin, &first, disable).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn another_tenant_sees_and_changes_nothing() {
    let scene = Scene::start().await;
    let site = &scene.site;
    let stranger = site.other_tenant().await;
    for list in ["users", "groups", "applications", "servicePrincipals"] {
        let (_, all) = scene.get(&scene.admin, &format!("/v1.0/{list}")).await;
        let (status, seen) = scene.get(&stranger, &format!("/v1.0/{list}")).await;
        assert_eq!(status, StatusCode::OK);
        let ids = |page: &Value| -> Vec<Value> {
            page["value"].as_array().unwrap().iter().map(|each| each["id"].clone()).collect()
        };
        assert!(!ids(&all).is_empty());
        assert!(ids(&seen).iter().all(|id| !ids(&all).contains(id)), "{seen}");
    }
    let person = format!("/v1.0/users/{}", scene.owner_id);
    let own = site.management_of("owner@portcullis.local").await;
    let ids: Vec<ObjectId> = [&scene.application, &scene.principal, &scene.group]
        .map(|place| scene.id_of(place))
        .into_iter()
        .chain([scene.owner_id])
        .collect();
    let before = site.running.app.whole_snapshot().revision();
    for place in [&scene.application, &scene.principal, &scene.group, &person] {
        let missing = (StatusCode::NOT_FOUND, "Request_ResourceNotFound");
        wrong(scene.get(&stranger, place).await, missing.0, missing.1);
        wrong(scene.delete(&stranger, place).await, missing.0, missing.1);
        assert_eq!(scene.get(&own, place).await.0, StatusCode::OK);
    }
    let (status, found) = scene.post(&stranger, "/v1.0/directoryObjects/getByIds", json!({"ids": ids})).await;
    assert_eq!((status, &found["value"]), (StatusCode::OK, &json!([])));
    let taken = scene.post(&stranger, "/v1.0/servicePrincipals", json!({"appId": scene.app_id})).await;
    wrong(taken, StatusCode::NOT_FOUND, "Request_ResourceNotFound");
    assert_eq!(site.running.app.whole_snapshot().revision(), before);
}

/// A body may come slowly: the right is asked for again when it is there.
#[tokio::test]
async fn who_is_disabled_while_the_body_is_on_its_way_writes_nothing() {
    use tower::ServiceExt;
    let scene = Scene::start().await;
    let app = scene.site.running.app.clone();
    let spare = scene.site.user("spare@portcullis.local").await;
    app.directory().add_role_holder(&scene.site.admin, &domain::directory_role::ALL[0], spare).await.unwrap();
    let token = scene.site.management_of("spare@portcullis.local").await;
    let (late, admin) = (app.clone(), scene.site.admin.clone());
    let chunk = async move {
        let disable = app::directory::users::UserUpdate { enabled: Some(false), ..Default::default() };
        late.directory().update_user(&admin, spare, disable).await.unwrap();
        Ok::<_, std::convert::Infallible>(r#"{"displayName": "late"}"#)
    };
    let body = axum::body::Body::from_stream(futures_util::stream::once(chunk));
    let request = http::Request::post("/v1.0/groups").header("authorization", format!("Bearer {token}"));
    let answer = server::start::router(app.clone()).oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let snapshot = app.whole_snapshot();
    assert!(!snapshot.directory().groups().any(|group| group.display_name.as_str() == "late"));
    // Nor by a way on which nobody looks at the token again.
    let caller = app::Caller { object_id: spare, ..scene.site.admin.clone() };
    let form = app::directory::groups::NewGroup {
        display_name: domain::name::DisplayName::parse("late").unwrap(),
        mail_nickname: "late".into(),
        description: None,
    };
    assert!(app.directory().create_group(&caller, form).await.is_err());
}
