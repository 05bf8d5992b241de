//! The authorization endpoint up to where the person is led away, and logout. The pages are the portal's.

use app::{Secret, sign_in::grants::authorization::ResponseMode};
use axum::body::Body;
use http::{Request, StatusCode, header};

use super::world::{AZ, Answer, PASSWORD, SCOPE, World, encode, text};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn query(changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("client_id", AZ),
        ("response_type", "code"),
        ("redirect_uri", "http://localhost:50123"),
        ("scope", SCOPE),
        ("state", "s t&ate"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

async fn ask(world: &World, changes: &[(&str, &str)]) -> super::world::Answer {
    world.get(&format!("/organizations/oauth2/v2.0/authorize?{}", query(changes))).await
}

#[tokio::test]
async fn a_request_is_kept_and_the_person_led_to_the_portal() {
    let world = World::new().await;
    let answer =
        ask(&world, &[("response_mode", "form_post"), ("nonce", "n"), ("prompt", "select_account")]).await;
    let id = answer.redirected("/portal/authorize").find("request").unwrap().unwrap().to_owned();
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-portcullis-browser=")
            && cookie.contains("HttpOnly")
            && cookie.contains("Secure")
    );
    let browser = cookie.split(['=', ';']).nth(1).unwrap();
    let waiting = world.app.sign_in().find_authorization(&id, browser).await.unwrap().unwrap().authorization;
    assert_eq!(waiting.response_mode, ResponseMode::FormPost);
    assert_eq!((waiting.state.as_deref(), waiting.nonce.as_deref()), (Some("s t&ate"), Some("n")));
    assert!(world.app.sign_in().find_authorization(&id, "another-browser").await.unwrap().is_none());
    // Nobody has answered.
    let finish = Request::get(format!("/oauth2/finish?request={id}")).header(header::COOKIE, cookie);
    assert_eq!(world.send(finish.body(Body::empty()).unwrap()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_request_of_a_stranger_is_bounded_and_stores_nothing() {
    let world = World::new().await;
    let revision = async || world.app.whole_state().store().status().await.unwrap().revision;
    let before = revision().await;
    let (state, nonce) = ("s".repeat(4096), "n".repeat(1024));
    let scope = format!("{SCOPE} {}", "openid ".repeat(570));
    let answer = ask(&world, &[("state", &state), ("nonce", &nonce), ("scope", &scope)]).await;
    let id = answer.redirected("/portal/authorize").find("request").unwrap().unwrap().to_owned();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert!(id.len() <= 16 * 1024, "{}", id.len());
    for (changes, to_client) in [
        (vec![("state", "s".repeat(4097))], false),
        (vec![("redirect_uri", format!("http://localhost:1/{}", "a".repeat(2048)))], false),
        (vec![("nonce", "n".repeat(1025))], true),
        // Each within its bounds, but more than an address takes once it is sealed.
        (vec![("state", "\u{1}".repeat(4096))], true),
    ] {
        let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, &**value)).collect();
        let answer = ask(&world, &changes).await;
        if to_client {
            let fields = answer.redirected("http://localhost:50123");
            assert_eq!(fields.find("error").unwrap(), Some("invalid_request"));
            assert!(fields.find("error_description").unwrap().unwrap().starts_with("AADSTS90015: "));
        } else {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.text.contains("AADSTS90015"), "{}", answer.text);
        }
    }
    assert_eq!(revision().await, before);
}

#[tokio::test]
async fn a_sealed_request_that_is_brought_again_gives_neither_a_second_answer_nor_a_second_code() {
    let world = World::new().await;
    let (session, _) = session(&world).await;
    let session = world.app.sign_in().find_session(&session).await.unwrap().unwrap();
    let begin = async || {
        let answer = ask(&world, &[]).await;
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        let browser = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        (answer.redirected("/portal/authorize").find("request").unwrap().unwrap().to_owned(), browser)
    };
    let app = &world.app;
    let (request, browser) = begin().await;
    assert!(
        app.sign_in().finish_authorization(&request, &browser).await.unwrap().is_none(),
        "nobody has answered"
    );
    assert!(app.sign_in().allow_authorization(&request, "another", &session).await.is_err());
    app.sign_in().allow_authorization(&request, &browser, &session).await.unwrap();
    assert!(app.sign_in().find_authorization(&request, &browser).await.unwrap().is_none());
    assert!(app.sign_in().allow_authorization(&request, &browser, &session).await.is_err());
    assert!(app.sign_in().decline_authorization(&request, &browser).await.is_err());
    assert!(app.sign_in().finish_authorization(&request, "another").await.unwrap().is_none());
    let (_, outcome) = app.sign_in().finish_authorization(&request, &browser).await.unwrap().unwrap();
    assert!(matches!(outcome, app::sign_in::grants::authorization::Outcome::Code(_)));
    for _ in 0..2 {
        assert!(app.sign_in().finish_authorization(&request, &browser).await.unwrap().is_none());
        assert!(app.sign_in().allow_authorization(&request, &browser, &session).await.is_err());
    }
    // Not even when what has ended is forgotten.
    world.advance(1799);
    app.clean_up().await.unwrap();
    assert!(app.sign_in().allow_authorization(&request, &browser, &session).await.is_err());
    world.advance(1);
    app.clean_up().await.unwrap();
    assert!(app.sign_in().allow_authorization(&request, &browser, &session).await.is_err());

    let (request, browser) = begin().await;
    let declined = app.sign_in().decline_authorization(&request, &browser).await.unwrap();
    assert!(app.sign_in().allow_authorization(&declined, &browser, &session).await.is_err());
    for _ in 0..2 {
        let (_, outcome) = app.sign_in().finish_authorization(&declined, &browser).await.unwrap().unwrap();
        assert_eq!(outcome, app::sign_in::grants::authorization::Outcome::Declined);
    }
    for damaged in
        ["", "x", &request[1..], &format!("{request}A"), &request.replace(&request[60..64], "AAAA")]
    {
        assert!(app.sign_in().find_authorization(damaged, &browser).await.unwrap().is_none(), "{damaged}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_registered() {
    let world = World::new().await;
    for address in [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost:1@evil.example",
        "//evil.example",
        "javascript:alert(1)",
        "http://localhost:50123/<script>",
        "http://LOCALHOST:1\\@evil.example",
        "",
    ] {
        let answer = ask(&world, &[("redirect_uri", address)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}");
        assert!(!answer.headers.contains_key(header::LOCATION), "{address}");
        assert!(
            answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'")
        );
        assert!(!answer.text.contains("<script>"), "{address}");
    }
    for client in ["5c5b2b3e-0000-4000-8000-000000000000", "<b>", ""] {
        let answer = ask(&world, &[("client_id", client)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{client}");
        assert!(!answer.text.contains("<b>"));
    }
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_client() {
    let world = World::new().await;
    for (changes, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "")], "unsupported_response_type"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("scope", "https://elsewhere.example/.default")], "invalid_resource"),
        (vec![("prompt", "none")], "login_required"),
    ] {
        let answer = ask(&world, &changes).await;
        let fields = answer.redirected("http://localhost:50123");
        assert_eq!(fields.find("error").unwrap(), Some(error), "{changes:?}");
        assert_eq!(fields.find("state").unwrap(), Some("s t&ate"));
        assert_eq!(fields.find("code").unwrap(), None);
    }
    let answer = ask(&world, &[("response_mode", "form_post"), ("response_type", "token")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("action=\"http://localhost:50123\"") && answer.text.contains("s t&amp;ate"));
}

#[tokio::test]
async fn a_parameter_that_stands_twice_is_refused() {
    let world = World::new().await;
    let path = format!("/common/oauth2/v2.0/authorize?{}&redirect_uri=http%3A%2F%2Flocalhost", query(&[]));
    assert_eq!(world.get(&path).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn no_code_goes_silently_to_a_program_on_this_machine() {
    let world = World::new().await;
    let alice = world
        .app
        .sign_in()
        .sign_in_with_password(None, "alice@example.org", &Secret::new(PASSWORD.into()), None)
        .await
        .unwrap();
    let session = world.app.sign_in().begin_session(&alice).await.unwrap();
    let request = Request::get(format!("/common/oauth2/v2.0/authorize?{}", query(&[("prompt", "none")])))
        .header(header::COOKIE, format!("__Host-portcullis-session={session}"));
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.redirected("http://localhost:50123").find("error").unwrap(), Some("consent_required"));
}

#[tokio::test]
async fn the_form_s_script_is_the_one_that_the_policy_names() {
    let world = World::new().await;
    let answer = ask(&world, &[("response_mode", "form_post"), ("response_type", "token")]).await;
    let script = answer.text.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
    use base64::Engine;
    let digest = base64::engine::general_purpose::STANDARD.encode(crypto::digest::sha256(script.as_bytes()));
    let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:50123"), "{policy}");
}

const BROWSER: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq";

/// A session of Alice, and the cookies of her browser.
async fn session(world: &World) -> (String, String) {
    let alice = world.signed_in("alice@example.org").await;
    let session = world.app.sign_in().begin_session(&alice).await.unwrap();
    let cookies = format!("__Host-portcullis-session={session}; __Host-portcullis-browser={BROWSER}");
    (session, cookies)
}

async fn logout(world: &World, cookies: &str, query: &str) -> Answer {
    let request = Request::get(format!("/common/oauth2/v2.0/logout?{query}")).header(header::COOKIE, cookies);
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn logout_by_form(world: &World, cookies: &str, site: &str, body: String) -> Answer {
    let request = Request::post("/common/oauth2/v2.0/logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", site)
        .header(header::COOKIE, cookies);
    world.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_link_to_logout_asks_before_it_ends_a_session() {
    let world = World::new().await;
    let (session, cookies) = session(&world).await;
    let bob = world.user("bob@example.org").await;
    let access = text(&world.tokens(SCOPE).await, "access_token").to_owned();
    // Nothing, an access token, and somebody else's id token: none of them is the person's wish.
    let of_bob = app::sign_in::tokens::IdTokenRequest {
        tenant: world.home.id,
        user: bob,
        client: domain::id::AppId::parse(AZ).unwrap(),
        version: app::sign_in::tokens::Version::V2,
        nonce: None,
    };
    let of_bob = world.app.sign_in().issue_id_token(&of_bob).await.unwrap();
    for query in [String::new(), format!("id_token_hint={access}"), format!("id_token_hint={of_bob}")] {
        let asked = logout(&world, &cookies, &query).await;
        assert_eq!(asked.status, StatusCode::OK, "{query}");
        assert!(asked.text.contains("alice@example.org") && asked.text.contains("method=\"post\""));
        assert!(asked.headers.get(header::SET_COOKIE).is_none());
        assert!(world.app.sign_in().find_session(&session).await.unwrap().is_some(), "{query}");
    }
    // A page of another site's form brings no cookies, and must not take any away.
    let posted = logout_by_form(&world, "", "cross-site", "client_id=x&state=a%26b&other=1".into()).await;
    assert_eq!(posted.headers[header::LOCATION], "/common/oauth2/v2.0/logout?client_id=x&state=a%26b");
    assert!(posted.headers.get(header::SET_COOKIE).is_none());
    for form in ["", "form=wrong"] {
        let posted = logout_by_form(&world, &cookies, "same-site", form.into()).await;
        assert_eq!(posted.status, StatusCode::OK);
        assert!(world.app.sign_in().find_session(&session).await.unwrap().is_some(), "{form}");
    }
}

#[tokio::test]
async fn whoever_confirms_is_signed_out_and_led_to_registered_places_only() {
    let world = World::new().await;
    let form = app::sign_in::login::session::form_token(BROWSER);
    for (query, target) in [
        ("", "/portal/signed-out"),
        ("post_logout_redirect_uri=https%3A%2F%2Fevil.example", "/portal/signed-out"),
        (
            "client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46&post_logout_redirect_uri=https%3A%2F%2Fevil.example",
            "/portal/signed-out",
        ),
        (
            "client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A1",
            "http://localhost:1",
        ),
    ] {
        let (session, cookies) = session(&world).await;
        let asked = logout(&world, &cookies, query).await;
        assert!(asked.text.contains(&form), "{query}");
        let answer = logout_by_form(&world, &cookies, "same-origin", format!("form={form}&{query}")).await;
        assert_eq!(answer.headers[header::LOCATION], target);
        assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
        assert!(world.app.sign_in().find_session(&session).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_client_ends_the_session_of_its_own_person_at_once() {
    let world = World::new().await;
    let (session, cookies) = session(&world).await;
    let hint = text(&world.tokens(SCOPE).await, "id_token").to_owned();
    let answer = logout(&world, &cookies, &format!("id_token_hint={hint}")).await;
    assert_eq!(answer.headers[header::LOCATION], "/portal/signed-out");
    assert!(world.app.sign_in().find_session(&session).await.unwrap().is_none());
}

/// The client is known by its id token as well, and gets its state back.
#[tokio::test]
async fn logout_leads_back_by_an_id_token_hint() {
    let world = World::new().await;
    let tokens = world.tokens(&format!("{SCOPE} openid")).await;
    let hint = text(&tokens, "id_token");
    let to = async |fields: &str| {
        let query = format!("post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A1&{fields}");
        let got = world.get(&format!("/common/oauth2/v2.0/logout?{query}")).await;
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decode(value)))
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let posted = world.post("/common/oauth2/v2.0/logout", &pairs).await;
        let location = |answer: &Answer| answer.headers[header::LOCATION].to_str().unwrap().to_owned();
        assert_eq!(location(&got), location(&posted));
        location(&got)
    };
    assert_eq!(to(&format!("id_token_hint={hint}&state=a%26b")).await, "http://localhost:1?state=a%26b");
    let forged = format!("{}AAAA", &hint[..hint.len() - 4]);
    assert_eq!(to(&format!("id_token_hint={forged}")).await, "/portal/signed-out");
    // Two clients are named.
    assert_eq!(to(&format!("id_token_hint={hint}&client_id={AZ}")).await, "/portal/signed-out");
    world.advance(48 * 3600);
    assert_eq!(to(&format!("id_token_hint={hint}")).await, "http://localhost:1");
}

fn decode(text: &str) -> String {
    web::escapes::decode(text.as_bytes()).unwrap().into_owned()
}
