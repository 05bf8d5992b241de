//! Workload identity: tokens of an external issuer in place of a secret. The issuer is played here; a real one is asked
//! over the network in the end-to-end tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use app::{
    directory::applications::ApplicationUpdate, state::outbound::Answer as OutsideAnswer,
    state::outbound::Outbound, state::outbound::OutboundRequest,
};
use crypto::{jwt, keys::SigningKey};
use domain::{
    application::ServicePrincipalKind,
    change::Record,
    credential::FederatedCredential,
    id::{AppId, ObjectId},
    name::DisplayName,
};
use serde_json::{Value, json};

use super::world::{Answer, World, claims, text};

const ISSUER: &str = "https://issuer.example/workloads";
const SUBJECT: &str = "system:serviceaccount:shop:till";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The documents of other hosts, and what was asked of them.
#[derive(Debug, Default)]
struct Documents {
    served: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
}

impl Outbound for Documents {
    fn send(&self, request: OutboundRequest) -> OutsideAnswer<'_> {
        self.asked.lock().unwrap().push(request.url.clone());
        let found =
            self.served.lock().unwrap().get(&request.url).map(|document| document.to_string().into_bytes());
        Box::pin(async move { found.ok_or_else(|| format!("{} does not answer", request.url)) })
    }
}

fn credential() -> FederatedCredential {
    FederatedCredential {
        id: uuid::Uuid::nil(),
        name: "till".into(),
        issuer: ISSUER.into(),
        subject: SUBJECT.into(),
        audiences: vec![AUDIENCE.into()],
        description: None,
    }
}

struct Scene {
    world: World,
    client: AppId,
    documents: Arc<Documents>,
    key: SigningKey,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let name = DisplayName::parse("till").unwrap();
        let made = world
            .app
            .directory()
            .create_application(&world.home.admin, name, ApplicationUpdate::default())
            .await
            .unwrap();
        world.app.directory().create_service_principal(&world.home.admin, made.app_id).await.unwrap();
        let mut changed = (*made).clone();
        changed.federated.push(credential());
        world.app.whole_state().transact(|tx| tx.put(&Record::Application(changed.clone()))).await.unwrap();
        let documents = Arc::new(Documents::default());
        world.app.whole_state().connect_outbound(documents.clone());
        let scene = Self { world, client: made.app_id, documents, key: SigningKey::generate().unwrap() };
        scene.serve(
            "/.well-known/openid-configuration",
            json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")}),
        );
        let public = scene.key.public();
        let other = json!({"kty": "EC", "kid": "other"});
        let key = json!({"kty": "RSA", "use": "sig", "kid": "one", "n": public.n, "e": public.e});
        scene.serve("/keys", json!({"keys": [other, key]}));
        scene
    }

    fn serve(&self, path: &str, document: Value) {
        self.documents.served.lock().unwrap().insert(format!("{ISSUER}{path}"), document);
    }

    fn asked(&self) -> usize {
        self.documents.asked.lock().unwrap().len()
    }

    fn good(&self) -> Value {
        let now = self.world.app.now().as_second();
        json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": now + 3600, "iat": now})
    }

    fn sign(&self, claims: &Value) -> String {
        jwt::sign(&self.key, "one", claims).unwrap()
    }

    async fn ask(&self, assertion: &str) -> Answer {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client.to_string()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", "https://localhost:8443/.default"),
        ];
        self.world.token(&fields).await
    }
}

#[tokio::test]
async fn a_token_that_a_federated_credential_names_is_as_good_as_a_secret() {
    let scene = Scene::new().await;
    let token = scene.sign(&scene.good());
    let tokens = scene.ask(&format!("{token}\n")).await.ok();
    let access = claims(text(&tokens, "access_token"));
    assert_eq!((&access["azp"], &access["azpacr"]), (&json!(scene.client.to_string()), &json!("2")));
    assert_eq!(scene.asked(), 2);
    // Keys are remembered.
    scene.ask(&token).await.ok();
    assert_eq!(scene.asked(), 2);
}

