//! TokenReview of `authentication.k8s.io`, v1 and v1beta1, which have the same fields.
//!
//! A refused token is a normal response (200 with `authenticated: false`): the API server would take an HTTP error
//! for a failure of the webhook.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use app::{App, kubernetes::reviews::CallingCluster};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{check_type, parse, respond};
use crate::status::Status;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenReview<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    spec: Spec<'a>,
}

#[derive(Debug, Deserialize)]
struct Spec<'a> {
    #[serde(default, borrow)]
    token: Cow<'a, str>,
    #[serde(default)]
    audiences: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: String,
    kind: &'static str,
    status: AnswerStatus,
}

#[derive(Debug, Default, Serialize)]
struct AnswerStatus {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audiences: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

#[derive(Debug, Serialize)]
struct User {
    username: String,
    uid: String,
    groups: Arc<[String]>,
    extra: BTreeMap<String, Vec<String>>,
}

pub(super) async fn answer(app: &App, cluster: CallingCluster, body: &[u8]) -> Result<Response, Status> {
    let review: TokenReview<'_> = parse(body)?;
    check_type(&review.api_version, &review.kind, "authentication.k8s.io", "TokenReview")?;
    let Spec { token, audiences } = review.spec;
    let status = match app.kubernetes().review_token(cluster, &token, &audiences.unwrap_or_default()).await {
        Ok(reviewed) => AnswerStatus {
            authenticated: true,
            user: Some(User {
                username: reviewed.user.name,
                uid: reviewed.user.uid,
                groups: reviewed.user.groups,
                extra: reviewed.user.extra,
            }),
            audiences: reviewed.audiences,
            error: String::new(),
        },
        Err(because) => {
            tracing::debug!(cluster.id = %cluster.id, reason = %because, "a reviewed token was refused");
            AnswerStatus { error: because, ..AnswerStatus::default() }
        }
    };
    respond(&Answer { api_version: review.api_version, kind: "TokenReview", status })
}
