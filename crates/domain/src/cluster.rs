//! A cluster: one ARM resource, `Microsoft.ContainerService/managedClusters`, however it is served.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClusterId, ObjectId, SubscriptionId, TenantId},
    name::ResourceName,
    resource::ManagedIdentity,
    scope::Scope,
    webhook_certificate::WebhookCertificates,
    write_only,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    pub id: ClusterId,
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    pub resource_group: ResourceName,
    pub name: ResourceName,
    pub serving: Serving,
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// People and programs of the directory may sign in (W2, W3, W4); else there are local accounts only. On in clusters
    /// older than this member.
    #[serde(default = "on")]
    pub directory: bool,
    /// Azure RBAC decides beside Kubernetes RBAC (W4).
    pub azure_rbac: bool,
    /// Bound to cluster-admin while Azure RBAC is off (W3).
    pub admin_groups: Vec<ObjectId>,
    /// Refuses every administrator certificate (W1).
    pub local_accounts_disabled: bool,
    /// What clients wrote that has no meaning of its own here; given back as it came, less what is
    /// [secret](write_only).
    #[serde(deserialize_with = "write_only::deserialize")]
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// Members beside `properties` that clients wrote: `sku`, `kind`; given back as they came.
    #[serde(default, deserialize_with = "write_only::deserialize")]
    pub other: serde_json::Map<String, serde_json::Value>,
    /// Who acts for the cluster (P2, P3).
    #[serde(default)]
    pub identities: BTreeMap<IdentityUse, ManagedIdentity>,
    /// The resource group that belongs to the cluster. Absent in clusters older than this member.
    #[serde(default)]
    pub node_resource_group: Option<ResourceName>,
    /// Its API server answers nothing until it is started again.
    #[serde(default)]
    pub stopped: bool,
    /// Resources that others let into the cluster, by the name of the binding in lower case.
    #[serde(default)]
    pub trusted_access: BTreeMap<String, TrustedAccess>,
    /// How far the objects of the cluster have come; see [`ObjectsForm`].
    #[serde(default)]
    pub objects_form: ObjectsForm,
    /// Signs administrators' and webhook client certificates of this cluster.
    pub authority: Authority,
    /// Signs the tokens of this cluster's service accounts.
    pub service_account_key: SealedKey,
    /// What opens an attached cluster's webhooks. In records of earlier releases it has the other name.
    #[serde(default, alias = "webhook_certificate")]
    pub webhook_certificates: WebhookCertificates,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// What has been done to the objects of an embedded cluster, once, since they were made by an earlier program. Each
/// form has everything that those before it have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectsForm {
    /// The default roles may be those of Kubernetes 1.20.
    #[default]
    First,
    /// What the default roles of 1.20 gave and those of 1.36 do not has been taken away.
    Roles,
    /// Every value can be decoded as the type of its field.
    Types,
}

impl ObjectsForm {
    /// That of a cluster that is made now.
    pub const CURRENT: Self = Self::Types;
}

/// What an identity of a cluster is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IdentityUse {
    /// The control plane acts as it.
    Cluster,
    /// Nodes pull images as it.
    Kubelet,
    /// Writes the DNS records of the add-on of that name.
    HttpApplicationRouting,
    /// Sends logs to the workspace of the monitoring add-on.
    ContainerInsights,
}

/// `trustedAccessRoleBindings`: a resource whose identity may use the cluster's API in the roles that are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedAccess {
    /// As written.
    pub name: String,
    pub source: Scope,
    /// `Provider/type/role`.
    pub roles: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Serving {
    /// By the API server in this program.
    Embedded,
    /// By a kube-apiserver elsewhere, which calls the webhooks. `certificate_authority` is PEM.
    Attached { server: String, certificate_authority: String },
}

/// A certificate authority of one cluster. Rotation makes a new one with the next generation, and what an
/// earlier one signed counts no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    pub generation: u32,
    pub certificate_pem: String,
    /// PKCS#8, sealed; base64.
    pub sealed_key: String,
}

/// An RSA key pair whose private half is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    pub kid: String,
    /// Modulus and exponent as in a JWK: base64url without padding (RFC 7518 §6.3).
    pub n: String,
    pub e: String,
    /// PKCS#8, sealed; base64.
    pub sealed_key: String,
}

/// An administrator certificate (W1): personal, short-lived, on record, revocable by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminCertificate {
    pub cluster: ClusterId,
    /// Lower-case hexadecimal, unique in the cluster.
    pub serial: String,
    /// Generation of the authority that signed it.
    pub generation: u32,
    /// Who pulled it.
    pub object_id: ObjectId,
    pub user: String,
    pub issued: Timestamp,
    pub expires: Timestamp,
    pub revoked: Option<Revocation>,
    /// Marks the sessions of whoever pulled it, as they were then: it ends with them. Absent in certificates older than
    /// this member.
    #[serde(default)]
    pub session: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub at: Timestamp,
    pub by: ObjectId,
}

impl Cluster {
    /// The resource id, with names as they were written.
    pub fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}",
            self.subscription, self.resource_group, self.name
        )
    }

    /// Whether a resource is the cluster itself, or in the resource group that belongs to it.
    pub fn owns(&self, id: &Scope) -> bool {
        let inside = || {
            id.subscription_id() == Some(self.subscription)
                && self
                    .node_resource_group
                    .as_ref()
                    .zip(id.resource_group_name())
                    .is_some_and(|(own, name)| own.matches(name))
        };
        id.as_str().eq_ignore_ascii_case(&self.resource_id()) || inside()
    }

    pub fn is_embedded(&self) -> bool {
        self.serving == Serving::Embedded
    }

    /// Whether programs elsewhere trust the tokens of its service accounts, for which discovery and keys are public.
    pub fn publishes_issuer(&self) -> bool {
        let enabled = self.properties.get("oidcIssuerProfile").and_then(|profile| profile.get("enabled"));
        enabled.and_then(serde_json::Value::as_bool) == Some(true)
    }
}

fn on() -> bool {
    true
}

impl AdminCertificate {
    /// The user name in a certificate of this kind.
    pub fn user_name(&self) -> String {
        format!("{}{}", Self::USER_PREFIX, self.user)
    }

    pub const USER_PREFIX: &'static str = "clusterAdmin:";
    /// The group that is bound to cluster-admin in each embedded cluster.
    pub const GROUP: &'static str = "portcullis:cluster-admins";
}
