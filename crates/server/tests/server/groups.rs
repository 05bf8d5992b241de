//! Groups over Graph: who is in them, and of what they are part; what cannot be added; lists of a thousand pages.

use domain::{
    change::Record,
    group::{Group, Membership},
    id::ObjectId,
    name::DisplayName,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;
use uuid::Uuid;

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

    async fn group(&self, name: &str) -> String {
        let made = self.site.post("/v1.0/groups", &json!({"displayName": name})).await;
        made["id"].as_str().unwrap().to_owned()
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.site.http.request(method, self.site.url(path)).bearer_auth(&self.admin);
        self.site.send(request.json(&body)).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.site.http.get(self.site.url(path)).bearer_auth(&self.admin);
        self.site.send(request).await
    }

    async fn add(&self, group: &str, member: &str) -> (StatusCode, Value) {
        let reference = json!({"@odata.id": self.site.url(&format!("/v1.0/directoryObjects/{member}"))});
        self.call(Method::POST, &format!("/v1.0/groups/{group}/members/$ref"), reference).await
    }

    async fn joined(&self, group: &str, member: &str) {
        let (status, body) = self.add(group, member).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    }

    async fn ids(&self, path: &str) -> Vec<String> {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        texts(body["value"].as_array().unwrap().iter().map(|each| &each["id"]))
    }

    /// What an action that answers with ids gives.
    async fn asked(&self, path: &str, body: Value) -> Vec<String> {
        let (status, answer) = self.call(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        texts(answer["value"].as_array().unwrap())
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.into_iter().map(|each| each.as_str().unwrap().to_owned()).collect();
    texts.sort_unstable();
    texts
}

fn sorted<const N: usize>(ids: [&str; N]) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(str::to_owned).into();
    ids.sort_unstable();
    ids
}

#[track_caller]
fn wrong((status, body): (StatusCode, Value), expected: StatusCode, code: &str) -> String {
    assert_eq!(status, expected, "{body}");
    assert_eq!(body["error"]["code"], code, "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_group_does_not_contain_itself_by_any_way_round() {
    let scene = Scene::start().await;
    let (a, b, c) = (scene.group("a").await, scene.group("b").await, scene.group("c").await);
    scene.joined(&a, &b).await;
    scene.joined(&b, &c).await;
    let before = scene.site.running.app.whole_snapshot().revision();
    for (group, member) in [(&a, &a), (&b, &a), (&c, &a), (&c, &b)] {
        let text = wrong(scene.add(group, member).await, StatusCode::BAD_REQUEST, "Request_BadRequest");
        assert!(text.contains("a group cannot contain itself"), "{text}");
    }
    assert_eq!(scene.site.running.app.whole_snapshot().revision(), before);
}

#[tokio::test]
async fn a_member_is_added_once_and_what_is_absent_is_not_found() {
    let scene = Scene::start().await;
    let group = scene.group("crew").await;
    let member = scene.site.user("ann@portcullis.local").await.to_string();
    scene.joined(&group, &member).await;
    let text = wrong(scene.add(&group, &member).await, StatusCode::BAD_REQUEST, "Request_BadRequest");
    assert!(text.starts_with("One or more added object references already exist"), "{text}");
    let absent = Uuid::from_u128(7).to_string();
    let missing = (StatusCode::NOT_FOUND, "Request_ResourceNotFound");
    wrong(scene.add(&group, &absent).await, missing.0, missing.1);
    wrong(scene.add(&absent, &member).await, missing.0, missing.1);
    let remove = format!("/v1.0/groups/{group}/members/{member}/$ref");
    assert_eq!(scene.call(Method::DELETE, &remove, json!({})).await.0, StatusCode::NO_CONTENT);
    wrong(scene.call(Method::DELETE, &remove, json!({})).await, missing.0, missing.1);
    for place in ["users", "groups", "applications", "servicePrincipals"] {
        for id in [absent.as_str(), "no-id"] {
            let path = format!("/v1.0/{place}/{id}");
            let text = wrong(scene.call(Method::DELETE, &path, json!({})).await, missing.0, missing.1);
            assert!(text.contains(id), "{text}");
            wrong(scene.get(&path).await, missing.0, missing.1);
        }
    }
}

#[tokio::test]
async fn memberships_are_told_of_every_kind_of_object() {
    let scene = Scene::start().await;
    let site = &scene.site;
    let ann = site.user("ann@portcullis.local").await.to_string();
    let (inner, outer, other) =
        (scene.group("inner").await, scene.group("outer").await, scene.group("o").await);
    let app = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
    let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": app["appId"]})).await;
    let principal = principal["id"].as_str().unwrap();
    let me = site.admin.object_id.to_string();
    for member in [ann.as_str(), principal, &me] {
        scene.joined(&inner, member).await;
    }
    scene.joined(&outer, &inner).await;
    let both = sorted([&inner, &outer]);
    let role = ["62e90394-69f5-4237-9190-012177145e10".to_owned()];
    for place in [
        "/v1.0/me".to_owned(),
        format!("/v1.0/users/{ann}"),
        "/v1.0/users/ANN@portcullis.local".to_owned(),
        format!("/v1.0/servicePrincipals/{principal}"),
    ] {
        // The first administrator has a directory role beside the groups.
        let roles: &[String] = if place.ends_with("/me") { &role } else { &[] };
        let with = |groups: &[String]| {
            let mut all = [groups, roles].concat();
            all.sort_unstable();
            all
        };
        assert_eq!(
            scene.ids(&format!("{place}/memberOf")).await,
            with(std::slice::from_ref(&inner)),
            "{place}"
        );
        assert_eq!(scene.ids(&format!("{place}/transitiveMemberOf")).await, with(&both), "{place}");
        let asked = json!({"securityEnabledOnly": false});
        assert_eq!(scene.asked(&format!("{place}/getMemberGroups"), asked.clone()).await, both);
        assert_eq!(scene.asked(&format!("{place}/getMemberObjects"), asked).await, both);
        let asked = json!({"groupIds": [outer, other]});
        assert_eq!(scene.asked(&format!("{place}/checkMemberGroups"), asked).await, sorted([&outer]));
    }
    let groups = format!("/v1.0/groups/{inner}");
    assert_eq!(scene.ids(&format!("{groups}/memberOf")).await, sorted([&outer]));
    assert_eq!(scene.asked(&format!("{groups}/getMemberGroups"), json!({})).await, sorted([&outer]));
    let all = format!("/v1.0/groups/{outer}/transitiveMembers");
    assert_eq!(scene.ids(&all).await, sorted([&inner, &ann, principal, &me]));
    let objects = format!("/v1.0/directoryObjects/{ann}");
    assert_eq!(scene.asked(&format!("{objects}/getMemberGroups"), json!({})).await, both);
    let many: Vec<String> = (0..1001).map(|number| Uuid::from_u128(number).to_string()).collect();
    let path = format!("{objects}/checkMemberGroups");
    let many = scene.call(Method::POST, &path, json!({"groupIds": many})).await;
    wrong(many, StatusCode::BAD_REQUEST, "Request_BadRequest");

    let of_all = ["user", "group", "servicePrincipal", "application"];
    for (types, expected) in [
        (json!(null), &of_all[..]),
        (json!(["directoryObject"]), &of_all),
        (json!(["user", "group", "directoryObjectPartnerReference"]), &["user", "group"]),
        (json!(["device"]), &[]),
    ] {
        let ids = json!([ann, inner, principal, app["id"], Uuid::nil(), "no-id"]);
        let asked = json!({"ids": ids, "types": types});
        let (_, found) = scene.call(Method::POST, "/v1.0/directoryObjects/getByIds", asked).await;
        let found = found["value"].as_array().unwrap();
        let found: Vec<&str> = found.iter().map(|each| each["@odata.type"].as_str().unwrap()).collect();
        let expected: Vec<String> = expected.iter().map(|kind| format!("#microsoft.graph.{kind}")).collect();
        assert_eq!(found, expected, "{types}");
    }
}

/// What is not understood is refused, on lists of several kinds and on single objects too.
#[tokio::test]
async fn queries_that_cannot_be_answered_are_refused() {
    let scene = Scene::start().await;
    let group = scene.group("crew").await;
    let me = scene.site.admin.object_id;
    for path in [
        format!("groups/{group}/members?$filter=displayName eq 'x'"),
        format!("groups/{group}/members?$search=\"displayName:x\""),
        format!("groups/{group}/transitiveMembers?$filter=displayName eq 'x'"),
        format!("groups/{group}/owners?$orderby=displayName"),
        format!("groups/{group}?$expand=members"),
        format!("users/{me}?$expand=manager"),
        format!("users/{me}/memberOf?$filter=displayName eq 'x'"),
        "me?$expand=manager".into(),
        "me?$filter=x".into(),
        "me/ownedObjects?$filter=x".into(),
        format!("directoryObjects/{group}?$expand=x"),
        "groups?$orderby=displayName".into(),
        "groups?$expand=members".into(),
        "groups?$top=many".into(),
        "groups?$top=1&$top=2".into(),
        "groups?$count=maybe".into(),
        "groups?$apply=x".into(),
        "users?$expand=manager".into(),
        "applications?$expand=owners".into(),
        "servicePrincipals?$orderby=displayName".into(),
        "organization?$filter=x".into(),
    ] {
        wrong(scene.get(&format!("/v1.0/{path}")).await, StatusCode::BAD_REQUEST, "Request_BadRequest");
    }
    let (_, chosen) = scene.get("/v1.0/me?$select=displayName").await;
    assert_eq!(chosen.get("userPrincipalName"), None);
    assert!(chosen["displayName"].is_string() && chosen["id"].is_string(), "{chosen}");
    wrong(scene.get("/v1.0/nothing/here").await, StatusCode::BAD_REQUEST, "BadRequest");
    let put = scene.call(Method::PUT, "/v1.0/me", json!({})).await;
    wrong(put, StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest");
}

/// Each page has one entry, and its link leads to the same next page however often it is followed.
#[tokio::test]
async fn a_list_of_a_thousand_pages_shows_each_entry_once() {
    const COUNT: u128 = 1_001;
    let scene = Scene::start().await;
    let app = &scene.site.running.app;
    let crew = scene.group("crew").await;
    let crew = ObjectId::parse(&crew).unwrap();
    let tenant = scene.site.admin.tenant;
    for number in 1..=COUNT {
        let id = ObjectId::new(Uuid::from_u128(number << 64));
        app.whole_state()
            .transact(|tx| {
                tx.create(&Record::Group(Group {
                    id,
                    tenant,
                    display_name: DisplayName::parse("g").unwrap(),
                    mail_nickname: "g".into(),
                    description: None,
                    owners: [].into(),
                    created: tx.now(),
                }))?;
                tx.create(&Record::Membership(Membership { group: crew, member: id }))
            })
            .await
            .unwrap();
    }
    for list in
        ["/v1.0/groups?$top=1&$filter=displayName eq 'g'", &format!("/v1.0/groups/{crew}/members?$top=1")]
    {
        let mut seen = Vec::new();
        let mut next = Some(scene.site.url(list));
        while let Some(link) = next {
            let request = || scene.site.http.get(&link).bearer_auth(&scene.admin);
            let page = scene.site.ok(request()).await;
            if seen.len() % 100 == 0 {
                assert_eq!(scene.site.ok(request()).await, page);
            }
            let entries = page["value"].as_array().unwrap();
            assert_eq!(entries.len(), 1, "{page}");
            seen.push(entries[0]["id"].as_str().unwrap().to_owned());
            assert!(seen.len() as u128 <= COUNT, "the pages do not end");
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        assert!(seen.is_sorted());
        assert_eq!(seen.len() as u128, COUNT);
    }
}
