//! The authorization endpoint (RFC 6749 §4.1, with PKCE and form post): validates the request, redirects the browser
//! to the portal, and, after sign-in and consent, sends the response to the client.
//!
//! ```text
//!   client ──► /authorize ──► /portal/authorize ──► /oauth2/finish ──► redirect URI
//!                 (checks)    (sign-in, consent)        (the code)
//! ```
//!
//! Until client and redirect URI are validated, errors are shown on a page; after that they are sent to the client.

mod answer;

use std::marker::PhantomData;

use app::{
    App, Error,
    sign_in::grants::{
        authorization::{Authorization, Outcome, ResponseMode},
        client::Client,
    },
};
use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, header};
use web::{
    body::{Form, FormFields},
    cookie,
};

use crate::{
    authority::Authority,
    error::{Failure, codes},
    token::{client_id, live_client, read_scope},
};

/// A request whose client and redirect URI are validated, so that errors can be sent to the client.
struct ValidatedRequest {
    client: Client,
    redirect_uri: String,
    mode: ResponseMode,
    state: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match FormFields::parse(query.unwrap_or_default().as_bytes()) {
        Ok(fields) => begin(&app, &tenant, &headers, &fields).await,
        Err(error) => answer::refusal(&error.into()),
    }
}

/// OpenID Connect Core 1.0 §3.1.2.1: the parameters may come as a form.
pub(crate) async fn post(
    State(app): State<App>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(fields, PhantomData): Form<Failure>,
) -> Response {
    begin(&app, &tenant, &headers, &fields).await
}

/// Sends the response to the client, after sign-in and consent in the portal.
pub(crate) async fn finish(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let ended = async {
        let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
        let id = fields.find("request")?.ok_or_else(|| Failure::missing("request"))?;
        let gone =
            || Failure::new(&codes::GRANT_EXPIRED, "This sign-in has ended, or it was begun elsewhere.");
        let browser = cookie::find(&headers, cookie::BROWSER).ok_or_else(gone)?;
        app.sign_in().finish_authorization(id, browser).await?.ok_or_else(gone)
    };
    match ended.await {
        Ok((Authorization { redirect_uri, response_mode, state, .. }, outcome)) => {
            let to = answer::ResponseDestination {
                redirect_uri: &redirect_uri,
                mode: response_mode,
                state: state.as_deref(),
            };
            match outcome {
                Outcome::Code(code) => to.code(&code),
                Outcome::Declined => to.failure(&Failure::new(&codes::ACCESS_DENIED, "")),
            }
        }
        Err(failure) => answer::refusal(&failure),
    }
}

async fn begin(app: &App, tenant: &str, headers: &HeaderMap, fields: &FormFields) -> Response {
    let validated = match validate_request(app, tenant, fields) {
        Ok(validated) => validated,
        Err(failure) => return answer::refusal(&failure),
    };
    let to = answer::ResponseDestination {
        redirect_uri: &validated.redirect_uri,
        mode: validated.mode,
        state: validated.state.as_deref(),
    };
    match hand_to_portal(app, tenant, headers, fields, &validated).await {
        Ok(response) => response,
        Err(failure) => to.failure(&failure),
    }
}

fn validate_request(app: &App, tenant: &str, fields: &FormFields) -> Result<ValidatedRequest, Failure> {
    let authority = Authority::parse(app, tenant)?;
    let client = live_client(app, &authority, client_id(fields)?)?;
    let redirect_uri = read_bounded(fields, "redirect_uri", LONGEST_ADDRESS)?;
    let redirect_uri = redirect_uri.ok_or_else(|| Failure::missing("redirect_uri"))?;
    if !client.may_redirect_to(&redirect_uri) {
        let shown: String = redirect_uri.chars().take(200).collect();
        return Err(Failure::new(&codes::REDIRECT_MISMATCH, format!("\"{shown}\" is not among them.")));
    }
    let mode = match fields.find("response_mode")? {
        None | Some("query") => ResponseMode::Query,
        Some("form_post") => ResponseMode::FormPost,
        Some(_) => return Err(Failure::new(&codes::UNSUPPORTED_RESPONSE_MODE, "")),
    };
    let state = read_bounded(fields, "state", LONGEST_STATE)?;
    Ok(ValidatedRequest { client, redirect_uri, mode, state })
}

