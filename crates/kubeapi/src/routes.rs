//! The URL surface of this crate: the API of embedded clusters, and the webhooks of attached ones.

use app::App;
use axum::{
    Extension, Router,
    routing::{any, post},
};

use crate::{api, webhook};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/webhooks/{cluster}/authenticate", post(webhook::token_review::authenticate))
        .route("/webhooks/{cluster}/authorize", post(webhook::access_review::authorize))
        // Below it, paths are those of the Kubernetes API and are read in one place: what is decided must be
        // what is served, also for paths that lead nowhere.
        .route("/clusters/{cluster}", any(api::handle))
        .route("/clusters/{cluster}/", any(api::handle))
        .route("/clusters/{cluster}/{*path}", any(api::handle))
        .layer(Extension(api::WatchRoom::default()))
}
