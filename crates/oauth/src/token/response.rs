//! The body of a successful token request (RFC 6749 §5.1, OpenID Connect Core 1.0 §3.1.3.3), with Entra's
//! additions. Version 1 writes numbers as strings and adds `resource`.

use app::{
    directory::audience::Resource,
    sign_in::{
        grants::Granted,
        tokens::{IdTokenRequest, TokenRequest, Version},
    },
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::{ObjectId, TenantId};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Exchange, Scope};
use crate::error::Failure;

#[derive(Serialize)]
struct Body {
    token_type: &'static str,
    scope: String,
    expires_in: Value,
    ext_expires_in: Value,
    #[serde(flatten)]
    version_1: Option<Version1>,
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_info: Option<String>,
}

#[derive(Serialize)]
struct Version1 {
    expires_on: String,
    not_before: String,
    resource: String,
}

/// Tokens for a user's grant. `refresh_token` is the replacement of a used refresh token, or the id of a new family,
/// which is begun only if the client requested `offline_access`.
pub(super) async fn for_person(
    exchange: &Exchange<'_>,
    granted: &Granted,
    scope: &Scope,
    refresh_token: Refresh,
) -> Result<Response, Failure> {
    exchange.app.sign_in().require_consent(&exchange.client, granted, &scope.resource).await?;
    let access = exchange
        .app
        .sign_in()
        .issue_access_token(&TokenRequest {
            tenant: granted.tenant,
            subject: granted.user,
            client: granted.client,
            client_proof: exchange.proof,
            resource: scope.resource.clone(),
            version: exchange.version,
            session: granted.stamp,
            methods: vec!["pwd".to_owned()],
        })
        .await?;
    let id_token = match has(scope, "openid") {
        false => None,
        true => {
            let request = IdTokenRequest {
                tenant: granted.tenant,
                user: granted.user,
                client: granted.client,
                version: exchange.version,
                nonce: granted.nonce.clone(),
            };
            Some(exchange.app.sign_in().issue_id_token(&request).await?)
        }
    };
    let refresh_token = match refresh_token {
        Refresh::Replaced(token) => Some(token),
        Refresh::Begin(family)
            if has(scope, "offline_access") || has_in(&granted.scope, "offline_access") =>
        {
            Some(exchange.app.sign_in().begin_family(&family, granted).await?)
        }
        Refresh::Begin(_) => None,
    };
    let client_info = Some(client_info(granted.user, granted.tenant));
    Ok(answer(
        exchange,
        scope,
        access.token,
        access.expires_in,
        Extra { refresh_token, id_token, client_info },
    ))
}

/// The refresh token of a response.
#[derive(Debug)]
pub(super) enum Refresh {
    /// Begin a refresh token family with this id.
    Begin(String),
    Replaced(String),
}

/// A token for an application: no refresh token, because it can authenticate again, and no id token, because no user
/// signed in.
pub(super) fn for_application(
    exchange: &Exchange<'_>,
    scope: &Scope,
    token: String,
    expires_in: i64,
) -> Response {
    answer(
        exchange,
        scope,
        token,
        expires_in,
        Extra { refresh_token: None, id_token: None, client_info: None },
    )
}

struct Extra {
    refresh_token: Option<String>,
    id_token: Option<String>,
    client_info: Option<String>,
}

fn answer(
    exchange: &Exchange<'_>,
    scope: &Scope,
    access_token: String,
    expires_in: i64,
    extra: Extra,
) -> Response {
    let now = exchange.app.now().as_second();
    let first_version = exchange.version == Version::V1;
    let seconds = |seconds: i64| if first_version { json!(seconds.to_string()) } else { json!(seconds) };
    let body = Body {
        token_type: "Bearer",
        // Clients cache tokens by the requested scope, so it is returned unchanged.
        scope: if first_version { "user_impersonation".to_owned() } else { scope.text.clone() },
        expires_in: seconds(expires_in),
        ext_expires_in: seconds(expires_in),
        version_1: first_version.then(|| Version1 {
            expires_on: (now + expires_in).to_string(),
            not_before: now.to_string(),
            resource: resource(scope),
        }),
        access_token,
        refresh_token: extra.refresh_token,
        id_token: extra.id_token,
        client_info: extra.client_info,
    };
    let no_store = HeaderValue::from_static("no-store");
    let no_cache = HeaderValue::from_static("no-cache");
    ([(header::CACHE_CONTROL, no_store), (header::PRAGMA, no_cache)], Json(body)).into_response()
}

fn resource(scope: &Scope) -> String {
    match &scope.resource {
        Resource::Management(audience) => audience.clone(),
        Resource::Cluster => CLUSTER.to_owned(),
        Resource::Application { name, .. } => name.clone(),
        Resource::UserInfo => String::new(),
    }
}

/// The account id for MSAL's cache: `uid` and `utid`.
fn client_info(user: ObjectId, tenant: TenantId) -> String {
    URL_SAFE_NO_PAD.encode(json!({"uid": user, "utid": tenant}).to_string())
}

fn has(scope: &Scope, name: &str) -> bool {
    has_in(&scope.text, name)
}

fn has_in(scope: &str, name: &str) -> bool {
    scope.split(' ').any(|each| each == name)
}

const CLUSTER: &str = app::state::well_known::CLUSTER_AUDIENCE;
