//! The URL surface, the same under `/v1.0` and `/beta`.

use app::App;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, post},
};

use crate::{
    applications::{self, Applications},
    collection::{count, list},
    directory_objects, federated_credentials,
    groups::{self, Groups},
    me, organization, permission_grants,
    service_principals::{self, ServicePrincipals},
    users::{self, Users},
};

pub fn routes() -> Router<App> {
    Router::new().nest("/v1.0", version()).nest("/beta", version())
}

fn version() -> Router<App> {
    Router::new()
        .route("/me", get(me::show))
        .route("/me/ownedObjects", get(me::owned_objects))
        .route("/me/getMemberGroups", post(me::get_member_groups))
        .route("/users", get(list::<Users>).post(users::create))
        .route("/users/$count", get(count::<Users>))
        .route("/users/{user}", get(users::show).patch(users::update).delete(users::delete))
        .route("/users/{user}/memberOf", get(users::member_of))
        .route("/users/{user}/getMemberGroups", post(users::get_member_groups))
        .route("/users/{user}/getMemberObjects", post(users::get_member_groups))
        .route("/users/{user}/revokeSignInSessions", post(users::revoke_sign_in_sessions))
        .route("/groups", get(list::<Groups>).post(groups::create))
        .route("/groups/$count", get(count::<Groups>))
        .route("/groups/{group}", get(groups::show).patch(groups::update).delete(groups::delete))
        .route("/groups/{group}/members", get(groups::members))
        .route("/groups/{group}/transitiveMembers", get(groups::transitive_members))
        .route("/groups/{group}/members/$ref", post(groups::add_member))
        .route("/groups/{group}/members/{member}/$ref", delete(groups::remove_member))
        .route("/groups/{group}/owners", get(groups::owners))
        .route("/groups/{group}/owners/$ref", post(groups::add_owner))
        .route("/groups/{group}/owners/{owner}/$ref", delete(groups::remove_owner))
        .route("/applications", get(list::<Applications>).post(applications::create))
        .route("/applications/$count", get(count::<Applications>))
        .route(
            "/applications/{application}",
            get(applications::show).patch(applications::update).delete(applications::delete),
        )
        .route(
            "/applications/{application}/federatedIdentityCredentials",
            get(federated_credentials::list).post(federated_credentials::create),
        )
        .route(
            "/applications/{application}/federatedIdentityCredentials/{credential}",
            get(federated_credentials::show)
                .patch(federated_credentials::update)
                .delete(federated_credentials::delete),
        )
        .route("/applications/{application}/owners", get(applications::owners))
        .route("/applications/{application}/addPassword", post(applications::add_password))
        .route("/applications/{application}/removePassword", post(applications::remove_password))
        .route("/servicePrincipals", get(list::<ServicePrincipals>).post(service_principals::create))
        .route("/servicePrincipals/$count", get(count::<ServicePrincipals>))
        .route(
            "/servicePrincipals/{principal}",
            get(service_principals::show)
                .patch(service_principals::update)
                .delete(service_principals::delete),
        )
        .route("/servicePrincipals/{principal}/owners", get(service_principals::owners))
        .route("/servicePrincipals/{principal}/addPassword", post(service_principals::add_password))
        .route("/servicePrincipals/{principal}/removePassword", post(service_principals::remove_password))
        .route("/directoryObjects/getByIds", post(directory_objects::get_by_ids))
        .route("/directoryObjects/{object}", get(directory_objects::show))
        .route("/directoryObjects/{object}/getMemberGroups", post(directory_objects::get_member_groups))
        .route("/directoryObjects/{object}/checkMemberGroups", post(directory_objects::check_member_groups))
        .route("/oauth2PermissionGrants", post(permission_grants::create))
        .route(
            "/oauth2PermissionGrants/{grant}",
            get(permission_grants::show).delete(permission_grants::delete),
        )
        .route("/organization", get(organization::list))
        .route("/organization/{tenant}", get(organization::show).patch(organization::update))
        .route("/organization/{tenant}/rotateSigningKeys", post(organization::rotate_signing_keys))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
}

const MOST_BODY_BYTES: usize = 1024 * 1024;
