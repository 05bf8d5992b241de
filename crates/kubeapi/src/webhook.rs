//! The webhooks of attached clusters: kube-apiserver sends TokenReviews and SubjectAccessReviews.
//!
//! A cluster's client certificate is valid only for `/webhooks/{its id}/authenticate` and `/authorize`. An access review
//! is answered from memory. So is a token review, except for a token of an external issuer that was not seen lately: that
//! may fetch the issuer's keys, and the groups from its Graph.

mod access_review;
mod token_review;

use app::{
    App,
    kubernetes::reviews::{CallingCluster, PresentedCertificate, WebhookRefused},
};
use axum::{
    BoxError,
    body::Body,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::id::ClusterId;
use http::{Method, StatusCode};
use serde::Deserialize;
use web::{
    serve::{ClientIdentity, Renew},
    trace::{Peer, RequestContext},
};

use crate::{api::body_status, status::Status};

/// One of the two webhooks of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `None` if the path segment is not a cluster id.
    cluster: Option<ClusterId>,
    review: Review,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Review {
    Token,
    Access,
}

impl Webhook {
    /// The webhook that method and path name; `None` leaves the request to the router, which has the webhook routes
    /// too. Checking this first saves the router's cost for each review: cloned routes, boxes, maps.
    pub fn asked(method: &Method, path: &str) -> Option<Self> {
        let (cluster, review) = path.strip_prefix("/webhooks/")?.split_once('/')?;
        let review = match review {
            "authenticate" => Review::Token,
            "authorize" => Review::Access,
            _ => return None,
        };
        let cluster = ClusterId::parse(cluster).ok().filter(|_| method == Method::POST)?;
        Some(Self { cluster: Some(cluster), review })
    }

    /// Answers a review from `peer`. After a refusal the server closes the connection if it is older than the renewal time
    /// ([`web::serve::Renew`]), so that the client connects again with a certificate it may have renewed.
    pub async fn answer<B>(self, app: &App, peer: &Peer, body: B) -> Response
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        if let Err(refused) = cluster(app, self.cluster, peer) {
            return refuse(refused);
        }
        let body = match web::body::read(body, MOST_BODY_BYTES).await {
            Ok(body) => body,
            Err(error) => return body_status(&error).into_response(),
        };
        // Checked again after the body was read: the certificate may have expired or been revoked meanwhile.
        match cluster(app, self.cluster, peer) {
            Ok(cluster) => self.review(app, cluster, &body).await.unwrap_or_else(IntoResponse::into_response),
            Err(refused) => refuse(refused),
        }
    }

    async fn review(self, app: &App, cluster: CallingCluster, body: &[u8]) -> Result<Response, Status> {
        match self.review {
            Review::Token => token_review::answer(app, cluster, body).await,
            Review::Access => access_review::answer(app, cluster, body),
        }
    }
}

pub(crate) async fn authenticate(state: State<App>, name: Path<String>, request: Request) -> Response {
    by_name(state, name, Review::Token, request).await
}

pub(crate) async fn authorize(state: State<App>, name: Path<String>, request: Request) -> Response {
    by_name(state, name, Review::Access, request).await
}

async fn by_name(
    State(app): State<App>,
    Path(name): Path<String>,
    review: Review,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let webhook = Webhook { cluster: ClusterId::parse(&name).ok(), review };
    match parts.extensions.get::<RequestContext>() {
        Some(context) => webhook.answer(&app, &context.peer, body).await,
        None => webhook.answer(&app, &Peer::in_process(), body).await,
    }
}

/// The calling cluster, by the client certificate of the connection.
fn cluster(app: &App, named: Option<ClusterId>, peer: &Peer) -> Result<CallingCluster, WebhookRefused> {
    let shown = match &peer.identity {
        ClientIdentity::Verified(verified) => {
            PresentedCertificate::Certificate { authority: &verified.authority, der: &verified.certificate }
        }
        ClientIdentity::Unverified => PresentedCertificate::Unverified,
        ClientIdentity::None => PresentedCertificate::Nothing,
    };
    app.kubernetes().webhook_cluster(named, shown, peer.address.ip())
}

fn refuse(refused: WebhookRefused) -> Response {
    let status = match refused {
        WebhookRefused::NoCertificate | WebhookRefused::UnknownCertificate => {
            Status::new(StatusCode::UNAUTHORIZED, "Unauthorized", refused.to_string())
        }
        WebhookRefused::WrongCertificate
        | WebhookRefused::EndedCertificate
        | WebhookRefused::ClusterDeleted => {
            Status::new(StatusCode::FORBIDDEN, "Forbidden", refused.to_string())
        }
    };
    let mut response = status.into_response();
    response.extensions_mut().insert(Renew);
    response
}

/// Parses the review in a body; 400 if it is malformed.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Status> {
    serde_json::from_slice(body)
        .map_err(|error| Status::bad_request(format!("the review cannot be read: {error}")))
}

/// The version of a review; an error if it is of another kind.
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

/// The buffer size for the response: enough for a user with a dozen groups.
const USUAL_ANSWER_BYTES: usize = 1024;
/// A token with 200 groups takes some 12 KiB, a review with as many about the same.
const MOST_BODY_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_webhook_that_the_router_knows_is_seen() {
        let known = crate::surface().filter(|(_, path)| path.starts_with("/webhooks/"));
        let known: Vec<String> = known
            .map(|(_, path)| path.replace("{cluster}", "3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77"))
            .collect();
        assert_eq!(known.len(), 2);
        assert!(known.iter().all(|path| Webhook::asked(&Method::POST, path).is_some()), "{known:?}");
    }

    #[test]
    fn the_plain_paths_of_webhooks_are_seen_and_everything_else_is_left_to_the_router() {
        let id = "3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77";
        let cluster = ClusterId::parse(id).ok();
        for (name, review) in [("authenticate", Review::Token), ("authorize", Review::Access)] {
            let path = format!("/webhooks/{id}/{name}");
            assert_eq!(Webhook::asked(&Method::POST, &path), Some(Webhook { cluster, review }));
            assert_eq!(Webhook::asked(&Method::GET, &path), None);
            for other in
                [format!("{path}/"), format!("{path}/x"), format!("/x{path}"), path.replace("3f0d", "%33f0d")]
            {
                assert_eq!(Webhook::asked(&Method::POST, &other), None, "{other}");
            }
        }
        for other in ["/webhooks/", "/webhooks/nothing/authorize", "/webhooks//authorize", "/", "*", ""] {
            assert_eq!(Webhook::asked(&Method::POST, other), None, "{other}");
        }
    }
}
