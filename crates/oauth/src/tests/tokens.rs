//! What tokens say, whom they open for, and when they stop to.

use app::{
    directory::{groups::NewGroup, users::UserUpdate},
    sign_in::tokens::Rejection,
};
use domain::name::DisplayName;
use http::{Request, header};
use serde_json::json;

use super::world::{BASE, CLI, CLUSTER, PASSWORD, SCOPE, World, claims, text};

const CLUSTER_SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default openid offline_access";

#[tokio::test]
async fn tokens_of_version_2_have_the_claims_of_entra() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], SCOPE);
    let access = claims(text(&tokens, "access_token"));
    assert_eq!(access["iss"], format!("{BASE}/{}/v2.0", world.home.id));
    assert_eq!(access["aud"], BASE);
    for (name, value) in [
        ("ver", "2.0"),
        ("azp", CLI),
        ("preferred_username", "alice@example.org"),
        ("name", "Alice Liddell"),
        ("scp", "user_impersonation"),
        ("idtyp", "user"),
    ] {
        assert_eq!(access[name], value, "{name}");
    }
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 3600);
    let id = claims(text(&tokens, "id_token"));
    assert_eq!((&id["aud"], &id["tid"]), (&json!(CLI), &json!(world.home.id.to_string())));
    assert_eq!(id["preferred_username"], "alice@example.org");
}

#[tokio::test]
async fn version_1_names_its_resource_and_writes_numbers_as_texts() {
    let world = World::new().await;
    let fields = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", "alice@example.org"),
        ("password", PASSWORD),
        ("resource", "https://management.azure.com/"),
    ];
    let tokens = world.post(&format!("/{}/oauth2/token", world.home.id), &fields).await.ok();
    assert_eq!(tokens["expires_in"], "3600");
    assert_eq!(tokens["resource"], "https://management.azure.com/");
    assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string());
    let access = claims(text(&tokens, "access_token"));
    assert_eq!(access["iss"], format!("{BASE}/{}/", world.home.id));
    assert_eq!((&access["ver"], &access["appid"]), (&json!("1.0"), &json!(CLI)));
    assert_eq!(access["unique_name"], "alice@example.org");
    assert!(world.app.sign_in().verify_management_token(text(&tokens, "access_token")).is_ok());
}

#[tokio::test]
async fn audiences_of_management_are_one_and_clusters_are_their_own() {
    let world = World::new().await;
    for scope in [
        "https://localhost:8443/.default",
        "https://localhost:8443//.default",
        "https://management.azure.com/.default",
        "https://graph.microsoft.com/User.Read",
        "00000003-0000-0000-c000-000000000000/.default",
        "User.Read",
    ] {
        let tokens = world.tokens(scope).await;
        let token = text(&tokens, "access_token");
        assert_eq!(
            world.app.sign_in().verify_management_token(token).unwrap().object_id,
            world.alice,
            "{scope}"
        );
        assert!(
            matches!(world.app.sign_in().verify_cluster_token(token), Err(Rejection::Audience(_))),
            "{scope}"
        );
    }
    let tokens = world.tokens(CLUSTER_SCOPE).await;
    let token = text(&tokens, "access_token");
    assert_eq!(claims(token)["aud"], CLUSTER);
    assert_eq!(world.app.sign_in().verify_cluster_token(token).unwrap().name, "alice@example.org");
    assert!(matches!(world.app.sign_in().verify_management_token(token), Err(Rejection::Audience(_))));
    assert!(matches!(world.app.sign_in().verify_user_info_token(token), Err(Rejection::Audience(_))));
}

#[tokio::test]
async fn an_id_token_opens_nothing() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    let id = text(&tokens, "id_token");
    assert!(world.app.sign_in().verify_management_token(id).is_err());
    assert!(world.app.sign_in().verify_cluster_token(id).is_err());
    assert!(world.app.sign_in().verify_user_info_token(id).is_err());
}

