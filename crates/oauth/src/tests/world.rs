//! A small company behind a router that is called in process, with a clock that stands still.

use app::{Secret, sign_in::login::SignedIn};
use axum::body::Body;
use domain::id::ObjectId;
use http::{Request, header};
use serde_json::Value;
pub(super) use testkit::{
    BASE, PASSWORD, claims,
    clients::{AZURE_CLI as AZ, CLI, CLUSTER},
};
pub(super) use web::escapes::encode;

pub(super) const SCOPE: &str = "https://localhost:8443/.default openid profile offline_access";

pub(super) struct World {
    kit: testkit::World,
    pub(super) client: testkit::Client,
    pub(super) alice: ObjectId,
}

/// An answer as a client has it.
#[derive(Debug)]
pub(super) struct Answer(pub(super) testkit::Answer);

impl std::ops::Deref for World {
    type Target = testkit::World;
    fn deref(&self) -> &testkit::World {
        &self.kit
    }
}

impl std::ops::Deref for Answer {
    type Target = testkit::Answer;
    fn deref(&self) -> &testkit::Answer {
        &self.0
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let kit = testkit::World::new().await;
        let client = testkit::Client::new(crate::routes().with_state(kit.app.clone()));
        let alice = alice(&kit, "alice@example.org").await;
        Self { kit, client, alice }
    }

    pub(super) async fn user(&self, upn: &str) -> ObjectId {
        alice(&self.kit, upn).await
    }

    pub(super) async fn signed_in(&self, upn: &str) -> SignedIn {
        self.app
            .sign_in()
            .sign_in_with_password(None, upn, &Secret::new(PASSWORD.to_owned()), None)
            .await
            .unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        Answer(self.client.get(path).await)
    }

    pub(super) async fn post(&self, path: &str, fields: testkit::Form<'_>) -> Answer {
        Answer(self.client.form(path, fields).await)
    }

    /// Asks the tenant's token endpoint.
    pub(super) async fn token(&self, fields: testkit::Form<'_>) -> Answer {
        self.post(&format!("/{}/oauth2/v2.0/token", self.home.id), fields).await
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
        Answer(self.client.send(request).await)
    }
}

async fn alice(kit: &testkit::World, upn: &str) -> ObjectId {
    let named = |new: &mut app::directory::users::NewUser| {
        new.display_name = domain::name::DisplayName::parse("Alice Liddell").unwrap();
        new.given_name = Some("Alice".into());
        new.surname = Some("Liddell".into());
    };
    kit.home.user_with(upn, named).await
}

impl Answer {
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
