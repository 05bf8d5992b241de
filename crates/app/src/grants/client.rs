//! Clients and how they prove who they are: a secret, an assertion signed with a certificate (RFC 7523), or
//! nothing, where they are public ones.

use std::sync::Arc;

use crypto::{cert::Certificate, jwt, secret::Secret};
use domain::{
    application::{Application, ServicePrincipal},
    credential::{ClientCertificate, ClientSecret},
    id::{AppId, TenantId},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{GrantError, digest};
use crate::{
    App, Error,
    login::attempts::Subject,
    tokens::claims::ClientProof,
    well_known::{self, WellKnown},
};

/// A program that asks for tokens.
#[derive(Clone, Debug)]
pub enum Client {
    WellKnown(&'static WellKnown),
    Registered(Arc<Application>),
}

/// What a client shows of itself.
#[derive(Clone, Debug)]
pub enum ClientCredentials {
    None,
    Secret(Secret<String>),
    /// A signed JWT, and the addresses of the token endpoint that it may be made out to.
    Assertion {
        token: String,
        audiences: Vec<String>,
    },
}

/// Why a client is not who it says.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no application has the id {0}")]
    Unknown(AppId),
    #[error("the application has no service principal in this tenant")]
    NoServicePrincipal,
    #[error("the client must prove itself by a secret or an assertion")]
    ProofRequired,
    #[error("the client is a public one, and has nothing to prove itself with")]
    NoProofExpected,
    #[error("the client secret is not right, or has ended")]
    WrongSecret,
    #[error("the client assertion is not valid: {0}")]
    WrongAssertion(String),
    #[error("too many wrong secrets: try again later")]
    Throttled,
    #[error(transparent)]
    App(#[from] Error),
}

impl Client {
    pub fn app_id(&self) -> AppId {
        match self {
            Self::WellKnown(known) => AppId::new(known.app_id),
            Self::Registered(application) => application.app_id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::WellKnown(known) => known.name,
            Self::Registered(application) => application.display_name.as_str(),
        }
    }

    /// The one tenant whose people and principals it serves; none for those that are built in.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::WellKnown(_) => None,
            Self::Registered(application) => Some(application.tenant),
        }
    }

    /// Whether people trust it without being asked, because it is part of the installation.
    pub fn is_first_party(&self) -> bool {
        matches!(self, Self::WellKnown(_))
    }

    pub fn is_public(&self) -> bool {
        match self {
            Self::WellKnown(known) => known.public_client,
            Self::Registered(application) => application.public_client,
        }
    }

    /// Whether it may send user names and passwords.
    pub fn may_send_passwords(&self) -> bool {
        match self {
            Self::WellKnown(known) => known.password_grant,
            Self::Registered(application) => application.password_grant,
        }
    }

    /// Whether an answer may be sent to this address: one that is registered exactly, or a registered
    /// loopback address with another port (RFC 8252 §7.3).
    pub fn may_redirect_to(&self, address: &str) -> bool {
        let registered: Vec<&str> = match self {
            Self::WellKnown(known) => known.redirect_uris.to_vec(),
            Self::Registered(application) => application.redirect_uris.iter().map(String::as_str).collect(),
        };
        let clean = !address.contains(['#', '\\', '@']) && !address.chars().any(|each| each.is_control());
        clean && registered.iter().any(|each| *each == address || is_same_loopback(each, address))
    }
}

/// Whether both are plain http on the same loopback host, with the same path, whatever the port.
fn is_same_loopback(registered: &str, address: &str) -> bool {
    let split = |uri: &str| {
        let rest = uri.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (host, port)
            }
            Some((_, _)) if !authority.ends_with(']') => return None,
            _ => (authority, ""),
        };
        let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        (loopback && port.len() <= 5).then(|| (host.to_owned(), path.to_owned()))
    };
    matches!((split(registered), split(address)), (Some(one), Some(other)) if one == other)
}

impl App {
    pub fn find_client(&self, app_id: AppId) -> Result<Client, ClientError> {
        if let Some(known) = well_known::find(app_id) {
            return Ok(Client::WellKnown(known));
        }
        let snapshot = self.snapshot();
        let application = snapshot.directory().application_by_app_id(app_id).cloned();
        application.map(Client::Registered).ok_or(ClientError::Unknown(app_id))
    }

    /// Checks what a client shows. A public client shows nothing; every other one must prove itself.
    pub async fn check_client(
        &self,
        tenant: Option<TenantId>,
        client: &Client,
        credentials: &ClientCredentials,
    ) -> Result<ClientProof, ClientError> {
        match (client, credentials) {
            (_, ClientCredentials::None) if client.is_public() => Ok(ClientProof::None),
            (_, ClientCredentials::None) => Err(ClientError::ProofRequired),
            (Client::WellKnown(_), _) => Err(ClientError::NoProofExpected),
            (Client::Registered(application), ClientCredentials::Secret(secret)) => {
                self.check_secret(tenant, application, secret).await?;
                Ok(ClientProof::Secret)
            }
            (Client::Registered(application), ClientCredentials::Assertion { token, audiences }) => {
                self.check_assertion(tenant, application, token, audiences)?;
                Ok(ClientProof::Assertion)
            }
        }
    }

    /// The principal that an application is in a tenant, if it may act.
    pub fn service_principal_of(
        &self,
        tenant: TenantId,
        app_id: AppId,
    ) -> Result<Arc<ServicePrincipal>, ClientError> {
        let snapshot = self.snapshot();
        let principal = snapshot.directory().service_principal_by_app_id(tenant, app_id);
        let enabled = principal.filter(|principal| principal.enabled);
        enabled.cloned().ok_or(ClientError::NoServicePrincipal)
    }

