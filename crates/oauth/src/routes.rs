//! The whole URL surface of the authority. `{tenant}` is a tenant's id, one of its domains, `common` or
//! `organizations`.

use app::App;
use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::{authorize, device, discovery, error, logout, realm, token, userinfo};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::version_2))
        .route("/{tenant}/.well-known/openid-configuration", get(discovery::version_1))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/{tenant}/discovery/keys", get(discovery::keys))
        .route("/{tenant}/discovery/instance", get(discovery::instance))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::get).post(authorize::post))
        .route("/{tenant}/oauth2/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth2/finish", get(authorize::finish))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(device::start))
        .route("/{tenant}/oauth2/devicecode", post(device::start))
        .route("/{tenant}/oauth2/v2.0/token", post(token::version_2))
        .route("/{tenant}/oauth2/token", post(token::version_1))
        .route("/{tenant}/oauth2/v2.0/logout", get(logout::get).post(logout::post))
        .route("/{tenant}/oauth2/logout", get(logout::get).post(logout::post))
        .route("/{tenant}/userrealm/{user}", get(realm::get))
        .route("/oidc/userinfo", get(userinfo::get).post(userinfo::get))
        .layer(middleware::from_fn(error::render))
}
