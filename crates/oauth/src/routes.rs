//! The routes of this surface. `{tenant}` is a tenant's id, one of its domains, `common` or `organizations`.

use app::App;
use axum::{Router, middleware};
use web::routes::{Route, router};

use crate::{authorize, device, discovery, error, logout, realm, token, userinfo};

pub fn routes() -> Router<App> {
    router(table()).layer(middleware::from_fn(error::render))
}

/// Method and path of every route.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    web::routes::names(table())
}

fn table() -> Vec<Route<App>> {
    vec![
        Route::get("/{tenant}/v2.0/.well-known/openid-configuration", discovery::version_2),
        Route::get("/{tenant}/.well-known/openid-configuration", discovery::version_1),
        Route::get("/{tenant}/discovery/v2.0/keys", discovery::keys),
        Route::get("/{tenant}/discovery/keys", discovery::keys),
        Route::get("/{tenant}/discovery/instance", discovery::instance),
        Route::get("/{tenant}/oauth2/v2.0/authorize", authorize::get),
        Route::post("/{tenant}/oauth2/v2.0/authorize", authorize::post),
        Route::get("/{tenant}/oauth2/authorize", authorize::get),
        Route::post("/{tenant}/oauth2/authorize", authorize::post),
        Route::get("/oauth2/finish", authorize::finish),
        Route::post("/{tenant}/oauth2/v2.0/devicecode", device::start),
        Route::post("/{tenant}/oauth2/devicecode", device::start),
        Route::post("/{tenant}/oauth2/v2.0/token", token::version_2),
        Route::post("/{tenant}/oauth2/token", token::version_1),
        Route::get("/{tenant}/oauth2/v2.0/logout", logout::get),
        Route::post("/{tenant}/oauth2/v2.0/logout", logout::post),
        Route::get("/{tenant}/oauth2/logout", logout::get),
        Route::post("/{tenant}/oauth2/logout", logout::post),
        Route::get("/{tenant}/userrealm/{user}", realm::get),
        Route::get("/oidc/userinfo", userinfo::get),
        Route::post("/oidc/userinfo", userinfo::get),
    ]
}
