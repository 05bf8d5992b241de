//! `/organization`: the tenant, and the rotation of its signing keys, which is not in Microsoft Graph.

use std::{collections::BTreeMap, sync::Arc};

use app::{App, Caller, directory::tenants::TenantUpdate};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::tenant::Tenant;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    error::GraphError,
    page::{ListQuery, single},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationForm {
    /// Not in Microsoft Graph: whether clients such as `az` may use the password grant.
    allow_password_grant: Option<bool>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

pub(crate) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    query.refuse_conditions()?;
    let context = format!("{}/v1.0/$metadata#organization", app.settings().external_url);
    let own = own(&app, &caller, &caller.tenant.to_string())?;
    Ok(Json(json!({"@odata.context": context, "value": [render(&own)]})).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Response, GraphError> {
    Ok(Json(single(&app, "organization", render(&*own(&app, &caller, &tenant)?))).into_response())
}

pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
    Body(form): Body<OrganizationForm>,
) -> Result<Response, GraphError> {
    if let Some(name) = form.other.keys().next() {
        return Err(GraphError::bad(format!("The property '{name}' cannot be changed here.")));
    }
    let id = own(&app, &caller, &tenant)?.id;
    app.directory()
        .update_tenant(&caller, id, TenantUpdate { password_grant: form.allow_password_grant })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn own(app: &App, caller: &Caller, tenant: &str) -> Result<Arc<Tenant>, GraphError> {
    let directory = app.directory().of(caller);
    directory
        .tenant()
        .filter(|_| tenant.eq_ignore_ascii_case(&caller.tenant.to_string()))
        .cloned()
        .ok_or_else(|| GraphError::not_found(tenant))
}

fn render(tenant: &Tenant) -> Value {
    let domains: Vec<Value> = tenant
        .domains
        .iter()
        .enumerate()
        .map(|(place, name)| json!({"name": name, "isDefault": place == 0, "isInitial": place == 0, "type": "Managed"}))
        .collect();
    json!({
        "@odata.type": "#microsoft.graph.organization",
        "id": tenant.id,
        "displayName": tenant.display_name,
        "tenantType": "AAD",
        "createdDateTime": tenant.created,
        "verifiedDomains": domains,
        "allowPasswordGrant": tenant.password_grant,
    })
}

pub(crate) async fn rotate_signing_keys(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Response, GraphError> {
    let kid = app.sign_in().rotate_signing_keys(check_own(&caller, &tenant)?).await?;
    Ok(Json(json!({"keyId": kid})).into_response())
}

/// Revokes all existing signing keys at once and creates a new one.
pub(crate) async fn revoke_signing_keys(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Response, GraphError> {
    let kid = app.sign_in().revoke_signing_keys(check_own(&caller, &tenant)?).await?;
    Ok(Json(json!({"keyId": kid})).into_response())
}

fn check_own<'a>(caller: &'a Caller, tenant: &str) -> Result<&'a Caller, GraphError> {
    let is_own = tenant.eq_ignore_ascii_case(&caller.tenant.to_string());
    is_own.then_some(caller).ok_or_else(|| GraphError::not_found(tenant))
}
