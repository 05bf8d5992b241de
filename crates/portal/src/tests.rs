//! The pages as a browser without scripts meets them: cookies kept, forms read from the page and posted back,
//! redirects followed one by one; the authority stands behind the same router.

mod browser;

use app::directory::{applications::ApplicationUpdate, groups::NewGroup, users::UserUpdate};
use domain::name::DisplayName;
use http::{StatusCode, header};

use web::escapes::encode;

use browser::{AZ, Browser, PASSWORD, Page, REDIRECT, World};

const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";

async fn begin(world: &World, browser: &mut Browser, client: &str, redirect: &str, more: &str) -> Page {
    browser.go(world, &world.authorize_path(client, redirect, more)).await
}

async fn sign_in(world: &World, browser: &mut Browser, page: &Page, password: &str) -> Page {
    browser.submit(world, page, &[("user_name", "alice@example.org"), ("password", password)]).await
}

/// The code that an answer brings to the client, by form or by query.
fn code_of(page: &Page) -> String {
    match page.hidden("code") {
        Some(code) => code,
        None => page.query("code").unwrap_or_else(|| panic!("no code in {page:?}")),
    }
}

#[tokio::test]
async fn az_login_in_a_browser() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page =
        begin(&world, &mut browser, AZ, REDIRECT, "&response_mode=form_post&prompt=select_account").await;
    assert_eq!(page.path, "/portal/sign-in", "{page:?}");
    assert!(page.text.contains("Azure CLI"));
    assert!(page.policy().contains("form-action 'self' http://localhost:50123"), "{page:?}");
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(page.path, "/oauth2/finish", "{page:?}");
    assert!(
        page.text.contains(&format!("action=\"{REDIRECT}\""))
            && page.hidden("state").as_deref() == Some("xyz")
    );
    let tokens = world.redeem(AZ, REDIRECT, &code_of(&page)).await;
    assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
}

