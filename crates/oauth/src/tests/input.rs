//! Requests that are no requests, and additions that do no harm.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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
    let path = format!("/{}/oauth2/v2.0/token?client-request-id=1", world.home.id);
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
    assert_eq!(answer.headers["client-request-id"], id);
    assert!(!answer.headers["x-ms-request-id"].is_empty());
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

#[tokio::test]
async fn a_wrong_method_gets_an_answer_in_oauth_s_shape() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", "/common/oauth2/v2.0/token"),
        ("PUT", "/common/oauth2/token"),
        ("DELETE", "/common/oauth2/v2.0/devicecode"),
        ("POST", "/common/v2.0/.well-known/openid-configuration"),
        ("PATCH", "/common/oauth2/v2.0/logout"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        assert!(answer.headers.contains_key(header::ALLOW), "{method} {path}");
        assert_eq!(answer.json()["error_codes"], serde_json::json!([900_561]), "{method} {path}");
        assert_eq!(answer.status, http::StatusCode::METHOD_NOT_ALLOWED);
    }
}

/// Tokens as clients should never make them, wherever one may be shown.
#[tokio::test]
async fn tokens_that_are_traps_are_refused() {
    let world = World::new().await;
    let (build, secret) = super::clients::application(&world, Default::default()).await;
    let client = build.app_id.to_string();
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let payload = encode(&format!(r#"{{"iss":"{client}","sub":"{client}","exp":9999999999}}"#));
    let deep = encode(&format!(r#"{{"iss":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)));
    let twice = encode(&format!(r#"{{"iss":"{client}","iss":"other"}}"#));
    let header = encode(r#"{"alg":"RS256","kid":"x"}"#);
    let tokens = [
        format!("{}.{payload}.", encode(r#"{"alg":"none"}"#)),
        format!("{}.{payload}.AAAA", encode(r#"{"alg":"HS256"}"#)),
        format!("{}.{payload}.AAAA", encode(r#"{"alg":"RS256","crit":["x"]}"#)),
        format!("{}.{payload}.AAAA", encode(r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"AQ","e":"AQ"}}"#)),
        format!("{}.{payload}.AAAA", encode(r#"{"alg":"RS256","kid":"../../etc/passwd"}"#)),
        format!("{header}.{deep}.AAAA"),
        format!("{header}.{twice}.AAAA"),
        format!("{header}.{}.AAAA", encode("[]")),
        format!("{header}.{}.AAAA", encode("{}")),
        format!("{header}.{payload}.AAAA.AAAA"),
        "....".to_owned(),
        "\u{430}.\u{0}.b".to_owned(),
    ];
    for token in &tokens {
        let asked = [
            ("grant_type", "client_credentials"),
            ("client_id", &client),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token),
            ("scope", "https://localhost:8443/.default"),
        ];
        let answer = world.token(&asked).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{token}: {}", answer.text);
        assert!(answer.json()["error_description"].as_str().unwrap().starts_with("AADSTS"), "{token}");
        let traded = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("client_id", &client),
            ("client_secret", &secret),
            ("assertion", token),
            ("scope", "https://localhost:8443/.default"),
        ];
        let answer = world.token(&traded).await;
        assert_eq!(answer.status.as_u16(), 400, "{token}: {}", answer.text);
        assert!(world.app.sign_in().verify_management_token(token).is_err());
        assert!(world.app.sign_in().read_id_token_hint(token).is_none());
    }
}
