//! Entra's on-behalf-of grant (RFC 7523 §2.1): an application exchanges a user's token, whose audience it is, for a
//! token for another service.

use app::sign_in::tokens::claims::ClientProof;
use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::{Failure, codes};

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    // A public client cannot authenticate, so anybody who holds such a token could use it.
    if exchange.proof == ClientProof::None {
        return Err(Failure::new(&codes::PROOF_REQUIRED, ""));
    }
    if exchange.require("requested_token_use")? != "on_behalf_of" {
        return Err(Failure::new(&codes::MALFORMED, "The requested_token_use is not on_behalf_of."));
    }
    let assertion = exchange.require("assertion")?;
    let scope = exchange.scope_or("")?;
    if scope.text.is_empty() {
        return Err(Failure::missing("scope"));
    }
    // The user's earlier consent decides, not the requested scope.
    let mut granted = exchange.app.sign_in().granted_on_behalf(&exchange.client, assertion, "")?;
    if exchange.tenant().is_some_and(|tenant| tenant != granted.tenant) {
        return Err(Failure::new(&codes::WRONG_GRANT_ASSERTION, "Cause: it is of another tenant."));
    }
    exchange.app.sign_in().require_consent(&exchange.client, &granted, &scope.resource).await?;
    granted.scope.clone_from(&scope.text);
    for_person(exchange, &granted, &scope, Refresh::Begin(exchange.app.sign_in().new_family()?)).await
}
