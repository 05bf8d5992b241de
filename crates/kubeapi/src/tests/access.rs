//! Who may do what: refusals and their words, escalation, impersonation, and every path without credentials.

use http::{Method, StatusCode};
use serde_json::json;

use super::world::{Who, World, plain};
use crate::kinds::{self, Role};

#[tokio::test]
async fn refusals_say_who_what_where_and_what_would_help() {
    let world = World::new().await;
    let carol = world.person("carol@example.org").await;
    let mut said = Vec::new();
    for (method, path) in [
        (Method::GET, "/api/v1/namespaces/w2/pods"),
        (Method::GET, "/api/v1/nodes"),
        (Method::GET, "/apis/apps/v1/namespaces/w2/deployments/d1"),
        (Method::PATCH, "/apis/apps/v1/namespaces/w2/deployments/d1/scale"),
        (Method::GET, "/api/v1/namespaces/a"),
        (Method::GET, "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name=s1"),
        (Method::GET, "/metrics"),
        (Method::GET, "/apis/nosuch.group/v1/things"),
        (Method::GET, "/apis/apps/v1/nosuch"),
        (Method::DELETE, "/api/v1/namespaces/kube-system"),
    ] {
        let answer = world.send(&carol, method.clone(), path, &[], Vec::new()).await;
        said.push(format!("{method} {path}\n    {}", answer.said()));
    }
    let anonymous = world.get(&Who::Nobody, "/api/v1/pods").await;
    said.push(format!("anonymous\n    {}", anonymous.said()));
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_whole_refusal_is_a_status() {
    let world = World::new().await;
    let carol = world.person("carol@example.org").await;
    let answer = world.get(&carol, "/api/v1/namespaces/default/pods/p").await;
    insta::assert_json_snapshot!(answer.expect(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn bad_credentials_are_refused_on_open_paths_too() {
    let world = World::new().await;
    let stranger = World::new().await;
    let (other_cluster, _) = stranger.administrator().await;
    for who in
        [Who::Token("nonsense".into()), Who::Token("a.b.c".into()), other_cluster, Who::Certificate(vec![])]
    {
        for path in ["/healthz", "/api", "/api/v1/pods", "/nowhere"] {
            let answer = world.get(&who, path).await;
            assert_eq!(answer.said(), "401 Unauthorized: Unauthorized", "{path}");
        }
    }
    let basic =
        world.send(&Who::Nobody, Method::GET, "/healthz", &[("authorization", "Basic YTpi")], vec![]).await;
    assert_eq!(basic.status, StatusCode::UNAUTHORIZED);
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        world.get(&Who::Nobody, path).await.expect(StatusCode::OK);
    }
}

/// Every verb of every kind, and every subresource, is closed to nobody, to wrong credentials and to a person
/// without rights.
#[tokio::test]
async fn no_path_is_open_without_rights() {
    let world = World::new().await;
    let carol = world.person("carol@example.org").await;
    let wrong = Who::Token("wrong".into());
    let mut tried = 0;
    for kind in kinds::kinds() {
        let root = match kind.group {
            "" => format!("/api/{}", kind.version),
            group => format!("/apis/{group}/{}", kind.version),
        };
        let place = if kind.namespaced { format!("{root}/namespaces/default") } else { root };
        let collection = format!("{place}/{}", kind.plural);
        let own = kind.verbs.iter().map(|verb| (*verb, String::new()));
        let below = kind.subresources.iter().flat_map(|subresource| {
            subresource.verbs.iter().map(move |verb| (*verb, format!("/{}", subresource.name)))
        });
        for (verb, below) in own.chain(below) {
            let named = !matches!(verb, "list" | "watch" | "deletecollection")
                && (verb != "create" || !below.is_empty());
            let method = match verb {
                "create" => Method::POST,
                "update" => Method::PUT,
                "patch" => Method::PATCH,
                "delete" | "deletecollection" => Method::DELETE,
                _ => Method::GET,
            };
            let path = if named { format!("{collection}/x{below}") } else { collection.clone() };
            let path = if verb == "watch" { format!("{path}?watch=true") } else { path };
            let send = |who: Who| {
                let (method, path, world) = (method.clone(), path.clone(), &world);
                async move { world.send(&who, method, &path, &[], b"{}".to_vec()).await.status }
            };
            assert_eq!(send(Who::Nobody).await, StatusCode::FORBIDDEN, "{verb} {path}");
            assert_eq!(send(wrong.clone()).await, StatusCode::UNAUTHORIZED, "{verb} {path}");
            // Everybody who is somebody may ask about themselves.
            let about_self = kind.plural.starts_with("selfsubject");
            if !about_self {
                assert_eq!(send(carol.clone()).await, StatusCode::FORBIDDEN, "{verb} {path}");
            }
            tried += 1;
        }
    }
    assert!(tried > 150, "only {tried} paths were tried");
    assert!(kinds::kinds().iter().any(|kind| matches!(kind.role, Role::Review(_))));
}

#[tokio::test]
async fn nobody_grants_more_than_they_hold() {
    let world = World::new().await;
    let bob = world.person("bob@example.org").await;
    world.bind("bob@example.org", "admin", "default").await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    let role = |name: &str, resource: &str, group: &str| json!({"metadata": {"name": name}, "rules": [{"apiGroups": [group], "resources": [resource], "verbs": ["get", "list"]}]});
    world.post(&bob, roles, &role("held", "pods", "")).await.expect(StatusCode::CREATED);
    let beyond = world.post(&bob, roles, &role("beyond", "nodes", "")).await;
    let dry = world.post(&bob, &format!("{roles}?dryRun=All"), &role("beyond", "nodes", "")).await;
    assert_eq!(beyond.said(), dry.said());
    let by_put =
        world.json(&bob, Method::PUT, &format!("{roles}/beyond"), &role("beyond", "nodes", "")).await;
    assert_eq!(beyond.said(), by_put.said());
    let binding = |role: &str, kind: &str| {
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": kind, "name": role, "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "User", "name": "mallory"}]})
    };
    let climbs = world.post(&bob, bindings, &binding("cluster-admin", "ClusterRole")).await;
    let missing = world.post(&bob, bindings, &binding("missing", "Role")).await;
    world.post(&bob, bindings, &binding("held", "Role")).await.expect(StatusCode::CREATED);
    let relinked = world.json(&bob, Method::PUT, &format!("{bindings}/b"), &binding("beyond", "Role")).await;
    let said = [beyond.said(), climbs.said(), missing.said(), relinked.said()].join("\n\n");
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn aggregated_roles_follow_the_roles_that_they_select() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let selected = |resource: &str| {
        json!({"metadata": {"name": "part", "labels": {"part": "yes"}},
            "rules": [{"apiGroups": ["acme.io"], "resources": [resource], "verbs": ["get"]}]})
    };
    let whole = json!({"metadata": {"name": "whole"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}});
    world.post(&administrator, roles, &whole).await.expect(StatusCode::CREATED);
    world.post(&administrator, roles, &selected("things")).await.expect(StatusCode::CREATED);
    let rules = || async {
        world.get(&administrator, &format!("{roles}/whole")).await.expect(StatusCode::OK)["rules"].clone()
    };
    assert_eq!(rules().await, json!([{"apiGroups": ["acme.io"], "resources": ["things"], "verbs": ["get"]}]));
    let changed = selected("others");
    world.json(&administrator, Method::PUT, &format!("{roles}/part"), &changed).await.expect(StatusCode::OK);
    assert_eq!(rules().await[0]["resources"], json!(["others"]));
    world
        .send(&administrator, Method::DELETE, &format!("{roles}/part"), &[], vec![])
        .await
        .expect(StatusCode::OK);
    assert_eq!(rules().await, json!([]));
}

