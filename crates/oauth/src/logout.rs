//! Ends the session of a browser (OpenID Connect RP-Initiated Logout 1.0). Tokens that clients hold live on
//! until they end or are revoked, as with Entra.

use app::App;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, header};
use web::{body::FormFields, cookie};

use crate::{error::Failure, token::parse_client_id};

pub(crate) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    if let Some(session) = cookie::find(&headers, cookie::SESSION) {
        app.end_session(session).await?;
    }
    // Only to where a client says that its answers may go: anything else would let foreign pages use our
    // name to lead people on.
    let target = match (fields.find("post_logout_redirect_uri")?, fields.find("client_id")?) {
        (Some(target), Some(client)) => {
            let client = parse_client_id(client).and_then(|id| Ok(app.find_client(id)?));
            client.is_ok_and(|client| client.may_redirect_to(target)).then_some(target)
        }
        _ => None,
    };
    let mut response = Redirect::to(target.unwrap_or("/portal/signed-out")).into_response();
    response.headers_mut().extend(cookie::clear(cookie::SESSION).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}
