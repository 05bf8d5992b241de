//! What clients read before they sign in: discovery, keys and their rotation, realms.

use http::StatusCode;
use serde_json::json;

use super::world::{BASE, World, text};

#[tokio::test]
async fn discovery_names_the_endpoints_of_the_tenant() {
    let world = World::new().await;
    let tenant = world.home.id;
    for segment in [tenant.to_string(), "example.org".into(), "EXAMPLE.org".into()] {
        let document = world.get(&format!("/{segment}/v2.0/.well-known/openid-configuration")).await.ok();
        assert_eq!(document["issuer"], format!("{BASE}/{tenant}/v2.0"));
        assert_eq!(document["token_endpoint"], format!("{BASE}/{tenant}/oauth2/v2.0/token"));
        assert_eq!(document["authorization_endpoint"], format!("{BASE}/{tenant}/oauth2/v2.0/authorize"));
        assert_eq!(
            document["device_authorization_endpoint"],
            format!("{BASE}/{tenant}/oauth2/v2.0/devicecode")
        );
        assert_eq!(document["jwks_uri"], format!("{BASE}/{tenant}/discovery/v2.0/keys"));
    }
    let document = world.get(&format!("/{tenant}/.well-known/openid-configuration")).await.ok();
    assert_eq!(document["issuer"], format!("{BASE}/{tenant}/"));
    assert_eq!(document["token_endpoint"], format!("{BASE}/{tenant}/oauth2/token"));
    for alias in ["common", "organizations"] {
        let document = world.get(&format!("/{alias}/v2.0/.well-known/openid-configuration")).await.ok();
        assert_eq!(document["issuer"], format!("{BASE}/{{tenantid}}/v2.0"));
        assert_eq!(document["token_endpoint"], format!("{BASE}/{alias}/oauth2/v2.0/token"));
    }
}

#[tokio::test]
async fn every_endpoint_that_discovery_names_is_served() {
    let world = World::new().await;
    for version in ["v2.0/", ""] {
        let document =
            world.get(&format!("/{}/{version}.well-known/openid-configuration", world.home.id)).await.ok();
        for (name, value) in document.as_object().unwrap() {
            let Some(url) = value
                .as_str()
                .filter(|url| name.ends_with("_endpoint") || (name == "jwks_uri" && !url.is_empty()))
            else {
                continue;
            };
            let path = url.strip_prefix(BASE).unwrap_or_else(|| panic!("{name}: {url}"));
            let (get, post) = (world.get(path).await, world.post(path, &[]).await);
            assert!(
                get.status != StatusCode::NOT_FOUND && post.status != StatusCode::NOT_FOUND,
                "{name}: {url}"
            );
        }
    }
}

#[tokio::test]
async fn unknown_tenants_are_refused_in_the_shape_of_entra() {
    let world = World::new().await;
    for segment in
        ["elsewhere.example", "consumers", "8f0c8bcd-3b0c-4d0e-a5b5-6cf3b1f0f4ab", "a%00b", "%E2%80%AE"]
    {
        let answer = world.get(&format!("/{segment}/v2.0/.well-known/openid-configuration")).await;
        answer.fails(400, "invalid_tenant", 90002);
    }
}

#[tokio::test]
async fn instance_discovery_knows_this_host_alone() {
    let world = World::new().await;
    let path = "/common/discovery/instance?api-version=1.1&authorization_endpoint=";
    let found = world.get(&format!("{path}{BASE}/{}/oauth2/v2.0/authorize", world.home.id)).await.ok();
    let document = text(&found, "tenant_discovery_endpoint").strip_prefix(BASE).unwrap().to_owned();
    assert_eq!(world.get(&document).await.status, StatusCode::OK);
    assert_eq!(found["metadata"][0]["aliases"], json!(["localhost:8443"]));
    for foreign in
        ["https://evil.example/common/oauth2/v2.0/authorize", "https://localhost:8443.evil.example/common"]
    {
        world.get(&format!("{path}{foreign}")).await.fails(400, "invalid_instance", 50049);
    }
}

#[tokio::test]
async fn every_name_gets_the_same_realm() {
    let world = World::new().await;
    let realm = world.get("/common/userrealm/alice@example.org?api-version=1.0").await.ok();
    assert_eq!((&realm["account_type"], &realm["ver"]), (&json!("Managed"), &json!("1.0")));
    assert_eq!(world.get("/common/userrealm/nobody@example.org?api-version=1.0").await.ok(), realm);
}

#[tokio::test]
async fn keys_rotate_without_refusing_tokens_that_are_valid() {
    let world = World::new().await;
    let path = format!("/{}/discovery/v2.0/keys", world.home.id);
    let kids = |document: &serde_json::Value| -> Vec<String> {
        document["keys"].as_array().unwrap().iter().map(|key| text(key, "kid").to_owned()).collect()
    };
    let before = kids(&world.get(&path).await.ok());
    assert_eq!(before.len(), 1);
    let old = world.tokens(super::world::SCOPE).await;
    let new_kid = world.app.sign_in().rotate_signing_keys(&world.home.admin).await.unwrap();
    let during = world.get(&path).await;
    assert!(!during.text.contains("sealed"), "{}", during.text);
    let during = kids(&during.ok());
    // The old key, the new one, and the one after it, which nobody shall meet unprepared.
    assert!(during.contains(&new_kid) && during.contains(&before[0]) && during.len() == 3, "{during:?}");
    let new = world.tokens(super::world::SCOPE).await;
    for tokens in [&old, &new] {
        assert!(world.app.sign_in().verify_management_token(text(tokens, "access_token")).is_ok());
    }
    // After the last token of the old key has ended, the key goes.
    world.advance(26 * 3600);
    let after = kids(&world.get(&path).await.ok());
    assert!(after.contains(&new_kid) && !after.contains(&before[0]) && after.len() == 2, "{after:?}");
    // The next rotation takes the key that was published ahead.
    let next = world.app.sign_in().rotate_signing_keys(&world.home.admin).await.unwrap();
    assert!(after.contains(&next) && next != new_kid);
}

