//! Each grant of a person: used, used twice, late, stolen, declined, revoked.

use app::{
    directory::users::UserUpdate, sign_in::grants::code::NewCode,
    sign_in::grants::device::Answer as DeviceAnswer,
};
use domain::id::AppId;

use super::world::{AZ, Answer, CLI, CLUSTER, PASSWORD, SCOPE, World, claims, text};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of the example in RFC 7636, Appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://localhost:50123";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn start_device(world: &World, segment: &str) -> serde_json::Value {
    world
        .post(&format!("/{segment}/oauth2/v2.0/devicecode"), &[("client_id", AZ), ("scope", SCOPE)])
        .await
        .ok()
}

async fn poll(world: &World, device_code: &str) -> super::world::Answer {
    let fields =
        [("grant_type", DEVICE), ("client_id", AZ), ("device_code", device_code), ("code", device_code)];
    world.post("/organizations/oauth2/v2.0/token", &fields).await
}

async fn approve(world: &World, started: &serde_json::Value) {
    let alice = world.signed_in("alice@example.org").await;
    world
        .app
        .sign_in()
        .answer_device(&alice, text(started, "user_code"), DeviceAnswer::Approve)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_device_waits_for_its_person_and_gets_tokens_once() {
    let world = World::new().await;
    let started = start_device(&world, "organizations").await;
    let message = text(&started, "message");
    assert!(
        message.contains(text(&started, "user_code"))
            && message.contains("https://localhost:8443/devicelogin")
    );
    let device_code = text(&started, "device_code");
    poll(&world, device_code).await.fails(400, "authorization_pending", 70016);
    poll(&world, device_code).await.fails(400, "slow_down", 1_002_016);
    world.advance(5);
    poll(&world, device_code).await.fails(400, "authorization_pending", 70016);
    approve(&world, &started).await;
    let tokens = poll(&world, device_code).await.ok();
    assert_eq!(claims(text(&tokens, "access_token"))["oid"], world.alice.to_string());
    assert!(
        tokens["id_token"].is_string()
            && tokens["refresh_token"].is_string()
            && tokens["client_info"].is_string()
    );
    poll(&world, device_code).await.fails(400, "invalid_grant", 70000);
}

#[tokio::test]
async fn a_code_is_redeemed_once_by_many_who_ask_at_the_same_time() {
    let world = World::new().await;
    let started = start_device(&world, "common").await;
    approve(&world, &started).await;
    let device_code = text(&started, "device_code");
    let client = AppId::parse(AZ).unwrap();
    let asks = (0..8).map(|_| {
        let (app, device_code) = (world.app.clone(), device_code.to_owned());
        tokio::spawn(async move { app.sign_in().redeem_device(client, None, &device_code).await.is_ok() })
    });
    let mut redeemed = 0;
    for ask in asks.collect::<Vec<_>>() {
        redeemed += u32::from(ask.await.unwrap());
    }
    assert_eq!(redeemed, 1);
}

#[tokio::test]
async fn the_short_name_of_the_device_grant_serves_too() {
    let world = World::new().await;
    let started = start_device(&world, "organizations").await;
    approve(&world, &started).await;
    // As MSAL for Node and Go ask: the short name, a scope, no `code`.
    let fields = [
        ("grant_type", "device_code"),
        ("client_id", AZ),
        ("device_code", text(&started, "device_code")),
        ("scope", SCOPE),
    ];
    world.token(&fields).await.ok();
}

#[tokio::test]
async fn devices_that_are_declined_late_or_of_another_client_get_nothing() {
    let world = World::new().await;
    let declined = start_device(&world, "organizations").await;
    let alice = world.signed_in("alice@example.org").await;
    world
        .app
        .sign_in()
        .answer_device(&alice, text(&declined, "user_code"), DeviceAnswer::Decline)
        .await
        .unwrap();
    poll(&world, text(&declined, "device_code")).await.fails(400, "authorization_declined", 65004);

    let late = start_device(&world, "organizations").await;
    approve(&world, &late).await;
    world.advance(901);
    poll(&world, text(&late, "device_code")).await.fails(400, "expired_token", 70020);

    let other = start_device(&world, "organizations").await;
    approve(&world, &other).await;
    let fields = [("grant_type", DEVICE), ("client_id", CLI), ("device_code", text(&other, "device_code"))];
    world.token(&fields).await.fails(400, "invalid_grant", 70000);
    poll(&world, "made-up").await.fails(400, "invalid_grant", 70000);
}

#[tokio::test]
async fn an_approval_of_somebody_who_was_disabled_since_gives_nothing() {
    let world = World::new().await;
    let started = start_device(&world, "organizations").await;
    approve(&world, &started).await;
    let update = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    poll(&world, text(&started, "device_code")).await.fails(400, "invalid_grant", 50173);
}

#[tokio::test]
async fn user_codes_cannot_be_found_by_trying() {
    let world = World::new().await;
    let started = start_device(&world, "organizations").await;
    let mallory = world.signed_in("alice@example.org").await;
    let own = start_device(&world, "organizations").await;
    for _ in 0..4 {
        for _ in 0..3 {
            assert!(world.app.sign_in().find_device(&mallory, "BBBBBBBB").await.is_err());
        }
        // A code of one's own in between does not wash the wrong ones off.
        let _ = world.app.sign_in().find_device(&mallory, text(&own, "user_code")).await;
    }
    let found = world.app.sign_in().find_device(&mallory, text(&started, "user_code")).await;
    assert!(matches!(found, Err(app::sign_in::login::LoginError::Throttled)));
}

#[tokio::test]
async fn only_people_of_the_tenant_approve_what_names_it() {
    let world = World::new().await;
    let started = start_device(&world, &world.home.id.to_string()).await;
    let mut stranger = world.signed_in("alice@example.org").await;
    stranger.tenant = domain::id::TenantId::parse("8f0c8bcd-3b0c-4d0e-a5b5-6cf3b1f0f4ab").unwrap();
    let answered = world
        .app
        .sign_in()
        .answer_device(&stranger, text(&started, "user_code"), DeviceAnswer::Approve)
        .await;
    assert!(answered.is_err());
}

async fn new_code(world: &World) -> String {
    let alice = world.signed_in("alice@example.org").await;
    let new = NewCode {
        client: AppId::parse(AZ).unwrap(),
        redirect_uri: REDIRECT,
        scope: SCOPE,
        nonce: Some("n-0S6_WzA2Mj"),
        challenge: Some(CHALLENGE),
    };
    world.app.sign_in().issue_code(&alice, &new).await.unwrap()
}

fn code_fields<'a>(code: &'a str, redirect: &'a str, verifier: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", AZ),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
        ("scope", SCOPE),
    ]
}

