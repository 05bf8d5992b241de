//! `/servicePrincipals`: the service principals of applications and managed identities in the tenant.

mod rendered;

use std::sync::Arc;

use app::{
    App,
    directory::{TenantDirectory, owners::Owned},
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    application::ServicePrincipal,
    id::{AppId, ObjectId},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    applications::{AddPassword, RemovePassword, render_issued},
    call::{Authenticated, Body},
    collection::Kind,
    directory_objects,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, single},
    reference::{Reference, parse},
};

use rendered::kind;
pub(crate) use rendered::render;

/// The collection `/servicePrincipals`.
pub(crate) struct ServicePrincipals;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPrincipal {
    app_id: AppId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrincipalForm {
    account_enabled: Option<bool>,
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<NewPrincipal>,
) -> Result<Response, GraphError> {
    let principal = app.directory().create_service_principal(&caller, form.app_id).await?;
    Ok((StatusCode::CREATED, Json(single(&app, "servicePrincipals", render(&principal)))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let directory = app.directory().of(&caller);
    let found = find(&directory, &id)?;
    Ok(Json(single(&app, "servicePrincipals", query.one(render(found))?)).into_response())
}

pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<PrincipalForm>,
) -> Result<Response, GraphError> {
    let principal = find(&app.directory().of(&caller), &id)?.id;
    if let Some(enabled) = form.account_enabled {
        app.directory().set_service_principal_enabled(&caller, principal, enabled).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
) -> Result<Response, GraphError> {
    app.directory().delete_service_principal(&caller, parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn owners(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let directory = app.directory().of(&caller);
    let found = find(&directory, &id)?;
    let path = format!("servicePrincipals/{}/owners", found.id);
    Ok(Json(directory_objects::page(&app, &directory, &query, &path, &found.owners)?).into_response())
}

pub(crate) async fn add_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(reference): Body<Reference>,
) -> Result<Response, GraphError> {
    app.directory().add_owner(&caller, Owned::ServicePrincipal(parse(&id)?), reference.target()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn remove_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((id, owner)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().remove_owner(&caller, Owned::ServicePrincipal(parse(&id)?), parse(&owner)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn add_password(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<AddPassword>,
) -> Result<Response, GraphError> {
    let issued = app.directory().add_service_principal_secret(&caller, parse(&id)?, form.read()).await?;
    Ok(Json(render_issued(&issued)).into_response())
}

pub(crate) async fn remove_password(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<RemovePassword>,
) -> Result<Response, GraphError> {
    app.directory().remove_service_principal_secret(&caller, parse(&id)?, form.key_id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn find<'a>(
    directory: &'a TenantDirectory,
    id: &str,
) -> Result<&'a Arc<ServicePrincipal>, GraphError> {
    directory.service_principal(parse(id)?).ok_or_else(|| GraphError::not_found(id))
}

impl Kind for ServicePrincipals {
    type Record = ServicePrincipal;
    const PATH: &'static str = "servicePrincipals";
    const PROPERTIES: &'static [&'static str] =
        &["id", "appId", "displayName", "servicePrincipalNames", "accountEnabled", "servicePrincipalType"];

    fn records(
        directory: &TenantDirectory,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<ServicePrincipal>> {
        directory.service_principals(after)
    }

    fn only<'a>(
        directory: &'a TenantDirectory,
        filter: &Filter,
    ) -> Option<Option<&'a Arc<ServicePrincipal>>> {
        if let Some(id) = filter.required("id") {
            return Some(ObjectId::parse(id).ok().and_then(|id| directory.service_principal(id)));
        }
        // The application id is the only service principal name.
        let name = filter.required("appId").or_else(|| filter.required("servicePrincipalNames"))?;
        let id = AppId::parse(name).ok();
        Some(id.and_then(|id| directory.service_principal_by_app_id(id)))
    }

    fn id(principal: &ServicePrincipal) -> ObjectId {
        principal.id
    }

    fn field(principal: &ServicePrincipal, name: &str) -> Field {
        match name {
            "id" => Field::Text(principal.id.to_string()),
            "appId" => Field::Text(principal.app_id.to_string()),
            "displayName" => Field::Text(principal.display_name.to_string()),
            "servicePrincipalNames" => Field::List(vec![principal.app_id.to_string()]),
            "accountEnabled" => Field::Bool(principal.enabled),
            "servicePrincipalType" => Field::Text(kind(principal).to_owned()),
            _ => Field::Null,
        }
    }

    fn render(principal: &ServicePrincipal) -> Value {
        render(principal)
    }
}
