//! `/livez`, `/readyz`, `/healthz`: for load balancers, open to everybody.

use app::App;
use axum::{Router, extract::State, response::Response, routing::get};
use http::StatusCode;
use web::page::plain;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/healthz", get(ready))
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
