//! Every failed sign-in is one line of the log: which account, from where, why; and no secret in it.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body};
use http::{Request, header};
use serde_json::json;
use testserver::{CLI, Site};
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

const BROWSER: &str = "browser-of-this-test-0000000000000000000000";
const SECRET: &str = "this-must-not-be-logged";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn take(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().filter(|line| line.contains("a sign-in failed")).map(str::to_owned).collect()
    }
}

async fn post(router: &Router, path: &str, cookies: &str, form: String) {
    let request = Request::post(path)
        .header(header::COOKIE, cookies)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    router.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
}

#[tokio::test]
async fn every_failed_sign_in_is_a_line_with_account_source_and_reason() {
    let site = Site::start(|_| {}).await;
    let made = site.post("/v1.0/applications", &json!({"displayName": "build"})).await;
    let application = made["appId"].as_str().unwrap().to_owned();
    let cluster = site.cluster().await;
    let cluster = cluster.strip_prefix(&site.running.url).unwrap().to_owned();
    let password = app::Secret::new("correct horse battery".to_owned());
    let admin = site
        .running
        .app
        .sign_in()
        .sign_in_with_password(None, &site.admin.name, &password, None)
        .await
        .unwrap();
    let session = site.running.app.sign_in().begin_session(&admin).await.unwrap();
    let cookies = format!("__Host-portcullis-browser={BROWSER}; __Host-portcullis-session={session}");
    let form = app::sign_in::login::session::form_token(BROWSER);
    let router = server::start::router(site.running.app.clone());
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let token = "/common/oauth2/v2.0/token";
    let name = &site.admin.name;
    let unknown = "00000000-0000-0000-0000-000000000001";
    for (path, text, account, reason) in [
        (
            token,
            format!("grant_type=password&client_id={CLI}&username={name}&password={SECRET}&scope=openid"),
            name.as_str(),
            "the password is not right",
        ),
        (
            token,
            format!(
                "grant_type=password&client_id={CLI}&username=none@example.org&password={SECRET}&scope=openid"
            ),
            "none@example.org",
            "no such account",
        ),
        // A password in the wrong field, and letters that a terminal acts on.
        (
            token,
            format!("grant_type=password&client_id={CLI}&username={SECRET}%1b[2J&password=x&scope=openid"),
            "(no principal name)",
            "no such account",
        ),
        (
            "/portal/sign-in",
            format!("user_name={name}&password={SECRET}&form={form}"),
            name,
            "the password is not right",
        ),
        (
            "/portal/password",
            format!(
                "user_name={name}&password={SECRET}&new_password=12345678&repeated_password=12345678&form={form}"
            ),
            name,
            "the password is not right",
        ),
        ("/devicelogin/confirm", format!("code=BCDFGHJK&answer=allow&form={form}"), name, "code of a device"),
        (
            token,
            format!("grant_type=client_credentials&client_id={unknown}&client_secret={SECRET}"),
            unknown,
            "no such application",
        ),
        (
            token,
            format!("grant_type=client_credentials&client_id={application}&client_secret={SECRET}"),
            &application,
            "secret is not right",
        ),
        (
            token,
            format!(
                "grant_type=client_credentials&client_id={application}&client_assertion={SECRET}&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            ),
            &application,
            "assertion is not valid",
        ),
        (
            token,
            format!("grant_type=refresh_token&client_id={CLI}&refresh_token={SECRET}"),
            CLI,
            "no such refresh token",
        ),
        (
            token,
            format!("grant_type=device_code&client_id={CLI}&device_code={SECRET}"),
            CLI,
            "no such device code",
        ),
    ] {
        post(&router, path, &cookies, text.clone()).await;
        let found = lines.take();
        let [line] = &found[..] else { panic!("{path} {text}: {found:?}") };
        assert!(line.contains("INFO") && line.contains(account) && line.contains(reason), "{text}: {line}");
        assert!(line.contains("sign_in.source=") && !line.contains(SECRET), "{line}");
        assert!(line.chars().all(|letter| !letter.is_control()), "{line:?}");
    }
    let request = Request::get(format!("{cluster}/api/v1/namespaces"))
        .header(header::AUTHORIZATION, format!("Bearer {SECRET}"));
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let found = lines.take();
    assert!(found.len() == 1 && !found[0].contains(SECRET), "{found:?}");
    // Nobody who shows nothing has failed, nor a device that waits.
    router
        .clone()
        .oneshot(Request::get(format!("{cluster}/api/v1/namespaces")).body(Body::empty()).unwrap())
        .await
        .unwrap();
    let client = domain::id::AppId::parse(CLI).unwrap();
    let device = site.running.app.sign_in().start_device(client, None, "openid", None).await.unwrap();
    post(
        &router,
        token,
        "",
        format!("grant_type=device_code&client_id={CLI}&device_code={}", device.device_code),
    )
    .await;
    assert_eq!(lines.take(), Vec::<String>::new());
    site.running.stop().await.unwrap();
}
