//! The webhooks of an attached cluster: whom they know, what they allow, what they deny, and who may ask.

use app::resource_manager::assignments::NewAssignment;
use axum::body::Body;
use domain::{
    cluster::Serving,
    id::{AssignmentId, ObjectId},
    scope::Scope,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::world::{Answer, Who, World, der};
use crate::webhook::Webhook;

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
            new.directory =
                Some(app::resource_manager::clusters::DirectoryAccess { azure_rbac, admin_groups: groups });
        })
        .await;
        let server = issue(&world).await;
        Self { world, server }
    }

    async fn ask(&self, who: &Who, hook: &str, body: String) -> Answer {
        let path = format!("/webhooks/{}/{hook}?timeout=30s", self.world.cluster.id);
        let headers = [("content-type", "application/json")];
        let (parts, body) = self.world.open(who, Method::POST, &path, &headers, body.into()).await;
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer(testkit::Answer { status: parts.status, headers: parts.headers, text })
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

/// A further certificate of the cluster.
async fn issue(world: &World) -> Who {
    let issued = world
        .app
        .resource_manager()
        .issue_webhook_certificate(&world.home.admin, &world.name())
        .await
        .unwrap();
    Who::Vouched(der(&issued.certificate_pem))
}

fn token_review() -> String {
    json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": "x"}})
        .to_string()
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
    world.app.directory().remove_member(&world.home.admin, group, ann).await.unwrap();
    let stale = attached.authorize(&user).await;
    assert_eq!(stale["denied"], true);
    assert!(stale["reason"].as_str().unwrap().contains(&group.to_string()));
    let user = attached.authenticate(&who).await["user"].clone();
    world.app.directory().revoke_sessions(&world.home.admin, ann).await.unwrap();
    assert_eq!(attached.authorize(&user).await["denied"], true);
    let disabled = app::directory::users::UserUpdate { enabled: Some(false), ..Default::default() };
    world.app.directory().update_user(&world.home.admin, ann, disabled).await.unwrap();
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
async fn leaving_a_group_ends_what_it_gave_and_nothing_else() {
    let attached = Attached::new(true, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let group = world.group("g", &[ann]).await;
    let who = world.token(ann).await;
    let user = attached.authenticate(&who).await["user"].clone();
    world.app.directory().remove_member(&world.home.admin, group, ann).await.unwrap();
    assert_eq!(attached.authorize(&user).await["denied"], true, "a role may be bound to the group");
    let role =
        world.app.whole_snapshot().azure().role_named("Azure Kubernetes Service RBAC Reader").unwrap().id;
    let reader =
        NewAssignment { principal: ann, principal_kind: None, role, condition: None, description: None };
    let id = AssignmentId::parse("6f1e2b7a-0000-4000-8000-0000000000aa").unwrap();
    let scope = Scope::parse(&world.cluster.resource_id()).unwrap();
    world.app.resource_manager().put_assignment(&world.home.admin, id, &scope, reader).await.unwrap();
    let own = attached.authorize(&user).await;
    assert_eq!((&own["allowed"], own.get("denied")), (&json!(true), None), "{own}");
}

#[tokio::test]
async fn a_name_that_is_gone_opens_nothing_more() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let who = world.token(ann).await;
    let user = attached.authenticate(&who).await["user"].clone();
    assert_eq!(attached.authorize(&user).await, json!({"allowed": false}));
    let beth = domain::name::Upn::parse("beth@example.org").unwrap();
    let renamed = app::directory::users::UserUpdate { upn: Some(beth), ..Default::default() };
    world.app.directory().update_user(&world.home.admin, ann, renamed).await.unwrap();
    let old = attached.authorize(&user).await;
    assert_eq!(old["denied"], true, "a role may be bound to the name");
    assert!(old["reason"].as_str().unwrap().contains("no longer ann@example.org"), "{old}");
    let user = attached.authenticate(&who).await["user"].clone();
    assert_eq!(user["username"], "beth@example.org");
    assert_eq!(attached.authorize(&user).await, json!({"allowed": false}));
}

#[tokio::test]
async fn the_older_version_is_read_by_its_own_field() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ann = world.user("ann@example.org").await;
    let group = world.group("g", &[ann]).await;
    let who = world.token(ann).await;
    let user = attached.authenticate(&who).await["user"].clone();
    world.app.directory().remove_member(&world.home.admin, group, ann).await.unwrap();
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
    let Who::Vouched(foreign) = other.server else { panic!("the cluster vouches for it") };
    for hook in ["authenticate", "authorize"] {
        let nobody = attached.ask(&Who::Nobody, hook, token_review()).await;
        assert_eq!(nobody.said(), "401 Unauthorized: a client certificate is required");
        for who in [Who::Certificate(foreign.clone()), Who::Certificate(vec![1, 2, 3])] {
            let refused = attached.ask(&who, hook, token_review()).await;
            assert_eq!(
                refused.said(),
                "403 Forbidden: the client certificate is not the one that opens this cluster's webhooks"
            );
        }
    }
}

#[tokio::test]
async fn rotation_lets_old_and_new_count_until_a_day_after_the_new_one_was_seen() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let ask = async |who: &Who| attached.ask(who, "authenticate", token_review()).await.status;
    assert_eq!(ask(&attached.server).await, StatusCode::OK);
    world.app.kubernetes().note_webhook_uses().await.unwrap();
    let new = issue(world).await;
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 30));
    assert_eq!(ask(&attached.server).await, StatusCode::OK, "the new one has not been seen");
    assert_eq!(ask(&new).await, StatusCode::OK);
    world.app.kubernetes().note_webhook_uses().await.unwrap();
    world.clock.advance(jiff::SignedDuration::from_hours(23));
    assert_eq!(ask(&attached.server).await, StatusCode::OK, "another API server may have it yet");
    world.clock.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(ask(&new).await, StatusCode::OK);
    let ended = attached.ask(&attached.server, "authenticate", token_review()).await;
    assert_eq!(
        ended.said(),
        "403 Forbidden: the client certificate has ended: give the API server the file of `portcullis cluster \
         certificate rotate`"
    );
}

