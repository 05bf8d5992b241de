//! The device code grant: a device polls whether the user has approved (RFC 8628 §3.4).

use app::sign_in::grants::GrantError;
use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::{Failure, codes};

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    // MSAL for Python sends `device_code` and `code` with the same value.
    let device_code = match exchange.fields.find("device_code")? {
        Some(device_code) => device_code,
        None => exchange.fields.find("code")?.ok_or_else(|| Failure::missing("device_code"))?,
    };
    let asked = exchange.scope_or("")?;
    let redeemed =
        exchange.app.sign_in().redeem_device(exchange.client.app_id(), exchange.tenant(), device_code).await;
    let granted = redeemed.map_err(|error| match error {
        GrantError::Expired => Failure::new(&codes::DEVICE_EXPIRED, ""),
        other => other.into(),
    })?;
    let scope = if asked.text.is_empty() { exchange.scope_or(&granted.scope)? } else { asked };
    let family = exchange.app.sign_in().new_family()?;
    for_person(exchange, &granted, &scope, Refresh::Begin(family)).await
}
