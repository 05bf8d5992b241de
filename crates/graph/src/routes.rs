//! The routes, the same under `/v1.0` and `/beta`.

use app::App;
use axum::{Router, extract::DefaultBodyLimit};
use http::Method;
use web::routes::{Route, names, router};

use crate::{
    applications::{self, Applications},
    call::Authenticated,
    collection::{count, list},
    directory_objects, directory_roles,
    error::GraphError,
    federated_credentials,
    groups::{self, Groups},
    me, memberships, organization, permission_grants,
    service_principals::{self, ServicePrincipals},
    users::{self, Users},
};

pub fn routes() -> Router<App> {
    Router::new().nest("/v1.0", version()).nest("/beta", version())
}

/// Method and path of every route, for each version.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    let under = |version: &'static str| {
        names(table()).map(move |(method, path)| (method, format!("{version}{path}")))
    };
    under("/v1.0").chain(under("/beta"))
}

fn version() -> Router<App> {
    router(table())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
}

fn table() -> Vec<Route<App>> {
    [directory(), of_people(), of_groups(), of_applications(), of_service_principals()]
        .into_iter()
        .flatten()
        .collect()
}

fn directory() -> Vec<Route<App>> {
    vec![
        Route::post("/directoryObjects/getByIds", directory_objects::get_by_ids),
        Route::get("/directoryObjects/{object}", directory_objects::show),
        Route::post("/directoryObjects/{object}/getMemberGroups", memberships::list),
        Route::post("/directoryObjects/{object}/getMemberObjects", memberships::list),
        Route::post("/directoryObjects/{object}/checkMemberGroups", memberships::check),
        Route::get("/directoryRoles", directory_roles::list),
        Route::get("/directoryRoles/{role}", directory_roles::show),
        Route::get("/directoryRoles/{role}/members", directory_roles::members),
        Route::post("/directoryRoles/{role}/members/$ref", directory_roles::add_member),
        Route::delete("/directoryRoles/{role}/members/{member}/$ref", directory_roles::remove_member),
        Route::get("/directoryRoleTemplates", directory_roles::list_templates),
        Route::get("/directoryRoleTemplates/{template}", directory_roles::show_template),
        Route::post("/oauth2PermissionGrants", permission_grants::create),
        Route::get("/oauth2PermissionGrants/{grant}", permission_grants::show),
        Route::delete("/oauth2PermissionGrants/{grant}", permission_grants::delete),
        Route::get("/organization", organization::list),
        Route::get("/organization/{tenant}", organization::show),
        Route::patch("/organization/{tenant}", organization::update),
        Route::post("/organization/{tenant}/rotateSigningKeys", organization::rotate_signing_keys),
        Route::post("/organization/{tenant}/revokeSigningKeys", organization::revoke_signing_keys),
    ]
}

fn of_people() -> Vec<Route<App>> {
    vec![
        Route::get("/me", me::show),
        Route::get("/me/ownedObjects", me::owned_objects),
        Route::get("/me/memberOf", memberships::direct),
        Route::get("/me/transitiveMemberOf", memberships::transitive),
        Route::post("/me/getMemberGroups", memberships::list),
        Route::post("/me/getMemberObjects", memberships::list),
        Route::post("/me/checkMemberGroups", memberships::check),
        Route::get("/users", list::<Users>),
        Route::post("/users", users::create),
        Route::get("/users/$count", count::<Users>),
        Route::get("/users/{user}", users::show),
        Route::patch("/users/{user}", users::update),
        Route::delete("/users/{user}", users::delete),
        Route::get("/users/{user}/memberOf", memberships::direct),
        Route::get("/users/{user}/transitiveMemberOf", memberships::transitive),
        Route::post("/users/{user}/getMemberGroups", memberships::list),
        Route::post("/users/{user}/getMemberObjects", memberships::list),
        Route::post("/users/{user}/checkMemberGroups", memberships::check),
        Route::post("/users/{user}/revokeSignInSessions", users::revoke_sign_in_sessions),
        Route::post("/users/{user}/portcullis.unlock", users::unlock),
    ]
}

