//! The client credentials grant (RFC 6749 §4.4): a token for the application itself.

use app::{Caller, directory::audience::Resource, sign_in::tokens::TokenRequest};
use axum::response::Response;

use super::{Exchange, response::for_application};
use crate::error::{Failure, codes};

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    // A public client cannot authenticate, so anybody could claim its id.
    if exchange.proof == app::sign_in::tokens::claims::ClientProof::None {
        return Err(Failure::new(&codes::PROOF_REQUIRED, ""));
    }
    let tenant = exchange.tenant().ok_or_else(|| Failure::new(&codes::TENANT_REQUIRED, ""))?;
    let scope = exchange.scope_or("")?;
    if scope.text.is_empty() {
        return Err(Failure::missing("scope"));
    }
    if scope.resource == Resource::UserInfo {
        return Err(Failure::new(
            &codes::INVALID_SCOPE,
            "An application asks for one resource: {resource}/.default.",
        ));
    }
    let principal = exchange.app.sign_in().service_principal_of(tenant, exchange.client.app_id())?;
    let request = TokenRequest {
        tenant,
        subject: principal.id,
        client: exchange.client.app_id(),
        client_proof: exchange.proof,
        resource: scope.resource.clone(),
        version: exchange.version,
        session: Caller::of_service_principal(&principal, principal.app_id).session,
        methods: Vec::new(),
    };
    let issued = exchange.app.sign_in().issue_access_token(&request).await?;
    Ok(for_application(exchange, &scope, issued.token, issued.expires_in))
}
