//! SubjectAccessReview of `authorization.k8s.io`, v1 and v1beta1. The older version calls the groups `group`.

use std::collections::BTreeMap;

use app::App;
use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use domain::kube::{Attributes, Target, User};
use serde::{Deserialize, Serialize};
use web::trace::RequestContext;

use super::{Version, check_type, cluster, read, respond};
use crate::status::Status;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessReview {
    api_version: String,
    kind: String,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_attributes: Option<ResourceAttributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_resource_attributes: Option<NonResourceAttributes>,
    user: String,
    /// Of v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Of v1beta1.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct ResourceAttributes {
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    verb: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subresource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct NonResourceAttributes {
    path: String,
    verb: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'a str,
    kind: &'static str,
    spec: &'a Spec,
    status: AnswerStatus,
}

#[derive(Debug, Serialize)]
struct AnswerStatus {
    allowed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    denied: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

pub(crate) async fn authorize(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    answer(&app, &name, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(app: &App, name: &str, request: Request) -> Result<Response, Status> {
    let cluster = cluster(app, name, request.extensions().get::<RequestContext>())?;
    let review: AccessReview = read(request.into_body()).await?;
    let version =
        check_type(&review.api_version, &review.kind, "authorization.k8s.io", "SubjectAccessReview")?;
    let attributes = attributes(&review.spec, version)?;
    let answer = app.review_access(&cluster, &attributes);
    let status = AnswerStatus { allowed: answer.allowed, denied: answer.denied, reason: answer.reason };
    respond(&Answer {
        api_version: &review.api_version,
        kind: "SubjectAccessReview",
        spec: &review.spec,
        status,
    })
}

/// A field that the version does not have must not be passed over: it may hold the groups.
fn attributes(spec: &Spec, version: Version) -> Result<Attributes, Status> {
    let (groups, stranger) = match version {
        Version::V1 => (&spec.groups, &spec.group),
        Version::V1Beta1 => (&spec.group, &spec.groups),
    };
    if stranger.is_some() {
        return Err(Status::bad_request("the groups stand in the field of another version of the review"));
    }
    let (verb, target) = match (&spec.resource_attributes, &spec.non_resource_attributes) {
        (Some(resource), None) => {
            let ResourceAttributes { namespace, verb, group, version, resource, subresource, name } =
                resource.clone();
            (verb, Target::Resource { group, version, resource, subresource, namespace, name })
        }
        (None, Some(path)) => (path.verb.clone(), Target::Path(path.path.clone())),
        _ => {
            return Err(Status::bad_request(
                "exactly one of resourceAttributes and nonResourceAttributes is expected",
            ));
        }
    };
    if spec.user.is_empty() && groups.as_ref().is_none_or(Vec::is_empty) {
        return Err(Status::bad_request("at least one of user and groups is expected"));
    }
    let user = User {
        name: spec.user.clone(),
        uid: spec.uid.clone(),
        groups: groups.clone().unwrap_or_default().into(),
        extra: spec.extra.clone().unwrap_or_default(),
    };
    Ok(Attributes { user, verb, target })
}
