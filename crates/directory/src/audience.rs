//! Whom a token is for. Resource Manager and Graph are one service here, under several names; clusters are
//! another, and each registered application is one of its own. None opens another.

mod name;

use domain::{
    application::Application,
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
};
use serde_json::Value;

pub use name::ServiceName;
use state::well_known::{CLUSTER_AUDIENCE, GRAPH_AUDIENCE};

/// The names of this installation's services.
#[derive(Clone, Debug)]
pub struct Audience<'a> {
    external_url: &'a str,
    /// Where applications are looked up, and of which tenant they must be.
    applications: Option<(&'a Snapshot, Option<TenantId>)>,
}

/// What a client asked to reach, by scope or resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The `aud` of the token, as the client wrote the resource.
    Management(String),
    Cluster,
    /// A registered application: it takes tokens by itself, and may trade a person's for others.
    Application {
        app_id: AppId,
        /// What it is in the tenant.
        principal: ObjectId,
        /// As the client wrote the resource.
        name: String,
    },
    /// Nothing but the person's own data (`openid profile`): a token for userinfo.
    UserInfo,
}

/// Why a list of scopes leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongScope {
    #[error("\"{0}\" is of no service in this tenant")]
    Resource(String),
    /// The service has no such permission.
    #[error("the service has no permission \"{0}\"")]
    Permission(String),
    #[error("\"{0}\" is of another service than the scopes before it")]
    Second(String),
}

impl<'a> Audience<'a> {
    pub fn new(external_url: &'a str) -> Self {
        Self { external_url, applications: None }
    }

    /// With the applications of one tenant, or of any.
    pub fn with_applications(
        external_url: &'a str,
        snapshot: &'a Snapshot,
        tenant: Option<TenantId>,
    ) -> Self {
        Self { external_url, applications: Some((snapshot, tenant)) }
    }

    /// Whether `audience` names Resource Manager or Graph. SDKs ask for them by their public names, whatever
    /// they are told.
    pub fn is_management(&self, audience: &str) -> bool {
        let name = ServiceName::parse(audience);
        name == ServiceName::parse(self.external_url)
            || PUBLIC_NAMES.iter().any(|each| name == ServiceName::parse(each))
    }

    /// The `aud` of a token that opens nothing but its owner's own data.
    pub fn user_info(&self) -> String {
        format!("{}/oidc/userinfo", self.external_url)
    }

    pub fn is_user_info(&self, audience: &str) -> bool {
        audience == self.user_info()
    }

    pub fn is_cluster(audience: &str) -> bool {
        ServiceName::parse(audience) == ServiceName::parse(CLUSTER_AUDIENCE)
    }

