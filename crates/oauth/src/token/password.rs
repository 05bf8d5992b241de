//! The password grant (RFC 6749 §4.3): user name and password, sent by a client that an administrator allows to.

use app::sign_in::{grants::Granted, login::Secret};
use axum::response::Response;

use super::{
    Exchange,
    response::{Refresh, for_person},
};
use crate::error::{Failure, codes};

pub(super) async fn exchange(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let user_name = exchange.require("username")?;
    let client = &exchange.client;
    let of_installation = client.is_first_party() && client.is_public();
    let taken = client.may_send_passwords()
        || (of_installation && exchange.app.directory().takes_passwords(exchange.tenant(), user_name));
    if !taken {
        return Err(Failure::new(&codes::PASSWORD_GRANT_OFF, ""));
    }
    let password = Secret::new(exchange.require("password")?.to_owned());
    let scope = exchange.scope_or("")?;
    let signed_in = exchange
        .app
        .sign_in()
        .sign_in_with_password(exchange.tenant(), user_name, &password, Some(exchange.address))
        .await?;
    // Giving the client the password counts as consent to the requested scope.
    exchange.app.sign_in().remember_consent(&signed_in, exchange.client.app_id(), &scope.text).await?;
    let granted = Granted::new(&signed_in, exchange.client.app_id(), &scope.text, None);
    for_person(exchange, &granted, &scope, Refresh::Begin(exchange.app.sign_in().new_family()?)).await
}
