//! `/users`: the users of the directory.

use std::sync::Arc;

use app::{
    App, Secret,
    directory::{
        TenantDirectory,
        users::{NewUser, UserUpdate},
    },
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    id::ObjectId,
    name::{DisplayName, Upn},
    user::User,
};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    collection::Kind,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, single},
};

/// The collection `/users`.
pub(crate) struct Users;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordProfile {
    password: Option<String>,
    force_change_password_next_sign_in: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserForm {
    user_principal_name: Option<String>,
    display_name: Option<String>,
    account_enabled: Option<bool>,
    password_profile: Option<PasswordProfile>,
    #[serde(default, deserialize_with = "present")]
    mail_nickname: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    mail: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    given_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    surname: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    job_title: Option<Option<String>>,
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<UserForm>,
) -> Result<Response, GraphError> {
    let upn = form.user_principal_name.as_deref().ok_or_else(|| required("userPrincipalName"))?;
    let display_name = form.display_name.as_deref().ok_or_else(|| required("displayName"))?;
    let profile = form.password_profile;
    let new = NewUser {
        upn: parse_upn(upn)?,
        display_name: parse_display_name(display_name)?,
        enabled: form.account_enabled.unwrap_or(true),
        must_change_password: profile
            .as_ref()
            .and_then(|each| each.force_change_password_next_sign_in)
            .unwrap_or(false),
        password: profile.and_then(|each| each.password).map(Secret::new),
        mail_nickname: form.mail_nickname.flatten(),
        mail: form.mail.flatten(),
        given_name: form.given_name.flatten(),
        surname: form.surname.flatten(),
        job_title: form.job_title.flatten(),
    };
    let user = app.directory().create_user(&caller, new).await?;
    Ok((StatusCode::CREATED, Json(single(&app, "users", render(&user)))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let user = app.directory().find_user(&caller, &user)?;
    Ok(Json(single(&app, "users", query.one(render(&user))?)).into_response())
}

pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
    Body(form): Body<UserForm>,
) -> Result<Response, GraphError> {
    let user = app.directory().find_user(&caller, &user)?;
    let profile = form.password_profile;
    let update = UserUpdate {
        upn: form.user_principal_name.as_deref().map(parse_upn).transpose()?,
        display_name: form.display_name.as_deref().map(parse_display_name).transpose()?,
        enabled: form.account_enabled,
        must_change_password: profile.as_ref().and_then(|each| each.force_change_password_next_sign_in),
        password: profile.and_then(|each| each.password).map(Secret::new),
        mail_nickname: form.mail_nickname,
        mail: form.mail,
        given_name: form.given_name,
        surname: form.surname,
        job_title: form.job_title,
    };
    app.directory().update_user(&caller, user.id, update).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<Response, GraphError> {
    let user = app.directory().find_user(&caller, &user)?;
    app.directory().delete_user(&caller, user.id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn revoke_sign_in_sessions(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<Response, GraphError> {
    let user = app.directory().find_user(&caller, &user)?;
    app.directory().revoke_sessions(&caller, user.id).await?;
    Ok(Json(json!({"value": true})).into_response())
}

/// Resets failed sign-ins. Not in Microsoft Graph; in Entra one can only wait.
pub(crate) async fn unlock(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<Response, GraphError> {
    let user = app.directory().find_user(&caller, &user)?;
    app.directory().unlock_user(&caller, user.id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn render(user: &User) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.user",
        "id": user.id,
        "userPrincipalName": user.upn,
        "displayName": user.display_name,
        "accountEnabled": user.enabled,
        "mailNickname": user.mail_nickname,
        "mail": user.mail,
        "givenName": user.given_name,
        "surname": user.surname,
        "jobTitle": user.job_title,
        "businessPhones": [],
        "userType": "Member",
        "createdDateTime": user.created,
        "signInSessionsValidFromDateTime": user.tokens_valid_after,
    })
}

impl Kind for Users {
    type Record = User;
    const PATH: &'static str = "users";
    const PROPERTIES: &'static [&'static str] =
        &["id", "userPrincipalName", "displayName", "mail", "mailNickname", "accountEnabled"];

    fn records(directory: &TenantDirectory, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<User>> {
        directory.users(after)
    }

    fn only<'a>(directory: &'a TenantDirectory, filter: &Filter) -> Option<Option<&'a Arc<User>>> {
        if let Some(id) = filter.required("id") {
            return Some(ObjectId::parse(id).ok().and_then(|id| directory.user(id)));
        }
        let name = filter.required("userPrincipalName")?;
        Some(Upn::parse(name).ok().and_then(|upn| directory.user_by_upn(&upn)))
    }

    fn id(user: &User) -> ObjectId {
        user.id
    }

    fn field(user: &User, name: &str) -> Field {
        let optional = |value: &Option<String>| value.clone().map_or(Field::Null, Field::Text);
        match name {
            "id" => Field::Text(user.id.to_string()),
            "userPrincipalName" => Field::Text(user.upn.to_string()),
            "displayName" => Field::Text(user.display_name.to_string()),
            "mail" => optional(&user.mail),
            "mailNickname" => optional(&user.mail_nickname),
            "accountEnabled" => Field::Bool(user.enabled),
            _ => Field::Null,
        }
    }

    fn render(user: &User) -> Value {
        render(user)
    }
}

pub(crate) fn parse_display_name(text: &str) -> Result<DisplayName, GraphError> {
    DisplayName::parse(text).map_err(|error| {
        GraphError::bad(format!("Invalid value specified for property 'displayName': {error}."))
    })
}

pub(crate) fn required(name: &str) -> GraphError {
    GraphError::bad(format!("A value is required for property '{name}' of resource."))
}

fn parse_upn(text: &str) -> Result<Upn, GraphError> {
    Upn::parse(text).map_err(|error| {
        GraphError::bad(format!("Invalid value specified for property 'userPrincipalName': {error}."))
    })
}

/// Distinguishes a null field from an absent one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
