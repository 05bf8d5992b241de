//! Clients that prove themselves by secret and by certificate, and those that cannot.

use app::directory::applications::{ApplicationUpdate, CertificateForm, NewSecret};
use axum::body::Body;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use crypto::{cert::Certificate, keys::SigningKey};
use domain::{application::Application, name::DisplayName};
use http::{Request, header};
use serde_json::{Value, json};

use super::world::{AZ, BASE, CLUSTER, World, claims, text};

const SCOPE: &str = "https://localhost:8443/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application with its principal and a secret.
pub(super) async fn application(
    world: &World,
    update: ApplicationUpdate,
) -> (std::sync::Arc<Application>, String) {
    let name = DisplayName::parse("build").unwrap();
    let made = world.app.directory().create_application(&world.home.admin, name, update).await.unwrap();
    world.app.directory().create_service_principal(&world.home.admin, made.app_id).await.unwrap();
    let new = NewSecret { display_name: None, start: None, end: None };
    let secret = world.app.directory().add_application_secret(&world.home.admin, made.id, new).await.unwrap();
    (made, secret.text.expose().clone())
}

async fn by_secret(world: &World, client: &str, secret: &str) -> super::world::Answer {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", secret),
        ("scope", SCOPE),
    ];
    world.token(&fields).await
}

#[tokio::test]
async fn an_application_gets_a_token_for_its_secret() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    let client = build.app_id.to_string();
    let tokens = by_secret(&world, &client, &secret).await.ok();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let snapshot = world.app.whole_snapshot();
    let principal = snapshot.directory().service_principal_by_app_id(world.home.id, build.app_id).unwrap();
    let access = claims(text(&tokens, "access_token"));
    assert_eq!(access["oid"], principal.id.to_string());
    assert_eq!(
        (&access["idtyp"], &access["azp"], &access["azpacr"]),
        (&json!("app"), &json!(client), &json!("1"))
    );
    let caller = world.app.sign_in().verify_management_token(text(&tokens, "access_token")).unwrap();
    assert_eq!((caller.object_id, caller.kind), (principal.id, app::CallerKind::ServicePrincipal));

    let basic = STANDARD.encode(format!("{client}:{secret}"));
    let request = Request::post(format!("/{}/oauth2/v2.0/token", world.home.id))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, format!("Basic {basic}"));
    let body = format!("grant_type=client_credentials&scope={}", super::world::encode(SCOPE));
    world.send(request.body(Body::from(body)).unwrap()).await.ok();
}

/// RFC 6749 §2.3.1: name and secret are two texts, not parts of a form.
#[tokio::test]
async fn a_secret_in_the_header_counts_as_a_whole() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    for (name, shown) in [
        (build.app_id.to_string(), format!("{secret}&x")),
        (build.app_id.to_string(), format!("{secret}&scope=y")),
        (format!("{}&password={secret}&x=", build.app_id), "wrong".to_owned()),
    ] {
        let basic = STANDARD.encode(format!("{name}:{shown}"));
        let request = Request::post(format!("/{}/oauth2/v2.0/token", world.home.id))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, format!("Basic {basic}"));
        let body = format!("grant_type=client_credentials&scope={}", super::world::encode(SCOPE));
        let answer = world.send(request.body(Body::from(body)).unwrap()).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.text);
    }
}

/// A resource becomes part of a list of scopes, so it may not hold a second one, and not be as long as it likes.
#[tokio::test]
async fn a_resource_is_one_name_of_bounded_length() {
    let world = World::new().await;
    for resource in
        [format!("https://management.azure.com{}", "/".repeat(5000)), format!("{AZ} x"), "a\tb".into()]
    {
        let answer =
            world.post("/common/oauth2/devicecode", &[("client_id", AZ), ("resource", &resource)]).await;
        answer.fails(400, "invalid_resource", 500_011);
    }
    world
        .post(
            "/common/oauth2/devicecode",
            &[("client_id", AZ), ("resource", "https://management.azure.com/")],
        )
        .await
        .ok();
}

#[tokio::test]
async fn a_wrong_an_ended_and_a_removed_secret_are_refused() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    let client = build.app_id.to_string();
    by_secret(&world, &client, "wrong").await.fails(401, "invalid_client", 7_000_215);
    by_secret(&world, &client, "").await.fails(401, "invalid_client", 7_000_218);
    by_secret(&world, AZ, "wrong").await.fails(401, "invalid_client", 700_025);
    by_secret(&world, "5c5b2b3e-0000-4000-8000-000000000000", &secret).await.fails(
        400,
        "unauthorized_client",
        700_016,
    );
    world.advance(366 * 24 * 3600);
    by_secret(&world, &client, &secret).await.fails(401, "invalid_client", 7_000_215);
}

