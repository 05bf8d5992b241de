//! The URL surface. Resource ids have any depth and any case, so one handler takes them apart
//! ([`Named`]) and hands them on by noun and method.

use app::App;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawQuery, State, rejection::BytesRejection},
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, Method, Uri};

use crate::{
    call::Call, clusters, credentials, error::ArmError, metadata, path::Named, resource_groups,
    role_assignments, role_definitions, subscriptions,
};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/metadata/endpoints", get(metadata::endpoints))
        .route("/tenants", any(handle))
        .route("/subscriptions", any(handle))
        .route("/subscriptions/{*rest}", any(handle))
        .route("/providers/{*rest}", any(handle))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
}

async fn handle(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let answer = match Call::read(&app, &uri, query.as_deref(), &headers, body) {
        Ok(call) => dispatch(&call, &method).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error.respond())
}

async fn dispatch(call: &Call<'_>, method: &Method) -> Result<Response, ArmError> {
    let resource = Named::parse(call.path)?;
    match (method.as_str(), &resource) {
        ("GET", Named::Tenants) => subscriptions::tenants(call),
        ("GET", Named::Subscriptions) => subscriptions::list(call),
        ("GET", Named::Subscription(id)) => subscriptions::show(call, *id),
        ("GET", Named::Locations(id)) => subscriptions::locations(call, *id),
        ("GET", Named::ResourceGroups(id)) => resource_groups::list(call, *id),
        ("GET" | "HEAD", Named::ResourceGroup(id, name)) => resource_groups::show(call, *id, name, method),
        ("PUT", Named::ResourceGroup(id, name)) => resource_groups::put(call, *id, name).await,
        ("DELETE", Named::ResourceGroup(id, name)) => resource_groups::delete(call, *id, name).await,
        ("GET", Named::Clusters(id, group)) => clusters::list(call, *id, group.as_deref()),
        ("GET", Named::Cluster(name)) => clusters::show(call, name),
        ("PUT", Named::Cluster(name)) => clusters::put(call, name).await,
        ("DELETE", Named::Cluster(name)) => clusters::delete(call, name).await,
        ("POST", Named::ClusterAction(name, action)) => credentials::act(call, name, action).await,
        ("GET", Named::AdminCertificates(name)) => credentials::list_certificates(call, name),
        ("POST", Named::RevokeCertificate(name, serial)) => credentials::revoke(call, name, serial).await,
        ("GET", Named::RoleDefinitions(scope)) => role_definitions::list(call, scope),
        ("GET", Named::RoleDefinition(scope, id)) => role_definitions::show(call, scope, *id),
        ("PUT", Named::RoleDefinition(scope, id)) => role_definitions::put(call, scope, *id).await,
        ("DELETE", Named::RoleDefinition(scope, id)) => role_definitions::delete(call, scope, *id).await,
        ("GET", Named::RoleAssignments(scope)) => role_assignments::list(call, scope),
        ("GET", Named::RoleAssignment(scope, id)) => role_assignments::show(call, scope, *id),
        ("PUT", Named::RoleAssignment(scope, id)) => role_assignments::put(call, scope, *id).await,
        ("DELETE", Named::RoleAssignment(scope, id)) => role_assignments::delete(call, scope, *id).await,
        ("GET", Named::Permissions(scope)) => role_assignments::permissions(call, scope),
        _ => Err(ArmError::method_not_allowed(method)),
    }
}

const MOST_BODY_BYTES: usize = 1024 * 1024;
