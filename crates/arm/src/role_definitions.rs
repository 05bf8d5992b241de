//! Role definitions (`Microsoft.Authorization/roleDefinitions`, 2022-04-01 and later).

use std::sync::Arc;

use app::resource_manager::roles::NewRole;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    id::RoleId,
    role::{Permission, RoleDefinition, RoleKind, definition_id},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    filter::{self, Term},
    members::{Others, Shape, known, resource},
    page,
};

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
    permissions: Vec<PermissionForm>,
}

#[derive(Deserialize)]
struct PermissionForm {
    #[serde(flatten)]
    permission: Permission,
    #[serde(default)]
    condition: Option<String>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let (mut name, mut kind) = (None, None);
    for term in filter::terms(call, FILTERS)? {
        match term {
            // No effect: the list always contains the roles that can be assigned at the scope.
            Term::Call(function, None) if matches!(&*function, "atscope" | "atscopeandbelow") => {}
            Term::Equals(field, value) if field == "rolename" && name.is_none() => name = Some(value),
            Term::Equals(field, value) if field == "type" && kind.is_none() => {
                let kinds = [RoleKind::BuiltIn, RoleKind::Custom];
                let found = kinds.into_iter().find(|kind| kind_name(*kind).eq_ignore_ascii_case(&value));
                kind = Some(found.ok_or_else(|| filter::refused(call, FILTERS))?);
            }
            _ => return Err(filter::refused(call, FILTERS)),
        }
    }
    let scope = call.scope()?;
    let mut roles = call.app.resource_manager().list_roles(&call.caller, &scope)?;
    roles.retain(|role| {
        name.as_deref().is_none_or(|name| role.is_named(name)) && kind.is_none_or(|kind| role.kind == kind)
    });
    let key = |role: &Arc<RoleDefinition>| {
        format!("{}{}\0{}", u8::from(role.kind == RoleKind::Custom), role.name.to_lowercase(), role.id)
    };
    page::respond(call, roles, key, |role| render(role, &scope))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let scope = call.scope()?;
    Ok(Json(render(&*call.app.resource_manager().find_role(&call.caller, &scope, role(call)?)?, &scope))
        .into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let scope = call.scope()?;
    let RoleForm { properties } = call.json_of(&SHAPE)?;
    // Conditions in roles are not supported: ignoring one would grant more than the author intended.
    if properties
        .permissions
        .iter()
        .any(|each| each.condition.as_deref().is_some_and(|text| !text.is_empty()))
    {
        return Err(ArmError::bad(
            "InvalidRequestContent",
            "properties.permissions.condition: a role has no condition here; set one on its assignments.",
        ));
    }
    let new = NewRole {
        name: properties.role_name,
        description: properties.description.unwrap_or_default(),
        assignable_scopes: properties.assignable_scopes,
        permissions: properties.permissions.into_iter().map(|each| each.permission).collect(),
    };
    // Azure returns 201 for updates too, and az accepts nothing else.
    let (role, _) = call.app.resource_manager().put_role(&call.caller, &scope, role(call)?, new).await?;
    Ok((StatusCode::CREATED, Json(render(&role, &scope))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let scope = call.scope()?;
    Ok(match call.app.resource_manager().delete_role(&call.caller, &scope, role(call)?).await? {
        Some(role) => Json(render(&role, &scope)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

fn role(call: &Call<'_>) -> Result<RoleId, ArmError> {
    call.id("role", "InvalidRoleDefinitionId")
}

fn kind_name(kind: RoleKind) -> &'static str {
    match kind {
        RoleKind::BuiltIn => "BuiltInRole",
        RoleKind::Custom => "CustomRole",
    }
}

/// Renders a role with its id at the requested scope.
fn render(role: &RoleDefinition, at: &Scope) -> Value {
    json!({
        "id": definition_id(role.id, at),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "description": role.description,
            "type": kind_name(role.kind),
            "assignableScopes": role.assignable_scopes,
            "permissions": role.permissions,
            "createdOn": role.created.at,
            "updatedOn": role.updated.at,
            "createdBy": role.created.by,
            "updatedBy": role.updated.by,
        },
    })
}

const FILTERS: &str = "\"roleName eq 'NAME'\", \"type eq 'CustomRole'\" or \"atScope()\", joined by \"and\"";

const SHAPE: Shape = resource!(&[
    ("roleName", Shape::Any),
    ("description", Shape::Any),
    ("assignableScopes", Shape::Any),
    ("permissions", Shape::List(&PERMISSION)),
    ("type", Shape::Any),
    ("roleType", Shape::Any),
    ("createdOn", Shape::Any),
    ("createdBy", Shape::Any),
    ("updatedOn", Shape::Any),
    ("updatedBy", Shape::Any),
]);
const PERMISSION: Shape = Shape::Object(
    known!["actions", "notActions", "dataActions", "notDataActions", "condition", "conditionVersion"],
    Others::Refused,
);
