//! Discovery: endpoints and signing keys (OpenID Connect Discovery 1.0 §4, RFC 8414), and the host names of this
//! authority.

use app::App;
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use web::body::FormFields;

use crate::{
    authority::Authority,
    error::{Failure, codes},
};

pub(crate) async fn version_2(
    State(app): State<App>,
    Path(tenant): Path<String>,
) -> Result<Json<Value>, Failure> {
    let authority = Authority::parse(&app, &tenant)?;
    let base = &app.settings().external_url;
    let at = format!("{base}/{}", authority.segment());
    let issuer = match &authority {
        // Entra's placeholder: the tenant is known only from the token.
        Authority::Any(_) => format!("{base}/{{tenantid}}/v2.0"),
        Authority::Tenant(tenant) => format!("{base}/{}/v2.0", tenant.id),
    };
    let mut document = common(base);
    merge(
        &mut document,
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{at}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{at}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{at}/oauth2/v2.0/logout"),
            "jwks_uri": format!("{at}/discovery/v2.0/keys"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "given_name", "family_name",
                "preferred_username", "oid", "tid", "ver", "upn"],
        }),
    );
    Ok(Json(document))
}

pub(crate) async fn version_1(
    State(app): State<App>,
    Path(tenant): Path<String>,
) -> Result<Json<Value>, Failure> {
    let authority = Authority::parse(&app, &tenant)?;
    let base = &app.settings().external_url;
    let at = format!("{base}/{}", authority.segment());
    let issuer = match &authority {
        Authority::Any(_) => format!("{base}/{{tenantid}}/"),
        Authority::Tenant(tenant) => format!("{base}/{}/", tenant.id),
    };
    let mut document = common(base);
    merge(
        &mut document,
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{at}/oauth2/authorize"),
            "token_endpoint": format!("{at}/oauth2/token"),
            "device_authorization_endpoint": format!("{at}/oauth2/devicecode"),
            "end_session_endpoint": format!("{at}/oauth2/logout"),
            "jwks_uri": format!("{at}/discovery/keys"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "given_name", "family_name",
                "unique_name", "oid", "tid", "ver", "upn"],
        }),
    );
    Ok(Json(document))
}

/// The public keys of all currently valid signing keys, as JSON Web Keys (RFC 7517).
pub(crate) async fn keys(State(app): State<App>, Path(tenant): Path<String>) -> Result<Response, Failure> {
    Authority::parse(&app, &tenant)?;
    let public = app.sign_in().published_keys().into_iter();
    let keys: Vec<Value> = public
        .map(|key| {
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid, "n": key.modulus, "e": key.exponent})
        })
        .collect();
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];
    Ok((fresh, Json(json!({"keys": keys}))).into_response())
}

/// Instance discovery: the host aliases of this authority; there is one host.
pub(crate) async fn instance(
    State(app): State<App>,
    Path(_): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Failure> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let endpoint =
        fields.find("authorization_endpoint")?.ok_or_else(|| Failure::missing("authorization_endpoint"))?;
    let base = &app.settings().external_url;
    let rest = endpoint.strip_prefix(base.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let segment = rest.and_then(|rest| rest.split('/').next());
    let segment = segment.ok_or_else(|| Failure::new(&codes::UNKNOWN_INSTANCE, ""))?;
    let authority = Authority::parse(&app, segment)?;
    let host = host(base);
    Ok(Json(json!({
        "tenant_discovery_endpoint": format!("{base}/{}/v2.0/.well-known/openid-configuration", authority.segment()),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    })))
}

/// The members that both versions share.
fn common(base: &str) -> Value {
    let host = host(base);
    json!({
        "userinfo_endpoint": format!("{base}/oidc/userinfo"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "form_post"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "password",
            "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "request_uri_parameter_supported": false,
        "http_logout_supported": true,
        "frontchannel_logout_supported": false,
        "tenant_region_scope": null,
        "cloud_instance_name": host,
        "cloud_graph_host_name": host,
        "msgraph_host": host,
        "rbac_url": base,
    })
}

fn merge(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}

fn host(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, host)| host)
}
