//! `/livez`, `/readyz`, `/healthz`: for load balancers, open to everybody.

use app::App;
use axum::{Router, extract::State, response::Response};
use http::StatusCode;
use web::{
    page::plain,
    routes::{Route, router},
};

pub(crate) fn routes() -> Router<App> {
    router(table())
}

/// Every route, as method and path.
#[cfg(test)]
pub(crate) fn surface() -> impl Iterator<Item = (&'static str, String)> {
    web::routes::names(table())
}

fn table() -> Vec<Route<App>> {
    vec![Route::get("/livez", live), Route::get("/readyz", ready), Route::get("/healthz", ready)]
}

/// The process answers.
async fn live() -> Response {
    plain(StatusCode::OK, "ok")
}

/// The store answers, and the snapshot has what it has.
async fn ready(State(app): State<App>) -> Response {
    match app.store_status().await {
        Ok(_) if app.is_stale() => plain(StatusCode::SERVICE_UNAVAILABLE, "the state is stale"),
        Ok(_) => plain(StatusCode::OK, "ok"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the store is unavailable")
        }
    }
}
