//! `/applications`: application registrations.

mod rendered;

use std::{collections::BTreeMap, sync::Arc};

use app::{
    App,
    directory::{
        TenantDirectory,
        applications::{ApplicationUpdate, CertificateForm, NewSecret},
        owners::Owned,
    },
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    application::Application,
    id::{AppId, ObjectId},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    call::{Authenticated, Body},
    collection::Kind,
    directory_objects,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, single},
    reference::{Reference, parse},
    users::{parse_display_name, required},
};

pub(crate) use rendered::{render, render_certificate, render_issued, render_secret};

/// The collection `/applications`.
pub(crate) struct Applications;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationForm {
    display_name: Option<String>,
    web: Option<Redirects>,
    public_client: Option<Redirects>,
    identifier_uris: Option<Vec<String>>,
    is_fallback_public_client: Option<bool>,
    /// Not in Microsoft Graph: whether the client may use the password grant.
    allow_password_grant: Option<bool>,
    key_credentials: Option<Vec<KeyForm>>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redirects {
    #[serde(default)]
    redirect_uris: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyForm {
    /// The certificate in base64, line breaks allowed; absent for an existing one.
    key: Option<String>,
    key_id: Option<Uuid>,
    display_name: Option<String>,
    start_date_time: Option<Timestamp>,
    end_date_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddPassword {
    password_credential: Option<PasswordForm>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordForm {
    display_name: Option<String>,
    start_date_time: Option<Timestamp>,
    end_date_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovePassword {
    pub(crate) key_id: Uuid,
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<ApplicationForm>,
) -> Result<Response, GraphError> {
    let name = parse_display_name(form.display_name.as_deref().ok_or_else(|| required("displayName"))?)?;
    let application = app.directory().create_application(&caller, name, form.read()?).await?;
    Ok((StatusCode::CREATED, Json(single(&app, "applications", render(&application)))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let directory = app.directory().of(&caller);
    let found = directory.application(parse(&id)?).ok_or_else(|| GraphError::not_found(&id))?;
    Ok(Json(single(&app, "applications", query.one(render(found))?)).into_response())
}

pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<ApplicationForm>,
) -> Result<Response, GraphError> {
    app.directory().update_application(&caller, parse(&id)?, form.read()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
) -> Result<Response, GraphError> {
    app.directory().delete_application(&caller, parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn owners(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let directory = app.directory().of(&caller);
    let found = directory.application(parse(&id)?).ok_or_else(|| GraphError::not_found(&id))?;
    let path = format!("applications/{}/owners", found.id);
    Ok(Json(directory_objects::page(&app, &directory, &query, &path, &found.owners)?).into_response())
}

pub(crate) async fn add_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(reference): Body<Reference>,
) -> Result<Response, GraphError> {
    app.directory().add_owner(&caller, Owned::Application(parse(&id)?), reference.target()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn remove_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((id, owner)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().remove_owner(&caller, Owned::Application(parse(&id)?), parse(&owner)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn add_password(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<AddPassword>,
) -> Result<Response, GraphError> {
    let issued = app.directory().add_application_secret(&caller, parse(&id)?, form.read()).await?;
    Ok(Json(render_issued(&issued)).into_response())
}

pub(crate) async fn remove_password(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
    Body(form): Body<RemovePassword>,
) -> Result<Response, GraphError> {
    app.directory().remove_application_secret(&caller, parse(&id)?, form.key_id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl AddPassword {
    pub(crate) fn read(self) -> NewSecret {
        let form = self.password_credential.unwrap_or_default();
        NewSecret { display_name: form.display_name, start: form.start_date_time, end: form.end_date_time }
    }
}

impl ApplicationForm {
    fn read(self) -> Result<ApplicationUpdate, GraphError> {
        let public = self.public_client.as_ref().is_some_and(|each| !each.redirect_uris.is_empty());
        let redirect_uris = match (self.web, self.public_client) {
            (None, None) => None,
            (web, public) => {
                Some(web.into_iter().chain(public).flat_map(|each| each.redirect_uris).collect())
            }
        };
        let certificates = self.key_credentials.map(|keys| {
            keys.into_iter()
                .map(|key| CertificateForm {
                    base64: key.key,
                    key_id: key.key_id,
                    display_name: key.display_name,
                    start: key.start_date_time,
                    end: key.end_date_time,
                })
                .collect()
        });
        Ok(ApplicationUpdate {
            display_name: self.display_name.as_deref().map(parse_display_name).transpose()?,
            redirect_uris,
            identifier_uris: self.identifier_uris,
            public_client: self.is_fallback_public_client.or(public.then_some(true)),
            password_grant: self.allow_password_grant,
            certificates,
            other: kept(self.other),
        })
    }
}

/// Stores unknown members unchanged, except those that only the server sets.
fn kept(other: BTreeMap<String, Value>) -> Map<String, Value> {
    let ours = ["id", "appId", "createdDateTime", "passwordCredentials"];
    other.into_iter().filter(|(name, _)| !ours.contains(&name.as_str()) && !name.starts_with('@')).collect()
}

impl Kind for Applications {
    type Record = Application;
    const PATH: &'static str = "applications";
    const PROPERTIES: &'static [&'static str] = &["id", "appId", "displayName", "identifierUris"];

    fn records(
        directory: &TenantDirectory,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<Application>> {
        directory.applications(after)
    }

    fn only<'a>(directory: &'a TenantDirectory, filter: &Filter) -> Option<Option<&'a Arc<Application>>> {
        if let Some(id) = filter.required("id") {
            return Some(ObjectId::parse(id).ok().and_then(|id| directory.application(id)));
        }
        let id = AppId::parse(filter.required("appId")?).ok();
        Some(id.and_then(|id| directory.application_by_app_id(id)))
    }

    fn id(application: &Application) -> ObjectId {
        application.id
    }

    fn field(application: &Application, name: &str) -> Field {
        match name {
            "id" => Field::Text(application.id.to_string()),
            "appId" => Field::Text(application.app_id.to_string()),
            "displayName" => Field::Text(application.display_name.to_string()),
            "identifierUris" => Field::List(application.identifier_uris.clone()),
            _ => Field::Null,
        }
    }

    fn render(application: &Application) -> Value {
        render(application)
    }
}
