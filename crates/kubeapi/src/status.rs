//! `Status`: the Kubernetes API's error object, and the messages of all errors.
//!
//! The messages are kube-apiserver's, because clients parse them and people search for them. `details.kind` is the
//! plural resource name, but the Kind for `Invalid`, as in kube-apiserver.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

pub use domain::kube::Problem;

/// An error response of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub details: Option<Box<Details>>,
    pub code: u16,
    /// The `continue` token with which a list can go on despite the error.
    #[serde(skip)]
    pub goes_on: Option<Box<str>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub field: String,
}

impl Status {
    pub fn new(code: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            reason: reason.into(),
            details: None,
            code: code.as_u16(),
            goes_on: None,
        }
    }

    #[must_use]
    pub fn with_details(self, details: Details) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// A resource that is not served.
    pub fn no_such_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
            .with_details(Details::default())
    }

    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, resource));
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).with_details(Details::of(group, resource, name))
    }

    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", qualified(group, resource));
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message)
            .with_details(Details::of(group, resource, name))
    }

    /// The object was changed since it was read.
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub fn conflict(group: &str, resource: &str, name: &str, because: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {because}", qualified(group, resource));
        Self::new(StatusCode::CONFLICT, "Conflict", message).with_details(Details::of(group, resource, name))
    }

    /// One or more fields are wrong. `name` is empty for reviews.
    pub fn invalid(group: &str, kind: &str, name: &str, problems: &[Problem]) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let said: Vec<_> = problems.iter().map(Problem::to_string).collect();
        let said = match said.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes = problems.iter().map(cause).collect();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            format!("{qualified} \"{name}\" is invalid: {said}"),
        )
        .with_details(Details { causes, ..Details::of(group, kind, name) })
    }

    /// A patch that cannot be applied to the object as it is.
    pub fn rejected(detail: &str) -> Self {
        let message = "the server rejected our request due to an error in our request";
        let status = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        if detail.is_empty() {
            return status;
        }
        let causes = vec![Cause { message: detail.into(), ..Cause::default() }];
        status.with_details(Details { causes, ..Details::default() })
    }

    pub fn forbidden(group: &str, resource: &str, name: &str, because: &str) -> Self {
        let object = match name {
            "" => qualified(group, resource),
            name => format!("{} \"{name}\"", qualified(group, resource)),
        };
        Self::new(StatusCode::FORBIDDEN, "Forbidden", format!("{object} is forbidden: {because}"))
            .with_details(Details::of(group, resource, name))
    }

    pub fn forbidden_path(because: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", format!("forbidden: {because}"))
            .with_details(Details::default())
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details(Details::default())
    }

    pub fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        )
    }

    pub fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )
    }

    pub fn unsupported_patch_type(accepted: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {accepted}"
            ),
        )
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    pub fn too_many_requests(message: &str, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
            .with_details(Details { retry_after_seconds: Some(retry_after_seconds), ..Details::default() })
    }

    /// The requested revision has been compacted.
    pub fn expired(message: &str) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// The requested `resourceVersion` is in the future. Older clients look for the message, newer ones for the cause.
    pub fn too_large_version(asked: u64, newest: u64) -> Self {
        let text = "Too large resource version";
        let cause =
            Cause { reason: "ResourceVersionTooLarge".into(), message: text.into(), field: String::new() };
        let details = Details { causes: vec![cause], retry_after_seconds: Some(1), ..Details::default() };
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", format!("{text}: {asked}, current: {newest}"))
            .with_details(details)
    }

    pub fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            .with_details(Details { retry_after_seconds: Some(1), ..Details::default() })
    }

    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Internal error occurred")
    }

    /// The whole object, `kind` and `apiVersion` included.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let serde_json::Value::Object(object) = &mut object {
            if !self.reason.is_empty() {
                object.insert("reason".into(), self.reason.as_str().into());
            }
            if let Some(details) = &self.details {
                object.insert("details".into(), serde_json::to_value(details).unwrap_or_default());
            }
            if let Some(token) = &self.goes_on {
                object.insert("metadata".into(), serde_json::json!({"continue": token}));
            }
        }
        object
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.details.and_then(|details| details.retry_after_seconds) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Details {
    pub fn of(group: &str, kind: &str, name: &str) -> Self {
        Self { name: name.into(), group: group.into(), kind: kind.into(), ..Self::default() }
    }
}

fn cause(problem: &Problem) -> Cause {
    let Problem { field, fault } = problem;
    Cause { reason: fault.reason().into(), message: fault.to_string(), field: field.clone() }
}

/// `pods` or `deployments.apps`.
pub fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}
