//! Sign-out: ends the session, and the page that confirms it.

use std::marker::PhantomData;

use app::App;
use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::header;
use web::{body::Form, cookie};

use super::render;
use crate::{browser::Browser, problem::Problem};

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {}

pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    browser.end_session(&app).await?;
    let mut response = Redirect::to("/portal/signed-out").into_response();
    response.headers_mut().extend(cookie::clear(cookie::SESSION).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

pub(crate) async fn get(browser: Browser) -> Result<Response, Problem> {
    Ok(browser.show(render(&SignedOutPage {})?))
}
