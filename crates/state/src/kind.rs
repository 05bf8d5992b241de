//! The kinds of things that use cases name in their errors, and of names that only one record may have.
//!
//! Surfaces match them without a wildcard, so a new kind is answered in every protocol before it compiles.

use std::fmt;

/// What was not found, or is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AccessProfile,
    AdministratorCertificate,
    AgentPool,
    Application,
    ApplicationIdentifier,
    DenyAssignment,
    FederatedCredential,
    FederatedIdentityCredential,
    Group,
    GroupMember,
    Lock,
    ManagedCluster,
    ManagementGroup,
    Object,
    Operation,
    Owner,
    PasswordCredential,
    PermissionGrant,
    Principal,
    Resource,
    ResourceGroup,
    ResourceType,
    RoleAssignment,
    RoleDefinition,
    RoleDefinitionName,
    RoleMember,
    ServicePrincipal,
    StoredRecord,
    Subscription,
    SubscriptionAlias,
    Tenant,
    TrustedAccessRoleBinding,
    User,
    WebhookCertificate,
    /// A name that is taken, of one of these kinds.
    Name(UniqueName),
    /// A record that is read by key, of the kind that it is stored under.
    Cold(&'static str),
}

/// A kind of name that only one record may have. The text is part of the stored key and stays for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueName {
    UserPrincipalName,
    AppId,
    Cluster,
}

impl Kind {
    /// As errors say it to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessProfile => "access profile",
            Self::AdministratorCertificate => "administrator certificate",
            Self::AgentPool => "agent pool",
            Self::Application => "application",
            Self::ApplicationIdentifier => "application with the identifier",
            Self::DenyAssignment => "deny assignment",
            Self::FederatedCredential => "federated credential",
            Self::FederatedIdentityCredential => "federated identity credential",
            Self::Group => "group",
            Self::GroupMember => "group member",
            Self::Lock => "lock",
            Self::ManagedCluster => "managed cluster",
            Self::ManagementGroup => "management group",
            Self::Object => "object",
            Self::Operation => "operation",
            Self::Owner => "owner",
            Self::PasswordCredential => "password credential",
            Self::PermissionGrant => "permission grant",
            Self::Principal => "principal",
            Self::Resource => "resource",
            Self::ResourceGroup => "resource group",
            Self::ResourceType => "resource type",
            Self::RoleAssignment => "role assignment",
            Self::RoleDefinition => "role definition",
            Self::RoleDefinitionName => "role definition named",
            Self::RoleMember => "role member",
            Self::ServicePrincipal => "service principal",
            Self::StoredRecord => "stored record",
            Self::Subscription => "subscription",
            Self::SubscriptionAlias => "subscription alias",
            Self::Tenant => "tenant",
            Self::TrustedAccessRoleBinding => "trusted access role binding",
            Self::User => "user",
            Self::WebhookCertificate => "webhook certificate",
            Self::Name(name) => name.as_str(),
            Self::Cold(kind) => kind,
        }
    }
}

impl UniqueName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserPrincipalName => "upn",
            Self::AppId => "app-id",
            Self::Cluster => "cluster",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
