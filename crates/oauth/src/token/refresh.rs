//! A refresh token for new ones, also for another resource than before (RFC 6749 §6).

use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::Failure;

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let token = exchange.require("refresh_token")?;
    // What cannot be given is refused before the token is used up.
    let asked = exchange.scope_or("")?;
    if !asked.text.is_empty()
        && let Some(granted) = exchange.app.find_refresh(token).await?
    {
        exchange.app.require_consent(&exchange.client, &granted, &asked.resource).await?;
    }
    let (mut granted, next) =
        exchange.app.redeem_refresh(exchange.client.app_id(), exchange.tenant(), token).await?;
    // The nonce belongs to the first id token alone (OpenID Connect Core 1.0 §12.2).
    granted.nonce = None;
    let scope = if asked.text.is_empty() { exchange.scope_or(&granted.scope)? } else { asked };
    for_person(exchange, &granted, &scope, Refresh::Replaced(next)).await
}
