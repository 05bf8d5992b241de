//! Clients and how they prove who they are: a secret, an assertion (signed with their certificate, or a foreign
//! token that they trust), or nothing, where they are public ones.

mod assertion;
mod federation;

use std::sync::Arc;

use crypto::secret::Secret;
use domain::{
    application::{Application, ServicePrincipal, ServicePrincipalKind},
    credential::{ClientCertificate, ClientSecret, FederatedCredential},
    id::{AppId, TenantId},
};

use super::{GrantError, digest};
use crate::{SignIn, tokens::claims::ClientProof};
use directory::attempts::Subject;
use state::{
    Error,
    well_known::{self, WellKnown},
};

/// A program that asks for tokens.
#[derive(Clone, Debug)]
pub enum Client {
    WellKnown(&'static WellKnown),
    Registered(Arc<Application>),
    /// A managed identity, which has no application: a workload may be it by a token of an external issuer.
    Identity(Arc<ServicePrincipal>),
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
    #[error("the application's service principal in this tenant is disabled")]
    Disabled,
    #[error("the client must prove itself by a secret or an assertion")]
    ProofRequired,
    #[error("the client is a public one, and has nothing to prove itself with")]
    NoProofExpected,
    #[error("the client secret is not right, or has ended")]
    WrongSecret,
    #[error("the client assertion is not valid: {0}")]
    WrongAssertion(String),
    #[error("the client assertion has ended, or does not count yet")]
    AssertionTime,
    /// No federated credential has this issuer, subject or audience.
    #[error("no federated credential of the application has the assertion's {0} \"{1}\"")]
    NotFederated(Mismatch, String),
    #[error("the keys of the assertion's issuer cannot be read: {0}")]
    IssuerUnreachable(String),
    #[error("too many wrong secrets: try again later")]
    Throttled,
    #[error(transparent)]
    App(#[from] Error),
}

/// What of a token of an external issuer is not as a federated credential says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    Issuer,
    Subject,
    Audience,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Audience => "audience",
        })
    }
}

impl Client {
    pub fn app_id(&self) -> AppId {
        match self {
            Self::WellKnown(known) => AppId::new(known.app_id),
            Self::Registered(application) => application.app_id,
            Self::Identity(principal) => principal.app_id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::WellKnown(known) => known.name,
            Self::Registered(application) => application.display_name.as_str(),
            Self::Identity(principal) => principal.display_name.as_str(),
        }
    }

    /// The one tenant whose people and principals it serves; none for those that are built in.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::WellKnown(_) => None,
            Self::Registered(application) => Some(application.tenant),
            Self::Identity(principal) => Some(principal.tenant),
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
            Self::Identity(_) => false,
        }
    }

    /// Whether it may send user names and passwords.
    pub fn may_send_passwords(&self) -> bool {
        match self {
            Self::WellKnown(known) => known.password_grant,
            Self::Registered(application) => application.password_grant,
            Self::Identity(_) => false,
        }
    }

    /// Whether an answer may be sent to this address: one that is registered exactly, or a registered
    /// loopback address with another port (RFC 8252 §7.3).
    pub fn may_redirect_to(&self, address: &str) -> bool {
        let registered: Vec<&str> = match self {
            Self::WellKnown(known) => known.redirect_uris.to_vec(),
            Self::Registered(application) => application.redirect_uris.iter().map(String::as_str).collect(),
            Self::Identity(_) => Vec::new(),
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

impl SignIn {
    pub fn find_client(&self, app_id: AppId) -> Result<Client, ClientError> {
        if let Some(known) = well_known::find(app_id) {
            return Ok(Client::WellKnown(known));
        }
        let snapshot = self.state.snapshot();
        let directory = snapshot.directory();
        if let Some(application) = directory.application_by_app_id(app_id) {
            return Ok(Client::Registered(application.clone()));
        }
        let principal =
            directory.tenants().find_map(|tenant| directory.service_principal_by_app_id(tenant.id, app_id));
        let identity = principal.filter(|each| matches!(each.kind, ServicePrincipalKind::ManagedIdentity(_)));
        identity.cloned().map(Client::Identity).ok_or(ClientError::Unknown(app_id))
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
            (_, ClientCredentials::Secret(secret)) => {
                self.check_secret(&self.proofs(tenant, client), client.app_id(), secret).await?;
                Ok(ClientProof::Secret)
            }
            (_, ClientCredentials::Assertion { token, audiences }) => {
                self.check_assertion(&self.proofs(tenant, client), client.app_id(), token, audiences).await?;
                Ok(ClientProof::Assertion)
            }
        }
    }

    /// Refuses a client that may not act in the tenant: it has no principal there, or a disabled one.
    pub fn require_client_in(&self, tenant: Option<TenantId>, client: &Client) -> Result<(), ClientError> {
        match (client.is_first_party(), tenant.or_else(|| client.tenant())) {
            (true, _) => Ok(()),
            (false, Some(tenant)) => self.service_principal_of(tenant, client.app_id()).map(drop),
            (false, None) => Err(ClientError::NoServicePrincipal),
        }
    }

    /// The principal that an application is in a tenant, if it may act.
    pub fn service_principal_of(
        &self,
        tenant: TenantId,
        app_id: AppId,
    ) -> Result<Arc<ServicePrincipal>, ClientError> {
        let snapshot = self.state.snapshot();
        let principal = snapshot.directory().service_principal_by_app_id(tenant, app_id);
        match principal {
            Some(principal) if principal.enabled => Ok(principal.clone()),
            Some(_) => Err(ClientError::Disabled),
            None => Err(ClientError::NoServicePrincipal),
        }
    }

    async fn check_secret(
        &self,
        proofs: &Proofs,
        client: AppId,
        secret: &Secret<String>,
    ) -> Result<(), ClientError> {
        let now = self.state.now();
        let shown = digest(secret.expose());
        let right = proofs.secrets.iter().any(|each| {
            crypto::digest::equal(each.digest.as_bytes(), shown.as_bytes())
                && each.start <= now
                && now < each.end
        });
        if right {
            return Ok(());
        }
        // Secrets are long and random: counting failures serves to notice, not to protect, so a right one is
        // never refused because of them.
        let subject = Subject::Application(client.to_string());
        match self.directory.count_attempt(&subject).await {
            Ok(()) => Err(ClientError::WrongSecret),
            Err(_) => Err(ClientError::Throttled),
        }
    }

    /// What a client may prove itself with in a tenant: what is kept with its application and with its principal.
    fn proofs(&self, tenant: Option<TenantId>, client: &Client) -> Proofs {
        let snapshot = self.state.snapshot();
        let principal =
            tenant.and_then(|id| snapshot.directory().service_principal_by_app_id(id, client.app_id()));
        let mut proofs = Proofs::default();
        if let Client::Registered(application) = client {
            proofs.secrets.clone_from(&application.secrets);
            proofs.certificates.clone_from(&application.certificates);
            proofs.federated.clone_from(&application.federated);
        }
        if let Some(principal) = principal {
            proofs.secrets.extend(principal.secrets.iter().cloned());
            proofs.certificates.extend(principal.certificates.iter().cloned());
            proofs.federated.extend(principal.federated.iter().cloned());
        }
        proofs
    }
}

/// Everything that a client may prove itself with.
#[derive(Debug, Default)]
struct Proofs {
    secrets: Vec<ClientSecret>,
    certificates: Vec<ClientCertificate>,
    federated: Vec<FederatedCredential>,
}

impl From<ClientError> for GrantError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::App(error) => Self::App(error),
            _ => Self::Invalid("the client is not the one it was given to"),
        }
    }
}

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
