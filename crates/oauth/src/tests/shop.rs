//! An application that takes people's tokens and trades them for others on their behalf.

use app::{
    directory::applications::ApplicationUpdate,
    sign_in::grants::authorization::{Authorization, ResponseMode},
};
use domain::id::{AppId, ObjectId};

use super::world::{Answer, World};

pub(super) const SCOPE: &str = "https://localhost:8443/.default offline_access";

pub(super) struct Shop {
    pub(super) world: World,
    pub(super) own: Registered,
}

/// An application with its principal and a secret.
pub(super) struct Registered {
    pub(super) id: ObjectId,
    pub(super) app_id: AppId,
    pub(super) principal: ObjectId,
    pub(super) secret: String,
}

impl World {
    pub(super) async fn register(&self, name: &str, uris: &[&str]) -> Registered {
        let update = ApplicationUpdate {
            identifier_uris: Some(uris.iter().map(|uri| (*uri).to_owned()).collect()),
            redirect_uris: Some(vec![ANSWER.into()]),
            ..Default::default()
        };
        let testkit::Registered { application: id, app_id, principal } =
            self.home.application_with(name, update).await;
        Registered { id, app_id, principal, secret: self.home.secret(id).await }
    }

    /// Alice lets the client do this for her, as at the page of the portal.
    pub(super) async fn agree(&self, client: &Registered, scope: &str) {
        let app = &self.app;
        let signed_in = self.signed_in("alice@example.org").await;
        let session = app.sign_in().begin_session(&signed_in).await.unwrap();
        let session = app.sign_in().find_session(&session).await.unwrap().unwrap();
        let browser = app.sign_in().new_browser().unwrap();
        let request = app.sign_in().begin_authorization(asked(client, scope), &browser).unwrap();
        app.sign_in().allow_authorization(&request, &browser, &session).await.unwrap();
    }

    /// Whether Alice would be asked.
    pub(super) async fn asks(&self, client: &Registered, scope: &str) -> bool {
        let signed_in = self.signed_in("alice@example.org").await;
        self.app.sign_in().needs_consent(&signed_in, &asked(client, scope)).await.unwrap()
    }

    /// The client trades a person's token.
    pub(super) async fn trade(&self, client: &Registered, assertion: &str, scope: &str) -> Answer {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("client_id", &client.app_id.to_string()),
            ("client_secret", &client.secret),
            ("assertion", assertion),
            ("scope", scope),
        ];
        self.token(&fields).await
    }

    pub(super) async fn refresh(&self, client: &Registered, token: &str, scope: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &client.app_id.to_string()),
            ("client_secret", &client.secret),
            ("refresh_token", token),
            ("scope", scope),
        ];
        self.token(&fields).await
    }
}

impl Shop {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        let own = world.register("shop", &["api://shop"]).await;
        Self { world, own }
    }

    pub(super) async fn agree(&self, scope: &str) {
        self.world.agree(&self.own, scope).await;
    }

    pub(super) async fn trade(&self, assertion: &str, scope: &str) -> Answer {
        self.world.trade(&self.own, assertion, scope).await
    }
}

fn asked(client: &Registered, scope: &str) -> Authorization {
    Authorization {
        client: client.app_id,
        tenant: None,
        redirect_uri: ANSWER.into(),
        response_mode: ResponseMode::Query,
        state: None,
        scope: scope.into(),
        nonce: None,
        challenge: None,
        fresh: false,
        login_hint: None,
    }
}

const ANSWER: &str = "https://shop.example/answer";
