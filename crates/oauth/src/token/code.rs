//! The authorization code grant, with the PKCE verifier (RFC 6749 §4.1.3, RFC 7636 §4.5).

use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::Failure;

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let code = exchange.require("code")?;
    let redirect_uri = exchange.require("redirect_uri")?;
    let verifier = exchange.fields.find("code_verifier")?;
    let asked = exchange.scope_or("")?;
    let family = exchange.app.sign_in().new_family()?;
    let granted = exchange
        .app
        .sign_in()
        .redeem_code(exchange.client.app_id(), exchange.tenant(), code, redirect_uri, verifier, &family)
        .await?;
    let scope = if asked.text.is_empty() { exchange.scope_or(&granted.scope)? } else { asked };
    let answer = for_person(exchange, &granted, &scope, Refresh::Begin(family.clone())).await?;
    exchange.app.sign_in().confirm_code(code, &family).await?;
    Ok(answer)
}