#[tokio::test]
async fn impersonation_is_decided_part_by_part() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let carol = world.person("carol@example.org").await;
    let whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let send = |who: Who, headers: Vec<(&'static str, &'static str)>| {
        let world = &world;
        async move {
            let headers = [headers, vec![("content-type", "application/json")]].concat();
            world.send(&who, Method::POST, whoami, &headers, b"{}".to_vec()).await
        }
    };
    let answer = send(
        administrator.clone(),
        vec![
            ("impersonate-user", "alice"),
            ("impersonate-group", "g1"),
            ("impersonate-group", "g2"),
            ("impersonate-uid", "u"),
            ("impersonate-extra-acme.com%2fproject", "p"),
        ],
    )
    .await;
    insta::assert_json_snapshot!(plain(answer.expect(StatusCode::CREATED)));
    assert_eq!(
        send(carol, vec![("impersonate-user", "alice")]).await.said(),
        "403 Forbidden: users \"alice\" is forbidden: User \"carol@example.org\" cannot impersonate resource \
         \"users\" in API group \"\" at the cluster scope: no binding grants it; a binding to ClusterRole \
         \"cluster-admin\" would"
    );
    let groups_alone = send(administrator, vec![("impersonate-group", "g")]).await;
    assert_eq!(groups_alone.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(groups_alone.text, "requested [{Group  g    }] without impersonating a user");
}