fn of_groups() -> Vec<Route<App>> {
    vec![
        Route::get("/groups", list::<Groups>),
        Route::post("/groups", groups::create),
        Route::get("/groups/$count", count::<Groups>),
        Route::get("/groups/{group}", groups::show),
        Route::patch("/groups/{group}", groups::update),
        Route::delete("/groups/{group}", groups::delete),
        Route::get("/groups/{group}/members", groups::members),
        Route::get("/groups/{group}/transitiveMembers", groups::transitive_members),
        Route::post("/groups/{group}/members/$ref", groups::add_member),
        Route::delete("/groups/{group}/members/{member}/$ref", groups::remove_member),
        Route::get("/groups/{group}/owners", groups::owners),
        Route::post("/groups/{group}/owners/$ref", groups::add_owner),
        Route::delete("/groups/{group}/owners/{owner}/$ref", groups::remove_owner),
        Route::get("/groups/{group}/memberOf", memberships::direct),
        Route::get("/groups/{group}/transitiveMemberOf", memberships::transitive),
        Route::post("/groups/{group}/getMemberGroups", memberships::list),
        Route::post("/groups/{group}/getMemberObjects", memberships::list),
        Route::post("/groups/{group}/checkMemberGroups", memberships::check),
    ]
}

fn of_applications() -> Vec<Route<App>> {
    vec![
        Route::get("/applications", list::<Applications>),
        Route::post("/applications", applications::create),
        Route::get("/applications/$count", count::<Applications>),
        Route::get("/applications/{application}", applications::show),
        Route::patch("/applications/{application}", applications::update),
        Route::delete("/applications/{application}", applications::delete),
        Route::get("/applications/{application}/federatedIdentityCredentials", federated_credentials::list),
        Route::post(
            "/applications/{application}/federatedIdentityCredentials",
            federated_credentials::create,
        ),
        Route::get(
            "/applications/{application}/federatedIdentityCredentials/{credential}",
            federated_credentials::show,
        ),
        Route::patch(
            "/applications/{application}/federatedIdentityCredentials/{credential}",
            federated_credentials::update,
        ),
        Route::delete(
            "/applications/{application}/federatedIdentityCredentials/{credential}",
            federated_credentials::delete,
        ),
        Route::get("/applications/{application}/owners", applications::owners),
        Route::post("/applications/{application}/owners/$ref", applications::add_owner),
        Route::delete("/applications/{application}/owners/{owner}/$ref", applications::remove_owner),
        Route::post("/applications/{application}/addPassword", applications::add_password),
        Route::post("/applications/{application}/removePassword", applications::remove_password),
    ]
}

fn of_service_principals() -> Vec<Route<App>> {
    vec![
        Route::get("/servicePrincipals", list::<ServicePrincipals>),
        Route::post("/servicePrincipals", service_principals::create),
        Route::get("/servicePrincipals/$count", count::<ServicePrincipals>),
        Route::get("/servicePrincipals/{principal}", service_principals::show),
        Route::patch("/servicePrincipals/{principal}", service_principals::update),
        Route::delete("/servicePrincipals/{principal}", service_principals::delete),
        Route::get("/servicePrincipals/{principal}/owners", service_principals::owners),
        Route::post("/servicePrincipals/{principal}/owners/$ref", service_principals::add_owner),
        Route::delete("/servicePrincipals/{principal}/owners/{owner}/$ref", service_principals::remove_owner),
        Route::post("/servicePrincipals/{principal}/addPassword", service_principals::add_password),
        Route::post("/servicePrincipals/{principal}/removePassword", service_principals::remove_password),
        Route::get("/servicePrincipals/{principal}/memberOf", memberships::direct),
        Route::get("/servicePrincipals/{principal}/transitiveMemberOf", memberships::transitive),
        Route::post("/servicePrincipals/{principal}/getMemberGroups", memberships::list),
        Route::post("/servicePrincipals/{principal}/getMemberObjects", memberships::list),
        Route::post("/servicePrincipals/{principal}/checkMemberGroups", memberships::check),
    ]
}

/// 404, after authentication: anonymous callers cannot find out which paths exist.
async fn unknown(Authenticated(_): Authenticated, uri: http::Uri) -> GraphError {
    GraphError::no_such_segment(uri.path())
}

async fn not_allowed(Authenticated(_): Authenticated, method: Method) -> GraphError {
    GraphError::method_not_allowed(&method)
}

const MOST_BODY_BYTES: usize = 1024 * 1024;
