//! `/oauth2PermissionGrants`: delegated permissions that an administrator has granted to an application for all users
//! of the tenant (admin consent). Consent of individual users is not listed.
//!
//! The id of a grant is the object id of the application's service principal, which has at most one grant. The
//! resource may be given by object id, application id or identifier URI.

use app::{App, Caller};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::id::{AppId, ObjectId};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    error::GraphError,
    page::single,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantForm {
    client_id: String,
    consent_type: String,
    resource_id: String,
    scope: Option<String>,
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<GrantForm>,
) -> Result<Response, GraphError> {
    if form.consent_type != "AllPrincipals" {
        return Err(GraphError::bad(format!(
            "consentType is \"{}\", expected \"AllPrincipals\": people agree for themselves when they sign in.",
            form.consent_type
        )));
    }
    let client = client_of(&app, &caller, &form.client_id)?;
    let resource = resource_of(&app, &caller, &form.resource_id);
    let permissions = form.scope.unwrap_or_default();
    let mut scopes: Vec<&str> = permissions.split_ascii_whitespace().collect();
    if scopes.is_empty() {
        scopes.push(".default");
    }
    app.sign_in().consent_for_all(&caller, client, &resource, &scopes).await?;
    let grant = render(&app, &caller, &form.client_id, client).await?;
    Ok((StatusCode::CREATED, Json(single(&app, "oauth2PermissionGrants", grant))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(grant): Path<String>,
) -> Result<Response, GraphError> {
    let client = client_of(&app, &caller, &grant)?;
    let rendered = render(&app, &caller, &grant, client).await?;
    if rendered.get("scope").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(GraphError::not_found(&grant));
    }
    Ok(Json(single(&app, "oauth2PermissionGrants", rendered)).into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(grant): Path<String>,
) -> Result<Response, GraphError> {
    let client = client_of(&app, &caller, &grant)?;
    app.sign_in().withdraw_consent_for_all(&caller, client).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The application of a service principal.
fn client_of(app: &App, caller: &Caller, id: &str) -> Result<AppId, GraphError> {
    app_id_of(app, caller, id).ok_or_else(|| GraphError::not_found(id))
}

/// The resource in the form that a client uses in a scope.
fn resource_of(app: &App, caller: &Caller, id: &str) -> String {
    app_id_of(app, caller, id).map_or_else(|| id.to_owned(), |app_id| app_id.to_string())
}

fn app_id_of(app: &App, caller: &Caller, id: &str) -> Option<AppId> {
    let directory = app.directory().of(caller);
    directory.service_principal(ObjectId::parse(id).ok()?).map(|principal| principal.app_id)
}

async fn render(app: &App, caller: &Caller, id: &str, client: AppId) -> Result<Value, GraphError> {
    let scopes = app.sign_in().consented_for_all(caller, client).await?;
    Ok(
        json!({"id": id, "clientId": id, "consentType": "AllPrincipals", "principalId": null, "scope": scopes.join(" ")}),
    )
}
