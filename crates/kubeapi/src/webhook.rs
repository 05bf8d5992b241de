//! The webhooks of attached clusters: kube-apiserver asks who a token stands for, and whether a request is
//! allowed.
//!
//! Each cluster's own client certificate opens its own two paths and nothing else. Between the body and the
//! answer nothing waits and nothing is read but memory.

use app::{
    App,
    reviews::{AskingCluster, WebhookRefused},
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use web::{serve::ClientIdentity, trace::RequestContext};

use crate::{api::body_status, status::Status};

pub(crate) mod access_review;
pub(crate) mod token_review;

/// The cluster that asks, by the certificate of the connection.
fn cluster(app: &App, name: &str, context: Option<&RequestContext>) -> Result<AskingCluster, Status> {
    let certificate = match context.map(|context| &context.peer.identity) {
        Some(ClientIdentity::Verified(verified)) => Some(verified.certificate.as_slice()),
        Some(ClientIdentity::Unverified | ClientIdentity::None) | None => None,
    };
    app.webhook_cluster(name, certificate).map_err(|refused| match refused {
        WebhookRefused::NoCertificate => {
            Status::new(StatusCode::UNAUTHORIZED, "Unauthorized", refused.to_string())
        }
        WebhookRefused::WrongCertificate => {
            Status::new(StatusCode::FORBIDDEN, "Forbidden", refused.to_string())
        }
    })
}

async fn read(body: Body) -> Result<Bytes, Status> {
    web::body::read(body, MOST_BODY_BYTES).await.map_err(|error| body_status(&error))
}

/// The review in a body; what it is not is said as a 400.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Status> {
    serde_json::from_slice(body)
        .map_err(|error| Status::bad_request(format!("the review cannot be read: {error}")))
}

/// The version of a review, if it is of the kind.
fn check_type(api_version: &str, kind: &str, group: &str, wanted: &str) -> Result<Version, Status> {
    let version = api_version.strip_prefix(group).and_then(|rest| rest.strip_prefix('/'));
    match (kind == wanted, version) {
        (true, Some("v1")) => Ok(Version::V1),
        (true, Some("v1beta1")) => Ok(Version::V1Beta1),
        _ => Err(Status::bad_request(format!(
            "{kind:?} of {api_version:?} is no review for this path: expected {wanted} of {group}/v1 or {group}/v1beta1"
        ))),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V1Beta1,
}

fn respond(answer: &impl serde::Serialize) -> Result<Response, Status> {
    let mut body = Vec::with_capacity(USUAL_ANSWER_BYTES);
    serde_json::to_writer(&mut body, answer).map_err(|_| Status::internal())?;
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Of a caller with a dozen groups.
const USUAL_ANSWER_BYTES: usize = 1024;
/// A token with 200 groups takes some 12 KiB, a review with as many about the same.
const MOST_BODY_BYTES: usize = 1024 * 1024;