#[tokio::test]
async fn admin_groups_count_while_azure_rbac_is_off() {
    let world = World::new().await;
    let dora = world.user("dora@example.org").await;
    let group = world.group("admins", &[dora]).await;
    let who = world.token(dora).await;
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::FORBIDDEN);
    let change = |azure_rbac, groups: Vec<_>| app::resource_manager::clusters::NewCluster {
        directory: Some(app::resource_manager::clusters::DirectoryAccess {
            azure_rbac,
            admin_groups: groups,
        }),
        ..app::resource_manager::clusters::NewCluster::new(domain::cluster::Serving::Embedded, "local")
    };
    let name = world.name();
    let put = |new| world.app.resource_manager().put_cluster(&world.home.admin, &name, new);
    put(change(false, vec![group])).await.unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::OK);
    world.app.directory().remove_member(&world.home.admin, group, dora).await.unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::FORBIDDEN);
    world.app.directory().add_member(&world.home.admin, group, dora).await.unwrap();
    put(change(true, vec![group])).await.unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_revoked_session_and_a_disabled_person_are_refused_at_once() {
    let world = World::new().await;
    let eve = world.user("eve@example.org").await;
    world.bind("eve@example.org", "view", "default").await;
    let who = world.token(eve).await;
    let pods = "/api/v1/namespaces/default/pods";
    world.get(&who, pods).await.expect(StatusCode::OK);
    world.app.directory().revoke_sessions(&world.home.admin, eve).await.unwrap();
    world.get(&who, pods).await.expect(StatusCode::UNAUTHORIZED);
    let again = world.token(eve).await;
    world.get(&again, pods).await.expect(StatusCode::OK);
    let disabled = app::directory::users::UserUpdate { enabled: Some(false), ..Default::default() };
    world.app.directory().update_user(&world.home.admin, eve, disabled).await.unwrap();
    world.get(&again, pods).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn administrator_certificates_end_by_revocation_time_and_rotation() {
    let world = World::new().await;
    let (who, serial) = world.administrator().await;
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::OK);
    world
        .app
        .resource_manager()
        .revoke_admin_certificate(&world.home.admin, &world.name(), &serial)
        .await
        .unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::UNAUTHORIZED);
    let (rotated, _) = world.administrator().await;
    world.app.resource_manager().rotate_cluster_certificates(&world.home.admin, &world.name()).await.unwrap();
    world.get(&rotated, "/api/v1/nodes").await.expect(StatusCode::UNAUTHORIZED);
    let (late, _) = world.administrator().await;
    world.clock.advance(jiff::SignedDuration::from_hours(9));
    world.get(&late, "/api/v1/nodes").await.expect(StatusCode::UNAUTHORIZED);
}

/// A record of before the member that names the session.
#[tokio::test]
async fn an_older_administrator_certificate_opens_until_its_person_is_signed_out() {
    let world = World::new().await;
    let (who, serial) = world.administrator().await;
    let snapshot = world.app.whole_snapshot();
    let record = snapshot.admin_certificate(world.cluster.id, &serial).unwrap();
    let mut stored = serde_json::to_value(&**record).unwrap();
    stored.as_object_mut().unwrap().remove("session").unwrap();
    let older = domain::change::Record::AdminCertificate(serde_json::from_value(stored).unwrap());
    world.app.whole_state().transact(|tx| tx.put(&older)).await.unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::OK);
    world.app.directory().revoke_sessions(&world.home.admin, world.home.admin.object_id).await.unwrap();
    world.get(&who, "/api/v1/nodes").await.expect(StatusCode::UNAUTHORIZED);
}

/// What a token began is not finished after its session was ended: nothing outlives a signing out by having begun before.
#[tokio::test]
async fn nothing_is_issued_to_somebody_who_was_signed_out_meanwhile() {
    let world = World::new().await;
    world.app.directory().revoke_sessions(&world.home.admin, world.home.admin.object_id).await.unwrap();
    let late = world.app.resource_manager().issue_admin_certificate(&world.home.admin, &world.name()).await;
    assert!(matches!(late, Err(app::Error::Unauthenticated(_))), "{late:?}");
}

#[tokio::test]
async fn a_stale_state_allows_nothing() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    world.app.whole_state().mark_stale();
    let answer = world.get(&administrator, "/api/v1/nodes").await;
    assert_eq!(answer.said(), "503 ServiceUnavailable: the state is stale: nothing is allowed");
    world.get(&Who::Nobody, "/healthz").await.expect(StatusCode::SERVICE_UNAVAILABLE);
}
