//! The routes of this crate: the API of embedded clusters, and the webhooks of attached clusters.

use app::App;
use axum::Router;
use web::routes::{Route, router};

use crate::{api, webhook};

pub fn routes() -> Router<App> {
    router(webhooks()).merge(router(clusters()))
}

/// Method (`*` for any) and path of every route.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    web::routes::names(webhooks()).chain(web::routes::names(clusters()))
}

fn webhooks() -> Vec<Route<App>> {
    vec![
        Route::post("/webhooks/{cluster}/authenticate", webhook::authenticate),
        Route::post("/webhooks/{cluster}/authorize", webhook::authorize),
    ]
}

fn clusters() -> Vec<Route<App>> {
    vec![
        // Kubernetes API paths are parsed by `request` alone, so that the authorized resource and the served one
        // cannot differ, also for unknown paths.
        Route::any("/clusters/{cluster}", api::handle),
        Route::any("/clusters/{cluster}/", api::handle),
        Route::any("/clusters/{cluster}/{*path}", api::handle),
    ]
}