#[tokio::test]
async fn a_code_is_bound_to_its_verifier_its_address_and_its_client() {
    let world = World::new().await;
    let code = new_code(&world).await;
    let wrong = VERIFIER.replace('d', "e");
    world.token(&code_fields(&code, REDIRECT, &wrong)).await.fails(400, "invalid_grant", 70000);
    world.token(&code_fields(&code, REDIRECT, "")).await.fails(400, "invalid_grant", 70000);
    world.token(&code_fields(&code, "http://localhost:1", VERIFIER)).await.fails(400, "invalid_grant", 70000);
    let mut foreign = code_fields(&code, REDIRECT, VERIFIER);
    foreign[1].1 = CLI;
    world.token(&foreign).await.fails(400, "invalid_grant", 70000);
    let tokens = world.token(&code_fields(&code, REDIRECT, VERIFIER)).await.ok();
    assert_eq!(claims(text(&tokens, "id_token"))["nonce"], "n-0S6_WzA2Mj");
    assert_eq!(claims(text(&tokens, "id_token"))["aud"], AZ);
}

#[tokio::test]
async fn a_code_ends_after_ten_minutes() {
    let world = World::new().await;
    let code = new_code(&world).await;
    world.advance(601);
    world.token(&code_fields(&code, REDIRECT, VERIFIER)).await.fails(400, "invalid_grant", 70008);
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave() {
    let world = World::new().await;
    let code = new_code(&world).await;
    let tokens = world.token(&code_fields(&code, REDIRECT, VERIFIER)).await.ok();
    world.token(&code_fields(&code, REDIRECT, VERIFIER)).await.fails(400, "invalid_grant", 70000);
    refresh(&world, text(&tokens, "refresh_token")).await.fails(400, "invalid_grant", 70000);
}

async fn refresh(world: &World, token: &str) -> super::world::Answer {
    let fields =
        [("grant_type", "refresh_token"), ("client_id", AZ), ("refresh_token", token), ("scope", SCOPE)];
    world.token(&fields).await
}

async fn az_tokens(world: &World) -> serde_json::Value {
    let code = new_code(world).await;
    world.token(&code_fields(&code, REDIRECT, VERIFIER)).await.ok()
}

#[tokio::test]
async fn refresh_tokens_are_replaced_and_reuse_ends_the_family() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    let second = refresh(&world, text(&first, "refresh_token")).await.ok();
    assert!(second["id_token"].is_string());
    assert!(claims(text(&second, "id_token")).get("nonce").is_none());
    let third = refresh(&world, text(&second, "refresh_token")).await.ok();
    world.advance(61);
    // The first one again: somebody has copied it, so the newest ends as well.
    refresh(&world, text(&first, "refresh_token")).await.fails(400, "invalid_grant", 70000);
    refresh(&world, text(&third, "refresh_token")).await.fails(400, "invalid_grant", 70000);
}

