//! Whom a token is for. Resource Manager and Graph are one service here, under several names; clusters are
//! another, and each registered application is one of its own. None opens another.

mod name;

use domain::{
    application::Application,
    id::{AppId, TenantId},
    snapshot::Snapshot,
};

use crate::well_known::{CLUSTER_AUDIENCE, GRAPH_AUDIENCE};
pub(crate) use name::ServiceName;

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
        /// As the client wrote the resource.
        name: String,
    },
    /// Nothing but the person's own data (`openid profile`): a token for userinfo.
    UserInfo,
}

impl Resource {
    /// Whether both are one service, by whichever of its names.
    pub fn is_same_service(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Management(_), Self::Management(_))
            | (Self::Cluster, Self::Cluster)
            | (Self::UserInfo, Self::UserInfo) => true,
            (Self::Application { app_id: one, .. }, Self::Application { app_id: other, .. }) => one == other,
            _ => false,
        }
    }
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
    /// Graph). `Err` names the scope that no service here has, or that asks for a second resource.
    pub fn of_scopes(&self, scopes: &[&str]) -> Result<Resource, String> {
        let mut found: Option<Resource> = None;
        for scope in scopes {
            if OPENID_SCOPES.iter().any(|each| scope.eq_ignore_ascii_case(each)) {
                continue;
            }
            let resource = self.of_scope(scope).ok_or_else(|| (*scope).to_owned())?;
            match &found {
                Some(known) if *known != resource => return Err((*scope).to_owned()),
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
        let app_id = self.application(resource)?.app_id;
        Some(Resource::Application { app_id, name: resource.to_owned() })
    }

    fn application(&self, resource: &str) -> Option<&Application> {
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
        tenant.is_none_or(|tenant| tenant == found.tenant).then_some(&**found)
    }

    fn of_scope(&self, scope: &str) -> Option<Resource> {
        // Exactly one slash goes with the permission; one before it belongs to the resource.
        match scope.rsplit_once('/') {
            Some((resource, permission)) if !permission.is_empty() => self.of_resource(resource),
            Some(_) => None,
            None => GRAPH_PERMISSIONS
                .iter()
                .any(|each| scope.eq_ignore_ascii_case(each))
                .then(|| Resource::Management(self.external_url.to_owned())),
        }
    }
}

/// Whether it is among the addresses of an application.
pub(crate) fn has_name(application: &Application, name: ServiceName<'_>) -> bool {
    application.identifier_uris.iter().any(|uri| ServiceName::parse(uri) == name)
}

const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const GRAPH_PERMISSIONS: [&str; 4] = ["User.Read", "Directory.Read.All", "Group.Read.All", "User.Read.All"];
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
