//! Managed clusters (`Microsoft.ContainerService/managedClusters`, 2024-02-01 and later).
//!
//! Unknown members are stored and returned unchanged: az reads a cluster, changes one member and writes the whole, so
//! every change would lose members that are not stored.

use app::state::Kind;
use std::collections::BTreeMap;

use app::{
    resource_manager::{
        clusters::{DirectoryAccess, KUBERNETES_VERSION, NewCluster, RequestedIdentity},
        scope_rules::CreatedOrUpdated,
    },
    state::precondition::entity_tag,
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    cluster::{Cluster, IdentityUse, Serving},
    id::ObjectId,
    name::ResourceName,
    resource::ManagedIdentity,
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    agent_pools,
    call::Call,
    error::ArmError,
    members::{Others, Shape, known},
    page, tags,
};

#[derive(Deserialize)]
struct ClusterForm {
    location: String,
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    identity: Option<IdentityForm>,
    #[serde(default)]
    properties: Option<Map<String, Value>>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Deserialize)]
struct TagsForm {
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityForm {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    user_assigned_identities: Option<Map<String, Value>>,
}

/// The members of `properties` that this server uses.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterProperties {
    aad_profile: Option<AadProfile>,
    disable_local_accounts: Option<bool>,
    kubernetes_version: Option<String>,
    node_resource_group: Option<String>,
    identity_profile: Option<BTreeMap<String, ProfileIdentity>>,
    attached: Option<AttachedForm>,
    oidc_issuer_profile: Option<IssuerProfile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IssuerProfile {
    enabled: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AadProfile {
    #[serde(rename = "enableAzureRBAC")]
    enable_azure_rbac: Option<bool>,
    #[serde(rename = "adminGroupObjectIDs")]
    admin_group_object_ids: Option<Vec<ObjectId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileIdentity {
    #[serde(default)]
    resource_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachedForm {
    server: String,
    certificate_authority_data: String,
}

/// Lists the clusters of a subscription, or of one resource group in it.
pub(crate) fn list(call: &Call<'_>, group: Option<&str>) -> Result<Response, ArmError> {
    let clusters = call.app.resource_manager().list_clusters(&call.caller, call.subscription()?, group)?;
    let key = |cluster: &std::sync::Arc<Cluster>| cluster.resource_id().to_lowercase();
    page::respond(call, clusters, key, |cluster| render(call, cluster))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let cluster = call.app.resource_manager().find_cluster(&call.caller, &call.cluster()?)?;
    Ok(Json(render(call, &cluster)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let new = call.json_of::<ClusterForm>(&SHAPE)?.read()?;
    let new = NewCluster { precondition: call.precondition().clone(), ..new };
    let (cluster, written) =
        call.app.resource_manager().put_cluster(&call.caller, &call.cluster()?, new).await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &cluster))).into_response())
}

/// Changes the tags; a PATCH of anything else is refused, as in AKS.
pub(crate) async fn patch(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: TagsForm = call.json_of(&TAGS)?;
    let tags = form.tags.unwrap_or_default();
    let name = call.cluster()?;
    let cluster =
        call.app.resource_manager().set_cluster_tags(&call.caller, &name, tags, call.precondition()).await?;
    Ok(Json(render(call, &cluster)).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    match call
        .app
        .resource_manager()
        .delete_cluster(&call.caller, &call.cluster()?, call.precondition())
        .await
    {
        Ok(awaited) => call.accepted_until(awaited).await,
        Err(app::Error::NotFound { kind: Kind::ManagedCluster, .. }) => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn start(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().start_cluster(&call.caller, &call.cluster()?).await?;
    call.accepted().await
}

pub(crate) async fn stop(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().stop_cluster(&call.caller, &call.cluster()?).await?;
    call.accepted().await
}

impl ClusterForm {
    fn read(self) -> Result<NewCluster, ArmError> {
        let properties = self.properties.unwrap_or_default();
        let known: ClusterProperties = serde_json::from_value(Value::Object(properties.clone()))
            .map_err(|error| ArmError::bad("InvalidParameter", format!("properties: {error}.")))?;
        check_version(known.kubernetes_version.as_deref())?;
        let serving = match known.attached {
            None => Serving::Embedded,
            Some(attached) => attached.read()?,
        };
        let node_resource_group = known.node_resource_group.filter(|name| !name.is_empty());
        let node_resource_group =
            node_resource_group.map(|name| ResourceName::parse(&name)).transpose().map_err(|error| {
                ArmError::bad("InvalidParameter", format!("properties.nodeResourceGroup: {error}."))
            })?;
        let kubelet = known.identity_profile.unwrap_or_default().remove("kubeletidentity");
        let kubelet_identity =
            kubelet.and_then(|profile| profile.resource_id).map(|id| identity_id(&id)).transpose()?;
        let mut other = self.other;
        for read_only in ["id", "name", "type", "systemData", "eTag"] {
            other.remove(read_only);
        }
        Ok(NewCluster {
            tags: self.tags.unwrap_or_default(),
            directory: known.aad_profile.map(|profile| DirectoryAccess {
                azure_rbac: profile.enable_azure_rbac.unwrap_or(false),
                admin_groups: profile.admin_group_object_ids.unwrap_or_default(),
            }),
            local_accounts_disabled: known.disable_local_accounts.unwrap_or(false),
            identity: self.identity.map(IdentityForm::read).transpose()?,
            kubelet_identity,
            node_resource_group,
            properties,
            other,
            ..NewCluster::new(serving, &self.location)
        })
    }
}

impl IdentityForm {
    fn read(self) -> Result<RequestedIdentity, ArmError> {
        let users = self.user_assigned_identities.unwrap_or_default();
        let mut users = users.keys();
        match (self.kind.to_ascii_lowercase().as_str(), users.next(), users.next()) {
            ("systemassigned", ..) => Ok(RequestedIdentity::System),
            ("userassigned", Some(id), None) => Ok(RequestedIdentity::User(identity_id(id)?)),
            ("userassigned", ..) => Err(ArmError::bad(
                "InvalidParameter",
                "identity.userAssignedIdentities: expected exactly one identity.",
            )),
            _ => Err(ArmError::bad(
                "InvalidParameter",
                format!("identity.type '{}': expected 'SystemAssigned' or 'UserAssigned'.", self.kind),
            )),
        }
    }
}

impl AttachedForm {
    fn read(self) -> Result<Serving, ArmError> {
        let decoded = STANDARD.decode(self.certificate_authority_data.trim()).ok();
        let pem = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let certificate_authority = pem.ok_or_else(|| {
            ArmError::bad("InvalidParameter", "properties.attached.certificateAuthorityData: expected a certificate in PEM form, in base64.")
        })?;
        Ok(Serving::Attached { server: self.server, certificate_authority })
    }
}

fn identity_id(text: &str) -> Result<Scope, ArmError> {
    Scope::parse(text).map_err(|error| ArmError::bad("InvalidParameter", format!("identity: {error}.")))
}

/// Only one release is served; a client may give it, its minor release, or nothing.
fn check_version(version: Option<&str>) -> Result<(), ArmError> {
    let version = version.unwrap_or_default();
    let minor = KUBERNETES_VERSION.rsplit_once('.').map_or("", |(minor, _)| minor);
    if version.is_empty() || version == KUBERNETES_VERSION || version == minor {
        return Ok(());
    }
    let version: String = version.chars().take(40).collect();
    Err(ArmError::bad(
        "K8sVersionNotSupported",
        format!(
            "Managed cluster is on version {KUBERNETES_VERSION}; version '{version}' is not supported. Supported versions: {KUBERNETES_VERSION}."
        ),
    ))
}

/// The stored properties, overridden by those that this server manages or that clients need.
fn render(call: &Call<'_>, cluster: &Cluster) -> Value {
    let mut properties = cluster.properties.clone();
    let member = |properties: &mut Map<String, Value>, name: &str| match properties.remove(name) {
        Some(Value::Object(member)) => member,
        _ => Map::new(),
    };
    let mut profile = member(&mut properties, "aadProfile");
    profile.insert("managed".into(), true.into());
    profile.insert("enableAzureRBAC".into(), cluster.azure_rbac.into());
    profile.insert("adminGroupObjectIDs".into(), json!(cluster.admin_groups));
    profile.insert("tenantID".into(), json!(cluster.tenant));
    // az takes any non-null profile to mean that the directory integration is enabled.
    let profile = if cluster.directory { Value::Object(profile) } else { Value::Null };
    if cluster.publishes_issuer() {
        let issuer = call.app.sign_in().service_account_issuer(cluster.id);
        let mut profile = member(&mut properties, "oidcIssuerProfile");
        profile.insert("issuerURL".into(), issuer.into());
        properties.insert("oidcIssuerProfile".into(), profile.into());
    }
    let mut addons = member(&mut properties, "addonProfiles");
    for (used_for, name) in ADDONS {
        if let (Some(identity), Some(Value::Object(addon))) =
            (cluster.identities.get(&used_for), addons.get_mut(name))
        {
            addon.insert("identity".into(), profile_of(identity));
        }
    }
    let mut identities = member(&mut properties, "identityProfile");
    if let Some(kubelet) = cluster.identities.get(&IdentityUse::Kubelet) {
        identities.insert("kubeletidentity".into(), profile_of(kubelet));
    }
    let pools = properties.remove("agentPoolProfiles");
    let pools: Vec<Value> =
        pools.iter().filter_map(Value::as_array).flatten().map(agent_pools::complete).collect();
    let host = call.app.settings().external_url.split("://").nth(1).unwrap_or_default();
    let fqdn = match &cluster.serving {
        Serving::Embedded => format!("{host}/clusters/{}", cluster.id),
        Serving::Attached { server, .. } => server.trim_start_matches("https://").to_owned(),
    };
    let power = if cluster.stopped { "Stopped" } else { "Running" };
    let fixed = json!({
        "aadProfile": profile,
        "addonProfiles": addons,
        "agentPoolProfiles": pools,
        "identityProfile": identities,
        "disableLocalAccounts": cluster.local_accounts_disabled,
        "enableRBAC": true,
        "provisioningState": call.app.resource_manager().of(&call.caller).cluster_state(cluster).as_str(),
        "powerState": {"code": power},
        "kubernetesVersion": KUBERNETES_VERSION,
        "currentKubernetesVersion": KUBERNETES_VERSION,
        "fqdn": fqdn,
        "clusterId": cluster.id,
        "resourceUID": cluster.id,
        "nodeResourceGroup": cluster.node_resource_group,
        "maxAgentPools": 100,
        "servicePrincipalProfile": {"clientId": "msi"},
    });
    if let Value::Object(fixed) = fixed {
        properties.extend(fixed);
    }
    properties.entry("networkProfile").or_insert_with(|| json!({}));
    let mut body = cluster.other.clone();
    body.entry("sku").or_insert_with(|| json!({"name": "Base", "tier": "Free"}));
    body.insert("id".into(), cluster.resource_id().into());
    body.insert("eTag".into(), entity_tag(cluster).into());
    body.insert("name".into(), json!(cluster.name));
    body.insert("type".into(), "Microsoft.ContainerService/ManagedClusters".into());
    body.insert("location".into(), cluster.location.as_str().into());
    body.insert("tags".into(), json!(cluster.tags));
    body.insert("identity".into(), identity(cluster));
    body.insert("properties".into(), properties.into());
    body.insert(
        "systemData".into(),
        json!({"createdAt": cluster.created, "lastModifiedAt": cluster.updated}),
    );
    body.into()
}

/// The cluster identity.
fn identity(cluster: &Cluster) -> Value {
    let Some(identity) = cluster.identities.get(&IdentityUse::Cluster) else { return Value::Null };
    let ManagedIdentity { resource, object_id, client_id } = identity;
    if resource.as_str().eq_ignore_ascii_case(&cluster.resource_id()) {
        return json!({"type": "SystemAssigned", "principalId": object_id, "tenantId": cluster.tenant});
    }
    let users =
        Map::from_iter([(resource.to_string(), json!({"principalId": object_id, "clientId": client_id}))]);
    json!({"type": "UserAssigned", "userAssignedIdentities": users})
}

fn profile_of(identity: &ManagedIdentity) -> Value {
    let ManagedIdentity { resource, object_id, client_id } = identity;
    json!({"resourceId": resource, "clientId": client_id, "objectId": object_id})
}

/// Add-ons with an own identity, and their member of `addonProfiles`.
const ADDONS: [(IdentityUse, &str); 2] = [
    (IdentityUse::HttpApplicationRouting, "httpApplicationRouting"),
    (IdentityUse::ContainerInsights, "omsagent"),
];

/// Known member names, so that they are recognized in any case; above all those that grant access.
const SHAPE: Shape = Shape::Object(
    &[
        ("id", Shape::Any),
        ("name", Shape::Any),
        ("type", Shape::Any),
        ("location", Shape::Any),
        ("tags", Shape::Any),
        ("sku", Shape::Any),
        ("kind", Shape::Any),
        ("systemData", Shape::Any),
        ("eTag", Shape::Any),
        ("identity", Shape::Object(known!["type", "userAssignedIdentities"], Others::Kept)),
        ("properties", PROPERTIES),
    ],
    Others::Kept,
);
const PROPERTIES: Shape = Shape::Object(
    &[
        ("aadProfile", AAD_PROFILE),
        ("addonProfiles", Shape::Any),
        ("agentPoolProfiles", Shape::Any),
        ("apiServerAccessProfile", Shape::Any),
        ("attached", Shape::Object(known!["server", "certificateAuthorityData"], Others::Kept)),
        ("disableLocalAccounts", Shape::Any),
        ("dnsPrefix", Shape::Any),
        ("enableRBAC", Shape::Any),
        ("identityProfile", Shape::Object(&[("kubeletidentity", KUBELET)], Others::Kept)),
        ("kubernetesVersion", Shape::Any),
        ("nodeResourceGroup", Shape::Any),
        ("nodeResourceGroupProfile", Shape::Object(known!["restrictionLevel"], Others::Kept)),
        ("oidcIssuerProfile", Shape::Object(known!["enabled", "issuerURL"], Others::Kept)),
        ("securityProfile", Shape::Any),
    ],
    Others::Kept,
);
const AAD_PROFILE: Shape =
    Shape::Object(known!["managed", "enableAzureRBAC", "adminGroupObjectIDs"], Others::Kept);
const KUBELET: Shape = Shape::Object(known!["resourceId"], Others::Kept);
/// `location` and empty `properties` are accepted, because clients send them along.
const TAGS: Shape = Shape::Object(
    &[("tags", Shape::Any), ("location", Shape::Any), ("properties", Shape::Object(&[], Others::Refused))],
    Others::Refused,
);
