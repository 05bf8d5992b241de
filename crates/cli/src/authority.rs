//! An OAuth 2.0 client of the server's token, device and other sign-in endpoints.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{address::Base, output};

/// The client id of this program.
pub(crate) const CLIENT_ID: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
/// The audience of cluster tokens.
pub(crate) const CLUSTER_SERVER_ID: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
/// kubelogin's client id, which kubeconfigs contain.
pub(crate) const KUBELOGIN_CLIENT_ID: &str = "80faf920-1908-4b52-b5ef-a8e7bedfc67a";

/// The OAuth 2.0 endpoints of one tenant on one server.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    http: reqwest::Client,
    base: Base,
    tenant: String,
}

/// A response of the token endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) id_token: Option<String>,
    expires_in: i64,
}

/// An error response of the authority.
#[derive(Debug, thiserror::Error)]
#[error("{description}")]
pub(crate) struct Refused {
    pub(crate) error: String,
    description: String,
}

impl Refused {
    /// Whether a new sign-in, or another client credential, is needed (RFC 6749 section 5.2, and OpenID Connect Core
    /// section 3.1.2.6).
    pub(crate) fn asks_for_sign_in(&self) -> bool {
        matches!(self.error.as_str(), "invalid_grant" | "interaction_required" | "login_required")
    }

    /// Whether the application's credential was refused.
    pub(crate) fn is_of_client(&self) -> bool {
        matches!(self.error.as_str(), "invalid_client" | "unauthorized_client")
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct DeviceStarted {
    device_code: String,
    message: String,
    interval: u64,
    expires_in: u64,
}

impl Tokens {
    /// When the access token expires.
    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp::now().saturating_add(SignedDuration::from_secs(self.expires_in)).unwrap_or(Timestamp::MAX)
    }

    /// A claim of the id token; not verified, because it came directly from the authority over TLS.
    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let payload = self.id_token.as_deref().or(Some(&self.access_token))?.split('.').nth(1)?.to_owned();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        claims.get(name)?.as_str().map(str::to_owned)
    }
}

/// An HTTP client that trusts only the given CA, or without one the system's CAs.
pub(crate) fn http_client(ca_pem: Option<&str>) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true);
    if let Some(pem) = ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .context("the certificate authority is not in PEM form")?;
        ensure!(!certificates.is_empty(), "the certificate authority holds no certificate in PEM form");
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().context("preparing for HTTPS")
}

impl Authority {
    pub(crate) fn new(http: reqwest::Client, base: &str, tenant: &str) -> anyhow::Result<Self> {
        Ok(Self { http, base: Base::parse(base)?, tenant: tenant.to_owned() })
    }

    pub(crate) fn address(&self, endpoint: &str) -> anyhow::Result<reqwest::Url> {
        self.base.below(&[&self.tenant, "oauth2", "v2.0", endpoint])
    }

    /// Sends a token request.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> anyhow::Result<Tokens> {
        self.post("token", form).await
    }

    /// The client credentials grant with a client assertion instead of a secret (RFC 7523 section 2.2).
    pub(crate) async fn by_assertion(
        &self,
        client_id: &str,
        assertion: &str,
        scope: &str,
    ) -> anyhow::Result<Tokens> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", scope),
        ];
        self.token(&form).await
    }

    /// The device code flow: prints the code on standard error and polls until the user has answered.
    pub(crate) async fn device_code(&self, client_id: &str, scope: &str) -> anyhow::Result<Tokens> {
        let started: DeviceStarted =
            self.post("devicecode", &[("client_id", client_id), ("scope", scope)]).await?;
        output::note(format_args!("{}", started.message));
        let mut interval = started.interval.max(1);
        let end = std::time::Instant::now() + Duration::from_secs(started.expires_in);
        while std::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(interval)).await;
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("client_id", client_id),
                ("device_code", started.device_code.as_str()),
            ];
            match self.token(&form).await {
                Ok(tokens) => return Ok(tokens),
                Err(error) => match error.downcast_ref::<Refused>().map(|refused| refused.error.as_str()) {
                    Some("authorization_pending") => {}
                    Some("slow_down") => interval += 5,
                    _ => return Err(error),
                },
            }
        }
        bail!("nobody answered the device code in time: start again")
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let address = self.address(endpoint)?;
        let response = self.http.post(address.clone()).form(form).send().await;
        let response = response.with_context(|| {
            format!(
                "asking {address}: is the server running, and is its certificate authority given (by --ca-file of \
                 `portcullis login`, else by SSL_CERT_FILE)?"
            )
        })?;
        let status = response.status();
        let bytes = response.bytes().await.with_context(|| format!("reading the answer of {address}"))?;
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .with_context(|| format!("{address} gave an answer that is not understood"));
        }
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => {
                let description =
                    body.error_description.split(" Trace ID:").next().unwrap_or_default().to_owned();
                Err(Refused { error: body.error, description }.into())
            }
            Err(_) => bail!("{address} answered {status}"),
        }
    }
}
