//! A small company behind a router that is called in process, with a clock that stands still.

use std::sync::Arc;

use app::{
    App, Caller, FirstAdministrator, Parts, Secret, Settings, clock::ManualClock, login::SignedIn,
    users::NewUser,
};
use axum::{Router, body::Body};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    id::{AppId, ObjectId, TenantId},
    name::{DisplayName, Upn},
};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde_json::Value;
use tower::ServiceExt;

pub(super) const BASE: &str = "https://localhost:8443";
pub(super) const AZ: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
pub(super) const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
pub(super) const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const SCOPE: &str = "https://localhost:8443/.default openid profile offline_access";

pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: Arc<ManualClock>,
    pub(super) router: Router,
    pub(super) admin: Caller,
    pub(super) tenant: TenantId,
    pub(super) alice: ObjectId,
}

/// An answer as a client has it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
        let parts = Parts {
            store: store::open(&store::StoreConfig::Memory).await.unwrap(),
            clock: clock.clone(),
            random: Arc::new(crypto::random::System::default()),
            sealer: crypto::seal::Sealer::new(&Secret::new([7; 32])).unwrap(),
            settings: Settings { external_url: BASE.into(), authority_certificate: String::new() },
        };
        let (app, follow) = App::open(parts).await.unwrap();
        tokio::spawn(follow);
        let first = || {
            Ok(FirstAdministrator {
                upn: Upn::parse("admin@example.org").unwrap(),
                password: Secret::new(PASSWORD.to_owned()),
            })
        };
        let tenant = app.install(first).await.unwrap().tenant;
        let snapshot = app.snapshot();
        let user =
            snapshot.directory().user_by_upn(&Upn::parse("admin@example.org").unwrap()).unwrap().clone();
        let admin = Caller::of_user(&user, AppId::parse(CLI).unwrap());
        let router = crate::routes().with_state(app.clone());
        let mut world = Self { app, clock, router, admin, tenant, alice: user.id };
        world.alice = world.user("alice@example.org").await;
        world
    }

    pub(super) async fn user(&self, upn: &str) -> ObjectId {
        let new = NewUser {
            upn: Upn::parse(upn).unwrap(),
            display_name: DisplayName::parse("Alice Liddell").unwrap(),
            enabled: true,
            password: Some(Secret::new(PASSWORD.to_owned())),
            must_change_password: false,
            mail_nickname: None,
            mail: None,
            given_name: Some("Alice".into()),
            surname: Some("Liddell".into()),
            job_title: None,
        };
        self.app.create_user(&self.admin, new).await.unwrap().id
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(super) async fn signed_in(&self, upn: &str) -> SignedIn {
        self.app.sign_in(None, upn, &Secret::new(PASSWORD.to_owned()), None).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(body.join("&").into()).unwrap()).await
    }

    /// Asks the tenant's token endpoint.
    pub(super) async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.post(&format!("/{}/oauth2/v2.0/token", self.tenant), fields).await
    }

    /// Tokens for Alice, by her password.
    pub(super) async fn tokens(&self, scope: &str) -> Value {
        let fields = [
            ("grant_type", "password"),
            ("client_id", CLI),
            ("username", "alice@example.org"),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        self.token(&fields).await.ok()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router.clone(), request).await
    }
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// Posts a form that is written already.
pub(super) async fn send_form(router: Router, path: &str, body: String) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(router, request.body(body.into()).unwrap()).await
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(super) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// An error in Entra's whole shape, with its name and number.
    pub(super) fn fails(&self, status: u16, error: &str, number: u32) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        assert_eq!(body["error"], error, "{body}");
        assert_eq!(body["error_codes"], serde_json::json!([number]), "{body}");
        assert!(text(&body, "error_description").starts_with(&format!("AADSTS{number}: ")), "{body}");
        for name in ["timestamp", "trace_id", "correlation_id"] {
            assert!(!text(&body, name).is_empty(), "{name}: {body}");
        }
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
    }

    /// The parameters of the redirect that this answer is.
    pub(super) fn redirected(&self, to: &str) -> web::body::FormFields {
        assert!(self.status.is_redirection(), "{self:?}");
        let location = self.headers[header::LOCATION].to_str().unwrap();
        let (address, query) = location.split_once('?').unwrap_or((location, ""));
        assert_eq!(address, to);
        web::body::FormFields::parse(query.as_bytes()).unwrap()
    }
}

pub(super) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}"))
}

/// The claims of a token, as a client reads them.
pub(super) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(super) fn encode(value: &str) -> String {
    web::escapes::encode(value)
}
