//! Resource groups (`Microsoft.Resources`, 2021-04-01 and later).

use std::collections::BTreeMap;

use app::assignments::Written;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{id::SubscriptionId, name::ResourceName, subscription::ResourceGroup};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError};

#[derive(Deserialize)]
struct GroupForm {
    location: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

pub(crate) fn list(call: &Call<'_>, subscription: SubscriptionId) -> Result<Response, ArmError> {
    let groups = call.app.list_resource_groups(&call.caller, subscription)?;
    let value: Vec<Value> = groups.iter().map(|group| render(group)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(
    call: &Call<'_>,
    subscription: SubscriptionId,
    name: &str,
    method: &Method,
) -> Result<Response, ArmError> {
    let found = call.app.find_resource_group(&call.caller, subscription, name);
    if method == Method::HEAD {
        return match found {
            Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
            Err(app::Error::NotFound { .. }) => Ok(StatusCode::NOT_FOUND.into_response()),
            Err(error) => Err(error.into()),
        };
    }
    Ok(Json(render(&*found?)).into_response())
}

pub(crate) async fn put(
    call: &Call<'_>,
    subscription: SubscriptionId,
    name: &str,
) -> Result<Response, ArmError> {
    let form: GroupForm = call.json()?;
    let name = ResourceName::parse(name)
        .map_err(|error| ArmError::bad("InvalidResourceGroup", error.to_string()))?;
    let tags = form.tags.unwrap_or_default();
    let put = call.app.put_resource_group(&call.caller, subscription, &name, &form.location, tags);
    let (group, written) = put.await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&group))).into_response())
}

pub(crate) async fn delete(
    call: &Call<'_>,
    subscription: SubscriptionId,
    name: &str,
) -> Result<Response, ArmError> {
    call.app.delete_resource_group(&call.caller, subscription, name).await?;
    Ok(StatusCode::OK.into_response())
}

fn render(group: &ResourceGroup) -> Value {
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", group.subscription, group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": "Succeeded"},
    })
}
