//! The table of routes. Resource ids have any depth and any case, so paths are matched with
//! [`templates`](crate::path) here and not by the web framework. The first matching row wins.

use std::pin::Pin;

use app::App;
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::any,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use web::trace::RequestContext;

use crate::{
    agent_pools, aliases, call::Call, check_access, clusters, credentials, deny_assignments, error::ArmError,
    identities, locks, management_groups, metadata, operations, path::Segments, preflight, providers,
    resource_groups, resources, role_assignments, role_definitions, subscriptions, trusted_access, webhooks,
};

/// Method, path template and handler.
struct Route {
    method: &'static str,
    base: &'static str,
    rest: &'static str,
    answer: Handler,
}

type Handler = for<'a> fn(&'a Call<'a>) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, ArmError>> + Send + 'a>>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/metadata/endpoints", any(metadata::endpoints))
        .route("/tenants", any(handle))
        .route("/tenants/", any(handle))
        .route("/tenants/{*rest}", any(handle))
        .route("/subscriptions", any(handle))
        .route("/subscriptions/", any(handle))
        .route("/subscriptions/{*rest}", any(handle))
        .route("/providers", any(handle))
        .route("/providers/", any(handle))
        .route("/providers/{*rest}", any(handle))
}

/// The URI normalized for [`routes`]: one leading slash, because clients send two if their base URL ends with one,
/// and the first segment in its usual case. `None` if it is already normalized, or not a path of this surface.
pub fn in_usual_form(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let first = path.split('/').find(|segment| !segment.is_empty())?;
    let usual = ROOTS.iter().find(|root| root.eq_ignore_ascii_case(first))?;
    let slashes = path.len() - path.trim_start_matches('/').len();
    if slashes == 1 && *usual == first {
        return None;
    }
    let rest = uri.path_and_query()?.as_str().get(slashes + first.len()..)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/{usual}{rest}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The response if no surface has the path.
pub async fn unknown(uri: Uri) -> Response {
    ArmError::unknown_path(uri.path()).respond()
}

/// Method and path template of every route that requires authentication.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    ROUTES.iter().map(|route| (route.method, format!("{}{}", route.base, route.rest)))
}

async fn handle(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    context: RequestContext,
    body: Body,
) -> Response {
    let answer = match Call::read(&app, &uri, &headers, context.peer.room(), body).await {
        Ok(call) => dispatch(call, &method, uri.path()).await,
        Err(error) => Err(error),
    };
    let mut response = answer.unwrap_or_else(|error| error.respond());
    if response.status() == StatusCode::UNAUTHORIZED
        && let Some(challenge) = challenge(&app)
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The `WWW-Authenticate` challenge in Azure's format, from which some clients learn the tenant; `organizations` if
/// there are several tenants.
fn challenge(app: &App) -> Option<HeaderValue> {
    let tenant =
        app.directory().only_tenant().map_or_else(|| "organizations".to_owned(), |id| id.to_string());
    let text = format!(
        "Bearer authorization_uri=\"{}/{tenant}\", error=\"invalid_token\", error_description=\"The access token is missing, invalid, has ended or was revoked.\"",
        app.settings().external_url
    );
    text.parse().ok()
}

async fn dispatch(mut call: Call<'_>, method: &Method, path: &str) -> Result<Response, ArmError> {
    let segments = Segments::parse(path)?;
    let mut known = false;
    let mut one = None;
    for route in ROUTES {
        let Some(names) = segments.matching(route.base, route.rest) else { continue };
        known = true;
        if route.method == method.as_str() {
            call.names = names;
            return (route.answer)(&call).await;
        }
        if method == Method::HEAD && route.method == "GET" && route.is_of_one() {
            one = one.or(Some((route, names)));
        }
    }
    if let Some((route, names)) = one {
        call.names = names;
        (route.answer)(&call).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(if known { ArmError::method_not_allowed(method) } else { ArmError::unknown_path(path) })
}

impl Route {
    /// Whether the route addresses a single resource. HEAD is then allowed too, with the permission to read it.
    fn is_of_one(&self) -> bool {
        self.base.ends_with('}') && self.rest.is_empty() || self.rest.ends_with('}')
    }
}

const fn route(method: &'static str, base: &'static str, rest: &'static str, answer: Handler) -> Route {
    Route { method, base, rest, answer }
}

const ROOTS: [&str; 3] = ["subscriptions", "providers", "tenants"];
const SUBSCRIPTION: &str = "/subscriptions/{subscription}";
const GROUP: &str = "/subscriptions/{subscription}/resourceGroups/{group}";
const CLUSTERS: &str = "/providers/Microsoft.ContainerService/managedClusters";
const CLUSTER: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}";
const LOCATION: &str =
    "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}";
const IDENTITIES: &str = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities";
const IDENTITY: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}";
const RESOURCE: &str =
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{name}";
const AUTHORIZATION: &str = "{scope}/providers/Microsoft.Authorization";
const PROVIDER: &str = "/subscriptions/{subscription}/providers";
const MANAGEMENT: &str = "/providers/Microsoft.Management";
const MANAGEMENT_GROUP: &str = "/providers/Microsoft.Management/managementGroups/{group}";
const ALIASES: &str = "/providers/Microsoft.Subscription/aliases";

