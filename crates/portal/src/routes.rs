//! The whole URL surface of the portal.

use app::App;
use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};

use crate::{
    assets,
    pages::{authorize, device, home, password, sign_in, sign_out},
};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/portal", get(async || Redirect::to("/portal/")))
        .route("/portal/", get(home::get))
        .route("/portal/sign-in", get(sign_in::get).post(sign_in::post))
        .route("/portal/password", get(password::get).post(password::post))
        .route("/portal/authorize", get(authorize::get).post(authorize::post))
        .route("/portal/sign-out", post(sign_out::post))
        .route("/portal/signed-out", get(sign_out::get))
        .route("/devicelogin", get(device::get).post(device::post))
        // Where Entra has this page besides.
        .route("/common/oauth2/deviceauth", get(device::get).post(device::post))
        .route("/devicelogin/confirm", get(device::confirm).post(device::answer))
        .route("/portal/assets/portal.css", get(assets::stylesheet))
}
