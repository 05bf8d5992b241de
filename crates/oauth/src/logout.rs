//! Ends the session of a browser (OpenID Connect RP-Initiated Logout 1.0). Tokens that clients hold live on
//! until they end or are revoked, as with Entra.

use std::marker::PhantomData;

use app::App;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::id::AppId;
use http::{HeaderMap, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use web::{
    body::{Form, FormFields},
    cookie,
};

use crate::{error::Failure, token::parse_client_id};

pub(crate) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    end(&app, &headers, &fields).await
}

pub(crate) async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    Form(fields, PhantomData): Form<Failure>,
) -> Result<Response, Failure> {
    end(&app, &headers, &fields).await
}

async fn end(app: &App, headers: &HeaderMap, fields: &FormFields) -> Result<Response, Failure> {
    if let Some(session) = cookie::find(headers, cookie::SESSION) {
        app.end_session(session).await?;
    }
    let target = target(app, fields)?.unwrap_or_else(|| "/portal/signed-out".to_owned());
    let mut response = Redirect::to(&target).into_response();
    response.headers_mut().extend(cookie::clear(cookie::SESSION).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// Where the person is sent: only to where a client says that its answers may go. Anything else would let foreign
/// pages use our name to lead people on.
fn target(app: &App, fields: &FormFields) -> Result<Option<String>, Failure> {
    let Some(address) = fields.find("post_logout_redirect_uri")? else { return Ok(None) };
    let named = fields.find("client_id")?.map(parse_client_id).transpose().ok().flatten();
    let hinted = fields.find("id_token_hint")?.and_then(|token| app.client_of_id_token(token));
    let client: Option<AppId> = match (named, hinted) {
        (Some(named), Some(hinted)) => (named == hinted).then_some(named),
        (named, hinted) => named.or(hinted),
    };
    let registered =
        client.and_then(|id| app.find_client(id).ok()).is_some_and(|client| client.may_redirect_to(address));
    if !registered {
        return Ok(None);
    }
    let Some(state) = fields.find("state")? else { return Ok(Some(address.to_owned())) };
    let separator = if address.contains('?') { '&' } else { '?' };
    Ok(Some(format!("{address}{separator}state={}", utf8_percent_encode(state, NON_ALPHANUMERIC))))
}
