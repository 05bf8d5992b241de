//! Non-resource paths: health, version, discovery, OpenAPI, and the service account issuer.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{Call, not_found, respond};
use crate::{
    discovery, kinds, openapi,
    request::{Form, accepted},
    status::Status,
};

pub(super) fn answer(call: &Call, method: &Method, path: &str) -> Result<Response, Status> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let of_issuer =
        matches!(segments.as_slice(), [".well-known", "openid-configuration"] | ["openid", "v1", "jwks"]);
    if !(of_issuer && call.app.sign_in().publishes_issuer(call.caller.cluster)) {
        call.allow()?;
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Ok((StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed\n").into_response());
    }
    let found = match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => return Ok("ok".into_response()),
        ["version"] => discovery::version(),
        ["api"] => {
            return discovered(call, discovery::aggregated_core, || discovery::core_versions(&address(call)));
        }
        ["apis"] => return discovered(call, discovery::aggregated_groups, discovery::group_list),
        ["api", version] => match discovery::resource_list("", version) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        ["apis", group] => match discovery::group(group) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        ["apis", group, version] => match discovery::resource_list(group, version) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        ["openapi", "v2"] if takes_protobuf(call) => {
            let media_type = [(header::CONTENT_TYPE, OPENAPI_PROTOBUF_ANSWER)];
            return Ok((media_type, openapi::version_2_protobuf()).into_response());
        }
        ["openapi", "v2"] => openapi::version_2(),
        ["openapi", "v3"] => openapi::index(),
        ["openapi", "v3", "api", version] => match openapi::document("", version) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        ["openapi", "v3", "apis", group, version] => match openapi::document(group, version) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        [".well-known", "openid-configuration"] => issuer(call),
        ["openid", "v1", "jwks"] => match call.app.sign_in().service_account_keys(call.caller.cluster) {
            Some(found) => found,
            None => return Ok(not_found()),
        },
        [] => root(),
        _ => return Ok(not_found()),
    };
    Ok(respond(StatusCode::OK, &found, &[]))
}

fn discovered(
    call: &Call,
    aggregated: impl FnOnce() -> Value,
    plain: impl FnOnce() -> Value,
) -> Result<Response, Status> {
    if accepted(&call.headers)? != Form::Discovery {
        return Ok(respond(StatusCode::OK, &plain(), &[]));
    }
    let mut response = respond(StatusCode::OK, &aggregated(), &[]);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"),
    );
    Ok(response)
}

fn takes_protobuf(call: &Call) -> bool {
    let mut accepted = call.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains(OPENAPI_PROTOBUF) || value.contains(OPENAPI_PROTOBUF_ANSWER))
}

fn root() -> Value {
    let mut paths =
        vec!["/.well-known/openid-configuration".to_owned(), "/api".to_owned(), "/api/v1".to_owned()];
    paths.push("/apis".to_owned());
    for (group, version) in kinds::groups() {
        paths.push(format!("/apis/{group}"));
        paths.push(format!("/apis/{group}/{version}"));
    }
    paths.extend(
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"]
            .map(str::to_owned),
    );
    json!({"paths": paths})
}

/// Host and port, without the scheme.
fn address(call: &Call) -> String {
    let url = &call.app.settings().external_url;
    url.split_once("://").map_or(url.as_str(), |(_, address)| address).to_owned()
}

/// The OpenID Connect Discovery 1.0 document, with the members that Kubernetes publishes.
fn issuer(call: &Call) -> Value {
    let issuer = call.app.sign_in().service_account_issuer(call.caller.cluster);
    json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/openid/v1/jwks"),
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

/// The type that kubectl requests. `@` is not valid in a media type, so the response uses a different one.
const OPENAPI_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const OPENAPI_PROTOBUF_ANSWER: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
