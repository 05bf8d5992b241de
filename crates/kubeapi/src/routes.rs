//! The URL surface of this crate: the API of embedded clusters, and the webhooks of attached ones.

use app::App;
use axum::Router;
use web::routes::{Route, router};

use crate::{api, webhook};

pub fn routes() -> Router<App> {
    router(webhooks()).merge(router(clusters()))
}

/// Every route, as method (`*`: whatever it is) and path.
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
        // Below it, paths are those of the Kubernetes API and are read in one place: what is decided must be
        // what is served, also for paths that lead nowhere.
        Route::any("/clusters/{cluster}", api::handle),
        Route::any("/clusters/{cluster}/", api::handle),
        Route::any("/clusters/{cluster}/{*path}", api::handle),
    ]
}
