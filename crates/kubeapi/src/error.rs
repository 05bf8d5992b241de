//! Application errors as the Kubernetes API reports them.

use app::{
    Error,
    kubernetes::objects::{Denied, ObjectError, Target},
};
use domain::decision::Reason;
use http::StatusCode;
use web::memory_budget::BudgetExhausted;

use crate::status::{Details, Problem, Status};

impl From<ObjectError> for Status {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Denied(denied) => denied_status(&denied),
            ObjectError::Forbidden { group, resource, name, because } => {
                Self::forbidden(&group, &resource, &name, &because)
            }
            ObjectError::NotFound { group, resource, name } => Self::not_found(&group, &resource, &name),
            ObjectError::AlreadyExists { group, resource, name } => {
                Self::already_exists(&group, &resource, &name)
            }
            ObjectError::Conflict { group, resource, name, because } => {
                Self::conflict(&group, &resource, &name, &because)
            }
            ObjectError::Invalid { group, kind, name, field, value, detail } => {
                Self::invalid(&group, &kind, &name, &[Problem::invalid(field, &value, detail)])
            }
            ObjectError::Unauthenticated => Self::unauthorized(),
            ObjectError::Expired { requested, oldest } => {
                Self::expired(&format!("too old resource version: {requested} ({oldest})"))
            }
            ObjectError::TooManyWatches => Self::too_many_requests(&error.to_string(), 5),
            ObjectError::App(error) => error.into(),
        }
    }
}

impl From<BudgetExhausted> for Status {
    fn from(full: BudgetExhausted) -> Self {
        Self::too_many_requests(&full.to_string(), full.retry_after())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { id, .. } => {
                Self::new(StatusCode::NOT_FOUND, "NotFound", format!("{id:?} not found"))
            }
            Error::AlreadyExists { id, .. } => {
                Self::new(StatusCode::CONFLICT, "AlreadyExists", format!("{id:?} already exists"))
            }
            Error::Conflict(text) | Error::Rule(_, text) => Self::new(StatusCode::CONFLICT, "Conflict", text),
            Error::Invalid(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", error.to_string()),
            // etcd's message, which tools search for.
            Error::TooLarge { .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("etcdserver: request is too large: {error}"),
            ),
            Error::Unauthenticated(_) => Self::unauthorized(),
            Error::Forbidden(refusal) => Self::new(StatusCode::FORBIDDEN, "Forbidden", refusal.to_string())
                .with_details(Details::default()),
            Error::Throttled { .. } => Self::too_many_requests("too many attempts: try again later", 10),
            Error::Unavailable(text) => Self::unavailable(&text),
            Error::Internal(cause) => {
                tracing::error!(error = %cause, "a request of the Kubernetes API failed");
                Self::internal()
            }
        }
    }
}

/// `pods is forbidden: User "carol" cannot list resource "pods" in API group "" in the namespace "w2": why`.
fn denied_status(denied: &Denied) -> Status {
    let Denied { user, verb, target, .. } = denied;
    let explanation = explain(denied);
    match target {
        Target::Path(path) => {
            Status::forbidden_path(&format!("User {:?} cannot {verb} path {path:?}{explanation}", user.name))
        }
        Target::Resource { group, resource, subresource, namespace, name, .. } => {
            let asked = match subresource.as_str() {
                "" => resource.clone(),
                subresource => format!("{resource}/{subresource}"),
            };
            let place = match namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {namespace:?}"),
            };
            Status::forbidden(
                group,
                resource,
                name,
                &format!(
                    "User {:?} cannot {verb} resource {asked:?} in API group {group:?} {place}{explanation}",
                    user.name
                ),
            )
        }
    }
}

/// The reason, and, except for anonymous callers, the roles that would have allowed the request.
fn explain(denied: &Denied) -> String {
    let mut parts = Vec::new();
    if denied.reason != Reason::Silent {
        parts.push(denied.reason.to_string());
    }
    let anonymous = denied.user.name == domain::kube::User::ANONYMOUS;
    if !denied.helpful.is_empty() && !anonymous {
        let roles: Vec<_> =
            denied.helpful.iter().map(|role| format!("{} {:?}", role.kind, role.name)).collect();
        parts.push(format!("no binding grants it; a binding to {} would", roles.join(" or ")));
    }
    match parts.join("; ") {
        text if text.is_empty() => text,
        text => format!(": {text}"),
    }
}
