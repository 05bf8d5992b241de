//! Applications and service principals: what a program is, and what it is in a tenant.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    credential::{ClientCertificate, ClientSecret, FederatedCredential},
    id::{AppId, ObjectId, TenantId},
    name::DisplayName,
};

/// The registration of a program: who may speak for it and where answers may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    pub id: ObjectId,
    pub tenant: TenantId,
    pub app_id: AppId,
    pub display_name: DisplayName,
    /// Exact addresses; loopback ones match with any port (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    pub identifier_uris: Vec<String>,
    /// May use flows that prove no secret: device code, code with PKCE.
    pub public_client: bool,
    /// An administrator lets this client send user names and passwords (resource-owner password grant).
    pub password_grant: bool,
    pub secrets: Vec<ClientSecret>,
    pub certificates: Vec<ClientCertificate>,
    pub federated: Vec<FederatedCredential>,
    pub owners: BTreeSet<ObjectId>,
    /// Members of Graph's application that we keep and give back without a meaning of our own.
    #[serde(default)]
    pub other: serde_json::Map<String, serde_json::Value>,
    pub created: Timestamp,
}

/// The principal that an application, or a managed identity, is in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePrincipal {
    pub id: ObjectId,
    pub tenant: TenantId,
    pub app_id: AppId,
    pub display_name: DisplayName,
    pub kind: ServicePrincipalKind,
    pub enabled: bool,
    pub secrets: Vec<ClientSecret>,
    pub certificates: Vec<ClientCertificate>,
    pub federated: Vec<FederatedCredential>,
    pub owners: BTreeSet<ObjectId>,
    pub tokens_valid_after: Timestamp,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServicePrincipalKind {
    Application,
    /// The resource id of the identity or of the cluster that it belongs to.
    ManagedIdentity(String),
}
