//! The refresh token grant (RFC 6749 §6); the new tokens may be for another resource.

use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::Failure;

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let token = exchange.require("refresh_token")?;
    let mut scope = exchange.scope_or("")?;
    // Requests that must be refused are refused before the refresh token is consumed.
    let found = exchange.app.sign_in().find_refresh(token).await?;
    if let Some(granted) = found.filter(|granted| granted.client == exchange.client.app_id()) {
        if scope.text.is_empty() {
            scope = exchange.scope_or(&granted.scope)?;
        }
        exchange.app.sign_in().require_consent(&exchange.client, &granted, &scope.resource).await?;
    }
    let (mut granted, next) =
        exchange.app.sign_in().redeem_refresh(exchange.client.app_id(), exchange.tenant(), token).await?;
    // Only the first id token has the nonce (OpenID Connect Core 1.0 §12.2).
    granted.nonce = None;
    for_person(exchange, &granted, &scope, Refresh::Replaced(next)).await
}
