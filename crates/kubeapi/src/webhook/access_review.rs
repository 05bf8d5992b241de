//! SubjectAccessReview of `authorization.k8s.io`, v1 and v1beta1. In v1beta1 the groups are in the field `group`.

use std::collections::BTreeMap;

use app::{App, kubernetes::reviews::CallingCluster};
use axum::response::Response;
use domain::kube::{Attributes, Target, User};
use serde::{Deserialize, Serialize};

use super::{Version, check_type, parse, respond};
use crate::status::Status;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessReview {
    api_version: String,
    kind: String,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    resource_attributes: Option<ResourceAttributes>,
    non_resource_attributes: Option<NonResourceAttributes>,
    user: String,
    /// The groups in v1.
    groups: Option<Vec<String>>,
    /// The groups in v1beta1.
    group: Option<Vec<String>>,
    extra: Option<BTreeMap<String, Vec<String>>>,
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceAttributes {
    namespace: String,
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NonResourceAttributes {
    path: String,
    verb: String,
}

/// The response omits `spec`: API servers read only the status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'a str,
    kind: &'static str,
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

pub(super) fn answer(app: &App, cluster: CallingCluster, body: &[u8]) -> Result<Response, Status> {
    let review: AccessReview = parse(body)?;
    let version =
        check_type(&review.api_version, &review.kind, "authorization.k8s.io", "SubjectAccessReview")?;
    let answer = app.kubernetes().review_access(cluster, &attributes(review.spec, version)?);
    let status = AnswerStatus { allowed: answer.allowed, denied: answer.denied, reason: answer.reason };
    respond(&Answer { api_version: &review.api_version, kind: "SubjectAccessReview", status })
}

/// Refuses the groups field of the other version instead of ignoring it: it may hold the groups.
fn attributes(spec: Spec, version: Version) -> Result<Attributes, Status> {
    let Spec { resource_attributes, non_resource_attributes, user, groups, group, extra, uid } = spec;
    let (groups, stranger) = match version {
        Version::V1 => (groups, group),
        Version::V1Beta1 => (group, groups),
    };
    if stranger.is_some() {
        return Err(Status::bad_request("the groups stand in the field of another version of the review"));
    }
    let (verb, target) = match (resource_attributes, non_resource_attributes) {
        (Some(asked), None) => {
            let ResourceAttributes { namespace, verb, group, version, resource, subresource, name } = asked;
            (verb, Target::Resource { group, version, resource, subresource, namespace, name })
        }
        (None, Some(asked)) => (asked.verb, Target::Path(asked.path)),
        _ => {
            return Err(Status::bad_request(
                "exactly one of resourceAttributes and nonResourceAttributes is expected",
            ));
        }
    };
    let groups = groups.unwrap_or_default();
    if user.is_empty() && groups.is_empty() {
        return Err(Status::bad_request("at least one of user and groups is expected"));
    }
    let user = User { name: user, uid, groups: groups.into(), extra: extra.unwrap_or_default() };
    Ok(Attributes { user, verb, target })
}
