//! `/directoryRoles` and `/directoryRoleTemplates`: directory roles and their members. A role is addressed by its id
//! or by `roleTemplateId=ID`; both ids are the same here. All roles are always activated.

use app::{App, directory::TenantDirectory};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    directory_role::DirectoryRole,
    id::{ObjectId, RoleTemplateId},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    directory_objects,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, single},
    reference::{Reference, parse},
};

pub(crate) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let roles = app.directory().directory_roles(&caller)?.iter().map(|role| (role.object_id(), render(role)));
    Ok(Json(page(&app, &query, "directoryRoles", roles)?).into_response())
}

pub(crate) async fn list_templates(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let roles = app
        .directory()
        .directory_roles(&caller)?
        .iter()
        .map(|role| (role.object_id(), render_template(role)));
    Ok(Json(page(&app, &query, "directoryRoleTemplates", roles)?).into_response())
}

pub(crate) async fn show_template(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    Path(template): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let template = query.one(render_template(find(&template)?))?;
    Ok(Json(single(&app, "directoryRoleTemplates", template)).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    Path(role): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    Ok(Json(single(&app, "directoryRoles", query.one(render(find(&role)?))?)).into_response())
}

pub(crate) async fn members(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(role): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let role = find(&role)?;
    let holders = app.directory().role_holders(&caller, role)?;
    let directory = app.directory().of(&caller);
    let path = format!("directoryRoles/{}/members", role.template_id);
    Ok(Json(directory_objects::page(&app, &directory, &query, &path, &holders)?).into_response())
}

pub(crate) async fn add_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(role): Path<String>,
    Body(reference): Body<Reference>,
) -> Result<Response, GraphError> {
    app.directory().add_role_holder(&caller, find(&role)?, reference.target()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn remove_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((role, member)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().remove_role_holder(&caller, find(&role)?, parse(&member)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The roles that a principal holds, in order of id.
pub(crate) fn held(directory: &TenantDirectory, id: ObjectId) -> impl Iterator<Item = (ObjectId, Value)> {
    directory.roles_of(id).map(|role| (role.object_id(), render(role)))
}

/// The role of a path segment: an id, or `roleTemplateId=ID`.
fn find(named: &str) -> Result<&'static DirectoryRole, GraphError> {
    let id = match named.split_once('=') {
        Some((key, id)) if key.eq_ignore_ascii_case("roleTemplateId") => id.trim_matches('\''),
        _ => named,
    };
    let role = RoleTemplateId::parse(id).ok().and_then(DirectoryRole::find);
    role.ok_or_else(|| GraphError::not_found(named))
}

fn page(
    app: &App,
    query: &ListQuery,
    path: &str,
    roles: impl Iterator<Item = (ObjectId, Value)>,
) -> Result<Value, GraphError> {
    let filter = Filter::parse(query.filter.as_deref(), &["id", "displayName", "roleTemplateId"])?;
    let search = query.search(&["displayName"])?;
    let after = query.after()?;
    let wanted = roles.filter(|(id, role)| {
        let field = |name: &str| role.get(name).and_then(Value::as_str).map_or(Field::Null, text);
        after.is_none_or(|after| *id > after)
            && filter.holds(&field)
            && search.as_ref().is_none_or(|search| search.finds(&field))
    });
    query.page(app, path, None, wanted)
}

fn text(value: &str) -> Field {
    Field::Text(value.to_owned())
}

fn render(role: &DirectoryRole) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": role.object_id(),
        "deletedDateTime": null,
        "displayName": role.display_name,
        "description": role.description,
        "roleTemplateId": role.template_id,
    })
}

fn render_template(role: &DirectoryRole) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.directoryRoleTemplate",
        "id": role.template_id,
        "deletedDateTime": null,
        "displayName": role.display_name,
        "description": role.description,
    })
}