const ROUTES: &[Route] = &[
    route("GET", "/tenants", "", |call| Box::pin(async { subscriptions::tenants(call) })),
    route("GET", "/subscriptions", "", |call| Box::pin(async { subscriptions::list(call) })),
    route("GET", SUBSCRIPTION, "", |call| Box::pin(async { subscriptions::show(call) })),
    route("GET", SUBSCRIPTION, "/locations", |call| Box::pin(async { subscriptions::locations(call) })),
    route("GET", SUBSCRIPTION, "/resourceGroups", |call| Box::pin(async { resource_groups::list(call) })),
    route("GET", GROUP, "", |call| Box::pin(async { resource_groups::show(call) })),
    route("HEAD", GROUP, "", |call| Box::pin(async { resource_groups::exists(call) })),
    route("PUT", GROUP, "", |call| Box::pin(resource_groups::put(call))),
    route("PATCH", GROUP, "", |call| Box::pin(resource_groups::patch(call))),
    route("DELETE", GROUP, "", |call| Box::pin(resource_groups::delete(call))),
    route("GET", SUBSCRIPTION, CLUSTERS, |call| Box::pin(async { clusters::list(call, None) })),
    route("GET", GROUP, CLUSTERS, |call| Box::pin(async { clusters::list(call, Some(call.name("group"))) })),
    route("GET", CLUSTER, "", |call| Box::pin(async { clusters::show(call) })),
    route("PUT", CLUSTER, "", |call| Box::pin(clusters::put(call))),
    route("PATCH", CLUSTER, "", |call| Box::pin(clusters::patch(call))),
    route("DELETE", CLUSTER, "", |call| Box::pin(clusters::delete(call))),
    route("POST", CLUSTER, "/listClusterUserCredential", |call| Box::pin(async { credentials::user(call) })),
    route("POST", CLUSTER, "/listClusterAdminCredential", |call| Box::pin(credentials::admin(call))),
    route("POST", CLUSTER, "/listClusterMonitoringUserCredential", |call| {
        Box::pin(async { credentials::monitoring_user(call) })
    }),
    route("POST", CLUSTER, "/accessProfiles/{profile}/listCredential", |call| {
        Box::pin(credentials::access_profile(call))
    }),
    route("POST", CLUSTER, "/listWebhookCredential", |call| Box::pin(webhooks::issue(call))),
    route("GET", CLUSTER, "/webhookCertificates", |call| Box::pin(async { webhooks::list(call) })),
    route("POST", CLUSTER, "/webhookCertificates/{thumbprint}/end", |call| Box::pin(webhooks::end(call))),
    route("POST", CLUSTER, "/rotateClusterCertificates", |call| Box::pin(credentials::rotate(call))),
    route("GET", CLUSTER, "/adminCertificates", |call| {
        Box::pin(async { credentials::list_certificates(call) })
    }),
    route("POST", CLUSTER, "/adminCertificates/{serial}/revoke", |call| Box::pin(credentials::revoke(call))),
    route("POST", CLUSTER, "/start", |call| Box::pin(clusters::start(call))),
    route("POST", CLUSTER, "/stop", |call| Box::pin(clusters::stop(call))),
    route("POST", CLUSTER, "/preflight", |call| Box::pin(async { preflight::report(call) })),
    route("GET", CLUSTER, "/upgradeProfiles/default", |call| Box::pin(async { agent_pools::upgrades(call) })),
    route("GET", CLUSTER, "/agentPools", |call| Box::pin(async { agent_pools::list(call) })),
    route("GET", CLUSTER, "/agentPools/{pool}", |call| Box::pin(async { agent_pools::show(call) })),
    route("PUT", CLUSTER, "/agentPools/{pool}", |call| Box::pin(agent_pools::put(call))),
    route("DELETE", CLUSTER, "/agentPools/{pool}", |call| Box::pin(agent_pools::delete(call))),
    route("GET", CLUSTER, "/trustedAccessRoleBindings", |call| {
        Box::pin(async { trusted_access::list(call) })
    }),
    route("GET", CLUSTER, "/trustedAccessRoleBindings/{binding}", |call| {
        Box::pin(async { trusted_access::show(call) })
    }),
    route("PUT", CLUSTER, "/trustedAccessRoleBindings/{binding}", |call| Box::pin(trusted_access::put(call))),
    route("DELETE", CLUSTER, "/trustedAccessRoleBindings/{binding}", |call| {
        Box::pin(trusted_access::delete(call))
    }),
    route("GET", LOCATION, "/trustedAccessRoles", |call| Box::pin(async { trusted_access::roles(call) })),
    route("GET", LOCATION, "/kubernetesVersions", |call| Box::pin(async { agent_pools::versions(call) })),
    route("GET", LOCATION, "/operations/{operation}", |call| Box::pin(operations::status(call))),
    route("GET", LOCATION, "/operationresults/{operation}", |call| Box::pin(operations::result(call))),
    route("GET", SUBSCRIPTION, IDENTITIES, |call| {
        Box::pin(async { identities::list(call, &call.subscription_scope()?) })
    }),
    route("GET", GROUP, IDENTITIES, |call| Box::pin(async { identities::list(call, &call.group_scope()?) })),
    route("GET", IDENTITY, "", |call| Box::pin(async { identities::show(call) })),
    route("PUT", IDENTITY, "", |call| Box::pin(identities::put(call))),
    route("PATCH", IDENTITY, "", |call| Box::pin(identities::patch(call))),
    route("DELETE", IDENTITY, "", |call| Box::pin(identities::delete(call))),
    route("GET", IDENTITY, "/federatedIdentityCredentials", |call| {
        Box::pin(async { identities::list_credentials(call) })
    }),
    route("GET", IDENTITY, "/federatedIdentityCredentials/{credential}", |call| {
        Box::pin(async { identities::show_credential(call) })
    }),
    route("PUT", IDENTITY, "/federatedIdentityCredentials/{credential}", |call| {
        Box::pin(identities::put_credential(call))
    }),
    route("DELETE", IDENTITY, "/federatedIdentityCredentials/{credential}", |call| {
        Box::pin(identities::delete_credential(call))
    }),
    route("GET", SUBSCRIPTION, "/resources", |call| {
        Box::pin(async { resources::list(call, &call.subscription_scope()?) })
    }),
    route("GET", GROUP, "/resources", |call| Box::pin(async { resources::list(call, &call.group_scope()?) })),
    route("GET", AUTHORIZATION, "/roleDefinitions", |call| Box::pin(async { role_definitions::list(call) })),
    route("GET", AUTHORIZATION, "/roleDefinitions/{role}", |call| {
        Box::pin(async { role_definitions::show(call) })
    }),
    route("PUT", AUTHORIZATION, "/roleDefinitions/{role}", |call| Box::pin(role_definitions::put(call))),
    route("DELETE", AUTHORIZATION, "/roleDefinitions/{role}", |call| {
        Box::pin(role_definitions::delete(call))
    }),
    route("GET", AUTHORIZATION, "/roleAssignments", |call| Box::pin(async { role_assignments::list(call) })),
    route("GET", AUTHORIZATION, "/roleAssignments/{assignment}", |call| {
        Box::pin(async { role_assignments::show(call) })
    }),
    route("PUT", AUTHORIZATION, "/roleAssignments/{assignment}", |call| {
        Box::pin(role_assignments::put(call))
    }),
    route("DELETE", AUTHORIZATION, "/roleAssignments/{assignment}", |call| {
        Box::pin(role_assignments::delete(call))
    }),
    route("GET", AUTHORIZATION, "/permissions", |call| {
        Box::pin(async { role_assignments::permissions(call) })
    }),
    route("GET", AUTHORIZATION, "/locks", |call| Box::pin(async { locks::list(call) })),
    route("GET", AUTHORIZATION, "/locks/{lock}", |call| Box::pin(async { locks::show(call) })),
    route("PUT", AUTHORIZATION, "/locks/{lock}", |call| Box::pin(locks::put(call))),
    route("DELETE", AUTHORIZATION, "/locks/{lock}", |call| Box::pin(locks::delete(call))),
    route("GET", AUTHORIZATION, "/denyAssignments", |call| Box::pin(async { deny_assignments::list(call) })),
    route("GET", AUTHORIZATION, "/denyAssignments/{deny}", |call| {
        Box::pin(async { deny_assignments::show(call) })
    }),
    route("PUT", AUTHORIZATION, "/denyAssignments/{deny}", |call| {
        Box::pin(async { deny_assignments::refuse(call) })
    }),
    route("DELETE", AUTHORIZATION, "/denyAssignments/{deny}", |call| {
        Box::pin(async { deny_assignments::refuse(call) })
    }),
    route("POST", AUTHORIZATION, "/checkAccess", |call| Box::pin(async { check_access::check(call) })),
    route("GET", PROVIDER, "", |call| Box::pin(async { providers::list(call) })),
    route("GET", PROVIDER, "/{namespace}", |call| Box::pin(async { providers::show(call) })),
    route("POST", PROVIDER, "/{namespace}/register", |call| Box::pin(async { providers::register(call) })),
    route("GET", MANAGEMENT, "/managementGroups", |call| Box::pin(async { management_groups::list(call) })),
    route("GET", MANAGEMENT_GROUP, "", |call| Box::pin(async { management_groups::show(call) })),
    route("PUT", MANAGEMENT_GROUP, "", |call| Box::pin(management_groups::put(call))),
    route("PATCH", MANAGEMENT_GROUP, "", |call| Box::pin(management_groups::patch(call))),
    route("DELETE", MANAGEMENT_GROUP, "", |call| Box::pin(management_groups::delete(call))),
    route("GET", MANAGEMENT_GROUP, "/subscriptions", |call| {
        Box::pin(async { management_groups::list_subscriptions(call) })
    }),
    route("GET", MANAGEMENT_GROUP, "/subscriptions/{subscription}", |call| {
        Box::pin(async { management_groups::show_subscription(call) })
    }),
    route("PUT", MANAGEMENT_GROUP, "/subscriptions/{subscription}", |call| {
        Box::pin(management_groups::add_subscription(call))
    }),
    route("DELETE", MANAGEMENT_GROUP, "/subscriptions/{subscription}", |call| {
        Box::pin(management_groups::remove_subscription(call))
    }),
    route("POST", MANAGEMENT, "/getEntities", |call| Box::pin(async { management_groups::entities(call) })),
    route("POST", MANAGEMENT, "/checkNameAvailability", |call| {
        Box::pin(async { management_groups::check_name(call) })
    }),
    route("GET", ALIASES, "", |call| Box::pin(async { aliases::list(call) })),
    route("GET", ALIASES, "/{alias}", |call| Box::pin(async { aliases::show(call) })),
    route("PUT", ALIASES, "/{alias}", |call| Box::pin(aliases::put(call))),
    route("DELETE", ALIASES, "/{alias}", |call| Box::pin(aliases::delete(call))),
    route("POST", SUBSCRIPTION, "/providers/Microsoft.Subscription/rename", |call| {
        Box::pin(aliases::rename(call))
    }),
    // Generic resources: types without a row above.
    route("GET", RESOURCE, "", |call| Box::pin(async { resources::show(call) })),
    route("PUT", RESOURCE, "", |call| Box::pin(resources::put(call))),
    route("DELETE", RESOURCE, "", |call| Box::pin(resources::delete(call))),
    route("GET", RESOURCE, "/{childType}/{child}", |call| Box::pin(async { resources::show(call) })),
    route("PUT", RESOURCE, "/{childType}/{child}", |call| Box::pin(resources::put(call))),
    route("DELETE", RESOURCE, "/{childType}/{child}", |call| Box::pin(resources::delete(call))),
];
