//! Subscription aliases (`Microsoft.Subscription/aliases`, 2021-10-01), and renaming subscriptions.

use app::resource_manager::{aliases::NewSubscription, scope_rules::CreatedOrUpdated};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    id::{ObjectId, SubscriptionId},
    name::{DisplayName, ResourceName},
    subscription::Subscription,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError, management_groups, page};

#[derive(Deserialize)]
struct AliasForm {
    #[serde(default)]
    properties: Option<Properties>,
}

/// Billing scope and workload are accepted and ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    display_name: Option<String>,
    subscription_id: Option<SubscriptionId>,
    additional_properties: Option<Additional>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Additional {
    management_group_id: Option<String>,
    subscription_owner_id: Option<ObjectId>,
    subscription_tenant_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenameForm {
    subscription_name: String,
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: AliasForm = call.json()?;
    let properties = form.properties.unwrap_or_default();
    let additional = properties.additional_properties.unwrap_or_default();
    let tenant = additional.subscription_tenant_id.filter(|tenant| !tenant.is_empty());
    if tenant.is_some_and(|tenant| !tenant.eq_ignore_ascii_case(&call.caller.tenant.to_string())) {
        let text = "properties.additionalProperties.subscriptionTenantId: expected the caller's own tenant.";
        return Err(ArmError::bad("InvalidSubscriptionTenant", text));
    }
    let new = NewSubscription {
        display_name: properties.display_name.as_deref().map(display_name).transpose()?,
        existing: properties.subscription_id,
        management_group: management_groups::reference(additional.management_group_id.as_deref())?,
        owner: additional.subscription_owner_id,
    };
    let alias = alias(call)?;
    let (subscription, written) = call.app.resource_manager().put_alias(&call.caller, &alias, new).await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&alias, &subscription))).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let alias = alias(call)?;
    let found = call.app.resource_manager().find_alias(&call.caller, alias.as_str())?;
    let written = found.aliases.iter().find(|each| **each == alias).unwrap_or(&alias);
    Ok(Json(render(written, &found)).into_response())
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().list_aliases(&call.caller);
    let aliases = found.iter().flat_map(|each| each.aliases.iter().map(move |alias| (alias, each)));
    page::respond(
        call,
        aliases.collect(),
        |(alias, _)| alias.folded(),
        |(alias, subscription)| render(alias, subscription),
    )
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().delete_alias(&call.caller, alias(call)?.as_str()).await?;
    Ok(if found { StatusCode::OK } else { StatusCode::NO_CONTENT }.into_response())
}

pub(crate) async fn rename(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: RenameForm = call.json()?;
    let id = call.subscription()?;
    call.app
        .resource_manager()
        .rename_subscription(&call.caller, id, display_name(&form.subscription_name)?)
        .await?;
    Ok(Json(json!({"subscriptionId": id})).into_response())
}

fn alias(call: &Call<'_>) -> Result<ResourceName, ArmError> {
    call.resource_name("alias")
}

fn display_name(text: &str) -> Result<DisplayName, ArmError> {
    DisplayName::parse(text).map_err(|error| ArmError::bad("InvalidSubscriptionName", error.to_string()))
}

fn render(alias: &ResourceName, subscription: &Subscription) -> Value {
    json!({
        "id": format!("/providers/Microsoft.Subscription/aliases/{alias}"),
        "name": alias,
        "type": "Microsoft.Subscription/aliases",
        "properties": {
            "subscriptionId": subscription.id,
            "displayName": subscription.display_name,
            "provisioningState": "Succeeded",
            "acceptOwnershipState": "Completed",
            "createdTime": subscription.created,
        },
    })
}
