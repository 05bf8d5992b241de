//! The webhooks of an attached cluster: whom they know, what they allow, what they deny, and who may ask.

use domain::{cluster::Serving, id::ObjectId};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::world::{Answer, Who, World, der};

struct Attached {
    world: World,
    /// The API server.
    server: Who,
}

impl Attached {
    async fn new(azure_rbac: bool, admin_groups: &[ObjectId]) -> Self {
        let random = crypto::random::System::default();
        let now = "2026-11-24T09:00:00Z".parse().unwrap();
        let (authority, _) = crypto::cert::Authority::generate("elsewhere", now, &random).unwrap();
        let groups = admin_groups.to_vec();
        let world = World::with(|new| {
            new.serving = Serving::Attached {
                server: "https://elsewhere.example:6443".into(),
                certificate_authority: authority.certificate_pem().to_owned(),
            };
            new.directory = Some(app::clusters::DirectoryAccess { azure_rbac, admin_groups: groups });
        })
        .await;
        let (_, issued) = world.app.issue_webhook_certificate(&world.admin, &world.name()).await.unwrap();
        let server = Who::Certificate(der(&issued.certificate_pem));
        Self { world, server }
    }

    async fn ask(&self, who: &Who, hook: &str, body: String) -> Answer {
        let path = format!("/webhooks/{}/{hook}?timeout=30s", self.world.cluster.id);
        let headers = [("content-type", "application/json")];
        let (parts, body) = self.world.open(who, Method::POST, &path, &headers, body.into()).await;
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn authenticate(&self, who: &Who) -> Value {
        let Who::Token(token) = who else { return Value::Null };
        let review = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": null}, "spec": {"token": token, "audiences": ["api"]}, "status": {"user": {}}});
        self.ask(&self.server, "authenticate", review.to_string()).await.expect(StatusCode::OK)["status"]
            .clone()
    }

    /// Reviews a list of pods by the user of a TokenReview.
    async fn authorize(&self, user: &Value) -> Value {
        let review = review(user, "v1", "groups");
        self.ask(&self.server, "authorize", review.to_string()).await.expect(StatusCode::OK)["status"].clone()
    }
}

fn review(user: &Value, version: &str, groups: &str) -> Value {
    let mut review = json!({"kind": "SubjectAccessReview", "apiVersion": format!("authorization.k8s.io/{version}"),
        "metadata": {"creationTimestamp": null},
        "spec": {"resourceAttributes": {"namespace": "n", "verb": "list", "version": "v1", "resource": "pods"},
            "user": user["username"], "extra": user["extra"]}});
    let mut names = user["groups"].as_array().cloned().unwrap_or_default();
    names.push("system:authenticated".into());
    review["spec"][groups] = names.into();
    review
}

#[tokio::test]
async fn a_token_is_known_with_the_groups_of_this_moment() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let group = world.group("g", &[ann]).await;
    let who = world.token(ann).await;
    let status = attached.authenticate(&who).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "ann@example.org");
    assert_eq!(status["user"]["groups"], json!([group.to_string()]));
    assert_eq!(status["user"]["extra"]["oid"], json!([ann.to_string()]));
    assert_eq!(status.get("audiences"), None);
    let bad = attached.authenticate(&Who::Token("x".into())).await;
    assert_eq!(bad["authenticated"], false);
    assert!(!bad["error"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_lack_of_grants_is_left_to_the_clusters_own_rbac() {
    let attached = Attached::new(true, &[]).await;
    let who = attached.world.person("ann@example.org").await;
    let user = attached.authenticate(&who).await["user"].clone();
    let status = attached.authorize(&user).await;
    assert_eq!((&status["allowed"], status.get("denied")), (&json!(false), None));
    assert!(status["reason"].as_str().unwrap().contains("Azure RBAC"), "{status}");
    for user in [
        json!({"username": "system:serviceaccount:a:b"}),
        json!({"username": "local"}),
        json!({"username": "system:x", "extra": {"oid": ["y"]}}),
    ] {
        assert_eq!(attached.authorize(&user).await, json!({"allowed": false}), "{user}");
    }
}

#[tokio::test]
async fn what_the_directory_has_taken_away_is_denied() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let group = world.group("g", &[ann]).await;
    let who = world.token(ann).await;
    let user = attached.authenticate(&who).await["user"].clone();
    assert_eq!(attached.authorize(&user).await, json!({"allowed": false}));
    world.app.remove_member(&world.admin, group, ann).await.unwrap();
    let stale = attached.authorize(&user).await;
    assert_eq!(stale["denied"], true);
    assert!(stale["reason"].as_str().unwrap().contains(&group.to_string()));
    let user = attached.authenticate(&who).await["user"].clone();
    world.app.revoke_sessions(&world.admin, ann).await.unwrap();
    assert_eq!(attached.authorize(&user).await["denied"], true);
    let disabled = app::users::UserUpdate { enabled: Some(false), ..Default::default() };
    world.app.update_user(&world.admin, ann, disabled).await.unwrap();
    assert_eq!(attached.authorize(&user).await["denied"], true);
    let mut unknown = user.clone();
    unknown["extra"]["oid"] = json!(["00000000-0000-4000-8000-000000000000"]);
    assert_eq!(attached.authorize(&unknown).await["denied"], true);
    for oid in [json!([]), json!(["a", "b"]), json!(["no uuid"])] {
        let mut malformed = user.clone();
        malformed["extra"]["oid"] = oid;
        assert_eq!(attached.authorize(&malformed).await["denied"], true, "{malformed}");
    }
}

#[tokio::test]
async fn the_older_version_is_read_by_its_own_field() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let group = world.group("g", &[ann]).await;
    let who = world.token(ann).await;
    let user = attached.authenticate(&who).await["user"].clone();
    world.app.remove_member(&world.admin, group, ann).await.unwrap();
    let answer =
        attached.ask(&attached.server, "authorize", review(&user, "v1beta1", "group").to_string()).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(answer["apiVersion"], "authorization.k8s.io/v1beta1");
    assert_eq!(answer["status"]["denied"], true, "the groups were read");
    for (version, field) in [("v1", "group"), ("v1beta1", "groups")] {
        let answer =
            attached.ask(&attached.server, "authorize", review(&user, version, field).to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{version} {field}");
    }
}

#[tokio::test]
async fn only_the_clusters_own_certificate_opens_its_webhooks() {
    let attached = Attached::new(false, &[]).await;
    let other = Attached::new(false, &[]).await;
    let body = || {
        json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": "x"}})
            .to_string()
    };
    for hook in ["authenticate", "authorize"] {
        let nobody = attached.ask(&Who::Nobody, hook, body()).await;
        assert_eq!(nobody.said(), "401 Unauthorized: a client certificate is required");
        for who in [other.server.clone(), Who::Certificate(vec![1, 2, 3])] {
            assert_eq!(attached.ask(&who, hook, body()).await.status, StatusCode::FORBIDDEN);
        }
    }
    let world = &attached.world;
    world.app.issue_webhook_certificate(&world.admin, &world.name()).await.unwrap();
    let replaced = attached.ask(&attached.server, "authenticate", body()).await;
    assert_eq!(replaced.status, StatusCode::FORBIDDEN, "an earlier certificate has stopped to count");
}

#[tokio::test]
async fn malformed_reviews_are_refused() {
    let attached = Attached::new(false, &[]).await;
    let deep = format!("{{\"spec\":{}", "[".repeat(10_000));
    for body in [
        "",
        "{",
        "[]",
        "{}",
        deep.as_str(),
        r#"{"kind":"Pod","apiVersion":"v1","spec":{}}"#,
        r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v9","spec":{"user":"u","nonResourceAttributes":{"path":"/","verb":"get"}}}"#,
        r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"user":"u"}}"#,
        r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"user":"u","nonResourceAttributes":{},"resourceAttributes":{}}}"#,
        r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}"#,
        r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"user":1}}"#,
    ] {
        for hook in ["authenticate", "authorize"] {
            let answer = attached.ask(&attached.server, hook, body.to_owned()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{hook} {body}");
            assert_eq!(answer.json()["kind"], "Status");
        }
    }
}
