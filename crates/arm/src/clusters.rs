//! Managed clusters (`Microsoft.ContainerService/managedClusters`, 2024-02-01 and later).

use std::collections::BTreeMap;

use app::{assignments::Written, clusters::NewCluster};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    cluster::{Cluster, Serving},
    id::ObjectId,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{call::Call, error::ArmError, page};

#[derive(Deserialize)]
struct ClusterForm {
    location: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    properties: Map<String, Value>,
}

/// The members of `properties` that have a meaning here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Known {
    aad_profile: Option<AadProfile>,
    disable_local_accounts: Option<bool>,
    attached: Option<AttachedForm>,
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
struct AttachedForm {
    server: String,
    certificate_authority_data: String,
}

/// Of a subscription, or of one resource group in it.
pub(crate) fn list(call: &Call<'_>, group: Option<&str>) -> Result<Response, ArmError> {
    let clusters = call.app.list_clusters(&call.caller, call.subscription()?, group)?;
    let key = |cluster: &std::sync::Arc<Cluster>| cluster.resource_id().to_lowercase();
    page::respond(call, clusters, key, |cluster| render(call, cluster))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let cluster = call.app.find_cluster(&call.caller, &call.cluster()?)?;
    Ok(Json(render(call, &cluster)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: ClusterForm = call.json()?;
    let known: Known = serde_json::from_value(Value::Object(form.properties.clone()))
        .map_err(|error| ArmError::bad("InvalidParameter", format!("properties: {error}.")))?;
    let serving = match known.attached {
        None => Serving::Embedded,
        Some(attached) => attached.read()?,
    };
    let profile = known.aad_profile.unwrap_or_default();
    let new = NewCluster {
        serving,
        location: form.location,
        tags: form.tags.unwrap_or_default(),
        azure_rbac: profile.enable_azure_rbac.unwrap_or(false),
        admin_groups: profile.admin_group_object_ids.unwrap_or_default(),
        local_accounts_disabled: known.disable_local_accounts.unwrap_or(false),
        properties: form.properties,
    };
    let (cluster, written) = call.app.put_cluster(&call.caller, &call.cluster()?, new).await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &cluster))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    match call.app.delete_cluster(&call.caller, &call.cluster()?).await {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(app::Error::NotFound { kind: "managed cluster", .. }) => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) => Err(error.into()),
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

/// The properties as clients wrote them, with those on top that are known here or that clients need.
fn render(call: &Call<'_>, cluster: &Cluster) -> Value {
    let mut properties = cluster.properties.clone();
    let mut profile = match properties.remove("aadProfile") {
        Some(Value::Object(profile)) => profile,
        _ => Map::new(),
    };
    profile.insert("managed".into(), true.into());
    profile.insert("enableAzureRBAC".into(), cluster.azure_rbac.into());
    profile.insert("adminGroupObjectIDs".into(), json!(cluster.admin_groups));
    profile.insert("tenantID".into(), json!(cluster.tenant));
    let host = call.app.settings().external_url.split("://").nth(1).unwrap_or_default();
    let fqdn = match &cluster.serving {
        Serving::Embedded => format!("{host}/clusters/{}", cluster.id),
        Serving::Attached { server, .. } => server.trim_start_matches("https://").to_owned(),
    };
    let fixed = json!({
        "aadProfile": profile,
        "disableLocalAccounts": cluster.local_accounts_disabled,
        "enableRBAC": true,
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": "1.37.0",
        "currentKubernetesVersion": "1.37.0",
        "fqdn": fqdn,
        "clusterId": cluster.id,
        "nodeResourceGroup": format!("MC_{}_{}_{}", cluster.resource_group, cluster.name, cluster.location),
    });
    if let Value::Object(fixed) = fixed {
        properties.extend(fixed);
    }
    for (name, default) in
        [("agentPoolProfiles", json!([])), ("networkProfile", json!({})), ("identityProfile", json!({}))]
    {
        properties.entry(name).or_insert(default);
    }
    json!({
        "id": cluster.resource_id(),
        "name": cluster.name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": cluster.location,
        "tags": cluster.tags,
        "sku": {"name": "Base", "tier": "Free"},
        "properties": properties,
        "systemData": {"createdAt": cluster.created, "lastModifiedAt": cluster.updated},
    })
}