#[tokio::test]
async fn a_disabled_principal_and_a_deleted_application_end_at_once() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    let client = build.app_id.to_string();
    let tokens = by_secret(&world, &client, &secret).await.ok();
    let token = text(&tokens, "access_token");
    let snapshot = world.app.whole_snapshot();
    let principal = snapshot.directory().service_principal_by_app_id(world.home.id, build.app_id).unwrap().id;
    world.app.directory().set_service_principal_enabled(&world.home.admin, principal, false).await.unwrap();
    assert!(world.app.sign_in().verify_management_token(token).is_err());
    by_secret(&world, &client, &secret).await.fails(401, "unauthorized_client", 7_000_112);
    // Once it may act again, what was ended stays so, though the clock has not moved.
    world.app.directory().set_service_principal_enabled(&world.home.admin, principal, true).await.unwrap();
    assert!(world.app.sign_in().verify_management_token(token).is_err());
    let tokens = by_secret(&world, &client, &secret).await.ok();
    assert!(world.app.sign_in().verify_management_token(text(&tokens, "access_token")).is_ok());
    world.app.directory().delete_application(&world.home.admin, build.id).await.unwrap();
    by_secret(&world, &client, &secret).await.fails(400, "unauthorized_client", 700_016);
}

#[tokio::test]
async fn a_person_s_token_ends_with_the_client_that_holds_it() {
    let world = World::new().await;
    let update =
        ApplicationUpdate { public_client: Some(true), password_grant: Some(true), ..Default::default() };
    let (tool, _) = application(&world, update).await;
    let client = tool.app_id.to_string();
    let fields = [
        ("grant_type", "password"),
        ("client_id", client.as_str()),
        ("username", "alice@example.org"),
        ("password", super::world::PASSWORD),
        ("scope", super::world::SCOPE),
    ];
    let tokens = world.token(&fields).await.ok();
    let token = text(&tokens, "access_token");
    assert!(world.app.sign_in().verify_management_token(token).is_ok());
    world.app.directory().delete_application(&world.home.admin, tool.id).await.unwrap();
    assert!(world.app.sign_in().verify_management_token(token).is_err());
}

#[tokio::test]
async fn only_clients_that_an_administrator_allows_send_passwords() {
    let world = World::new().await;
    let update = ApplicationUpdate { public_client: Some(true), ..Default::default() };
    let (tool, _) = application(&world, update).await;
    let client = tool.app_id.to_string();
    let fields = [
        ("grant_type", "password"),
        ("client_id", client.as_str()),
        ("username", "alice@example.org"),
        ("password", super::world::PASSWORD),
        ("scope", SCOPE),
    ];
    world.token(&fields).await.fails(400, "unauthorized_client", 70001);
    let update = ApplicationUpdate { password_grant: Some(true), ..Default::default() };
    world.app.directory().update_application(&world.home.admin, tool.id, update).await.unwrap();
    world.token(&fields).await.ok();
}

#[tokio::test]
async fn applications_ask_for_one_resource_that_exists() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    let client = build.app_id.to_string();
    let ask = async |scope: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("client_secret", secret.as_str()),
            ("scope", scope),
        ];
        world.token(&fields).await
    };
    ask("").await.fails(400, "invalid_request", 900_144);
    ask("openid").await.fails(400, "invalid_scope", 70011);
    ask("https://elsewhere.example/.default").await.fails(400, "invalid_resource", 500_011);
    let both = format!("{SCOPE} {CLUSTER}/.default");
    ask(&both).await.fails(400, "invalid_request", 28000);
    ask(&format!("{CLUSTER}/.default")).await.ok();
}

/// Clients that are part of the installation send passwords where the tenant lets them.
#[tokio::test]
async fn a_tenant_lets_az_send_passwords_or_not() {
    let world = World::new().await;
    let ask = async |segment: &str, client: &str, name: &str| {
        let fields = [
            ("grant_type", "password"),
            ("client_id", client),
            ("username", name),
            ("password", super::world::PASSWORD),
            ("scope", SCOPE),
        ];
        world.post(&format!("/{segment}/oauth2/v2.0/token"), &fields).await
    };
    let allow = async |caller: &app::Caller, allowed: bool| {
        let update = app::directory::tenants::TenantUpdate { password_grant: Some(allowed) };
        world.app.directory().update_tenant(caller, world.home.id, update).await
    };
    let tenant = world.home.id.to_string();
    ask(&tenant, AZ, "alice@example.org").await.fails(400, "unauthorized_client", 70_001);
    let alice = app::Caller { object_id: world.alice, ..world.home.admin.clone() };
    assert!(matches!(allow(&alice, true).await, Err(app::Error::Forbidden(_))));
    allow(&world.home.admin, true).await.unwrap();
    ask(&tenant, AZ, "alice@example.org").await.ok();
    ask("organizations", AZ, "alice@example.org").await.ok();
    // The application of the clusters' API servers is no public client.
    ask(&tenant, CLUSTER, "alice@example.org").await.fails(401, "invalid_client", 7_000_218);
    ask("organizations", AZ, "alice@elsewhere.example").await.fails(400, "unauthorized_client", 70_001);
    allow(&world.home.admin, false).await.unwrap();
    ask(&tenant, AZ, "alice@example.org").await.fails(400, "unauthorized_client", 70_001);
}

