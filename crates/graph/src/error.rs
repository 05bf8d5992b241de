//! Errors in Graph's format: `{"error":{"code","message","innerError"}}`.

use app::Error;
use app::state::Kind;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use web::memory_budget::BudgetExhausted;

#[derive(Debug)]
pub(crate) enum GraphError {
    App(Error),
    Rendered { status: StatusCode, code: &'static str, message: String },
}

impl GraphError {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::Rendered {
            status: StatusCode::BAD_REQUEST,
            code: "Request_BadRequest",
            message: message.into(),
        }
    }

    pub(crate) fn unauthenticated(message: &str) -> Self {
        let code = "InvalidAuthenticationToken";
        Self::Rendered { status: StatusCode::UNAUTHORIZED, code, message: message.into() }
    }

    pub(crate) fn too_large() -> Self {
        let message = "The request body is too large.".into();
        Self::Rendered { status: StatusCode::PAYLOAD_TOO_LARGE, code: "Request_BadRequest", message }
    }

    pub(crate) fn busy(full: BudgetExhausted) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::Rendered { status, code: "TooManyRequests", message: full.to_string() }
    }

    pub(crate) fn no_such_segment(path: &str) -> Self {
        let segment: String = path.rsplit('/').next().unwrap_or_default().chars().take(120).collect();
        let message = format!("Resource not found for the segment '{segment}'.");
        Self::Rendered { status: StatusCode::BAD_REQUEST, code: "BadRequest", message }
    }

    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        Self::Rendered {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "Request_BadRequest",
            message: format!("Specified HTTP method {method} is not allowed for the request target."),
        }
    }

    pub(crate) fn not_found(id: &str) -> Self {
        Self::App(Error::not_found(Kind::Object, id.chars().take(120).collect::<String>()))
    }
}

impl From<Error> for GraphError {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Rendered { status, code, message } => (status, code, message),
            Self::App(error) => render(error),
        };
        let mut response =
            (status, Json(json!({"error": {"code": code, "message": message}}))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, BudgetExhausted.retry_after().into());
        }
        response
    }
}

fn render(error: Error) -> (StatusCode, &'static str, String) {
    let message = error.to_string();
    match error {
        Error::NotFound { id, .. } => (
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            format!(
                "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
            ),
        ),
        Error::AlreadyExists { kind, .. } => already_exists(kind, &message),
        Error::Conflict(_) | Error::Rule(..) => (StatusCode::CONFLICT, "Request_Conflict", message),
        Error::Invalid(_) | Error::TooLarge { .. } => {
            (StatusCode::BAD_REQUEST, "Request_BadRequest", message)
        }
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message),
        Error::Forbidden(refusal) => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            format!("Insufficient privileges to complete the operation: {refusal}."),
        ),
        Error::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceNotAvailable", message),
        Error::Internal(cause) => {
            tracing::error!(cause, "a request to the directory failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "An internal error has occurred.".into(),
            )
        }
    }
}

/// A reference that is there already is told by the property that holds it.
fn already_exists(kind: Kind, message: &str) -> (StatusCode, &'static str, String) {
    let property = match kind {
        Kind::GroupMember | Kind::RoleMember => "members",
        Kind::Owner => "owners",
        Kind::AccessProfile
        | Kind::AdministratorCertificate
        | Kind::AgentPool
        | Kind::Application
        | Kind::ApplicationIdentifier
        | Kind::DenyAssignment
        | Kind::FederatedCredential
        | Kind::FederatedIdentityCredential
        | Kind::Group
        | Kind::Lock
        | Kind::ManagedCluster
        | Kind::ManagementGroup
        | Kind::Object
        | Kind::Operation
        | Kind::PasswordCredential
        | Kind::PermissionGrant
        | Kind::Principal
        | Kind::Resource
        | Kind::ResourceGroup
        | Kind::ResourceType
        | Kind::RoleAssignment
        | Kind::RoleDefinition
        | Kind::RoleDefinitionName
        | Kind::ServicePrincipal
        | Kind::StoredRecord
        | Kind::Subscription
        | Kind::SubscriptionAlias
        | Kind::Tenant
        | Kind::TrustedAccessRoleBinding
        | Kind::User
        | Kind::WebhookCertificate
        | Kind::Name(_)
        | Kind::Cold(_) => {
            return (
                StatusCode::BAD_REQUEST,
                "Request_MultipleObjectsWithSameKeyValue",
                format!("Another object with the same value already exists: {message}."),
            );
        }
    };
    (
        StatusCode::BAD_REQUEST,
        "Request_BadRequest",
        format!(
            "One or more added object references already exist for the following modified properties: '{property}'."
        ),
    )
}