    async fn check_secret(
        &self,
        tenant: Option<TenantId>,
        application: &Application,
        secret: &Secret<String>,
    ) -> Result<(), ClientError> {
        let now = self.now();
        let shown = digest(secret.expose());
        let counts = |each: &ClientSecret| {
            crypto::digest::equal(each.digest.as_bytes(), shown.as_bytes())
                && each.start <= now
                && now < each.end
        };
        let principal_secrets =
            self.credentials_of_principal(tenant, application).map(|each| each.secrets.clone());
        let right = application.secrets.iter().any(counts) || principal_secrets.iter().flatten().any(counts);
        if right {
            return Ok(());
        }
        // Secrets are long and random: counting failures serves to notice, not to protect, so a right one is
        // never refused because of them.
        let subject = Subject::Application(application.app_id.to_string());
        match self.count_attempt(&subject).await {
            Ok(()) => Err(ClientError::WrongSecret),
            Err(_) => Err(ClientError::Throttled),
        }
    }

    /// RFC 7523 §3. One assertion may come several times while it lasts: MSAL makes a new one only after ten
    /// minutes, and Entra takes it as often.
    fn check_assertion(
        &self,
        tenant: Option<TenantId>,
        application: &Application,
        token: &str,
        audiences: &[String],
    ) -> Result<(), ClientError> {
        let wrong = |problem: &str| ClientError::WrongAssertion(problem.to_owned());
        let now = self.now();
        let parsed = jwt::parse(token).map_err(|error| wrong(&error.to_string()))?;
        let header = &parsed.header;
        let of_principal =
            self.credentials_of_principal(tenant, application).map(|each| each.certificates.clone());
        let known: Vec<ClientCertificate> =
            application.certificates.iter().cloned().chain(of_principal.into_iter().flatten()).collect();
        let named = known
            .iter()
            .filter(|each| each.start <= now && now < each.end)
            .filter_map(|each| certificate(each).ok())
            .find(|each| each.is_named_by(header.x5t.as_deref(), header.x5t_s256.as_deref()));
        let named = named.ok_or_else(|| wrong("no certificate of the application has that thumbprint"))?;
        let key = named.rsa_key().map_err(|error| wrong(&error.to_string()))?;
        let claims = parsed.verify(&key).map_err(|error| wrong(&error.to_string()))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let client = application.app_id.to_string();
        if !text("iss").eq_ignore_ascii_case(&client) || !text("sub").eq_ignore_ascii_case(&client) {
            return Err(wrong("iss and sub must be the client id"));
        }
        if !audiences.iter().any(|each| each == text("aud")) {
            return Err(wrong(&format!(
                "it is made out to \"{}\", expected \"{}\"",
                text("aud"),
                audiences.join("\" or \"")
            )));
        }
        // Times come with fractions of a second.
        let time = |name: &str| jwt::time(&claims, name).map_err(|_| wrong(&format!("{name} is not a time")));
        let expires = time("exp")?.and_then(timestamp).ok_or_else(|| wrong("it has no time of ending"))?;
        let not_before = match time("nbf")? {
            Some(seconds) => timestamp(seconds),
            None => time("iat")?.map_or(Some(Timestamp::UNIX_EPOCH), timestamp),
        };
        let not_before = not_before.ok_or_else(|| wrong("its beginning is out of range"))?;
        if now >= expires.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
            return Err(wrong("it has ended"));
        }
        if now < not_before.saturating_sub(SKEW).unwrap_or(Timestamp::MIN) {
            return Err(wrong("it does not count yet"));
        }
        if expires > now.saturating_add(LONGEST_ASSERTION).unwrap_or(Timestamp::MAX) {
            return Err(wrong("it would last for more than a day"));
        }
        Ok(())
    }

    fn credentials_of_principal(
        &self,
        tenant: Option<TenantId>,
        application: &Application,
    ) -> Option<Arc<ServicePrincipal>> {
        let snapshot = self.snapshot();
        snapshot.directory().service_principal_by_app_id(tenant?, application.app_id).cloned()
    }
}

fn certificate(stored: &ClientCertificate) -> Result<Certificate, Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let der = STANDARD.decode(&stored.der).map_err(Error::internal)?;
    Certificate::from_der(&der).map_err(Error::internal)
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    (0.0..1e11).contains(&seconds).then(|| Timestamp::from_second(seconds as i64).ok()).flatten()
}

impl From<ClientError> for GrantError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::App(error) => Self::App(error),
            _ => Self::Invalid("the client is not the one it was given to"),
        }
    }
}

const SKEW: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_ASSERTION: SignedDuration = SignedDuration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_registered_places_only() {
        let client = Client::WellKnown(well_known::find(AppId::new(well_known::ALL[0].app_id)).unwrap());
        for good in
            ["http://localhost", "http://localhost:1234", "http://localhost:1234/", "http://127.0.0.1:8400"]
        {
            assert!(client.may_redirect_to(good), "{good}");
        }
        for bad in [
            "http://localhost:1234/path",
            "http://localhost.evil.example",
            "http://localhost:1@evil.example",
            "https://localhost:1",
            "http://evil.example",
            "http://localhost:12x",
            "http://localhost:",
            "http://localhost#f",
            "//localhost",
            "",
        ] {
            assert!(!client.may_redirect_to(bad), "{bad}");
        }
    }
}
