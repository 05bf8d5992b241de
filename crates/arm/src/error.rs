//! Errors in the format `{"error":{"code","message"}}`, with codes that az knows.

use app::state::Kind;
use app::{Error, Rule, sign_in::tokens::Rejection};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::decision::Reason;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use web::{
    body::{BodyError, BudgetedBody},
    memory_budget::BudgetExhausted,
};

#[derive(Debug)]
pub(crate) enum ArmError {
    App(Error),
    Rendered { status: StatusCode, code: &'static str, message: String },
}

impl ArmError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::Rendered { status, code, message: message.into() }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        let text = format!("The requested resource does not support http method '{method}'.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", text)
    }

    pub(crate) fn unknown_path(path: &str) -> Self {
        let path: String = path.chars().take(300).collect();
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidResourceType",
            format!("The resource type could not be found in the path '{path}'."),
        )
    }

    pub(crate) fn unauthenticated(text: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", text)
    }

    /// The token is present but not valid.
    pub(crate) fn invalid_token(rejection: &Rejection) -> Self {
        let (code, text) = match rejection {
            Rejection::Expired(_) => {
                ("ExpiredAuthenticationToken", "The access token expiry UTC time has passed: sign in again.")
            }
            Rejection::Audience(_) => (
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource: take one for this address.",
            ),
            _ => ("InvalidAuthenticationToken", "The access token is invalid or was revoked: sign in again."),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, text)
    }

    pub(crate) fn respond(self) -> Response {
        let (status, code, message) = match self {
            Self::Rendered { status, code, message } => (status, code, message),
            Self::App(error) => render(error),
        };
        let mut response =
            (status, Json(json!({"error": {"code": code, "message": message}}))).into_response();
        let headers = response.headers_mut();
        headers.insert("x-ms-failure-cause", HeaderValue::from_static("gateway"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = "Bearer error=\"invalid_token\", error_description=\"The access token is invalid, has ended or was revoked.\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The response to a request that was refused before its handler, or aborted.
pub fn failure(status: StatusCode, text: &str) -> Response {
    let code = match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "InternalServerError",
    };
    ArmError::new(status, code, text).respond()
}

impl From<BudgetExhausted> for ArmError {
    fn from(full: BudgetExhausted) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", full.to_string())
    }
}

impl From<BudgetedBody> for ArmError {
    fn from(error: BudgetedBody) -> Self {
        match error {
            BudgetedBody::BudgetExhausted(full) => full.into(),
            BudgetedBody::Body(BodyError::TooLarge { .. }) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestContentTooLarge",
                "The request content is too large.",
            ),
            BudgetedBody::Body(BodyError::TooSlow) => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "RequestTimeout",
                "The request content did not arrive in time.",
            ),
            BudgetedBody::Body(_) => {
                Self::bad("InvalidRequestContent", "The request content could not be read.")
            }
        }
    }
}

impl From<Error> for ArmError {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

fn render(error: Error) -> (StatusCode, &'static str, String) {
    let message = error.to_string();
    match error {
        Error::NotFound { kind, id } => not_found(kind, &id, message),
        Error::AlreadyExists { kind, id } => already_exists(kind, &id, message),
        Error::Conflict(_) => (StatusCode::CONFLICT, "Conflict", message),
        Error::Rule(rule, text) => {
            let (status, code) = match rule {
                Rule::ScopeLocked => (StatusCode::CONFLICT, "ScopeLocked"),
                Rule::RoleInUse => (StatusCode::BAD_REQUEST, "RoleDefinitionHasAssignments"),
                Rule::BuiltInRole => (StatusCode::CONFLICT, "RoleDefinitionIsBuiltIn"),
                Rule::UnknownAction => (StatusCode::BAD_REQUEST, "InvalidActionOrNotAction"),
                Rule::AssignableScope => (StatusCode::BAD_REQUEST, "RoleDefinitionAssignableScopesInvalid"),
                Rule::GroupManaged => (StatusCode::CONFLICT, "ResourceGroupManagedByMismatch"),
                Rule::ManagedContents | Rule::InProgress => (StatusCode::CONFLICT, "OperationNotAllowed"),
                Rule::GroupEnding => (StatusCode::CONFLICT, "ResourceGroupBeingDeleted"),
                Rule::NodeGroupTaken => (StatusCode::CONFLICT, "NodeResourceGroupAlreadyExists"),
                Rule::IssuerStays => (StatusCode::BAD_REQUEST, "OIDCIssuerFeatureCannotBeDisabled"),
                Rule::GroupStays => (StatusCode::CONFLICT, "ManagementGroupNotEmpty"),
                Rule::Precondition => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
                Rule::GroupTree => (StatusCode::CONFLICT, "InvalidManagementGroupHierarchy"),
            };
            (status, code, text)
        }
        Error::Invalid(_) => (StatusCode::BAD_REQUEST, "BadRequest", message),
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestContentTooLarge", message),
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message),
        Error::Forbidden(refusal) if matches!(refusal.reason, Reason::Preflight(_)) => (
            StatusCode::FORBIDDEN,
            "LinkedAuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' has permission to perform action '{}' on scope '{}'; however, it does not have permission to perform what the cluster's features need on the linked scopes: {}. `portcullis preflight` shows all of it.",
                refusal.caller, refusal.object_id, refusal.action, refusal.scope, refusal.reason
            ),
        ),
        Error::Forbidden(refusal) => (
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{}' over scope '{}' or the scope is invalid. {}. If access was recently granted, please refresh your credentials.",
                refusal.caller, refusal.object_id, refusal.action, refusal.scope, refusal.reason
            ),
        ),
        Error::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message),
        Error::Internal(cause) => {
            tracing::error!(cause, "a request to the resource manager failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "An internal error has occurred.".into(),
            )
        }
    }
}

