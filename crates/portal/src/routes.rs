//! The routes of the portal.

use app::App;
use axum::{Router, response::Redirect};
use web::routes::{Route, router};

use crate::{
    assets,
    pages::{authorize, device, home, password, sign_in, sign_out},
};

pub fn routes() -> Router<App> {
    router(table())
}

/// Method and path of every route.
pub fn surface() -> impl Iterator<Item = (&'static str, String)> {
    web::routes::names(table())
}

fn table() -> Vec<Route<App>> {
    vec![
        // The server's own URL.
        Route::get("/", async || Redirect::to("/portal/")),
        Route::get("/portal", async || Redirect::to("/portal/")),
        Route::get("/portal/", home::get),
        Route::get("/portal/sign-in", sign_in::get),
        Route::post("/portal/sign-in", sign_in::post),
        Route::get("/portal/password", password::get),
        Route::post("/portal/password", password::post),
        Route::get("/portal/authorize", authorize::get),
        Route::post("/portal/authorize", authorize::post),
        Route::post("/portal/sign-out", sign_out::post),
        Route::get("/portal/signed-out", sign_out::get),
        Route::get("/devicelogin", device::get),
        Route::post("/devicelogin", device::post),
        // Entra's additional path of the device page.
        Route::get("/common/oauth2/deviceauth", device::get),
        Route::post("/common/oauth2/deviceauth", device::post),
        Route::get("/devicelogin/confirm", device::confirm),
        Route::post("/devicelogin/confirm", device::answer),
        Route::get("/portal/assets/portal.css", assets::stylesheet),
    ]
}
