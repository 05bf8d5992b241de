//! User-assigned identities and their federated credentials (`Microsoft.ManagedIdentity`, 2023-01-31 and later).

use app::state::Kind;
use std::{collections::BTreeMap, sync::Arc};

use app::{directory::federated::NewFederatedCredential, resource_manager::scope_rules::CreatedOrUpdated};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    credential::FederatedCredential,
    name::ResourceName,
    resource::{Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    members::{Others, Shape, known, resource},
    page, tags,
};

#[derive(Deserialize)]
struct IdentityForm {
    location: String,
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct TagsForm {
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct CredentialForm {
    properties: CredentialProperties,
}

#[derive(Deserialize)]
struct CredentialProperties {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
}

pub(crate) fn list(call: &Call<'_>, below: &Scope) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().list_identities(&call.caller, below)?;
    let key = |identity: &Arc<Resource>| identity.id.to_string().to_ascii_lowercase();
    page::respond(call, found, key, |identity| render(call, identity))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(Json(render(call, &*call.app.resource_manager().find_identity(&call.caller, &id(call)?)?))
        .into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: IdentityForm = call.json_of(&IDENTITY)?;
    let tags = form.tags.unwrap_or_default();
    let (identity, written) =
        call.app.resource_manager().put_identity(&call.caller, &id(call)?, form.location, tags).await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &identity))).into_response())
}

/// Changes the tags.
pub(crate) async fn patch(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: TagsForm = call.json_of(&IDENTITY)?;
    let id = id(call)?;
    let known = call.app.resource_manager().find_identity(&call.caller, &id)?;
    let tags = form.tags.unwrap_or_else(|| known.tags.clone());
    let location = known.location.clone().unwrap_or_default();
    let (identity, _) = call.app.resource_manager().put_identity(&call.caller, &id, location, tags).await?;
    Ok(Json(render(call, &identity)).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let deleted = call.app.resource_manager().delete_identity(&call.caller, &id(call)?).await?;
    Ok((if deleted { StatusCode::OK } else { StatusCode::NO_CONTENT }).into_response())
}

pub(crate) fn list_credentials(call: &Call<'_>) -> Result<Response, ArmError> {
    let id = id(call)?;
    let found = call.app.resource_manager().identity_credentials(&call.caller, &id)?;
    let value: Vec<Value> = found.iter().map(|each| render_credential(&id, each)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show_credential(call: &Call<'_>) -> Result<Response, ArmError> {
    let (id, name) = (id(call)?, call.name("credential"));
    let found = call.app.resource_manager().identity_credentials(&call.caller, &id)?;
    let found = found.iter().find(|each| each.name.eq_ignore_ascii_case(name));
    let found = found.ok_or_else(|| app::Error::not_found(Kind::FederatedIdentityCredential, name))?;
    Ok(Json(render_credential(&id, found)).into_response())
}

pub(crate) async fn put_credential(call: &Call<'_>) -> Result<Response, ArmError> {
    let CredentialForm { properties } = call.json_of(&SHAPE)?;
    let id = id(call)?;
    let new = NewFederatedCredential {
        name: call.name("credential").to_owned(),
        issuer: properties.issuer,
        subject: properties.subject,
        audiences: properties.audiences,
        description: None,
    };
    let (credential, written) =
        call.app.resource_manager().put_identity_credential(&call.caller, &id, new).await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render_credential(&id, &credential))).into_response())
}

pub(crate) async fn delete_credential(call: &Call<'_>) -> Result<Response, ArmError> {
    let deleted = call
        .app
        .resource_manager()
        .delete_identity_credential(&call.caller, &id(call)?, call.name("credential"))
        .await?;
    Ok((if deleted { StatusCode::OK } else { StatusCode::NO_CONTENT }).into_response())
}

fn id(call: &Call<'_>) -> Result<Scope, ArmError> {
    let name: ResourceName = call.resource_name("identity")?;
    let group = call.group_scope()?;
    Scope::parse(&format!("{group}/providers/{USER_ASSIGNED_IDENTITY}/{name}"))
        .map_err(|error| ArmError::bad("InvalidResourceId", error.to_string()))
}

pub(crate) fn render(call: &Call<'_>, resource: &Resource) -> Value {
    let identity = resource.identity.as_ref();
    json!({
        "id": resource.id,
        "name": resource.id.name(),
        "type": USER_ASSIGNED_IDENTITY,
        "location": resource.location,
        "tags": resource.tags,
        "properties": {
            "tenantId": call.caller.tenant,
            "principalId": identity.map(|identity| identity.object_id),
            "clientId": identity.map(|identity| identity.client_id),
        },
    })
}

fn render_credential(identity: &Scope, credential: &FederatedCredential) -> Value {
    json!({
        "id": format!("{identity}/federatedIdentityCredentials/{}", credential.name),
        "name": credential.name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": {
            "issuer": credential.issuer,
            "subject": credential.subject,
            "audiences": credential.audiences,
        },
    })
}

const SHAPE: Shape = resource!(known!["issuer", "subject", "audiences"]);
const IDENTITY: Shape = Shape::Object(known!["location", "tags"], Others::Kept);