/// Each kind by the code that clients know it by.
fn not_found(kind: Kind, id: &str, message: String) -> (StatusCode, &'static str, String) {
    match kind {
        Kind::Principal => (
            StatusCode::BAD_REQUEST,
            "PrincipalNotFound",
            format!(
                "Principal {id} does not exist in the directory. Check that you have the correct principal ID."
            ),
        ),
        Kind::Subscription => (
            StatusCode::NOT_FOUND,
            "SubscriptionNotFound",
            format!("The subscription '{id}' could not be found."),
        ),
        Kind::ResourceGroup => (
            StatusCode::NOT_FOUND,
            "ResourceGroupNotFound",
            format!("Resource group '{id}' could not be found."),
        ),
        Kind::RoleDefinition => (
            StatusCode::NOT_FOUND,
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{id}' does not exist."),
        ),
        Kind::RoleAssignment => (
            StatusCode::NOT_FOUND,
            "RoleAssignmentNotFound",
            format!("The role assignment '{id}' is not found."),
        ),
        Kind::ManagedCluster => (
            StatusCode::NOT_FOUND,
            "ResourceNotFound",
            format!("The Resource 'Microsoft.ContainerService/managedClusters/{id}' was not found."),
        ),
        Kind::ResourceType => (
            StatusCode::NOT_FOUND,
            "InvalidResourceType",
            format!("The resource type '{id}' could not be found."),
        ),
        Kind::ManagementGroup => (
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("'/providers/Microsoft.Management/managementGroups/{id}' not found."),
        ),
        Kind::DenyAssignment => (
            StatusCode::NOT_FOUND,
            "DenyAssignmentNotFound",
            format!("The deny assignment with ID '{id}' is not found."),
        ),
        Kind::Lock => (StatusCode::NOT_FOUND, "LockNotFound", format!("The lock '{id}' could not be found.")),
        Kind::AccessProfile
        | Kind::AdministratorCertificate
        | Kind::AgentPool
        | Kind::Application
        | Kind::ApplicationIdentifier
        | Kind::FederatedCredential
        | Kind::FederatedIdentityCredential
        | Kind::Group
        | Kind::GroupMember
        | Kind::Object
        | Kind::Operation
        | Kind::Owner
        | Kind::PasswordCredential
        | Kind::PermissionGrant
        | Kind::Resource
        | Kind::RoleDefinitionName
        | Kind::RoleMember
        | Kind::ServicePrincipal
        | Kind::StoredRecord
        | Kind::SubscriptionAlias
        | Kind::Tenant
        | Kind::TrustedAccessRoleBinding
        | Kind::User
        | Kind::WebhookCertificate
        | Kind::Name(_)
        | Kind::Cold(_) => (StatusCode::NOT_FOUND, "ResourceNotFound", message),
    }
}

/// As [`not_found`].
fn already_exists(kind: Kind, id: &str, message: String) -> (StatusCode, &'static str, String) {
    match kind {
        Kind::RoleAssignment => (
            StatusCode::CONFLICT,
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the conflicting role assignment is {}.",
                id.replace('-', "")
            ),
        ),
        Kind::RoleDefinitionName => (
            StatusCode::CONFLICT,
            "RoleDefinitionWithSameNameExists",
            format!(
                "A custom role with the same name '{id}' already exists in this directory. Use a different name."
            ),
        ),
        Kind::AccessProfile
        | Kind::AdministratorCertificate
        | Kind::AgentPool
        | Kind::Application
        | Kind::ApplicationIdentifier
        | Kind::DenyAssignment
        | Kind::FederatedCredential
        | Kind::FederatedIdentityCredential
        | Kind::Group
        | Kind::GroupMember
        | Kind::Lock
        | Kind::ManagedCluster
        | Kind::ManagementGroup
        | Kind::Object
        | Kind::Operation
        | Kind::Owner
        | Kind::PasswordCredential
        | Kind::PermissionGrant
        | Kind::Principal
        | Kind::Resource
        | Kind::ResourceGroup
        | Kind::ResourceType
        | Kind::RoleDefinition
        | Kind::RoleMember
        | Kind::ServicePrincipal
        | Kind::StoredRecord
        | Kind::Subscription
        | Kind::SubscriptionAlias
        | Kind::Tenant
        | Kind::TrustedAccessRoleBinding
        | Kind::User
        | Kind::WebhookCertificate
        | Kind::Name(_)
        | Kind::Cold(_) => (StatusCode::CONFLICT, "Conflict", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_does_not_arrive_is_no_fault_of_its_content() {
        for (error, status) in [
            (BodyError::TooSlow, StatusCode::REQUEST_TIMEOUT),
            (BodyError::TooLarge { limit: 1 }, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            assert_eq!(ArmError::from(BudgetedBody::Body(error)).respond().status(), status);
        }
    }
}
