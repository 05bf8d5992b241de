//! Tokens for registered applications, trading them on behalf of people, and what people have agreed to.

use serde_json::json;

use super::{
    shop::{SCOPE, Shop},
    world::{BASE, CLI, CLUSTER, PASSWORD, claims, text},
};

#[tokio::test]
async fn an_application_is_asked_for_by_any_of_its_names_and_opens_nothing_else() {
    let shop = Shop::new().await;
    let id = shop.own.app_id;
    for scope in ["api://shop/.default", &format!("api://{id}/user_impersonation"), &format!("{id}/.default")]
    {
        let tokens = shop.world.tokens(&format!("openid {scope}")).await;
        let token = text(&tokens, "access_token");
        assert_eq!(claims(token)["aud"], id.to_string(), "{scope}");
        assert!(shop.world.app.sign_in().verify_management_token(token).is_err());
        assert!(shop.world.app.sign_in().verify_cluster_token(token).is_err());
    }
    let fields = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", "alice@example.org"),
        ("password", PASSWORD),
        ("scope", "api://other/.default"),
    ];
    shop.world.token(&fields).await.fails(400, "invalid_resource", 500_011);
}

#[tokio::test]
async fn a_persons_token_is_traded_for_what_the_person_has_agreed_to() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let hers = world.tokens("api://shop/.default").await;
    let hers = text(&hers, "access_token");
    let refused = shop.trade(hers, SCOPE).await;
    refused.fails(400, "invalid_grant", 65_001);
    assert_eq!(refused.json()["suberror"], "consent_required");
    shop.agree(SCOPE).await;
    let traded = shop.trade(hers, SCOPE).await.ok();
    let token = text(&traded, "access_token");
    let caller = world.app.sign_in().verify_management_token(token).unwrap();
    assert_eq!((caller.object_id, caller.app_id), (world.alice, shop.own.app_id));
    assert_eq!(claims(token)["azpacr"], "1");
    assert!(traded["refresh_token"].is_string());
    // Agreed to for one service is not agreed to for another.
    shop.trade(hers, &format!("{CLUSTER}/.default")).await.fails(400, "invalid_grant", 65_001);
    world.app.directory().revoke_sessions(&world.home.admin, world.alice).await.unwrap();
    shop.trade(hers, SCOPE).await.fails(400, "invalid_grant", 50_173);
}

#[tokio::test]
async fn only_a_persons_token_for_the_very_application_is_traded() {
    let shop = Shop::new().await;
    shop.agree(SCOPE).await;
    let world = &shop.world;
    let for_others = world.tokens(SCOPE).await;
    shop.trade(text(&for_others, "access_token"), SCOPE).await.fails(400, "invalid_grant", 50_013);
    let own = [
        ("grant_type", "client_credentials"),
        ("client_id", &shop.own.app_id.to_string()),
        ("client_secret", &shop.own.secret),
        ("scope", "api://shop/.default"),
    ];
    let own = world.token(&own).await.ok();
    shop.trade(text(&own, "access_token"), SCOPE).await.fails(400, "invalid_grant", 50_013);
    for garbage in ["x", "a.b.c", &"e".repeat(60_000)] {
        shop.trade(garbage, SCOPE).await.fails(400, "invalid_grant", 50_013);
    }
    let hers = world.tokens("api://shop/.default").await;
    let hers = text(&hers, "access_token");
    world.advance(2 * 3600);
    shop.trade(hers, SCOPE).await.fails(400, "invalid_grant", 70_008);
    let without = |leave: &'static str| {
        let id = shop.own.app_id.to_string();
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("requested_token_use", "on_behalf_of".to_owned()),
            ("client_id", id),
            ("client_secret", shop.own.secret.clone()),
            ("assertion", hers.to_owned()),
            ("scope", SCOPE.to_owned()),
        ];
        fields.into_iter().filter(move |(name, _)| *name != leave).collect::<Vec<_>>()
    };
    for (leave, status, error, number) in [
        ("requested_token_use", 400, "invalid_request", 900_144),
        ("assertion", 400, "invalid_request", 900_144),
        ("scope", 400, "invalid_request", 900_144),
        ("client_secret", 401, "invalid_client", 7_000_218),
    ] {
        let fields = without(leave);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.token(&fields).await.fails(status, error, number);
    }
}

/// A refresh token of a client that was let do one thing does not lead to another.
#[tokio::test]
async fn a_refresh_token_of_a_foreign_client_stays_with_what_was_agreed() {
    let shop = Shop::new().await;
    let world = &shop.world;
    shop.agree(SCOPE).await;
    let hers = world.tokens("api://shop/.default").await;
    let traded = shop.trade(text(&hers, "access_token"), SCOPE).await.ok();
    let refresh = async |token: &str, scope: &str| world.refresh(&shop.own, token, scope).await;
    let token = text(&traded, "refresh_token");
    refresh(token, &format!("{CLUSTER}/.default")).await.fails(400, "invalid_grant", 65_001);
    // The token was not used up by that.
    let again = refresh(token, &format!("{BASE}//.default")).await.ok();
    assert_eq!(claims(text(&again, "access_token"))["aud"], json!(format!("{BASE}/")));
}