#[tokio::test]
async fn keys_rotate_by_themselves_when_they_have_served_their_time() {
    let world = World::new().await;
    let signs = || {
        let now = world.app.now();
        let snapshot = world.app.whole_snapshot();
        snapshot
            .signing_keys()
            .filter(|key| key.may_sign(now))
            .map(|key| key.key.kid.clone())
            .collect::<Vec<_>>()
    };
    let first = signs();
    world.app.sign_in().tend_signing_keys().await.unwrap();
    assert_eq!((signs(), world.app.whole_snapshot().signing_keys().count()), (first.clone(), 2));
    world.app.sign_in().tend_signing_keys().await.unwrap();
    assert_eq!(world.app.whole_snapshot().signing_keys().count(), 2);
    world.advance(91 * 24 * 3600);
    world.app.sign_in().tend_signing_keys().await.unwrap();
    let second = signs();
    assert!(second.len() == 1 && second != first, "{second:?}");
    world.advance(26 * 3600);
    world.app.sign_in().tend_signing_keys().await.unwrap();
    assert!(world.app.whole_snapshot().signing_key(&first[0]).is_none());
}

/// A grant is looked at before its tokens are made; in between, its person may be signed out.
#[tokio::test]
async fn no_token_is_issued_in_a_session_that_was_ended_meanwhile() {
    let world = World::new().await;
    let request = |session| app::sign_in::tokens::TokenRequest {
        tenant: world.home.id,
        subject: world.alice,
        client: domain::id::AppId::parse(super::world::CLI).unwrap(),
        client_proof: app::sign_in::tokens::claims::ClientProof::None,
        resource: app::directory::audience::Resource::Cluster,
        version: app::sign_in::tokens::Version::V2,
        session,
        methods: vec![],
    };
    let before = world.signed_in("alice@example.org").await.stamp;
    world.app.sign_in().issue_access_token(&request(before)).await.unwrap();
    world.app.directory().revoke_sessions(&world.home.admin, world.alice).await.unwrap();
    let late = world.app.sign_in().issue_access_token(&request(before)).await;
    assert!(matches!(late, Err(app::Error::Unauthenticated(_))), "{late:?}");
    let after = world.signed_in("alice@example.org").await.stamp;
    world.app.sign_in().issue_access_token(&request(after)).await.unwrap();
}

#[tokio::test]
async fn keys_that_are_revoked_are_refused_and_published_no_more_at_once() {
    let world = World::new().await;
    let path = format!("/{}/discovery/v2.0/keys", world.home.id);
    let kids = |document: &serde_json::Value| -> Vec<String> {
        document["keys"].as_array().unwrap().iter().map(|key| text(key, "kid").to_owned()).collect()
    };
    world.app.sign_in().rotate_signing_keys(&world.home.admin).await.unwrap();
    let scope = format!("{} openid offline_access", super::world::SCOPE);
    let old = world.tokens(&scope).await;
    let id_token = text(&old, "id_token");
    assert!(world.app.sign_in().read_id_token_hint(id_token).is_some());
    let before = kids(&world.get(&path).await.ok());
    let kid = world.app.sign_in().revoke_signing_keys(&world.home.admin).await.unwrap();
    let after = kids(&world.get(&path).await.ok());
    // The new one and the one after it: what was published ahead lay beside the others.
    assert!(after.len() == 2 && after.contains(&kid), "{after:?}");
    assert!(after.iter().all(|kid| !before.contains(kid)), "{before:?} {after:?}");
    assert_eq!(
        world.app.sign_in().verify_management_token(text(&old, "access_token")),
        Err(app::sign_in::tokens::Rejection::UnknownKey)
    );
    assert!(world.app.sign_in().read_id_token_hint(id_token).is_none());
    // People need not sign in again.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", super::world::CLI),
        ("refresh_token", text(&old, "refresh_token")),
        ("scope", super::world::SCOPE),
    ];
    let new = world.token(&form).await.ok();
    assert!(world.app.sign_in().verify_management_token(text(&new, "access_token")).is_ok());
    // The next rotation is a usual one.
    let next = world.app.sign_in().rotate_signing_keys(&world.home.admin).await.unwrap();
    assert!(after.contains(&next) && next != kid);
    assert!(world.app.sign_in().verify_management_token(text(&new, "access_token")).is_ok());
}

#[tokio::test]
async fn only_administrators_rotate_keys() {
    let world = World::new().await;
    let alice = app::Caller { object_id: world.alice, ..world.home.admin.clone() };
    assert!(matches!(world.app.sign_in().revoke_signing_keys(&alice).await, Err(app::Error::Forbidden(_))));
    assert!(matches!(world.app.sign_in().rotate_signing_keys(&alice).await, Err(app::Error::Forbidden(_))));
}
