//! What nobody sends by mistake, sent to every surface: each answers in the shape of its protocol, and goes on serving.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use testserver::{CLUSTER, Site};

/// A place that takes JSON, and where its errors say what is wrong.
struct Surface {
    method: Method,
    url: String,
    token: String,
    /// A member of the answer's JSON that a client looks at.
    told_by: &'static str,
    /// The body of a good request, with `VALUE` in place of a name.
    form: &'static str,
}

async fn surfaces(site: &Site) -> Vec<Surface> {
    let cluster = site.cluster().await;
    let management = site.management().await;
    let group = format!("/subscriptions/{}/resourceGroups", site.running.installation.subscription);
    let surface = |method, url, token: &str, told_by, form| Surface {
        method,
        url,
        token: token.to_owned(),
        told_by,
        form,
    };
    vec![
        surface(
            Method::POST,
            site.url("/v1.0/groups"),
            &management,
            "/error/code",
            r#"{"displayName":"VALUE","mailNickname":"x","mailEnabled":false,"securityEnabled":true}"#,
        ),
        surface(
            Method::POST,
            site.url("/v1.0/users"),
            &management,
            "/error/code",
            r#"{"userPrincipalName":"VALUE@portcullis.local","displayName":"x","mailNickname":"x","accountEnabled":true,"passwordProfile":{"password":"a long Password 1"}}"#,
        ),
        surface(
            Method::PUT,
            site.url(&format!("{group}/VALUE?api-version=2024-11-01")),
            &management,
            "/error/code",
            r#"{"location":"local"}"#,
        ),
        surface(
            Method::POST,
            format!("{cluster}/api/v1/namespaces"),
            &site.token(&site.admin.name, &format!("{CLUSTER}/.default")).await,
            "/reason",
            r#"{"metadata":{"name":"VALUE"}}"#,
        ),
    ]
}

impl Surface {
    /// The answer to a body, with a plain name in the address.
    async fn send(&self, site: &Site, token: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = site.http.request(self.method.clone(), self.url.replace("VALUE", "plain"));
        site.send(request.bearer_auth(token).header("content-type", "application/json").body(body)).await
    }

    #[track_caller]
    fn check_refused(&self, what: &str, (status, body): &(StatusCode, Value)) {
        assert!(status.is_client_error(), "{} {what}: {status} {body}", self.url);
        let told = body.pointer(self.told_by).and_then(Value::as_str);
        assert!(told.is_some_and(|told| !told.is_empty()), "{} {what}: {status} {body}", self.url);
    }
}

#[tokio::test]
async fn bodies_that_are_no_requests_get_an_answer_in_the_shape_of_their_protocol() {
    let site = Site::start(|_| {}).await;
    for surface in surfaces(&site).await {
        let deep = format!(r#"{{"metadata":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for (what, body) in [
            ("half", b"{".to_vec()),
            ("a list", b"[]".to_vec()),
            ("a number", b"7".to_vec()),
            ("no text", vec![0xff; 40]),
            ("10,000 deep", deep.into_bytes()),
            ("only brackets", "[".repeat(10_000).into_bytes()),
        ] {
            let answer = surface.send(&site, &surface.token, body).await;
            surface.check_refused(what, &answer);
        }
        let large = vec![b' '; 8 << 20];
        let answer = surface.send(&site, &surface.token, large).await;
        surface.check_refused("too large", &answer);
        let wrong = surface.form.replace(r#""VALUE""#, "{\"a\":1}").replace("\"local\"", "{\"a\":1}");
        let wrong = wrong.replace(r#""displayName":"x""#, r#""displayName":7"#);
        let answer = surface.send(&site, &surface.token, wrong.into_bytes()).await;
        surface.check_refused("wrong types", &answer);
    }
}

#[tokio::test]
async fn tokens_that_are_none_of_ours_open_no_surface() {
    let site = Site::start(|_| {}).await;
    let surfaces = surfaces(&site).await;
    for surface in &surfaces {
        // Rightly signed, and for somebody else.
        let elsewhere = surfaces.iter().find(|other| other.told_by != surface.told_by).unwrap();
        let (head, rest) = surface.token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
        let renamed = format!("eyJhbGciOiJIUzI1NiJ9.{payload}.{signature}");
        let forged = format!("{head}.e30.{signature}");
        let long = format!("{head}.{}.{signature}", "a".repeat(40_000));
        for token in [&elsewhere.token, &unsigned, &renamed, &forged, &long, "x"] {
            let body = surface.form.replace("VALUE", "plain").into_bytes();
            let answer = surface.send(&site, token, body).await;
            surface.check_refused(&token.chars().take(40).collect::<String>(), &answer);
            assert_eq!(answer.0, StatusCode::UNAUTHORIZED, "{}", surface.url);
        }
    }
}

#[tokio::test]
async fn names_that_lead_astray_are_refused() {
    let site = Site::start(|_| {}).await;
    for surface in surfaces(&site).await {
        let in_body = ["a\\u0000b", "a\\nb"].iter();
        // The title of a group is free text, and nobody is found by it alone.
        let is_title = surface.form.contains(r#""displayName":"VALUE""#);
        let paths = ["..", "a/../b", "a\\u202eb", "a\\u200bb", "\\u0430b"].iter().filter(|_| !is_title);
        for name in in_body.chain(paths).filter(|_| surface.form.contains("VALUE")) {
            let body = surface.form.replace("VALUE", name).into_bytes();
            surface.check_refused(name, &surface.send(&site, &surface.token, body).await);
        }
        for name in ["a%00b", "a%2fb", "a%5cb", "%ff"] {
            let base = surface.url.split('?').next().unwrap().trim_end_matches("/VALUE");
            let request = site.http.get(format!("{base}/{name}")).bearer_auth(&surface.token);
            let (status, body) = site.send(request).await;
            assert!(status.is_client_error(), "{base}/{name}: {status} {body}");
        }
    }
}

/// One name is one person or place, however it is written.
#[tokio::test]
async fn a_name_in_another_case_is_the_same_name() {
    let site = Site::start(|_| {}).await;
    let surfaces = surfaces(&site).await;
    let user = surfaces.iter().find(|surface| surface.form.contains("VALUE@")).unwrap();
    let make =
        async |name: &str| user.send(&site, &user.token, user.form.replace("VALUE", name).into_bytes()).await;
    assert_eq!(make("alice").await.0, StatusCode::CREATED);
    user.check_refused("ALICE", &make("ALICE").await);
    // With letters of another alphabet.
    user.check_refused("a look-alike", &make("\u{430}lice").await);
    let found = site.http.get(site.url("/v1.0/users/ALICE@Portcullis.LOCAL")).bearer_auth(&user.token);
    assert_eq!(site.ok(found).await["userPrincipalName"], "alice@portcullis.local");
}
