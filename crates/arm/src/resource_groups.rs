//! Resource groups (`Microsoft.Resources`, 2021-04-01 and later).

use std::collections::BTreeMap;

use app::resource_manager::{scope_rules::CreatedOrUpdated, subscriptions::GroupChange};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{name::ResourceName, subscription::ResourceGroup};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    filter::{self, Term},
    members::{Others, Shape, known},
    page, tags,
};

#[derive(Deserialize)]
struct GroupForm {
    location: String,
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeForm {
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    managed_by: Option<String>,
    #[serde(default, deserialize_with = "tags::deserialize")]
    tags: Option<BTreeMap<String, String>>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let (mut name, mut value) = (None, None);
    for term in filter::terms(call, FILTERS)? {
        match term {
            Term::Equals(field, text) if field == "tagname" && name.is_none() => name = Some(text),
            Term::Equals(field, text) if field == "tagvalue" && value.is_none() => value = Some(text),
            _ => return Err(filter::refused(call, FILTERS)),
        }
    }
    if name.is_none() && value.is_some() {
        return Err(filter::refused(call, FILTERS));
    }
    let mut groups = call.app.resource_manager().list_resource_groups(&call.caller, call.subscription()?)?;
    if let Some(name) = name {
        // Tag names are case-insensitive, tag values case-sensitive.
        groups.retain(|group| {
            group.tags.iter().any(|(tag, held)| {
                tag.eq_ignore_ascii_case(&name) && value.as_ref().is_none_or(|value| value == held)
            })
        });
    }
    page::respond(call, groups, |group| group.name.folded(), |group| render(call, group))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().find_resource_group(
        &call.caller,
        call.subscription()?,
        call.name("group"),
    )?;
    Ok(Json(render(call, &found)).into_response())
}

pub(crate) fn exists(call: &Call<'_>) -> Result<Response, ArmError> {
    match call.app.resource_manager().find_resource_group(
        &call.caller,
        call.subscription()?,
        call.name("group"),
    ) {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(app::Error::NotFound { .. }) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: GroupForm = call.json_of(&SHAPE)?;
    let name = ResourceName::parse(call.name("group"))
        .map_err(|error| ArmError::bad("InvalidResourceGroup", error.to_string()))?;
    let tags = form.tags.unwrap_or_default();
    let put = call.app.resource_manager().put_resource_group(
        &call.caller,
        call.subscription()?,
        &name,
        &form.location,
        tags,
    );
    let (group, written) = put.await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &group))).into_response())
}

/// Changes the tags; a different value of any other property is refused.
pub(crate) async fn patch(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: ChangeForm = call.json_of(&SHAPE)?;
    let name = call.resource_name("group")?;
    let changes = GroupChange { location: form.location, managed_by: form.managed_by, tags: form.tags };
    let changed =
        call.app.resource_manager().update_resource_group(&call.caller, call.subscription()?, &name, changes);
    Ok(Json(render(call, &*changed.await?)).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let awaited = call
        .app
        .resource_manager()
        .delete_resource_group(&call.caller, call.subscription()?, call.name("group"))
        .await?;
    call.accepted_until(awaited).await
}

fn render(call: &Call<'_>, group: &ResourceGroup) -> Value {
    let state = call.app.resource_manager().of(&call.caller).resource_group_state(group);
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", group.subscription, group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "managedBy": group.managed_by,
        "properties": {"provisioningState": state.as_str()},
    })
}

const FILTERS: &str = "\"tagName eq 'NAME'\", with or without \" and tagValue eq 'VALUE'\"";
const SHAPE: Shape = Shape::Object(known!["location", "managedBy", "tags"], Others::Kept);
