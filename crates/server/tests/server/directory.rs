//! The directory's lists over Graph: what may be asked of them, how their pages follow each other, and what is refused.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testserver::Site;

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

    async fn group(&self, name: &str) -> Value {
        let form = json!({"displayName": name, "mailNickname": name.replace(' ', ""), "mailEnabled": false,
            "securityEnabled": true});
        self.site.post("/v1.0/groups", &form).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> (StatusCode, Value) {
        let address = reqwest::Url::parse_with_params(&self.site.url(path), query).unwrap();
        let request = self.site.http.get(address).bearer_auth(&self.admin);
        self.site.send(request).await
    }

    async fn names(&self, path: &str, query: &[(&str, &str)]) -> Vec<String> {
        let (status, body) = self.get(path, query).await;
        assert_eq!(status, StatusCode::OK, "{query:?}: {body}");
        let mut names: Vec<String> = names_of(&body).collect();
        names.sort_unstable();
        names
    }
}

fn names_of(page: &Value) -> impl Iterator<Item = String> {
    page["value"].as_array().unwrap().iter().map(|each| each["displayName"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn lists_are_filtered_searched_counted_and_refuse_the_rest() {
    let scene = Scene::start().await;
    for name in ["Shop Team", "Ship Team", "O'Neil", "Workshop"] {
        scene.group(name).await;
    }
    for (filter, expected) in [
        ("displayName eq 'shop team'", &["Shop Team"][..]),
        ("displayName ne 'Shop Team' and endswith(displayName,'team')", &["Ship Team"]),
        ("displayName in ('O''Neil','Workshop')", &["O'Neil", "Workshop"]),
        ("startswith(displayName,'sh') or displayName eq 'O''Neil'", &["O'Neil", "Ship Team", "Shop Team"]),
        ("not (endswith(displayName,'team') or securityEnabled eq false)", &["O'Neil", "Workshop"]),
        ("displayName eq 'nobody'", &[]),
    ] {
        assert_eq!(scene.names("/v1.0/groups", &[("$filter", filter)]).await, expected, "{filter}");
    }
    // A word begins so; the middle of one does not count.
    let search = [("$search", "\"displayName:shop\"")];
    assert_eq!(scene.names("/v1.0/groups", &search).await, ["Shop Team"]);
    let (_, page) = scene.get("/v1.0/groups", &[("$count", "true"), ("$top", "1")]).await;
    assert_eq!(page["@odata.count"], 4);
    let (_, total) = scene.get("/v1.0/groups/$count", &[("$filter", "endswith(displayName,'team')")]).await;
    assert_eq!(total, 2);
    for (name, value) in [
        ("$filter", "secret eq 'x'"),
        ("$filter", "contains(displayName,'x')"),
        ("$filter", "displayName eq 'x"),
        ("$search", "shop"),
        ("$search", "\"secret:shop\""),
        ("$orderby", "displayName"),
        ("$expand", "members"),
        ("$skip", "10"),
        ("$top", "0"),
        ("$top", "1000"),
        ("$skiptoken", "other"),
    ] {
        let (status, body) = scene.get("/v1.0/groups", &[(name, value)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}={value}: {body}");
        assert_eq!(body["error"]["code"], "Request_BadRequest", "{name}={value}: {body}");
    }
}

/// Whoever comes or goes between two pages neither hides nor doubles another.
#[tokio::test]
async fn pages_follow_each_other_while_the_list_changes() {
    let scene = Scene::start().await;
    let mut stay = Vec::new();
    for number in 0..7 {
        let name = format!("stays {number}");
        scene.group(&name).await;
        stay.push(name);
    }
    let goes = scene.group("goes").await;
    let mut seen: Vec<String> = Vec::new();
    let query = [("$top", "2"), ("$count", "true"), ("$select", "displayName")];
    let (mut status, mut page) = scene.get("/v1.0/groups", &query).await;
    let mut pages = 0;
    loop {
        assert_eq!(status, StatusCode::OK, "{page}");
        pages += 1;
        assert!(pages < 20, "the pages do not end");
        seen.extend(names_of(&page));
        if pages == 1 {
            let path = format!("/v1.0/groups/{}", goes["id"].as_str().unwrap());
            let delete = scene.site.http.delete(scene.site.url(&path)).bearer_auth(&scene.admin);
            assert_eq!(delete.send().await.unwrap().status(), StatusCode::NO_CONTENT);
            scene.group("comes").await;
        }
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        let request = scene.site.http.get(next).bearer_auth(&scene.admin);
        (status, page) = scene.site.send(request).await;
    }
    seen.retain(|name| name.starts_with("stays"));
    seen.sort_unstable();
    assert_eq!(seen, stay);
}

/// The secret of a service principal is shown once, works at the token endpoint, and is gone when it is removed.
#[tokio::test]
async fn a_service_principal_has_secrets_of_its_own() {
    let scene = Scene::start().await;
    let site = &scene.site;
    let app = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
    let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": app["appId"]})).await;
    let path = format!("/v1.0/servicePrincipals/{}", principal["id"].as_str().unwrap());
    site.user("other@portcullis.local").await;
    let other = site.token("other@portcullis.local", &format!("{}/.default", site.running.url)).await;
    let add = |who: &str| {
        site.http.post(site.url(&format!("{path}/addPassword"))).bearer_auth(who).json(&json!({}))
    };
    assert_eq!(site.send(add("x")).await.0, StatusCode::UNAUTHORIZED);
    let (status, refused) = site.send(add(&other)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(refused["error"]["code"], "Authorization_RequestDenied");
    let (status, issued) = site.send(add(&scene.admin)).await;
    assert_eq!(status, StatusCode::OK, "{issued}");
    let secret = issued["secretText"].as_str().unwrap().to_owned();
    let (_, shown) = scene.get(&path, &[]).await;
    assert_eq!(shown["passwordCredentials"][0]["keyId"], issued["keyId"]);
    assert!(!shown.to_string().contains(&secret), "{shown}");
    let (_, owners) = scene.get(&format!("{path}/owners"), &[]).await;
    assert_eq!(owners["value"][0]["userPrincipalName"], site.admin.name.as_str());
    let (_, owned) = scene.get("/v1.0/me/ownedObjects", &[]).await;
    assert_eq!(owned["value"].as_array().unwrap().len(), 2, "{owned}");

    let scope = format!("{}/.default", site.running.url);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", app["appId"].as_str().unwrap()),
        ("client_secret", &secret),
        ("scope", &scope),
    ];
    let tenant = shown["appOwnerOrganizationId"].as_str().unwrap();
    let address = site.url(&format!("/{tenant}/oauth2/v2.0/token"));
    let sign_in = || site.http.post(&address).form(&form);
    assert_eq!(site.send(sign_in()).await.0, StatusCode::OK);
    let remove = |who: &str| {
        let request = site.http.post(site.url(&format!("{path}/removePassword"))).bearer_auth(who);
        request.json(&json!({"keyId": issued["keyId"]}))
    };
    assert_eq!(site.send(remove(&other)).await.0, StatusCode::FORBIDDEN);
    assert!(remove(&scene.admin).send().await.unwrap().status().is_success());
    assert_eq!(site.send(remove(&scene.admin)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(site.send(sign_in()).await.0, StatusCode::UNAUTHORIZED);
}

/// The look-ups that the command line makes before it writes an assignment find by an index what a walk would find.
#[tokio::test]
async fn one_object_is_found_by_what_only_it_has() {
    let scene = Scene::start().await;
    let site = &scene.site;
    site.other_tenant().await;
    let ann = site.user("ann@portcullis.local").await.to_string();
    let group = scene.group("crew").await;
    let app = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
    let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": app["appId"]})).await;
    let app_id = app["appId"].as_str().unwrap();
    let stranger = site.running.app.whole_snapshot();
    let stranger = stranger.directory().users().find(|user| user.tenant != site.admin.tenant).unwrap().id;
    for (list, filter, expected) in [
        ("users", "userPrincipalName eq 'ANN@portcullis.local'".to_owned(), Some(&json!(ann))),
        ("users", format!("id eq '{ann}' and accountEnabled eq true"), Some(&json!(ann))),
        ("users", format!("id eq '{ann}' and accountEnabled eq false"), None),
        ("users", format!("id eq '{stranger}'"), None),
        ("users", "userPrincipalName eq 'stranger@elsewhere.example'".into(), None),
        ("users", "userPrincipalName eq 'no name'".into(), None),
        ("users", "id eq 'no-id'".into(), None),
        ("groups", format!("id eq '{}'", group["id"].as_str().unwrap()), Some(&group["id"])),
        ("applications", format!("appId eq '{app_id}'"), Some(&app["id"])),
        (
            "servicePrincipals",
            format!("servicePrincipalNames/any(c:c eq '{app_id}')"),
            Some(&principal["id"]),
        ),
        ("servicePrincipals", format!("appId eq '{app_id}'"), Some(&principal["id"])),
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq 'till')".into(), None),
    ] {
        let query = [("$filter", filter.as_str()), ("$count", "true")];
        let (status, page) = scene.get(&format!("/v1.0/{list}"), &query).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let found: Vec<&Value> = page["value"].as_array().unwrap().iter().map(|each| &each["id"]).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{list}: {filter}");
        assert_eq!(page["@odata.count"], found.len(), "{list}: {filter}");
    }
}
