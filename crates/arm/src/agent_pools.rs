//! Agent pools of a cluster, and the Kubernetes releases for upgrades (`agentPools`, `upgradeProfiles`,
//! `kubernetesVersions`).

use app::{
    resource_manager::{clusters::KUBERNETES_VERSION, scope_rules::CreatedOrUpdated},
    state::precondition::entity_tag,
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    call::Call,
    error::ArmError,
    members::{Others, Shape, known},
};

#[derive(Deserialize)]
struct PoolForm {
    #[serde(default)]
    properties: Map<String, Value>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let pools = call.app.resource_manager().list_agent_pools(&call.caller, &call.cluster()?)?;
    let value: Vec<Value> = pools.into_iter().map(|pool| render(call, pool)).collect::<Result<_, _>>()?;
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let pool =
        call.app.resource_manager().find_agent_pool(&call.caller, &call.cluster()?, call.name("pool"))?;
    Ok(Json(render(call, pool)?).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: PoolForm = call.json_of(&SHAPE)?;
    let name = call.name("pool");
    let mut properties = form.properties;
    properties.remove("eTag");
    let cluster = call.cluster()?;
    let put = call
        .app
        .resource_manager()
        .put_agent_pool(&call.caller, &cluster, name, &properties, call.precondition())
        .await?;
    let status = if put.1 == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, put.0)?)).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, pool) = (call.cluster()?, call.name("pool"));
    match call
        .app
        .resource_manager()
        .delete_agent_pool(&call.caller, &cluster, pool, call.precondition())
        .await?
    {
        true => call.accepted().await,
        false => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The upgrade profile, always without upgrades: only one release is served.
pub(crate) fn upgrades(call: &Call<'_>) -> Result<Response, ArmError> {
    let cluster = call.app.resource_manager().find_cluster(&call.caller, &call.cluster()?)?;
    let profile = |name: &str| json!({"name": name, "kubernetesVersion": KUBERNETES_VERSION, "osType": "Linux", "upgrades": []});
    let pools = call.app.resource_manager().list_agent_pools(&call.caller, &call.cluster()?)?;
    let pools: Vec<Value> = pools.iter().filter_map(|pool| pool.get("name")?.as_str()).map(profile).collect();
    Ok(Json(json!({
        "id": format!("{}/upgradeProfiles/default", cluster.resource_id()),
        "name": "default",
        "type": "Microsoft.ContainerService/managedClusters/upgradeProfiles",
        "properties": {"controlPlaneProfile": profile("master"), "agentPoolProfiles": pools},
    }))
    .into_response())
}

pub(crate) fn versions(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().find_subscription(&call.caller, call.subscription()?)?;
    let minor = KUBERNETES_VERSION.rsplit_once('.').map_or("", |(minor, _)| minor);
    let patches = Map::from_iter([(KUBERNETES_VERSION.to_owned(), json!({"upgrades": []}))]);
    let version = json!({"version": minor, "isDefault": true, "isPreview": null,
        "capabilities": {"supportPlan": ["KubernetesOfficial"]}, "patchVersions": patches});
    Ok(Json(json!({"values": [version]})).into_response())
}

/// An agent pool as rendered in its cluster.
pub(crate) fn complete(pool: &Value) -> Value {
    let tag = entity_tag(pool);
    let mut pool = pool.clone();
    if let Some(members) = pool.as_object_mut() {
        members.insert("eTag".into(), tag.into());
        members.insert("provisioningState".into(), "Succeeded".into());
        members.insert("powerState".into(), json!({"code": "Running"}));
        members.insert("orchestratorVersion".into(), KUBERNETES_VERSION.into());
        members.insert("currentOrchestratorVersion".into(), KUBERNETES_VERSION.into());
        members.entry("mode").or_insert_with(|| "System".into());
        members.entry("osType").or_insert_with(|| "Linux".into());
        members.entry("type").or_insert_with(|| "VirtualMachineScaleSets".into());
    }
    pool
}

fn render(call: &Call<'_>, pool: Map<String, Value>) -> Result<Value, ArmError> {
    let name = pool.get("name").cloned().unwrap_or_default();
    let mut properties = complete(&Value::Object(pool));
    if let Some(members) = properties.as_object_mut() {
        members.remove("name");
    }
    let scope = call.cluster()?.scope()?;
    Ok(json!({
        "id": format!("{scope}/agentPools/{}", name.as_str().unwrap_or_default()),
        "name": name,
        "type": "Microsoft.ContainerService/managedClusters/agentPools",
        "properties": properties,
    }))
}
const SHAPE: Shape = Shape::Object(
    &[("properties", Shape::Object(known!["count", "mode", "eTag"], Others::Kept))],
    Others::Kept,
);
