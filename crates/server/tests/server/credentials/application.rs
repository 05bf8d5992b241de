//! An application that proves itself by a secret, a certificate or another's token, and asks for tokens in each way.

use app::Secret;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::scene::text;
use testserver::{CLUSTER, Site};

pub(super) struct Application {
    pub(super) object: String,
    pub(super) app_id: String,
    pub(super) principal: String,
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) certificate: SelfSigned,
}

/// The certificate of an application with its key.
pub(super) struct SelfSigned {
    key: crypto::keys::SigningKey,
    der: Vec<u8>,
}

impl Application {
    pub(super) async fn register(site: &Site) -> Self {
        let certificate = SelfSigned::new();
        let made = site
            .post(
                "/v1.0/applications",
                &json!({"displayName": "till",
            "web": {"redirectUris": ["https://till.example/answer"]},
            "keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify",
                "key": STANDARD.encode(&certificate.der)}]}),
            )
            .await;
        let app_id = text(&made, "/appId");
        let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": app_id})).await;
        let object = text(&made, "/id");
        let secret = site.post(&format!("/v1.0/applications/{object}/addPassword"), &json!({})).await;
        let principal = text(&principal, "/id");
        for resource in [site.running.url.as_str(), CLUSTER] {
            let grant =
                json!({"clientId": principal, "consentType": "AllPrincipals", "resourceId": resource});
            site.post("/v1.0/oauth2PermissionGrants", &grant).await;
        }
        Self {
            object,
            app_id,
            principal,
            certificate,
            key_id: text(&secret, "/keyId"),
            secret: text(&secret, "/secretText"),
        }
    }
}

impl SelfSigned {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
        let key = crypto::keys::SigningKey::from_pkcs8(&Secret::new(pair.serialize_der())).unwrap();
        Self { key, der: certificate.der().to_vec() }
    }

    pub(super) fn assertion(&self, site: &Site, client: &str) -> String {
        let now = site.running.app.now().as_second();
        let audience = site.url(&format!("/{}/oauth2/v2.0/token", site.admin.tenant));
        let claims = json!({"iss": client, "sub": client, "aud": audience, "iat": now, "nbf": now,
            "exp": now + 600, "jti": uuid::Uuid::new_v4()});
        let x5t = URL_SAFE_NO_PAD.encode(crypto::digest::sha256(&self.der));
        let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": x5t});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the tenant's token endpoint gives, if anything.
pub(super) async fn asked(site: &Site, form: &[(&str, &str)]) -> Option<Value> {
    let url = site.url(&format!("/{}/oauth2/v2.0/token", site.admin.tenant));
    let (status, answer) = site.send(site.http.post(url).form(form)).await;
    assert!(!status.is_server_error(), "{answer}");
    status.is_success().then_some(answer)
}

pub(super) async fn by_secret(site: &Site, till: &Application, scope: &str) -> Option<String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", till.app_id.as_str()),
        ("client_secret", &till.secret),
        ("scope", scope),
    ];
    Some(text(&asked(site, &form).await?, "/access_token"))
}

pub(super) async fn by_assertion(site: &Site, till: &Application, assertion: &str, scope: &str) -> bool {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", till.app_id.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
        ("scope", scope),
    ];
    asked(site, &form).await.is_some()
}

pub(super) async fn traded(site: &Site, till: &Application, assertion: &str) -> Option<String> {
    let scope = format!("{}/.default", site.running.url);
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("requested_token_use", "on_behalf_of"),
        ("client_id", till.app_id.as_str()),
        ("client_secret", &till.secret),
        ("assertion", assertion),
        ("scope", &scope),
    ];
    Some(text(&asked(site, &form).await?, "/access_token"))
}
