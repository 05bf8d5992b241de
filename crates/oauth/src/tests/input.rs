//! Requests that are no requests, and additions that do no harm.

use axum::body::Body;
use http::{Request, header};

use super::world::{CLI, PASSWORD, SCOPE, World};

async fn raw(world: &World, media_type: &str, body: impl Into<Body>) -> super::world::Answer {
    let request = Request::post("/common/oauth2/v2.0/token").header(header::CONTENT_TYPE, media_type);
    world.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn requests_that_are_no_token_requests_get_an_answer_in_oauth_s_shape() {
    let world = World::new().await;
    const FORM: &str = "application/x-www-form-urlencoded";
    raw(&world, FORM, "").await.fails(400, "invalid_request", 900_144);
    raw(&world, FORM, "grant_type=").await.fails(400, "invalid_request", 900_144);
    raw(&world, FORM, "grant_type=magic").await.fails(400, "unsupported_grant_type", 70003);
    raw(&world, FORM, "grant_type=password&grant_type=password").await.fails(
        400,
        "invalid_request",
        9_002_313,
    );
    raw(&world, FORM, "grant_type=%ff").await.fails(400, "invalid_request", 9_002_313);
    raw(&world, FORM, "grant_type=%").await.fails(400, "invalid_request", 9_002_313);
    raw(&world, FORM, "grant_type=a%00b").await.fails(400, "invalid_request", 9_002_313);
    raw(&world, FORM, "a&".repeat(500)).await.fails(400, "invalid_request", 9_002_313);
    raw(&world, FORM, "x".repeat(1_000_000)).await.fails(413, "invalid_request", 9_002_313);
    raw(&world, "application/json", "{}").await.fails(415, "invalid_request", 9_002_313);
    raw(&world, FORM, "grant_type=password").await.fails(400, "invalid_request", 900_144);
    raw(&world, FORM, "grant_type=password&client_id=x%0d%0ay").await.fails(
        400,
        "unauthorized_client",
        700_016,
    );
    let password = format!("grant_type=password&client_id={CLI}&username=alice%40example.org");
    raw(&world, FORM, password).await.fails(400, "invalid_request", 900_144);
}

#[tokio::test]
async fn an_unknown_tenant_is_refused_before_anything_else() {
    let world = World::new().await;
    world.post("/nowhere.example/oauth2/v2.0/token", &[]).await.fails(400, "invalid_tenant", 90002);
    world.post("/nowhere.example/oauth2/v2.0/devicecode", &[]).await.fails(400, "invalid_tenant", 90002);
}

#[tokio::test]
async fn parameters_that_libraries_add_do_not_disturb() {
    let world = World::new().await;
    let fields = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", "alice@example.org"),
        ("password", PASSWORD),
        ("scope", SCOPE),
        ("client_info", "1"),
        ("claims", r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
        ("x-client-SKU", "MSAL.Python"),
        ("x-ms-lib-capability", "retry-after"),
    ];
    let path = format!("/{}/oauth2/v2.0/token?client-request-id=1", world.tenant);
    world.post(&path, &fields).await.ok();
}

#[tokio::test]
async fn a_client_finds_its_request_id_again() {
    let world = World::new().await;
    let id = "6f1a4a3e-5b5d-4e9e-8f4d-7a5b1c2d3e4f";
    let request =
        Request::get("/nowhere/v2.0/.well-known/openid-configuration").header("client-request-id", id);
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json()["correlation_id"], id);
    let request =
        Request::get("/nowhere/v2.0/.well-known/openid-configuration").header("client-request-id", "<b>");
    assert!(!world.send(request.body(Body::empty()).unwrap()).await.text.contains("<b>"));
}

#[tokio::test]
async fn a_client_that_shows_two_proofs_is_refused() {
    let world = World::new().await;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", CLI),
        ("client_secret", "a"),
        ("client_assertion", "b"),
    ];
    world.token(&fields).await.fails(400, "invalid_request", 9_002_313);
}