/// A managed identity has no application, and no other proof than a token of an external issuer.
#[tokio::test]
async fn a_workload_may_be_a_managed_identity() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let resource =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/till";
    let snapshot = world.app.whole_snapshot();
    let like = snapshot.directory().service_principal_by_app_id(world.home.id, scene.client).unwrap();
    let mut identity = (**like).clone();
    identity.id = ObjectId::new(uuid::Uuid::from_u128(1));
    identity.app_id = AppId::new(uuid::Uuid::from_u128(2));
    identity.kind = ServicePrincipalKind::ManagedIdentity(resource.into());
    identity.federated = vec![credential()];
    world
        .app
        .whole_state()
        .transact(|tx| tx.create(&Record::ServicePrincipal(identity.clone())))
        .await
        .unwrap();
    let ask = async |proof: [(&str, &str); 2]| {
        let client = identity.app_id.to_string();
        let fixed = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("scope", "https://localhost:8443/.default"),
        ];
        world.token(&[&fixed[..], &proof].concat()).await
    };
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let tokens = ask([kind, ("client_assertion", &scene.sign(&scene.good()))]).await.ok();
    let access = claims(text(&tokens, "access_token"));
    assert_eq!((&access["oid"], &access["xms_mirid"]), (&json!(identity.id), &json!(resource)));
    let mut other = scene.good();
    other["sub"] = "system:serviceaccount:shop:other".into();
    let refused = ask([kind, ("client_assertion", &scene.sign(&other))]).await;
    refused.fails(401, "invalid_client", 700_213);
    ask([("client_secret", "x"), ("client_info", "1")]).await.fails(401, "invalid_client", 7_000_215);
    ask([("x", "1"), ("client_info", "1")]).await.fails(401, "invalid_client", 7_000_218);
}

#[tokio::test]
async fn an_issuer_that_nobody_named_is_never_asked() {
    let scene = Scene::new().await;
    for (name, wrong, number) in [
        ("iss", json!("https://169.254.169.254/"), 700_211),
        ("iss", json!(format!("{ISSUER}/")), 700_211),
        ("iss", json!(null), 700_211),
        ("sub", json!("system:serviceaccount:shop:other"), 700_213),
        ("sub", json!(null), 700_213),
        ("aud", json!("api://other"), 700_212),
        ("aud", json!([]), 700_212),
        ("aud", json!(null), 700_212),
    ] {
        let mut claims = scene.good();
        claims[name] = wrong;
        scene.ask(&scene.sign(&claims)).await.fails(401, "invalid_client", number);
    }
    assert_eq!(scene.asked(), 0);
}

#[tokio::test]
async fn a_token_must_be_signed_by_its_issuer_and_count_now() {
    let scene = Scene::new().await;
    let now = scene.world.app.now().as_second();
    for (name, wrong, number) in [
        ("exp", json!(now - 600), 700_024),
        ("nbf", json!(now + 3600), 700_024),
        ("exp", json!(null), 700_027),
        ("exp", json!("soon"), 700_027),
    ] {
        let mut claims = scene.good();
        claims[name] = wrong;
        scene.ask(&scene.sign(&claims)).await.fails(401, "invalid_client", number);
    }
    let forged = jwt::sign(&SigningKey::generate().unwrap(), "one", &scene.good()).unwrap();
    scene.ask(&forged).await.fails(401, "invalid_client", 700_027);
    let unknown = jwt::sign(&scene.key, "two", &scene.good()).unwrap();
    scene.ask(&unknown).await.fails(401, "invalid_client", 700_027);
    // A flood of unknown key ids is not passed on to the issuer.
    assert_eq!(scene.asked(), 2);
    scene.world.advance(11);
    scene.ask(&unknown).await.fails(401, "invalid_client", 700_027);
    assert_eq!(scene.asked(), 4);
    // Rotated: the new key is found, the old one counts no more.
    let public = scene.key.public();
    scene.serve("/keys", json!({"keys": [{"kty": "RSA", "kid": "two", "n": public.n, "e": public.e}]}));
    scene.world.advance(11);
    scene.ask(&unknown).await.ok();
    scene.ask(&scene.sign(&scene.good())).await.fails(401, "invalid_client", 700_027);
}

#[tokio::test]
async fn an_issuer_cannot_send_us_elsewhere() {
    for document in [
        json!({"issuer": ISSUER, "jwks_uri": "https://169.254.169.254/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "https://issuer.example@evil.example/keys"}),
        json!({"issuer": ISSUER}),
        json!({"issuer": "https://other.example", "jwks_uri": format!("{ISSUER}/keys")}),
        json!([]),
    ] {
        let scene = Scene::new().await;
        scene.serve("/.well-known/openid-configuration", document);
        scene.ask(&scene.sign(&scene.good())).await.fails(401, "invalid_client", 50_166);
        assert_eq!(scene.asked(), 1);
    }
    let scene = Scene::new().await;
    scene.serve("/keys", json!({"keys": "none"}));
    scene.ask(&scene.sign(&scene.good())).await.fails(401, "invalid_client", 50_166);
}
