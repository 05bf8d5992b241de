//! What ends consent, and what consent is about: principals, not their names.

use std::collections::BTreeSet;

use app::{directory::applications::ApplicationUpdate, state::Cold};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    shop::{Registered, SCOPE, Shop},
    world::{BASE, CLUSTER, World, claims, encode, text},
};

/// Consent as earlier releases kept it.
#[derive(Debug, Serialize, Deserialize)]
struct Earlier {
    scopes: BTreeSet<String>,
}

impl Cold for Earlier {
    const KIND: &'static str = "consent";

    fn expires(&self) -> Option<jiff::Timestamp> {
        None
    }
}

impl World {
    async fn let_everybody(&self, client: &Registered, resource: &str) {
        self.app
            .sign_in()
            .consent_for_all(&self.home.admin, client.app_id, resource, &[".default"])
            .await
            .unwrap();
    }

    /// Alice's token for a client, by which it acts for her.
    async fn hers(&self, client: &Registered) -> String {
        text(&self.tokens(&format!("{}/.default", client.app_id)).await, "access_token").to_owned()
    }

    async fn written(&self) -> u64 {
        self.app.whole_state().store().status().await.unwrap().revision.0
    }
}

#[tokio::test]
async fn consent_that_is_taken_back_ends_what_was_got_under_it() {
    let shop = Shop::new().await;
    let world = &shop.world;
    world.let_everybody(&shop.own, BASE).await;
    let hers = world.hers(&shop.own).await;
    let traded = shop.trade(&hers, SCOPE).await.ok();
    let next = world.refresh(&shop.own, text(&traded, "refresh_token"), SCOPE).await.ok();
    world.app.sign_in().withdraw_consent_for_all(&world.home.admin, shop.own.app_id).await.unwrap();
    let token = text(&next, "refresh_token");
    for scope in [SCOPE, "", "openid https://management.azure.com/.default"] {
        world.refresh(&shop.own, token, scope).await.fails(400, "invalid_grant", 65_001);
    }
    shop.trade(&hers, SCOPE).await.fails(400, "invalid_grant", 65_001);
    // What she agrees to herself is hers, and the token was not used up.
    shop.agree(SCOPE).await;
    world.refresh(&shop.own, token, SCOPE).await.ok();
}

#[tokio::test]
async fn a_service_made_again_under_its_name_is_asked_about_again() {
    const PAYROLL: &str = "api://payroll/.default offline_access";
    let shop = Shop::new().await;
    let world = &shop.world;
    let payroll = world.register("payroll", &["api://payroll"]).await;
    shop.agree(PAYROLL).await;
    world.let_everybody(&shop.own, "api://payroll").await;
    let hers = world.hers(&shop.own).await;
    let traded = shop.trade(&hers, PAYROLL).await.ok();
    let token = text(&traded, "refresh_token");
    world.app.directory().delete_application(&world.home.admin, payroll.id).await.unwrap();
    world.refresh(&shop.own, token, PAYROLL).await.fails(400, "invalid_resource", 500_011);
    let next = world.register("payroll", &["api://payroll"]).await;
    for scope in [PAYROLL, ""] {
        world.refresh(&shop.own, token, scope).await.fails(400, "invalid_grant", 65_001);
    }
    shop.trade(&hers, PAYROLL).await.fails(400, "invalid_grant", 65_001);
    assert!(world.asks(&shop.own, PAYROLL).await);
    assert!(
        world.app.sign_in().consented_for_all(&world.home.admin, shop.own.app_id).await.unwrap().is_empty()
    );
    shop.agree(PAYROLL).await;
    let again = world.refresh(&shop.own, token, PAYROLL).await.ok();
    assert_eq!(claims(text(&again, "access_token"))["aud"], next.app_id.to_string());
    // Without a principal there is nothing to reach, whoever has agreed.
    world.app.directory().delete_service_principal(&world.home.admin, next.principal).await.unwrap();
    shop.trade(&hers, PAYROLL).await.fails(400, "invalid_resource", 500_011);
}

