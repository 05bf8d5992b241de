//! The sign-in page: user name and password.

use std::marker::PhantomData;

use app::{
    App,
    sign_in::login::{LoginError, Secret, SignedIn},
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use web::{
    body::{Form, FormFields},
    escapes::encode,
};

use super::{next::Next, render};
use crate::{
    browser::{Browser, with_session},
    problem::Problem,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    form: String,
    request: &'a str,
    next: &'a str,
    client: Option<String>,
    user_name: &'a str,
    error: Option<&'a str>,
}

pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let next = Next::read(&app, &browser, &fields).await?;
    show(&app, &browser, &next, next.login_hint(), None)
}

pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    let next = Next::read(&app, &browser, &fields).await?;
    let user_name = fields.find("user_name")?.unwrap_or_default();
    let password = Secret::new(fields.find("password")?.unwrap_or_default().to_owned());
    let tenant = match &next {
        Next::Request(_, waiting) => waiting.authorization.tenant,
        Next::Path(_) => None,
    };
    match app.sign_in().sign_in_with_password(tenant, user_name, &password, browser.source()).await {
        Ok(signed_in) => begin(&app, &browser, &next, &signed_in).await,
        Err(LoginError::MustChangePassword) => {
            let path = format!("/portal/password?expired=1&user_name={}&{}", encode(user_name), next.query());
            Ok(Redirect::to(&path).into_response())
        }
        Err(LoginError::Refused) => {
            show(&app, &browser, &next, user_name, Some("The user name or the password is not right."))
        }
        Err(LoginError::Disabled) => show(&app, &browser, &next, user_name, Some(DISABLED)),
        Err(LoginError::Throttled) => {
            let text = "There were too many failed attempts. Wait some minutes and try again.";
            show(&app, &browser, &next, user_name, Some(text))
        }
        Err(LoginError::App(error)) => Err(error.into()),
    }
}

/// Begins a session, ends the previous one, and continues with `next`.
pub(super) async fn begin(
    app: &App,
    browser: &Browser,
    next: &Next,
    signed_in: &SignedIn,
) -> Result<Response, Problem> {
    browser.end_session(app).await?;
    let cookie = app.sign_in().begin_session(signed_in).await?;
    let session = app.sign_in().find_session(&cookie).await?.ok_or(Problem::RequestGone)?;
    Ok(with_session(next.go_on(app, browser, &session).await?, &cookie))
}

fn show(
    app: &App,
    browser: &Browser,
    next: &Next,
    user_name: &str,
    error: Option<&str>,
) -> Result<Response, Problem> {
    let page = render(&SignInPage {
        form: browser.form_token(),
        request: next.request(),
        next: next.path(),
        client: next.client_name(app),
        user_name,
        error,
    })?;
    let status = if error.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    Ok(browser.show(next.admit(page).with_status(status)))
}

/// Shown only after the right password was given.
pub(super) const DISABLED: &str = "Your account is disabled. Ask an administrator.";
