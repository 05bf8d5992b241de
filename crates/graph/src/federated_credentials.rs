//! `/applications/{id}/federatedIdentityCredentials`: external tokens that an application accepts in place of a secret.

use app::{
    App, Caller,
    directory::federated::{NewFederatedCredential, Write, is_named},
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{credential::FederatedCredential, id::ObjectId};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    error::GraphError,
    page::{ListQuery, single},
    users::required,
};

#[derive(Deserialize)]
pub(crate) struct CredentialForm {
    name: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audiences: Option<Vec<String>>,
    description: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    query.refuse_conditions()?;
    let credentials = app.directory().federated_credentials(&caller, object_id(&app, &id)?)?;
    let values: Vec<Value> = credentials.iter().map(render).collect();
    let context = format!("{}/v1.0/$metadata#{PATH}", app.settings().external_url);
    Ok(Json(json!({"@odata.context": context, "value": values})).into_response())
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<CredentialForm>,
) -> Result<Response, GraphError> {
    let new = NewFederatedCredential {
        name: form.name.ok_or_else(|| required("name"))?,
        issuer: form.issuer.ok_or_else(|| required("issuer"))?,
        subject: form.subject.ok_or_else(|| required("subject"))?,
        audiences: form.audiences.unwrap_or_default(),
        description: form.description,
    };
    let made =
        app.directory().put_federated_credential(&caller, object_id(&app, &id)?, new, Write::Create).await?;
    Ok((StatusCode::CREATED, Json(single(&app, PATH, render(&made)))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((id, named)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    let found = find(&app, &caller, &id, &named)?;
    Ok(Json(single(&app, PATH, render(&found))).into_response())
}

/// Updates the given members; the name cannot be changed.
pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((id, named)): Path<(String, String)>,
    Body(form): Body<CredentialForm>,
) -> Result<Response, GraphError> {
    let known = find(&app, &caller, &id, &named)?;
    if let Some(name) = form.name.filter(|name| *name != known.name) {
        return Err(GraphError::bad(format!(
            "The name cannot be changed from '{}' to '{name}'.",
            known.name
        )));
    }
    let new = NewFederatedCredential {
        name: known.name,
        issuer: form.issuer.unwrap_or(known.issuer),
        subject: form.subject.unwrap_or(known.subject),
        audiences: form.audiences.unwrap_or(known.audiences),
        description: form.description.or(known.description),
    };
    app.directory().put_federated_credential(&caller, object_id(&app, &id)?, new, Write::Update).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((id, named)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().delete_federated_credential(&caller, object_id(&app, &id)?, &named).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn object_id(app: &App, id: &str) -> Result<ObjectId, GraphError> {
    app.directory().application_named(id).map(|each| each.id).ok_or_else(|| GraphError::not_found(id))
}

fn find(app: &App, caller: &Caller, id: &str, named: &str) -> Result<FederatedCredential, GraphError> {
    let credentials = app.directory().federated_credentials(caller, object_id(app, id)?)?;
    credentials.into_iter().find(|each| is_named(each, named)).ok_or_else(|| GraphError::not_found(named))
}

fn render(credential: &FederatedCredential) -> Value {
    json!({
        "id": credential.id,
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": credential.audiences,
        "description": credential.description,
    })
}

const PATH: &str = "applications/federatedIdentityCredentials";