#[tokio::test]
async fn a_client_without_its_principal_has_nothing_and_inherits_nothing_when_it_has_one_again() {
    let shop = Shop::new().await;
    let (world, own) = (&shop.world, &shop.own);
    shop.agree(SCOPE).await;
    world.let_everybody(own, CLUSTER).await;
    let hers = world.hers(own).await;
    let traded = shop.trade(&hers, SCOPE).await.ok();
    let (access, refresh) = (text(&traded, "access_token"), text(&traded, "refresh_token"));
    let public = ApplicationUpdate { public_client: Some(true), ..Default::default() };
    world.app.directory().update_application(&world.home.admin, own.id, public).await.unwrap();
    let authorize = format!(
        "/common/oauth2/v2.0/authorize?client_id={}&response_type=code&redirect_uri={}",
        own.app_id,
        encode("https://shop.example/answer")
    );
    let device = [("client_id", own.app_id.to_string()), ("scope", "openid".to_owned())];
    let device = device.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = async |number: u32, status: u16| {
        assert!(world.app.sign_in().verify_management_token(access).is_err());
        world.refresh(own, refresh, SCOPE).await.fails(401, "unauthorized_client", number);
        shop.trade(&hers, SCOPE).await.fails(401, "unauthorized_client", number);
        let answer = world.get(&authorize).await;
        assert!(answer.status.is_client_error(), "{}", answer.text);
        let started = world.post("/common/oauth2/v2.0/devicecode", &device).await;
        assert_eq!(started.status.as_u16(), status, "{}", started.text);
    };
    world.app.sign_in().verify_management_token(access).unwrap();
    world
        .app
        .directory()
        .set_service_principal_enabled(&world.home.admin, own.principal, false)
        .await
        .unwrap();
    refused(7_000_112, 401).await;
    world.app.directory().delete_service_principal(&world.home.admin, own.principal).await.unwrap();
    refused(7_000_229, 400).await;
    world.app.directory().create_service_principal(&world.home.admin, own.app_id).await.unwrap();
    assert!(world.app.sign_in().verify_management_token(access).is_err());
    world.refresh(own, refresh, SCOPE).await.fails(400, "invalid_grant", 65_001);
    let fresh = world.hers(own).await;
    for scope in [SCOPE, &format!("{CLUSTER}/.default")] {
        shop.trade(&fresh, scope).await.fails(400, "invalid_grant", 65_001);
    }
    assert!(world.asks(own, SCOPE).await);
    assert!(world.app.sign_in().consented_for_all(&world.home.admin, own.app_id).await.unwrap().is_empty());
    // What is part of the installation has no principal and needs none.
    world.app.sign_in().verify_management_token(text(&world.tokens(SCOPE).await, "access_token")).unwrap();
}

#[tokio::test]
async fn only_scopes_that_a_service_has_are_asked_for() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let api = json!({"oauth2PermissionScopes": [
        {"value": "orders.read"}, {"value": "orders.write", "isEnabled": false}]});
    let update =
        ApplicationUpdate { other: [("api".to_owned(), api)].into_iter().collect(), ..Default::default() };
    world.app.directory().update_application(&world.home.admin, shop.own.id, update).await.unwrap();
    let device = async |scope: &str| {
        let fields = [("client_id", super::world::AZ), ("scope", scope)];
        world.post("/common/oauth2/v2.0/devicecode", &fields).await
    };
    let id = shop.own.app_id;
    for good in
        ["api://shop/orders.read", &format!("{id}/orders.read"), "User.Read", &format!("{BASE}/user.read")]
    {
        device(good).await.ok();
    }
    let long = format!("{id}/{}", "f".repeat(1900));
    for wrong in
        ["api://shop/orders.write", "api://shop/x", &long, &format!("{CLUSTER}/x"), &format!("{BASE}/x")]
    {
        device(wrong).await.fails(400, "invalid_scope", 70_011);
    }
    let path = format!(
        "/common/oauth2/v2.0/authorize?client_id={id}&response_type=code&redirect_uri={}&scope={}",
        encode("https://shop.example/answer"),
        encode("openid api://shop/x")
    );
    let answer = world.get(&path).await.redirected("https://shop.example/answer");
    assert_eq!(answer.find("error").unwrap(), Some("invalid_client"));
    assert!(answer.find("error_description").unwrap().unwrap().starts_with("AADSTS650053: "));
    let several =
        world.app.sign_in().consent_for_all(&world.home.admin, id, "api://shop", &["orders.read", "x"]).await;
    assert!(several.is_err());
}

