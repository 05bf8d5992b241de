//! The UserInfo endpoint (OpenID Connect Core 1.0 §5.3): claims about the user of the access token.

use app::App;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use web::bearer::{Credentials, credentials};

pub(crate) async fn get(State(app): State<App>, headers: HeaderMap) -> Response {
    let Credentials::Bearer(token) = credentials(&headers) else { return refused("invalid_request") };
    let caller = match app.sign_in().verify_user_info_token(token) {
        Ok(caller) => caller,
        Err(rejection) => {
            tracing::info!(reason = %rejection, "a token was refused at userinfo");
            return refused("invalid_token");
        }
    };
    let directory = app.directory().of(&caller);
    let Some(user) = directory.user(caller.object_id) else { return refused("invalid_token") };
    let body = json!({
        "sub": user.id,
        "name": user.display_name,
        "given_name": user.given_name,
        "family_name": user.surname,
        "preferred_username": user.upn,
        "email": user.mail,
    });
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, Json(without_nulls(body))).into_response()
}

fn without_nulls(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// A 401 with a `WWW-Authenticate` challenge (RFC 6750 §3).
fn refused(error: &'static str) -> Response {
    let challenge = HeaderValue::try_from(format!("Bearer error=\"{error}\""));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], Json(json!({"error": error})))
        .into_response()
}
