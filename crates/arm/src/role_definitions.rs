//! Role definitions (`Microsoft.Authorization/roleDefinitions`, 2022-04-01 and later).

use app::roles::NewRole;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    id::RoleId,
    role::{Permission, RoleDefinition, RoleKind},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError};

#[derive(Deserialize)]
struct RoleForm {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_name: String,
    #[serde(default)]
    description: Option<String>,
    assignable_scopes: Vec<Scope>,
    permissions: Vec<Permission>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let name = match call.parameter("$filter") {
        None | Some("") => None,
        Some(filter) => Some(name_filter(filter)?),
    };
    let roles = call.app.list_roles(&call.caller, &call.scope()?)?;
    let wanted =
        |role: &&std::sync::Arc<RoleDefinition>| name.as_deref().is_none_or(|name| role.is_named(name));
    let value: Vec<Value> = roles.iter().filter(wanted).map(|role| render(role)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(Json(render(&*call.app.find_role(&call.caller, &call.scope()?, role(call)?)?)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let RoleForm { properties } = call.json()?;
    let new = NewRole {
        name: properties.role_name,
        description: properties.description.unwrap_or_default(),
        assignable_scopes: properties.assignable_scopes,
        permissions: properties.permissions,
    };
    // Azure answers so to a change too, and az takes nothing else.
    let (role, _) = call.app.put_role(&call.caller, role(call)?, new).await?;
    Ok((StatusCode::CREATED, Json(render(&role))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(match call.app.delete_role(&call.caller, &call.scope()?, role(call)?).await? {
        Some(role) => Json(render(&role)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

fn role(call: &Call<'_>) -> Result<RoleId, ArmError> {
    call.id("role", "InvalidRoleDefinitionId")
}

fn render(role: &RoleDefinition) -> Value {
    let kind = match role.kind {
        RoleKind::BuiltIn => "BuiltInRole",
        RoleKind::Custom => "CustomRole",
    };
    json!({
        "id": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", role.id),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "description": role.description,
            "type": kind,
            "assignableScopes": role.assignable_scopes,
            "permissions": role.permissions,
            "createdOn": role.created.at,
            "updatedOn": role.updated.at,
            "createdBy": role.created.by,
            "updatedBy": role.updated.by,
        },
    })
}

/// `roleName eq 'X'`, alone or beside `atScope()`. What is not understood is refused: a client takes the
/// first of the answer for the role that it meant.
fn name_filter(filter: &str) -> Result<String, ArmError> {
    let refused = || {
        let filter: String = filter.chars().take(200).collect();
        ArmError::bad(
            "InvalidFilter",
            format!("The filter '{filter}' is not understood. Expected \"roleName eq 'NAME'\"."),
        )
    };
    let term = filter.trim().strip_prefix("atScope() and").unwrap_or(filter).trim();
    let value = term.strip_prefix("roleName").and_then(|rest| rest.trim_start().strip_prefix("eq"));
    let quoted = value.ok_or_else(refused)?.trim();
    let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(refused)?;
    let plain = inner.replace("''", "");
    if plain.contains('\'') { Err(refused()) } else { Ok(inner.replace("''", "'")) }
}