/// What each of many who ask at once gets.
async fn at_once(world: &World, times: usize, fields: &[(&str, &str)]) -> Vec<Answer> {
    let body = testkit::form(fields);
    let asks: Vec<_> = (0..times)
        .map(|_| {
            let (client, body) = (world.client.clone(), body.clone());
            let path = format!("/{}/oauth2/v2.0/token", world.home.id);
            tokio::spawn(async move { Answer(client.written_form(&path, body).await) })
        })
        .collect();
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(ask.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_renew_at_once_get_the_same_successor() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", AZ),
        ("refresh_token", text(&first, "refresh_token")),
        ("scope", SCOPE),
    ];
    let answers = at_once(&world, 16, &fields).await;
    let mut next: Vec<String> =
        answers.iter().map(|answer| text(&answer.ok(), "refresh_token").to_owned()).collect();
    next.dedup();
    assert_eq!(next.len(), 1, "{next:?}");
    // Who comes a little later, when the others are one token further, gets the same one.
    let third = refresh(&world, &next[0]).await.ok();
    world.advance(59);
    assert_eq!(text(&refresh(&world, text(&first, "refresh_token")).await.ok(), "refresh_token"), next[0]);
    refresh(&world, text(&third, "refresh_token")).await.ok();
}

#[tokio::test]
async fn another_client_gains_nothing_by_a_token_that_was_just_replaced() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    let second = refresh(&world, text(&first, "refresh_token")).await.ok();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", CLI),
        ("refresh_token", text(&first, "refresh_token")),
        ("scope", SCOPE),
    ];
    world.token(&fields).await.fails(400, "invalid_grant", 70000);
    refresh(&world, text(&second, "refresh_token")).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_uses_of_one_code_at_once_leave_no_family() {
    let world = World::new().await;
    for _ in 0..30 {
        let code = new_code(&world).await;
        let answers = at_once(&world, 3, &code_fields(&code, REDIRECT, VERIFIER)).await;
        for answer in answers.iter().filter(|answer| answer.status.is_success()) {
            let token = text(&answer.json(), "refresh_token").to_owned();
            refresh(&world, &token).await.fails(400, "invalid_grant", 70000);
        }
    }
}

