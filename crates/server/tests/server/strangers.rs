//! What somebody who has not signed in can make the server store: ten thousand requests of each route that takes
//! something in, a thousand of each other, and the bytes on disk counted.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use domain::id::AppId;
use http::{Request, header};
use server::settings::Storage;
use testserver::{CLI, CLUSTER, Site};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Requests of a route that keeps something, or did, or might; together of whatever kinds it takes.
const TIMES: usize = 10_000;
const TIMES_OF_OTHERS: usize = 1000;
const TAKERS: [&str; 5] =
    ["/authorize", "/v2.0/devicecode", "/v2.0/token", "/portal/sign-in", "/portal/password"];
const BROWSER: &str = "browser-of-a-stranger-0000000000000000000000";

/// One kind of request: method, path, and query or form, in which `{n}` is another number each time.
struct Kind(&'static str, String, String);

fn kinds() -> Vec<Kind> {
    let kind = |method, path: &str, text: String| Kind(method, path.to_owned(), text);
    let challenge = "code_challenge=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU&code_challenge_method=S256";
    let authorize = |state: usize| {
        format!(
            "client_id={CLI}&response_type=code&redirect_uri=http://localhost:1&{challenge}&\
             scope={}&nonce={{n}}&state={{n}}{}",
            "openid+".repeat(500),
            "s".repeat(state)
        )
    };
    let token = "/common/oauth2/v2.0/token";
    let form = app::sign_in::login::session::form_token(BROWSER);
    let person = format!("user_name=user{{n}}@portcullis.local&password=wrong&form={form}");
    vec![
        kind("GET", "/common/oauth2/v2.0/authorize", authorize(4000)),
        kind("POST", "/common/oauth2/v2.0/authorize", authorize(4000)),
        kind("POST", "/common/oauth2/v2.0/authorize", authorize(50_000)),
        kind(
            "POST",
            "/common/oauth2/v2.0/devicecode",
            format!("client_id={CLI}&scope={}", "openid+".repeat(580)),
        ),
        kind("POST", "/common/oauth2/devicecode", format!("client_id={CLI}&resource={CLUSTER}")),
        kind(
            "POST",
            token,
            "grant_type=client_credentials&client_id=00000000-0000-0000-0000-{n12}&client_secret=x".into(),
        ),
        kind("POST", token, format!("grant_type=client_credentials&client_id={CLI}&client_secret={{n}}")),
        kind(
            "POST",
            token,
            format!(
                "grant_type=client_credentials&client_id={CLI}&client_assertion={{n}}&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            ),
        ),
        kind("POST", token, format!("grant_type=refresh_token&client_id={CLI}&refresh_token={{n}}.{{n}}")),
        kind("POST", token, format!("grant_type=device_code&client_id={CLI}&device_code={{n}}")),
        kind(
            "POST",
            token,
            format!(
                "grant_type=authorization_code&client_id={CLI}&code={{n}}&redirect_uri=http://localhost:1&code_verifier=x"
            ),
        ),
        kind(
            "POST",
            token,
            format!(
                "grant_type=password&client_id={CLI}&username=user{{n}}@portcullis.local&password=wrong&scope=openid"
            ),
        ),
        kind(
            "POST",
            token,
            format!("grant_type=password&client_id={CLI}&username={{n}}&password=wrong&scope=openid"),
        ),
        kind("GET", "/common/oauth2/v2.0/logout", "id_token_hint={n}&state={n}".into()),
        kind("POST", "/common/oauth2/v2.0/logout", format!("form={form}&state={{n}}")),
        kind("GET", "/oauth2/finish", "request={n}".into()),
        kind("GET", "/common/userrealm/user{n}@portcullis.local", String::new()),
        kind("GET", "/common/v2.0/.well-known/openid-configuration", "n={n}".into()),
        kind("GET", "/portal/sign-in", "next=/portal/{n}".into()),
        kind("POST", "/portal/sign-in", person.clone()),
        kind(
            "POST",
            "/portal/password",
            format!("{person}&new_password=another{{n}}&repeated_password=another{{n}}"),
        ),
        kind("POST", "/portal/authorize", format!("request={{n}}&answer=decline&form={form}")),
        kind("POST", "/portal/sign-out", format!("form={form}")),
        kind("POST", "/devicelogin", format!("user_code={{n}}&form={form}")),
        kind("GET", "/devicelogin/confirm", "code={n}".into()),
        kind("POST", "/devicelogin/confirm", format!("code={{n}}&answer=allow&form={form}")),
        kind("GET", "/oidc/userinfo", "n={n}".into()),
        kind("GET", "/v1.0/users", "n={n}".into()),
        kind("GET", "/subscriptions", "api-version=2022-12-01&n={n}".into()),
        kind("GET", "/clusters/c{n}/api/v1/namespaces", String::new()),
    ]
}

impl Kind {
    fn request(&self, number: usize) -> Request<Body> {
        let fill =
            |text: &str| text.replace("{n12}", &format!("{number:012}")).replace("{n}", &number.to_string());
        let (path, text) = (fill(&self.1), fill(&self.2));
        let cookies =
            format!("__Host-portcullis-browser={BROWSER}; __Host-portcullis-session=session{number}");
        let request = Request::builder().method(self.0).header(header::COOKIE, cookies);
        let request = match self.0 {
            "GET" => request.uri(format!("{path}?{text}")).body(Body::empty()),
            _ => request
                .uri(path)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(text)),
        };
        request.unwrap()
    }
}

fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// Sends requests of one kind from a few tasks at once.
async fn send(router: &Router, kind: Arc<Kind>, times: usize) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (router, kind) = (router.clone(), kind.clone());
        tasks.spawn(async move {
            for number in (task..times).step_by(TASKS) {
                let response = router.clone().oneshot(kind.request(number)).await.unwrap();
                assert!(response.status().as_u16() != 500, "{} {}", kind.0, kind.1);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

const TASKS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_anonymous_requests_of_a_route_leave_the_disk_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let site = Site::start(|settings| settings.storage = Storage::Directory(place.path().to_owned())).await;
    let app = site.running.app.clone();
    let router = server::start::router(app.clone());
    let begin = bytes_in(place.path());
    let mut grown = Vec::new();
    let kinds = kinds();
    let routes: Vec<(&str, String)> = kinds.iter().map(|kind| (kind.0, kind.1.clone())).collect();
    for kind in kinds {
        let of_route = routes.iter().filter(|(method, path)| *method == kind.0 && *path == kind.1).count();
        let taker = TAKERS.iter().any(|taker| kind.1.ends_with(taker)) && kind.0 == "POST";
        let of_all = if taker { TIMES } else { TIMES_OF_OTHERS };
        let times = of_all / of_route;
        let before = app.whole_state().store().status().await.unwrap().revision.0;
        let kind = Arc::new(kind);
        send(&router, kind.clone(), times).await;
        let after = app.whole_state().store().status().await.unwrap().revision.0;
        if after > before {
            grown.push((kind.1.clone(), after - before));
        }
    }
    let bytes = bytes_in(place.path()) - begin;
    // What may be stored at all, and how often: device codes in a minute, and failures of one address.
    assert!(bytes < 8 * 1024 * 1024, "{bytes} bytes: {grown:?}");
    let known = ["devicecode", "/token", "/portal/sign-in", "/portal/password"];
    for (path, writes) in &grown {
        assert!(known.iter().any(|known| path.contains(known)), "{path} wrote {writes} times");
        assert!(*writes < 6_000, "{path} wrote {writes} times");
    }
    site.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_codes_of_ten_thousand_addresses_are_bounded_in_all() {
    let place = tempfile::tempdir().unwrap();
    let site = Site::start(|settings| settings.storage = Storage::Directory(place.path().to_owned())).await;
    let begin = bytes_in(place.path());
    let scope = "openid ".repeat(580);
    let client = AppId::parse(CLI).unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..64_u32 {
        let (app, scope) = (site.running.app.clone(), scope.clone());
        tasks.spawn(async move {
            for number in (task..10_000).step_by(64) {
                let address: IpAddr = std::net::Ipv4Addr::from(0x0a00_0000 + number).into();
                match app.sign_in().start_device(client, None, &scope, Some(address)).await {
                    Ok(_) | Err(app::Error::Throttled { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let grown = bytes_in(place.path()) - begin;
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes");
    tokio::time::timeout(Duration::from_secs(60), site.running.app.clean_up()).await.unwrap().unwrap();
    site.running.stop().await.unwrap();
}