    /// Whether the installation has this name for itself, or might have.
    pub fn is_reserved(&self, name: &str) -> bool {
        let below = |base: &str| {
            let rest = name.get(..base.len()).filter(|start| start.eq_ignore_ascii_case(base));
            rest.is_some()
                && name.get(base.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        below(self.external_url) || self.of_resource(name).is_some()
    }

    /// The resource of a list of scopes (`{resource}/.default`, `{resource}/{permission}` or a permission of
    /// Graph).
    pub fn of_scopes(&self, scopes: &[&str]) -> Result<Resource, WrongScope> {
        let mut found: Option<Resource> = None;
        for scope in scopes {
            if OPENID_SCOPES.iter().any(|each| scope.eq_ignore_ascii_case(each)) {
                continue;
            }
            let resource = self.of_scope(scope)?;
            match &found {
                Some(known) if *known != resource => return Err(WrongScope::Second((*scope).to_owned())),
                _ => found = Some(resource),
            }
        }
        Ok(found.unwrap_or(Resource::UserInfo))
    }

    /// The resource that a version 1 client names.
    pub fn of_resource(&self, resource: &str) -> Option<Resource> {
        if self.is_management(resource) {
            return Some(Resource::Management(resource.to_owned()));
        }
        if Self::is_cluster(resource) {
            return Some(Resource::Cluster);
        }
        let (application, principal) = self.application(resource)?;
        Some(Resource::Application { app_id: application.app_id, principal, name: resource.to_owned() })
    }

    /// With what it is in the tenant: without an enabled principal there, there is nothing to reach.
    fn application(&self, resource: &str) -> Option<(&Application, ObjectId)> {
        let (snapshot, tenant) = self.applications?;
        let directory = snapshot.directory();
        let found = match ServiceName::parse(resource) {
            ServiceName::Id(id) => directory.application_by_app_id(id)?,
            // Where an earlier release let several have it, the first who was there.
            name => directory
                .applications()
                .filter(|each| has_name(each, name))
                .min_by_key(|each| each.created)?,
        };
        let principal = directory.service_principal_by_app_id(found.tenant, found.app_id)?;
        let reached = principal.enabled && tenant.is_none_or(|tenant| tenant == found.tenant);
        reached.then_some((&**found, principal.id))
    }

    fn of_scope(&self, scope: &str) -> Result<Resource, WrongScope> {
        // Exactly one slash goes with the permission; one before it belongs to the resource.
        let Some((name, permission)) = scope.rsplit_once('/') else {
            return match is_one_of(&GRAPH_PERMISSIONS, scope) {
                true => Ok(Resource::Management(self.external_url.to_owned())),
                false => Err(WrongScope::Resource(scope.to_owned())),
            };
        };
        let resource = self.of_resource(name).filter(|_| !permission.is_empty());
        let resource = resource.ok_or_else(|| WrongScope::Resource(scope.to_owned()))?;
        match is_one_of(&COMMON_PERMISSIONS, permission) || self.has_permission(&resource, permission) {
            true => Ok(resource),
            false => Err(WrongScope::Permission(permission.to_owned())),
        }
    }

    /// Whether a service has a permission of its own by this name.
    fn has_permission(&self, resource: &Resource, permission: &str) -> bool {
        match resource {
            Resource::Management(_) => is_one_of(&GRAPH_PERMISSIONS, permission),
            // What Entra's application of that id has.
            Resource::Cluster => permission.eq_ignore_ascii_case("user.read"),
            Resource::UserInfo => false,
            Resource::Application { app_id, .. } => self.applications.is_some_and(|(snapshot, _)| {
                let application = snapshot.directory().application_by_app_id(*app_id);
                application.is_some_and(|application| exposes(application, permission))
            }),
        }
    }
}

/// Whether its owner has given the application this permission (`api.oauth2PermissionScopes`).
fn exposes(application: &Application, permission: &str) -> bool {
    let api = application.other.get("api");
    let scopes = api.and_then(|api| api.get("oauth2PermissionScopes")).and_then(Value::as_array);
    scopes.into_iter().flatten().any(|scope| {
        let named = scope.get("value").and_then(Value::as_str).is_some_and(|name| name == permission);
        named && scope.get("isEnabled").and_then(Value::as_bool) != Some(false)
    })
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|each| name.eq_ignore_ascii_case(each))
}

/// Whether it is among the addresses of an application.
pub(crate) fn has_name(application: &Application, name: ServiceName<'_>) -> bool {
    application.identifier_uris.iter().any(|uri| ServiceName::parse(uri) == name)
}

pub const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// Which every service has.
const COMMON_PERMISSIONS: [&str; 2] = [".default", "user_impersonation"];
/// Those of Graph that have to do with what is served here.
const GRAPH_PERMISSIONS: [&str; 20] = [
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
    "User.ReadWrite",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Directory.AccessAsUser.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Organization.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
];
const PUBLIC_NAMES: [&str; 5] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://graph.microsoft.com",
    "https://graph.windows.net",
    GRAPH_AUDIENCE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_cut_at_its_last_slash() {
        let audience = Audience::new("https://localhost:8443");
        let check = |scope: &str, expected: Option<&str>| {
            let found = audience.of_scopes(&["openid", scope]).ok();
            assert_eq!(found, expected.map(|text| Resource::Management(text.to_owned())), "{scope}");
        };
        check("https://localhost:8443/.default", Some("https://localhost:8443"));
        check("https://localhost:8443//.default", Some("https://localhost:8443/"));
        check("https://management.azure.com//.default", Some("https://management.azure.com/"));
        check("https://elsewhere.example/.default", None);
    }

    #[test]
    fn clusters_are_an_audience_of_their_own() {
        let audience = Audience::new("https://localhost:8443");
        let cluster = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";
        assert_eq!(audience.of_scopes(&["offline_access", cluster]), Ok(Resource::Cluster));
        assert!(audience.of_scopes(&[cluster, "https://localhost:8443/.default"]).is_err());
        assert!(!audience.is_management(CLUSTER_AUDIENCE));
        assert!(!Audience::is_cluster("https://localhost:8443"));
        assert_eq!(audience.of_scopes(&["openid", "profile"]), Ok(Resource::UserInfo));
    }
}
