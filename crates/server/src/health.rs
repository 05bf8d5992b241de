//! `/livez`, `/readyz`, `/healthz`: for load balancers, without authentication.

use app::{App, Health};
use axum::{Router, extract::State, response::Response};
use http::StatusCode;
use web::{
    page::plain,
    routes::{Route, router},
};

pub(crate) fn routes() -> Router<App> {
    router(table())
}

/// Method and path of every route.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    web::routes::names(table())
}

fn table() -> Vec<Route<App>> {
    vec![Route::get("/livez", live), Route::get("/readyz", ready), Route::get("/healthz", ready)]
}

/// 200 while the process answers.
async fn live() -> Response {
    plain(StatusCode::OK, "ok")
}

/// 200 if the store answers and the snapshot follows it.
async fn ready(State(app): State<App>) -> Response {
    match app.check_store().await {
        Ok(()) if app.is_stale() => plain(StatusCode::SERVICE_UNAVAILABLE, "the state is stale"),
        Ok(()) => plain(StatusCode::OK, set_aside(app.health())),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the store is unavailable")
        }
    }
}

/// What anybody may know of records that cannot be read: how many, and whether all decisions suffer. The rest is in the
/// log. The others are served, so the server is ready.
fn set_aside(health: Health) -> String {
    let count = health.unreadable;
    if count == 0 {
        return "ok".to_owned();
    }
    let records = if count == 1 { "record cannot be read and is" } else { "records cannot be read and are" };
    let effect = match health.refuses_everything {
        true => ": everything that Azure RBAC decides is refused",
        false => "",
    };
    format!("ok, but {count} stored {records} set aside{effect}; the log names each")
}