#[tokio::test]
async fn a_token_for_oneself_opens_userinfo_alone() {
    let world = World::new().await;
    let tokens = world.tokens("openid profile").await;
    let token = text(&tokens, "access_token");
    assert!(world.app.sign_in().verify_management_token(token).is_err());
    let request = Request::get("/oidc/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let info = world.send(request.body(axum::body::Body::empty()).unwrap()).await.ok();
    assert_eq!((&info["sub"], &info["given_name"]), (&json!(world.alice.to_string()), &json!("Alice")));
    let refused = world.get("/oidc/userinfo").await;
    assert_eq!(refused.status, 401);
    assert!(refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn a_token_ends_with_the_right_of_its_person_at_once() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    let token = text(&tokens, "access_token");
    assert!(world.app.sign_in().verify_management_token(token).is_ok());
    world.advance(1);
    world.app.directory().revoke_sessions(&world.home.admin, world.alice).await.unwrap();
    assert_eq!(world.app.sign_in().verify_management_token(token), Err(Rejection::Revoked(world.alice)));

    let tokens = world.tokens(SCOPE).await;
    let token = text(&tokens, "access_token");
    let update = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    assert_eq!(world.app.sign_in().verify_management_token(token), Err(Rejection::Disabled(world.alice)));
    world.app.directory().delete_user(&world.home.admin, world.alice).await.unwrap();
    assert_eq!(world.app.sign_in().verify_management_token(token), Err(Rejection::Deleted(world.alice)));
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    let token = text(&tokens, "access_token");
    world.advance(3599);
    assert!(world.app.sign_in().verify_management_token(token).is_ok());
    world.advance(120);
    assert!(matches!(world.app.sign_in().verify_management_token(token), Err(Rejection::Expired(_))));
}

/// Issued by a replica whose clock goes ahead of this one's.
#[tokio::test]
async fn a_token_may_be_a_minute_from_the_future_and_no_more() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    let token = text(&tokens, "access_token");
    world.advance(-59);
    assert!(world.app.sign_in().verify_management_token(token).is_ok());
    world.advance(-10);
    assert!(matches!(world.app.sign_in().verify_management_token(token), Err(Rejection::NotYet(_))));
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let world = World::new().await;
    let tokens = world.tokens(SCOPE).await;
    let token = text(&tokens, "access_token");
    let (header, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let mut forged = claims(token);
    forged["oid"] = json!(world.home.admin.object_id.to_string());
    let encode = |value: &serde_json::Value| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let kid = "unknown";
    let foreign = crypto::keys::SigningKey::generate().unwrap();
    let by_foreign_key = crypto::jwt::sign(&foreign, kid, &claims(token)).unwrap();
    let our_kid = world.app.whole_snapshot().signing_keys().next().unwrap().key.kid.clone();
    let under_our_name = crypto::jwt::sign(&foreign, &our_kid, &claims(token)).unwrap();
    for wrong in [
        "",
        "a.b.c",
        &token[..token.len() - 1],
        &format!("{header}.{}.{signature}", encode(&forged)),
        &format!("{}.{payload}.", encode(&json!({"alg": "none", "typ": "JWT"}))),
        &format!("{}.{payload}.{signature}", encode(&json!({"alg": "HS256", "kid": our_kid}))),
        &by_foreign_key,
        &under_our_name,
        &"x".repeat(100_000),
    ] {
        assert!(
            world.app.sign_in().verify_management_token(wrong).is_err(),
            "{}",
            &wrong[..wrong.len().min(80)]
        );
    }
}

#[tokio::test]
async fn above_two_hundred_groups_the_token_says_where_to_ask() {
    let world = World::new().await;
    let new = |name: String| NewGroup {
        display_name: DisplayName::parse(&name).unwrap(),
        mail_nickname: name,
        description: None,
    };
    for number in 0..200 {
        let group =
            world.app.directory().create_group(&world.home.admin, new(format!("g{number}"))).await.unwrap();
        world.app.directory().add_member(&world.home.admin, group.id, world.alice).await.unwrap();
    }
    let tokens = world.tokens(CLUSTER_SCOPE).await;
    let access = claims(text(&tokens, "access_token"));
    assert_eq!(access["groups"].as_array().unwrap().len(), 200);
    assert!(access.get("_claim_names").is_none());

    let group = world.app.directory().create_group(&world.home.admin, new("one-more".into())).await.unwrap();
    world.app.directory().add_member(&world.home.admin, group.id, world.alice).await.unwrap();
    let tokens = world.tokens(CLUSTER_SCOPE).await;
    let token = text(&tokens, "access_token");
    let access = claims(token);
    assert!(access.get("groups").is_none());
    let source = text(&access["_claim_names"], "groups").to_owned();
    let endpoint = text(&access["_claim_sources"][&source], "endpoint");
    assert_eq!(endpoint, format!("{BASE}/v1.0/users/{}/getMemberObjects", world.alice));
    // The cluster is told all of them all the same.
    assert_eq!(world.app.sign_in().verify_cluster_token(token).unwrap().groups.len(), 201);
}

#[tokio::test]
async fn groups_are_those_of_this_moment() {
    let world = World::new().await;
    let new = NewGroup {
        display_name: DisplayName::parse("ops").unwrap(),
        mail_nickname: "ops".into(),
        description: None,
    };
    let group = world.app.directory().create_group(&world.home.admin, new).await.unwrap().id;
    let tokens = world.tokens(CLUSTER_SCOPE).await;
    let token = text(&tokens, "access_token");
    world.app.directory().add_member(&world.home.admin, group, world.alice).await.unwrap();
    assert_eq!(world.app.sign_in().verify_cluster_token(token).unwrap().groups.to_vec(), [group.to_string()]);
    world.app.directory().remove_member(&world.home.admin, group, world.alice).await.unwrap();
    assert!(world.app.sign_in().verify_cluster_token(token).unwrap().groups.is_empty());
}

#[tokio::test]
async fn only_who_knows_the_password_is_told_that_the_account_is_disabled() {
    let world = World::new().await;
    let update = UserUpdate { enabled: Some(false), ..Default::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    for (password, number) in [("wrong", 50_126), (PASSWORD, 50_057)] {
        let fields = [
            ("grant_type", "password"),
            ("client_id", CLI),
            ("username", "alice@example.org"),
            ("password", password),
            ("scope", SCOPE),
        ];
        world.token(&fields).await.fails(400, "invalid_grant", number);
    }
}
