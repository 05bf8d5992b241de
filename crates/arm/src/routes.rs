//! The URL surface. Resource ids have any depth and any case, so one handler takes them apart
//! ([`Resource`]) and hands them on by noun and method.

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
    call::Call,
    clusters, credentials,
    error::ArmError,
    metadata,
    path::Resource,
    resource_groups, role_assignments, role_definitions, subscriptions,
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
    let resource = Resource::parse(call.path)?;
    match (method.as_str(), &resource) {
        ("GET", Resource::Tenants) => subscriptions::tenants(call),
        ("GET", Resource::Subscriptions) => subscriptions::list(call),
        ("GET", Resource::Subscription(id)) => subscriptions::show(call, *id),
        ("GET", Resource::Locations(id)) => subscriptions::locations(call, *id),
        ("GET", Resource::ResourceGroups(id)) => resource_groups::list(call, *id),
        ("GET" | "HEAD", Resource::ResourceGroup(id, name)) => resource_groups::show(call, *id, name, method),
        ("PUT", Resource::ResourceGroup(id, name)) => resource_groups::put(call, *id, name).await,
        ("DELETE", Resource::ResourceGroup(id, name)) => resource_groups::delete(call, *id, name).await,
        ("GET", Resource::Clusters(id, group)) => clusters::list(call, *id, group.as_deref()),
        ("GET", Resource::Cluster(name)) => clusters::show(call, name),
        ("PUT", Resource::Cluster(name)) => clusters::put(call, name).await,
        ("DELETE", Resource::Cluster(name)) => clusters::delete(call, name).await,
        ("POST", Resource::ClusterAction(name, action)) => credentials::act(call, name, action).await,
        ("GET", Resource::AdminCertificates(name)) => credentials::list_certificates(call, name),
        ("POST", Resource::RevokeCertificate(name, serial)) => credentials::revoke(call, name, serial).await,
        ("GET", Resource::RoleDefinitions(scope)) => role_definitions::list(call, scope),
        ("GET", Resource::RoleDefinition(scope, id)) => role_definitions::show(call, scope, *id),
        ("PUT", Resource::RoleDefinition(scope, id)) => role_definitions::put(call, scope, *id).await,
        ("DELETE", Resource::RoleDefinition(scope, id)) => role_definitions::delete(call, scope, *id).await,
        ("GET", Resource::RoleAssignments(scope)) => role_assignments::list(call, scope),
        ("GET", Resource::RoleAssignment(scope, id)) => role_assignments::show(call, scope, *id),
        ("PUT", Resource::RoleAssignment(scope, id)) => role_assignments::put(call, scope, *id).await,
        ("DELETE", Resource::RoleAssignment(scope, id)) => role_assignments::delete(call, scope, *id).await,
        ("GET", Resource::Permissions(scope)) => role_assignments::permissions(call, scope),
        _ => Err(ArmError::method_not_allowed(method)),
    }
}

const MOST_BODY_BYTES: usize = 1024 * 1024;