/// Consent is for services: whoever agrees to one in many words, or again and again, makes nothing grow.
#[tokio::test]
async fn agreeing_again_writes_nothing() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let signed_in = world.signed_in("alice@example.org").await;
    let scope = format!("openid {BASE}/.default");
    world.app.sign_in().remember_consent(&signed_in, shop.own.app_id, &scope).await.unwrap();
    let before = world.written().await;
    for scope in
        [scope.as_str(), "User.Read Group.Read.All", "https://graph.microsoft.com/user_impersonation"]
    {
        world.app.sign_in().remember_consent(&signed_in, shop.own.app_id, scope).await.unwrap();
    }
    assert_eq!(world.written().await, before);
    assert!(!world.asks(&shop.own, "openid Group.Read.All").await);
    assert!(world.asks(&shop.own, "openid offline_access").await);
}

/// Consent of a store that an earlier release wrote counts where it names one thing for good.
#[tokio::test]
async fn earlier_consent_is_taken_over_where_it_names_one_thing() {
    let shop = Shop::new().await;
    let (world, own) = (&shop.world, &shop.own);
    let payroll = world.register("payroll", &["api://payroll"]).await;
    let earlier =
        |scopes: &[&str]| Earlier { scopes: scopes.iter().map(|each| (*each).to_owned()).collect() };
    let mine = earlier(&["openid", "offline_access", SCOPE, "api://payroll/.default"]);
    let by_id = format!("{}/anything", payroll.app_id);
    let graph = "00000003-0000-0000-c000-000000000000/User.Read";
    let of_all = earlier(&[&by_id, graph]);
    let gone = earlier(&["openid"]);
    for (id, record) in [
        (format!("{}/{}", world.alice, own.app_id), mine),
        (format!("all-of-{}/{}", world.home.id, own.app_id), of_all),
        (format!("{}/{}", world.alice, world.alice), gone),
    ] {
        world.app.whole_state().create_cold(&id, &record).await.unwrap();
    }
    assert!(!world.asks(own, &format!("openid offline_access {BASE}/.default")).await);
    assert!(!world.asks(own, &format!("{}/.default", payroll.app_id)).await);
    assert!(world.asks(own, &format!("{CLUSTER}/.default")).await);
    let scopes = world.app.sign_in().consented_for_all(&world.home.admin, own.app_id).await.unwrap();
    assert_eq!(scopes.into_iter().collect::<BTreeSet<_>>(), [by_id, graph.to_owned()].into());
    assert!(world.app.whole_state().list_cold::<Earlier>(None, 10).await.unwrap().is_empty());
    let only_by_name = world.register("other", &[]).await;
    assert!(world.asks(&only_by_name, "api://payroll/.default").await);
}

/// Consent of who is gone is forgotten.
#[tokio::test]
async fn consent_goes_with_person_and_client() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let other = world.register("other", &[]).await;
    for client in [&shop.own, &other] {
        world.agree(client, SCOPE).await;
        world.let_everybody(client, BASE).await;
    }
    let kept = async || {
        let all = world.app.whole_state().list_cold::<Kept>(None, 10).await.unwrap();
        all.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    world.app.clean_up().await.unwrap();
    assert_eq!(kept().await.len(), 4);
    world.app.directory().delete_service_principal(&world.home.admin, other.principal).await.unwrap();
    world.app.clean_up().await.unwrap();
    assert_eq!(kept().await.len(), 2);
    world.app.directory().delete_user(&world.home.admin, world.alice).await.unwrap();
    world.app.clean_up().await.unwrap();
    assert_eq!(kept().await, [format!("all-of-{}/{}", world.home.id, shop.own.principal)]);
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {}

impl Cold for Kept {
    const KIND: &'static str = "permission-grant";

    fn expires(&self) -> Option<jiff::Timestamp> {
        None
    }
}
