//! Trusted access: `trustedAccessRoles` of a location, `trustedAccessRoleBindings` of a cluster.

use app::resource_manager::{clusters::trusted_access, scope_rules::CreatedOrUpdated};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{cluster::TrustedAccess, scope::Scope};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    members::{Shape, known, resource},
};

#[derive(Deserialize)]
struct BindingForm {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    source_resource_id: String,
    roles: Vec<String>,
}

pub(crate) fn roles(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().find_subscription(&call.caller, call.subscription()?)?;
    Ok(Json(json!({"value": trusted_access::roles()?})).into_response())
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let cluster = call.cluster()?.scope()?;
    let found = call.app.resource_manager().list_trusted_access(&call.caller, &call.cluster()?)?;
    let value: Vec<Value> = found.iter().map(|each| render(&cluster, each)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let name = call.resource_name("binding")?;
    let found = call.app.resource_manager().find_trusted_access(&call.caller, &call.cluster()?, &name)?;
    Ok(Json(render(&call.cluster()?.scope()?, &found)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let BindingForm { properties } = call.json_of(&SHAPE)?;
    let name = call.resource_name("binding")?;
    let source = Scope::parse(&properties.source_resource_id).map_err(|error| {
        ArmError::bad("InvalidParameter", format!("properties.sourceResourceId: {error}."))
    })?;
    let cluster = call.cluster()?;
    let put = call.app.resource_manager().put_trusted_access(
        &call.caller,
        &cluster,
        &name,
        &source,
        &properties.roles,
    );
    let (binding, written) = put.await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&cluster.scope()?, &binding))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let name = call.resource_name("binding")?;
    match call.app.resource_manager().delete_trusted_access(&call.caller, &call.cluster()?, &name).await? {
        true => call.accepted().await,
        false => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn render(cluster: &Scope, binding: &TrustedAccess) -> Value {
    json!({
        "id": format!("{cluster}/trustedAccessRoleBindings/{}", binding.name),
        "name": binding.name,
        "type": "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings",
        "properties": {
            "provisioningState": "Succeeded",
            "sourceResourceId": binding.source,
            "roles": binding.roles,
        },
    })
}

const SHAPE: Shape = resource!(known!["sourceResourceId", "roles", "provisioningState"]);