#[tokio::test]
async fn who_is_signed_in_already_is_asked_once() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/").await;
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(page.path, "/portal/");
    assert!(page.text.contains("alice@example.org"));
    let page = begin(&world, &mut browser, AZ, REDIRECT, "").await;
    assert_eq!(page.path, "/portal/authorize");
    assert!(page.text.contains("Azure CLI") && page.text.contains("alice@example.org"));
    let answer = browser.submit(&world, &page, &[("answer", "allow")]).await;
    assert!(answer.location().starts_with(REDIRECT) && answer.query("state").as_deref() == Some("xyz"));
    world.redeem(AZ, REDIRECT, &code_of(&answer)).await;

    let page = begin(&world, &mut browser, AZ, REDIRECT, "").await;
    let answer = browser.submit(&world, &page, &[("answer", "decline")]).await;
    assert_eq!(answer.query("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.query("code"), None);
}

#[tokio::test]
async fn a_request_belongs_to_the_browser_that_began_it() {
    let world = World::new().await;
    let (mut mallory, mut alice) = (Browser::default(), Browser::default());
    let page = begin(&world, &mut mallory, AZ, REDIRECT, "").await;
    let id = page.hidden("request").unwrap();
    for path in ["/portal/sign-in", "/portal/authorize"] {
        assert_eq!(alice.go(&world, &format!("{path}?request={id}")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        alice.go(&world, &format!("/oauth2/finish?request={id}")).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn an_answered_request_gives_one_code() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = begin(&world, &mut browser, AZ, REDIRECT, "").await;
    let id = page.hidden("request").unwrap();
    sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(
        browser.go(&world, &format!("/oauth2/finish?request={id}")).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        browser.go(&world, &format!("/portal/authorize?request={id}")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_again() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/").await;
    sign_in(&world, &mut browser, &page, PASSWORD).await;
    world.advance(60);
    let page = begin(&world, &mut browser, AZ, REDIRECT, "&prompt=login").await;
    assert_eq!(page.path, "/portal/sign-in");
    // A form that skips the page with the password changes nothing.
    let request = page.hidden("request").unwrap();
    let form = page.hidden("form").unwrap();
    let fields = [("form", form.as_str()), ("request", &request), ("answer", "allow")];
    assert_eq!(browser.post(&world, "/portal/authorize", &fields).await.status, StatusCode::NOT_FOUND);
    let answer = sign_in(&world, &mut browser, &page, PASSWORD).await;
    world.redeem(AZ, REDIRECT, &code_of(&answer)).await;
}

#[tokio::test]
async fn failed_sign_ins_look_alike_and_begin_no_session() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/sign-in").await;
    let mut texts = Vec::new();
    for (user, password) in
        [("alice@example.org", "wrong"), ("nobody@example.org", "wrong"), ("<b>x", "wrong")]
    {
        let answer = browser.submit(&world, &page, &[("user_name", user), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(!answer.text.contains("<b>x") && !answer.text.contains("\"wrong\""));
        texts.push(answer.alert());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(browser.go(&world, "/portal/").await.path, "/portal/sign-in");
    for _ in 0..8 {
        sign_in(&world, &mut browser, &page, "wrong").await;
    }
    for password in ["wrong", PASSWORD] {
        let answer = sign_in(&world, &mut browser, &page, password).await;
        if password == PASSWORD {
            assert!(answer.alert().contains("too many"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn forms_from_elsewhere_are_refused() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/sign-in").await;
    let other = Browser::default().go(&world, "/portal/sign-in").await.hidden("form").unwrap();
    let fields = [("user_name", "alice@example.org"), ("password", PASSWORD)];
    for form in ["", "x", other.as_str()] {
        let fields: Vec<_> = fields.iter().copied().chain([("form", form)]).collect();
        let answer = browser.post(&world, "/portal/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form}");
        assert!(!browser.has_session());
    }
    // A browser without the cookie, and one that says that another site has started it.
    let form = page.hidden("form").unwrap();
    let fields: Vec<_> = fields.iter().copied().chain([("form", form.as_str())]).collect();
    assert_eq!(
        Browser::default().post(&world, "/portal/sign-in", &fields).await.status,
        StatusCode::BAD_REQUEST
    );
    browser.site = "cross-site";
    assert_eq!(browser.post(&world, "/portal/sign-in", &fields).await.status, StatusCode::BAD_REQUEST);
    browser.site = "same-origin";
    assert_eq!(browser.post(&world, "/portal/sign-in", &fields).await.path, "/portal/");
    for path in
        ["/portal/sign-out", "/portal/authorize", "/portal/password", "/devicelogin", "/devicelogin/confirm"]
    {
        assert_eq!(
            browser.post(&world, path, &[("answer", "allow")]).await.status,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    assert!(browser.has_session());
}

#[tokio::test]
async fn a_sign_in_leads_to_pages_of_ours_only() {
    let world = World::new().await;
    for next in ["https://evil.example", "//evil.example", "/portal/%5Cevil.example", "/\\evil.example"] {
        let mut browser = Browser::default();
        let page = browser.go(&world, &format!("/portal/sign-in?next={}", encode(next))).await;
        assert!(!page.text.contains("evil"), "{next}");
        let form = page.hidden("form").unwrap();
        let fields = [
            ("form", form.as_str()),
            ("next", next),
            ("user_name", "alice@example.org"),
            ("password", PASSWORD),
        ];
        assert_eq!(browser.post(&world, "/portal/sign-in", &fields).await.path, "/portal/", "{next}");
    }
}

#[tokio::test]
async fn a_device_is_signed_in_by_its_code() {
    let world = World::new().await;
    let started = world.start_device(AZ).await;
    let code = started["user_code"].as_str().unwrap();
    let mut browser = Browser::default();
    let page = browser.go(&world, "/devicelogin").await;
    // People type codes as they like.
    let typed = format!(" {}-{} ", &code[..4].to_lowercase(), &code[4..]);
    let page = browser.submit(&world, &page, &[("user_code", &typed)]).await;
    assert_eq!(page.path, "/portal/sign-in");
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(page.path, "/devicelogin/confirm", "{page:?}");
    for expected in ["Azure CLI", "alice@example.org", code] {
        assert!(page.text.contains(expected), "{expected}: {page:?}");
    }
    assert_eq!(world.poll(&started).await["error"], "authorization_pending");
    let page = browser.submit(&world, &page, &[("answer", "allow")]).await;
    assert!(page.text.contains("You are signed in"), "{page:?}");
    world.advance(5);
    assert!(world.poll(&started).await["access_token"].is_string());
}

#[tokio::test]
async fn a_device_that_is_declined_and_a_wrong_code_get_nothing() {
    let world = World::new().await;
    let started = world.start_device(AZ).await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/").await;
    sign_in(&world, &mut browser, &page, PASSWORD).await;
    let page = browser.go(&world, "/common/oauth2/deviceauth").await;
    let wrong = browser.submit(&world, &page, &[("user_code", "BBBBBBBB")]).await;
    assert_eq!((wrong.status, wrong.alert().is_empty()), (StatusCode::BAD_REQUEST, false));
    let page = browser.submit(&world, &page, &[("user_code", started["user_code"].as_str().unwrap())]).await;
    let page = browser.submit(&world, &page, &[("answer", "decline")]).await;
    assert!(page.text.contains("Declined"));
    assert_eq!(world.poll(&started).await["error"], "authorization_declined");
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_changed_on_the_way() {
    let world = World::new().await;
    let update = UserUpdate { must_change_password: Some(true), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    let mut browser = Browser::default();
    let page = begin(&world, &mut browser, AZ, REDIRECT, "").await;
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(page.path, "/portal/password");
    assert!(!browser.has_session());
    let fields: Vec<&str> = page.text.lines().filter(|line| line.contains("<input id=")).collect();
    assert!(
        fields[0].contains("value=\"alice@example.org\"") && !fields[0].contains("autofocus"),
        "{fields:?}"
    );
    assert!(fields[1].contains("id=\"password\"") && fields[1].contains("autofocus"), "{fields:?}");
    let change = |old: &'static str, new: &'static str, again: &'static str| {
        [
            ("user_name", "alice@example.org"),
            ("password", old),
            ("new_password", new),
            ("repeated_password", again),
        ]
    };
    for (old, new, again) in [
        ("wrong password", "a better password", "a better password"),
        (PASSWORD, "a better password", "another password"),
        (PASSWORD, "short", "short"),
        (PASSWORD, PASSWORD, PASSWORD),
    ] {
        let refused = browser.submit(&world, &page, &change(old, new, again)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{new}");
        assert!(!refused.alert().is_empty() && !browser.has_session());
    }
    let answer =
        browser.submit(&world, &page, &change(PASSWORD, "a better password", "a better password")).await;
    world.redeem(AZ, REDIRECT, &code_of(&answer)).await;
    let mut again = Browser::default();
    let page = again.go(&world, "/portal/sign-in").await;
    assert_eq!(sign_in(&world, &mut again, &page, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&world, &mut again, &page, "a better password").await.path, "/portal/");
}

#[tokio::test]
async fn who_knows_the_password_is_told_that_the_account_is_disabled() {
    let world = World::new().await;
    let update = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    world.app.directory().update_user(&world.home.admin, world.alice, update).await.unwrap();
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/").await;
    for (password, told) in [("wrong", "not right"), (PASSWORD, "disabled")] {
        let refused = sign_in(&world, &mut browser, &page, password).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(refused.alert().contains(told) && !browser.has_session(), "{}", refused.alert());
    }
}

#[tokio::test]
async fn programs_that_others_registered_need_consent_once() {
    let world = World::new().await;
    const HTTPS: &str = "https://app.example.org/callback?a=b";
    let update = ApplicationUpdate {
        redirect_uris: Some(vec![HTTPS.to_owned()]),
        public_client: Some(true),
        ..ApplicationUpdate::default()
    };
    let name = DisplayName::parse("<i>Dashboard</i>").unwrap();
    let client =
        world.app.directory().create_application(&world.home.admin, name, update).await.unwrap().app_id;
    world.app.directory().create_service_principal(&world.home.admin, client).await.unwrap();
    let client = client.to_string();
    let mut browser = Browser::default();
    let page = begin(&world, &mut browser, &client, HTTPS, "").await;
    assert!(page.text.contains("&#60;i&#62;Dashboard") && !page.text.contains("<i>Dashboard"), "{page:?}");
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(page.path, "/portal/authorize");
    assert!(
        page.text.contains("Act for you at https://localhost:8443") && page.text.contains("app.example.org")
    );
    // Silently not before the person has agreed, and then so.
    let silent = begin(&world, &mut browser, &client, HTTPS, "&prompt=none").await;
    assert_eq!(silent.query("error").as_deref(), Some("consent_required"));
    let answer = browser.submit(&world, &page, &[("answer", "allow")]).await;
    assert!(answer.location().starts_with(&format!("{HTTPS}&code=")), "{answer:?}");
    world.redeem(&client, HTTPS, &code_of(&answer)).await;
    let silent = begin(&world, &mut browser, &client, HTTPS, "&prompt=none").await;
    world.redeem(&client, HTTPS, &code_of(&silent)).await;
    let page = begin(&world, &mut browser, &client, HTTPS, "").await;
    assert!(!page.text.contains("It asks to"), "{page:?}");
}

/// A device's page says what a program of others asks for, services by their name; part of the installation asks for
/// nothing.
#[tokio::test]
async fn a_device_of_others_says_what_it_asks_for() {
    let world = World::new().await;
    let make = async |name: &str, public: bool| {
        let update = ApplicationUpdate { public_client: Some(public), ..ApplicationUpdate::default() };
        let name = DisplayName::parse(name).unwrap();
        let app_id =
            world.app.directory().create_application(&world.home.admin, name, update).await.unwrap().app_id;
        world.app.directory().create_service_principal(&world.home.admin, app_id).await.unwrap();
        app_id.to_string()
    };
    let (program, service) = (make("Television", true).await, make("Film store", false).await);
    let shown = async |client: &str, scope: &str| {
        let started = world.start_device_for(client, scope).await;
        let mut browser = Browser::default();
        let path = format!("/devicelogin/confirm?code={}", started["user_code"].as_str().unwrap());
        let page = browser.go(&world, &path).await;
        sign_in(&world, &mut browser, &page, PASSWORD).await
    };
    let page = shown(&program, &format!("openid api://{service}/.default offline_access")).await;
    for text in ["Television", "Act for you at Film store", "See who you are", "Keep this access"] {
        assert!(page.text.contains(text), "{text}: {page:?}");
    }
    let page = shown(AZ, &format!("api://{service}/.default")).await;
    assert!(page.text.contains("Azure CLI") && !page.text.contains("It asks to"), "{page:?}");
}

#[tokio::test]
async fn the_account_page_shows_its_owner_and_signing_out_ends_it() {
    let world = World::new().await;
    let new = NewGroup {
        display_name: DisplayName::parse("<script>alert(1)</script>").unwrap(),
        mail_nickname: "ops".into(),
        description: None,
    };
    let group = world.app.directory().create_group(&world.home.admin, new).await.unwrap();
    world.app.directory().add_member(&world.home.admin, group.id, world.alice).await.unwrap();
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal").await;
    let page = sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert!(page.text.contains(&group.id.to_string()) && page.text.contains("&#60;script&#62;"));
    assert!(!page.text.contains("<script>"));
    let out = browser.submit(&world, &page, &[]).await;
    assert_eq!(out.path, "/portal/signed-out");
    assert_eq!(browser.go(&world, "/portal/").await.path, "/portal/sign-in");
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_with_the_right_of_its_person() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let page = browser.go(&world, "/portal/").await;
    sign_in(&world, &mut browser, &page, PASSWORD).await;
    world.advance(3600);
    world.app.directory().revoke_sessions(&world.home.admin, world.alice).await.unwrap();
    assert_eq!(browser.go(&world, "/portal/").await.path, "/portal/sign-in");
    sign_in(&world, &mut browser, &page, PASSWORD).await;
    assert_eq!(browser.go(&world, "/portal/").await.path, "/portal/");
    world.advance(13 * 3600);
    assert_eq!(browser.go(&world, "/portal/").await.path, "/portal/sign-in");
}

#[tokio::test]
async fn every_page_can_be_read_by_everyone_and_used_against_nobody() {
    let world = World::new().await;
    let mut browser = Browser::default();
    let started = world.start_device(CLI).await;
    let page = browser.go(&world, "/portal/sign-in").await;
    let mut pages = vec![
        begin(&world, &mut browser, AZ, REDIRECT, "").await,
        browser.go(&world, "/devicelogin").await,
        browser.go(&world, "/portal/password").await,
        browser.go(&world, "/portal/signed-out").await,
        browser.go(&world, "/portal/authorize?request=unknown").await,
        sign_in(&world, &mut browser, &page, "wrong").await,
        sign_in(&world, &mut browser, &page, PASSWORD).await,
        begin(&world, &mut browser, AZ, REDIRECT, "").await,
        browser
            .go(&world, &format!("/devicelogin/confirm?code={}", started["user_code"].as_str().unwrap()))
            .await,
    ];
    pages.push(page);
    for page in &pages {
        let text = &page.text;
        assert!(text.contains("<html lang=\"en\">") && text.contains("width=device-width"), "{}", page.path);
        assert_eq!(text.matches("<h1>").count(), 1, "{}", page.path);
        assert!(
            !text.contains("<script") && !text.contains("style=") && !text.contains("onclick"),
            "{}",
            page.path
        );
        let visible = text.matches("<input").count() - text.matches("type=\"hidden\"").count();
        assert_eq!(text.matches("<label for=").count(), visible, "{}", page.path);
        assert!(
            page.policy().contains("default-src 'none'") && page.policy().contains("frame-ancestors 'none'")
        );
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    }
    let style = browser.go(&world, "/portal/assets/portal.css").await;
    assert_eq!(style.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
}