struct Signer {
    key: SigningKey,
    certificate: Certificate,
}

/// A self-signed RSA certificate, as `az ad sp create-for-rbac --create-cert` makes.
fn signer() -> Signer {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
    let key = SigningKey::from_pkcs8(&crypto::secret::Secret::new(pair.serialize_der())).unwrap();
    Signer { key, certificate: Certificate::from_der(certificate.der()).unwrap() }
}

impl Signer {
    fn form(&self, world: &World) -> CertificateForm {
        CertificateForm {
            base64: Some(STANDARD.encode(&self.certificate.der)),
            key_id: None,
            display_name: None,
            start: None,
            end: Some(world.app.now() + jiff::SignedDuration::from_hours(24)),
        }
    }

    fn assertion(&self, claims: &Value) -> String {
        // With padding, as the libraries write it.
        let x5t = URL_SAFE.encode(crypto::digest::sha256(&self.certificate.der));
        let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": x5t, "x5c": ["MIIB\r\nAAAA"]});
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test]
async fn an_application_gets_a_token_for_an_assertion_that_its_certificate_signed() {
    let world = World::new().await;
    let (ours, theirs) = (signer(), signer());
    let update = ApplicationUpdate { certificates: Some(vec![ours.form(&world)]), ..Default::default() };
    let (build, _) = application(&world, update).await;
    let client = build.app_id.to_string();
    let now = world.app.now().as_second() as f64;
    let good = json!({
        "iss": client, "sub": client, "jti": "1", "exp": now + 600.853_73, "iat": now + 0.25, "nbf": now,
        "aud": format!("{BASE}/{}/oauth2/v2.0/token", world.home.id),
    });
    let ask = async |assertion: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
            ("scope", SCOPE),
        ];
        world.token(&fields).await
    };
    let assertion = ours.assertion(&good);
    let tokens = ask(&assertion).await.ok();
    assert_eq!(claims(text(&tokens, "access_token"))["azpacr"], "2");
    // Libraries send one assertion until it ends, and files end with a new line.
    ask(&format!("{assertion}\n")).await.ok();
    ask(&theirs.assertion(&good)).await.fails(401, "invalid_client", 700_027);
    for (name, wrong, number) in [
        ("aud", json!("https://elsewhere.example/token"), 700_027),
        ("aud", json!(null), 700_027),
        ("iss", json!("somebody"), 700_211),
        ("sub", json!(AZ), 700_027),
        ("exp", json!(now - 600.0), 700_024),
        ("exp", json!("soon"), 700_027),
        ("exp", json!(now + 48.0 * 3600.0), 700_027),
        ("nbf", json!(now + 3600.0), 700_024),
        ("nbf", json!([]), 700_027),
    ] {
        let mut bad = good.clone();
        bad[name] = wrong;
        ask(&ours.assertion(&bad)).await.fails(401, "invalid_client", number);
    }
    for garbage in ["x", "a.b.c", &assertion[..assertion.len() - 4], &"e".repeat(60_000)] {
        ask(garbage).await.fails(401, "invalid_client", 700_027);
    }
    world.advance(25 * 3600);
    ask(&assertion).await.fails(401, "invalid_client", 700_027);
}

#[tokio::test]
async fn a_stale_server_issues_and_accepts_no_token() {
    let world = World::new().await;
    let (build, secret) = application(&world, ApplicationUpdate::default()).await;
    let client = build.app_id.to_string();
    let tokens = by_secret(&world, &client, &secret).await.ok();
    let token = text(&tokens, "access_token").to_owned();
    assert!(world.app.sign_in().verify_management_token(&token).is_ok());
    world.app.whole_state().mark_stale();
    assert_eq!(
        world.app.sign_in().verify_management_token(&token),
        Err(app::sign_in::tokens::Rejection::Stale)
    );
    assert_eq!(by_secret(&world, &client, &secret).await.status, http::StatusCode::SERVICE_UNAVAILABLE);
}
