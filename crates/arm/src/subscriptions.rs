//! Tenants, subscriptions and their locations.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::subscription::Subscription;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError};

pub(crate) fn tenants(call: &Call<'_>) -> Result<Response, ArmError> {
    let directory = call.app.directory().of(&call.caller);
    let tenants: Vec<Value> = directory
        .tenant()
        .map(|tenant| {
            json!({
                "id": format!("/tenants/{}", tenant.id),
                "tenantId": tenant.id,
                "displayName": tenant.display_name,
                "defaultDomain": tenant.default_domain(),
                "domains": tenant.domains,
                "tenantCategory": "Home",
                "tenantType": "AAD",
            })
        })
        .into_iter()
        .collect();
    Ok(Json(json!({"value": tenants})).into_response())
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let subscriptions = call.app.resource_manager().list_subscriptions(&call.caller);
    let value: Vec<Value> = subscriptions.iter().map(|each| render(each)).collect();
    Ok(Json(json!({"count": {"type": "Total", "value": value.len()}, "value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(Json(render(&*call.app.resource_manager().find_subscription(&call.caller, call.subscription()?)?))
        .into_response())
}

/// The only location: where this program runs.
pub(crate) fn locations(call: &Call<'_>) -> Result<Response, ArmError> {
    let id = call.subscription()?;
    call.app.resource_manager().find_subscription(&call.caller, id)?;
    let local = json!({
        "id": format!("/subscriptions/{id}/locations/local"),
        "name": "local",
        "displayName": "Local",
        "regionalDisplayName": "Local",
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    });
    Ok(Json(json!({"value": [local]})).into_response())
}

fn render(subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "displayName": subscription.display_name,
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "Internal", "spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    })
}
