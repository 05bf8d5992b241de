//! Resource groups (`Microsoft.Resources`, 2021-04-01 and later).

use std::collections::BTreeMap;

use app::assignments::Written;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{name::ResourceName, subscription::ResourceGroup};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError};

#[derive(Deserialize)]
struct GroupForm {
    location: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let groups = call.app.list_resource_groups(&call.caller, call.subscription()?)?;
    let value: Vec<Value> = groups.iter().map(|group| render(group)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.find_resource_group(&call.caller, call.subscription()?, call.name("group"))?;
    Ok(Json(render(&found)).into_response())
}

pub(crate) fn exists(call: &Call<'_>) -> Result<Response, ArmError> {
    match call.app.find_resource_group(&call.caller, call.subscription()?, call.name("group")) {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(app::Error::NotFound { .. }) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: GroupForm = call.json()?;
    let name = ResourceName::parse(call.name("group"))
        .map_err(|error| ArmError::bad("InvalidResourceGroup", error.to_string()))?;
    let tags = form.tags.unwrap_or_default();
    let put = call.app.put_resource_group(&call.caller, call.subscription()?, &name, &form.location, tags);
    let (group, written) = put.await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&group))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.delete_resource_group(&call.caller, call.subscription()?, call.name("group")).await?;
    call.accepted().await
}

fn render(group: &ResourceGroup) -> Value {
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", group.subscription, group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "managedBy": group.managed_by,
        "properties": {"provisioningState": "Succeeded"},
    })
}
