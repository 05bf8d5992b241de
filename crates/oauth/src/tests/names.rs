//! The names of services: what an application may claim, and whose token it is that was made for a name.

use app::directory::applications::ApplicationUpdate;
use serde_json::Value;

use super::{
    shop::{Registered, SCOPE, Shop},
    world::{CLI, CLUSTER, PASSWORD, World, claims, text},
};

async fn claim(world: &World, application: &Registered, uri: &str) -> Result<(), app::Error> {
    let update = ApplicationUpdate { identifier_uris: Some(vec![uri.to_owned()]), ..Default::default() };
    world.app.directory().update_application(&world.home.admin, application.id, update).await
}

/// Alice's token of version 1, whose audience is the name as the client wrote it.
async fn named(world: &World, resource: &str) -> Value {
    let fields = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", "alice@example.org"),
        ("password", PASSWORD),
        ("resource", resource),
    ];
    world.post(&format!("/{}/oauth2/token", world.home.id), &fields).await.ok()
}

#[tokio::test]
async fn no_application_claims_in_other_letters_what_is_anothers() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let other = world.register("other", &["api://other"]).await;
    let id = shop.own.app_id.to_string();
    let graph = "00000003-0000-0000-c000-000000000000";
    for taken in [
        format!("api://{id}"),
        format!("API://{id}"),
        format!("Api://{}/", id.to_uppercase()),
        format!("SPN:{id}"),
        "API://SHOP".to_owned(),
        "api://Shop//".to_owned(),
        format!("API://{CLUSTER}"),
        format!("SPN:{CLUSTER}/"),
        format!("API://{graph}"),
        format!("spn:{graph}"),
        "HTTPS://LOCALHOST:8443/".to_owned(),
        "HTTPS://Management.Azure.com".to_owned(),
    ] {
        assert!(claim(world, &other, &taken).await.is_err(), "{taken}");
    }
    for own in [format!("API://{}", other.app_id), "API://Other".to_owned()] {
        claim(world, &other, &own).await.unwrap();
    }
    // What is claimed is asked for by the same rule.
    for name in ["api://other", "API://OTHER/"] {
        let token = named(world, name).await;
        let token = text(&token, "access_token");
        assert_eq!(claims(token)["aud"], name);
        assert_eq!(claims(token)["xms_resource"], other.app_id.to_string());
    }
}

/// Whoever has the name of an application that is gone has none of its tokens.
#[tokio::test]
async fn a_token_is_traded_by_the_application_that_it_was_made_for_and_not_by_who_has_its_name_now() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let hers = named(world, "api://shop").await;
    let hers = text(&hers, "access_token");
    assert_eq!(claims(hers)["aud"], "api://shop");
    shop.agree(SCOPE).await;
    shop.trade(hers, SCOPE).await.ok();
    world.app.directory().delete_application(&world.home.admin, shop.own.id).await.unwrap();
    let next = world.register("shop", &["api://shop"]).await;
    world.agree(&next, SCOPE).await;
    world.trade(&next, hers, SCOPE).await.fails(400, "invalid_grant", 50_013);
    let fresh = named(world, "api://shop").await;
    world.trade(&next, text(&fresh, "access_token"), SCOPE).await.ok();
}
