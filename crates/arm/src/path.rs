//! Resource ids taken apart, whatever the case they are written in.

use app::clusters::ClusterName;
use domain::{
    id::{AssignmentId, RoleId, SubscriptionId},
    name::ResourceName,
    scope::Scope,
};
use http::StatusCode;

use crate::error::ArmError;

/// What a path names.
#[derive(Debug)]
pub(crate) enum Named {
    Tenants,
    Subscriptions,
    Subscription(SubscriptionId),
    Locations(SubscriptionId),
    ResourceGroups(SubscriptionId),
    ResourceGroup(SubscriptionId, String),
    /// Of a subscription, or of one resource group in it.
    Clusters(SubscriptionId, Option<String>),
    Cluster(ClusterName),
    ClusterAction(ClusterName, String),
    AdminCertificates(ClusterName),
    RevokeCertificate(ClusterName, String),
    RoleDefinitions(Scope),
    RoleDefinition(Scope, RoleId),
    RoleAssignments(Scope),
    RoleAssignment(Scope, AssignmentId),
    Permissions(Scope),
}

impl Named {
    pub(crate) fn parse(path: &str) -> Result<Self, ArmError> {
        let segments = segments(path)?;
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        if let Some(place) =
            words.windows(2).rposition(|pair| pair == ["providers", "microsoft.authorization"])
        {
            return authorization(&segments, &words, place);
        }
        let part = |place: usize| segments.get(place).cloned().unwrap_or_default();
        Ok(match words.as_slice() {
            ["tenants"] => Self::Tenants,
            ["subscriptions"] => Self::Subscriptions,
            ["subscriptions", id] => Self::Subscription(subscription(id)?),
            ["subscriptions", id, "locations"] => Self::Locations(subscription(id)?),
            ["subscriptions", id, "resourcegroups"] => Self::ResourceGroups(subscription(id)?),
            ["subscriptions", id, "resourcegroups", _] => Self::ResourceGroup(subscription(id)?, part(3)),
            ["subscriptions", id, "providers", CONTAINER_SERVICE, CLUSTERS] => {
                Self::Clusters(subscription(id)?, None)
            }
            ["subscriptions", id, "resourcegroups", _, "providers", CONTAINER_SERVICE, CLUSTERS] => {
                Self::Clusters(subscription(id)?, Some(part(3)))
            }
            [
                "subscriptions",
                id,
                "resourcegroups",
                _,
                "providers",
                CONTAINER_SERVICE,
                CLUSTERS,
                _,
                rest @ ..,
            ] => {
                let name = ClusterName {
                    subscription: subscription(id)?,
                    resource_group: name(&part(3))?,
                    name: name(&part(7))?,
                };
                match rest {
                    [] => Self::Cluster(name),
                    ["admincertificates"] => Self::AdminCertificates(name),
                    ["admincertificates", _, "revoke"] => Self::RevokeCertificate(name, part(9)),
                    [action] => Self::ClusterAction(name, (*action).to_owned()),
                    _ => return Err(unknown(path)),
                }
            }
            _ => return Err(unknown(path)),
        })
    }
}

/// `{scope}/providers/Microsoft.Authorization/{kind}[/{name}]`; the last such pair counts, since a scope may
/// itself lie below a provider.
fn authorization(segments: &[String], words: &[&str], place: usize) -> Result<Named, ArmError> {
    let scope = segments.get(..place).unwrap_or_default().join("/");
    let scope = Scope::parse(&format!("/{scope}"))
        .map_err(|error| ArmError::bad("InvalidScope", error.to_string()))?;
    let id = |text: &str| format!("'{text}' is not a valid id. Expected a GUID.");
    match words.get(place + 2..).unwrap_or_default() {
        ["roledefinitions"] => Ok(Named::RoleDefinitions(scope)),
        ["roledefinitions", name] => RoleId::parse(name)
            .map(|role| Named::RoleDefinition(scope, role))
            .map_err(|_| ArmError::bad("InvalidRoleDefinitionId", id(name))),
        ["roleassignments"] => Ok(Named::RoleAssignments(scope)),
        ["roleassignments", name] => AssignmentId::parse(name)
            .map(|assignment| Named::RoleAssignment(scope, assignment))
            .map_err(|_| ArmError::bad("InvalidRoleAssignmentId", id(name))),
        ["permissions"] => Ok(Named::Permissions(scope)),
        _ => Err(unknown(&segments.join("/"))),
    }
}

fn segments(path: &str) -> Result<Vec<String>, ArmError> {
    let malformed = || {
        ArmError::bad(
            "InvalidResourceId",
            "The resource id is not well formed: a segment is empty, is '.' or '..', or holds a character that no name has.",
        )
    };
    let path = path.strip_prefix('/').ok_or_else(malformed)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    // Two slashes at the front come of a base address with a slash at its end.
    let path = path.trim_start_matches('/');
    path.split('/')
        .map(|raw| {
            let decoded = percent_encoding::percent_decode_str(raw).decode_utf8().map_err(|_| malformed())?;
            let refused = decoded.is_empty()
                || matches!(&*decoded, "." | "..")
                || decoded.contains(['/', '\\'])
                || decoded.chars().any(char::is_control);
            if refused { Err(malformed()) } else { Ok(decoded.into_owned()) }
        })
        .collect()
}

fn subscription(text: &str) -> Result<SubscriptionId, ArmError> {
    SubscriptionId::parse(text).map_err(|_| {
        let text: String = text.chars().take(60).collect();
        ArmError::bad(
            "InvalidSubscriptionId",
            format!("The provided subscription identifier '{text}' is malformed or invalid."),
        )
    })
}

fn name(text: &str) -> Result<ResourceName, ArmError> {
    ResourceName::parse(text).map_err(|error| ArmError::bad("InvalidResourceName", error.to_string()))
}

fn unknown(path: &str) -> ArmError {
    let path: String = path.chars().take(300).collect();
    ArmError::new(StatusCode::NOT_FOUND, "InvalidResourceType", format!("No resource is served at '{path}'."))
}

const CONTAINER_SERVICE: &str = "microsoft.containerservice";
const CLUSTERS: &str = "managedclusters";