#[tokio::test]
async fn a_refresh_token_serves_for_another_resource() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    let scope = format!("{CLUSTER}/.default offline_access openid profile");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", AZ),
        ("refresh_token", text(&first, "refresh_token")),
        ("scope", &scope),
    ];
    let tokens = world.post("/example.org/oauth2/v2.0/token", &fields).await.ok();
    assert_eq!(claims(text(&tokens, "access_token"))["aud"], CLUSTER);
    assert_eq!(text(&tokens, "scope"), scope);
}

#[tokio::test]
async fn a_wrong_scope_or_client_does_not_use_a_refresh_token_up() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    let token = text(&first, "refresh_token");
    let mut fields = [
        ("grant_type", "refresh_token"),
        ("client_id", AZ),
        ("refresh_token", token),
        ("scope", "https://elsewhere.example/.default"),
    ];
    world.token(&fields).await.fails(400, "invalid_resource", 500_011);
    fields[1].1 = CLI;
    fields[3].1 = SCOPE;
    world.token(&fields).await.fails(400, "invalid_grant", 70000);
    refresh(&world, token).await.ok();
}

#[tokio::test]
async fn revoked_sessions_and_disuse_end_refresh_tokens() {
    let world = World::new().await;
    let first = az_tokens(&world).await;
    world.advance(1);
    world.app.directory().revoke_sessions(&world.home.admin, world.alice).await.unwrap();
    refresh(&world, text(&first, "refresh_token")).await.fails(400, "invalid_grant", 50173);
    let second = az_tokens(&world).await;
    world.advance(91 * 24 * 3600);
    refresh(&world, text(&second, "refresh_token")).await.fails(400, "invalid_grant", 70008);
}

async fn password(world: &World, user: &str, password: &str) -> super::world::Answer {
    let fields = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", user),
        ("password", password),
        ("scope", SCOPE),
    ];
    world.token(&fields).await
}

#[tokio::test]
async fn failed_sign_ins_look_alike() {
    let world = World::new().await;
    let bob = world.user("bob@example.org").await;
    let update = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, bob, update).await.unwrap();
    let mut bodies = Vec::new();
    for (user, secret) in [
        ("alice@example.org", "wrong"),
        ("nobody@example.org", PASSWORD),
        ("bob@example.org", "wrong"),
        ("alice@elsewhere.example", PASSWORD),
        ("not a name", PASSWORD),
        ("a\u{430}lice@example.org", PASSWORD),
    ] {
        let answer = password(&world, user, secret).await;
        answer.fails(400, "invalid_grant", 50126);
        let description = text(&answer.json(), "error_description").to_owned();
        bodies.push(description.split(" Trace ID").next().unwrap().to_owned());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // Who knows the password is told that the account is disabled, as by Entra.
    password(&world, "bob@example.org", PASSWORD).await.fails(400, "invalid_grant", 50057);
    password(&world, "ALICE@example.ORG", PASSWORD).await.ok();
}

#[tokio::test]
async fn passwords_cannot_be_found_by_trying() {
    let world = World::new().await;
    for _ in 0..10 {
        password(&world, "alice@example.org", "wrong").await.fails(400, "invalid_grant", 50126);
    }
    // Known or not, right or wrong: the same answer.
    password(&world, "alice@example.org", PASSWORD).await.fails(400, "invalid_grant", 50053);
    for _ in 0..10 {
        password(&world, "nobody@example.org", "wrong").await.fails(400, "invalid_grant", 50126);
    }
    password(&world, "nobody@example.org", "wrong").await.fails(400, "invalid_grant", 50053);
    world.advance(601);
    password(&world, "alice@example.org", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_password_that_must_be_changed_opens_nothing() {
    let world = World::new().await;
    let update = UserUpdate { must_change_password: Some(true), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    password(&world, "alice@example.org", PASSWORD).await.fails(400, "invalid_grant", 50055);
    password(&world, "alice@example.org", "wrong").await.fails(400, "invalid_grant", 50126);
}