#[tokio::test]
async fn an_operator_ends_a_certificate_at_once() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let new = issue(world).await;
    let cluster = world.app.resource_manager().webhook_cluster_of(&world.home.admin, &world.name()).unwrap();
    let old = cluster.webhook_certificates.iter().next().unwrap().thumbprint.clone();
    let colons: Vec<String> =
        old.to_uppercase().as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).into()).collect();
    let name = world.name();
    world
        .app
        .resource_manager()
        .end_webhook_certificate(&world.home.admin, &name, &colons.join(":"))
        .await
        .unwrap();
    let ask = async |who: &Who| attached.ask(who, "authorize", token_review()).await.status;
    assert_eq!(ask(&attached.server).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&new).await, StatusCode::BAD_REQUEST, "it was let in, with the wrong kind of review");
    let unknown = world.app.resource_manager().end_webhook_certificate(&world.home.admin, &name, "ab").await;
    assert!(matches!(unknown, Err(app::Error::NotFound { .. })), "{unknown:?}");
}

#[tokio::test]
async fn only_who_holds_a_clusters_certificate_hears_that_the_cluster_is_gone() {
    let attached = Attached::new(false, &[]).await;
    let world = &attached.world;
    let Who::Vouched(der) = attached.server.clone() else { panic!("the cluster vouches for it") };
    let strangers = [Who::Nobody, Who::Unverified, Who::Certificate(der)];
    let heard = async || {
        let mut heard = Vec::new();
        for who in &strangers {
            heard.push(attached.ask(who, "authorize", token_review()).await.said());
        }
        heard
    };
    let before = heard().await;
    assert!(before[1].contains("the cluster was deleted, or its certificates were made anew"), "{before:?}");
    let counted = |word: &str| {
        world.app.kubernetes().webhook_refusals().find(|(each, _)| each.word() == word).unwrap().1
    };
    let whatever = app::state::precondition::Precondition::default();
    world.app.resource_manager().delete_cluster(&world.home.admin, &world.name(), &whatever).await.unwrap();
    assert_eq!(
        heard().await,
        [
            "401 Unauthorized: a client certificate is required".to_owned(),
            before[1].clone(),
            "403 Forbidden: the client certificate is not the one that opens this cluster's webhooks"
                .to_owned(),
        ]
    );
    let holder = attached.ask(&attached.server, "authorize", token_review()).await;
    assert_eq!(holder.said(), "403 Forbidden: the cluster no longer exists");
    let words = ["no_certificate", "unknown_certificate", "cluster_deleted", "ended_certificate"];
    assert_eq!(words.map(counted), [2, 2, 1, 0]);
}

#[tokio::test]
async fn what_ends_while_a_body_is_on_its_way_opens_nothing() {
    for hook in ["authorize", "authenticate"] {
        for deletes in [false, true] {
            let attached = Attached::new(false, &[]).await;
            let world = &attached.world;
            let (app, admin, name) = (world.app.clone(), world.home.admin.clone(), world.name());
            let text = match hook {
                "authorize" => review(&json!({"username": "u"}), "v1", "groups").to_string(),
                _ => token_review(),
            };
            // It ends when the body is asked for, which is when the caller has been let in.
            let body = Body::from_stream(futures_util::stream::once(async move {
                if deletes {
                    let whatever = app::state::precondition::Precondition::default();
                    app.resource_manager().delete_cluster(&admin, &name, &whatever).await.unwrap();
                } else {
                    let cluster = app.resource_manager().webhook_cluster_of(&admin, &name).unwrap();
                    let thumbprint = cluster.webhook_certificates.iter().next().unwrap().thumbprint.clone();
                    app.resource_manager().issue_webhook_certificate(&admin, &name).await.unwrap();
                    app.resource_manager().end_webhook_certificate(&admin, &name, &thumbprint).await.unwrap();
                }
                Ok::<_, std::io::Error>(text)
            }));
            let path = format!("/webhooks/{}/{hook}", world.cluster.id);
            let webhook = Webhook::asked(&Method::POST, &path).unwrap();
            let answer = webhook.answer(&world.app, &world.peer(&attached.server), body).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{hook}, deletes: {deletes}");
        }
    }
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