async fn hand_to_portal(
    app: &App,
    tenant: &str,
    headers: &HeaderMap,
    fields: &FormFields,
    validated: &ValidatedRequest,
) -> Result<Response, Failure> {
    let authority = Authority::parse(app, tenant)?;
    if fields.find("response_type")? != Some("code") {
        return Err(Failure::new(&codes::UNSUPPORTED_RESPONSE_TYPE, ""));
    }
    let prompts: Vec<&str> = fields.find("prompt")?.unwrap_or_default().split(' ').collect();
    let authorization = Authorization {
        client: validated.client.app_id(),
        tenant: authority.tenant().or_else(|| validated.client.tenant()),
        redirect_uri: validated.redirect_uri.clone(),
        response_mode: validated.mode,
        state: validated.state.clone(),
        scope: read_scope(app, authority.tenant().or_else(|| validated.client.tenant()), fields)
            .map_err(at_authorization)?
            .text,
        nonce: read_bounded(fields, "nonce", LONGEST_NONCE)?,
        challenge: read_challenge(&validated.client, fields)?,
        fresh: prompts.contains(&"login"),
        login_hint: fields.find("login_hint")?.map(|hint| hint.chars().take(113).collect()),
    };
    if prompts.contains(&"none") {
        return without_page(app, headers, validated, &authorization).await;
    }
    let (browser, new) = match cookie::find(headers, cookie::BROWSER) {
        Some(browser) => (browser.to_owned(), false),
        None => (app.sign_in().new_browser()?, true),
    };
    let id = app.sign_in().begin_authorization(authorization, &browser).map_err(|error| match error {
        Error::Invalid(_) => Failure::new(&codes::QUERY_TOO_LONG, ""),
        other => other.into(),
    })?;
    let mut response = Redirect::to(&format!("/portal/authorize?request={id}")).into_response();
    if new {
        response
            .headers_mut()
            .extend(cookie::set(cookie::BROWSER, &browser).map(|value| (header::SET_COOKIE, value)));
    }
    Ok(response)
}

/// `prompt=none`: a response without any page, or an error.
async fn without_page(
    app: &App,
    headers: &HeaderMap,
    validated: &ValidatedRequest,
    authorization: &Authorization,
) -> Result<Response, Failure> {
    let needs_sign_in = || Failure::new(&codes::LOGIN_REQUIRED, "");
    let session = cookie::find(headers, cookie::SESSION).ok_or_else(needs_sign_in)?;
    let signed_in = app.sign_in().find_session(session).await?.ok_or_else(needs_sign_in)?.signed_in;
    if authorization.fresh || authorization.tenant.is_some_and(|expected| expected != signed_in.tenant) {
        return Err(needs_sign_in());
    }
    // Any local program can listen on a loopback address: without a page the user would not notice.
    let unsafe_address = validated.redirect_uri.starts_with("http://");
    if unsafe_address || app.sign_in().needs_consent(&signed_in, authorization).await? {
        return Err(Failure::new(&codes::CONSENT_REQUIRED, ""));
    }
    let code = app.sign_in().issue_code_for(&signed_in, authorization).await?;
    let to = answer::ResponseDestination {
        redirect_uri: &validated.redirect_uri,
        mode: validated.mode,
        state: validated.state.as_deref(),
    };
    Ok(to.code(&code))
}

/// Entra has a different error number for an unknown permission here than at the token endpoint.
fn at_authorization(failure: Failure) -> Failure {
    match failure.code == &codes::UNKNOWN_PERMISSION {
        true => failure.with_code(&codes::UNKNOWN_PERMISSION_ASKED),
        false => failure,
    }
}

/// Reads the PKCE challenge: required for public clients, enforced for any client that sends one (RFC 7636 §4.3).
fn read_challenge(client: &Client, fields: &FormFields) -> Result<Option<String>, Failure> {
    let required = || Failure::new(&codes::CHALLENGE_REQUIRED, "");
    let Some(challenge) = fields.find("code_challenge")? else {
        return if client.is_public() { Err(required()) } else { Ok(None) };
    };
    let digest_like = challenge.len() == 43
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fields.find("code_challenge_method")? != Some("S256") || !digest_like {
        return Err(required());
    }
    Ok(Some(challenge.to_owned()))
}

/// A parameter that is stored until the user has answered, with a length limit.
fn read_bounded(fields: &FormFields, name: &str, longest: usize) -> Result<Option<String>, Failure> {
    match fields.find(name)? {
        Some(value) if value.len() > longest => {
            let found = value.len();
            let text = format!("The {name} has {found} bytes, at most {longest} are taken.");
            Err(Failure::new(&codes::QUERY_TOO_LONG, text))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

/// Entra limits the whole query, without a documented figure. Clients that put more than a reference into `state`
/// stay within the URL lengths that servers and browsers accept.
const LONGEST_STATE: usize = 4096;
const LONGEST_NONCE: usize = 1024;
const LONGEST_ADDRESS: usize = 2048;
