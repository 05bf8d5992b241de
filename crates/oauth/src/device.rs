//! The device authorization endpoint (RFC 8628 §3.1): issues a device code and a user code.

use std::marker::PhantomData;

use app::App;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;
use web::{body::Form, trace::RequestContext};

use crate::{
    authority::Authority,
    error::{Failure, codes},
    token::{self, client_id, read_scope},
};

#[derive(Serialize)]
struct Started {
    user_code: String,
    device_code: String,
    /// The name in RFC 8628; Entra version 1 uses `verification_url`.
    verification_uri: String,
    verification_url: String,
    expires_in: i64,
    interval: i64,
    message: String,
}

pub(crate) async fn start(
    State(app): State<App>,
    Path(tenant): Path<String>,
    context: RequestContext,
    Form(fields, PhantomData): Form<Failure>,
) -> Result<Response, Failure> {
    let authority = Authority::parse(&app, &tenant)?;
    let client = token::live_client(&app, &authority, client_id(&fields)?)?;
    if !client.is_public() {
        return Err(Failure::new(&codes::NOT_PUBLIC, ""));
    }
    let tenant = authority.tenant().or_else(|| client.tenant());
    let scope = read_scope(&app, tenant, &fields)?;
    let address = context.peer.address.ip();
    let started = app.sign_in().start_device(client.app_id(), tenant, &scope.text, Some(address)).await?;
    let address = format!("{}/devicelogin", app.settings().external_url);
    let message =
        format!("To sign in, open the page {address} in a browser and enter the code {}.", started.user_code);
    let body = Started {
        user_code: started.user_code,
        device_code: started.device_code,
        verification_uri: address.clone(),
        verification_url: address,
        expires_in: started.expires_in,
        interval: started.interval,
        message,
    };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response())
}
