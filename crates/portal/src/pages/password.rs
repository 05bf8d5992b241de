//! Password change, by the user's choice or because it is required.

use std::marker::PhantomData;

use app::{
    App, Error,
    sign_in::login::{LoginError, Secret},
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::StatusCode;
use web::body::{Form, FormFields};

use super::{next::Next, render, sign_in};
use crate::{browser::Browser, problem::Problem};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    form: String,
    request: &'a str,
    next: &'a str,
    user_name: &'a str,
    expired: bool,
    error: Option<&'a str>,
}

pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let next = Next::read(&app, &browser, &fields).await?;
    let named: Option<String> =
        fields.find("user_name")?.map(|name| name.chars().take(LONGEST_NAME).collect());
    let user_name = match named {
        Some(name) => name,
        None => browser.session(&app).await?.map(|session| session.caller.name).unwrap_or_default(),
    };
    let expired = fields.find("expired")?.is_some();
    show(&browser, &next, &user_name, expired, None)
}

pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    let next = Next::read(&app, &browser, &fields).await?;
    let field = |name: &str| Ok::<_, Problem>(fields.find(name)?.unwrap_or_default());
    let user_name = field("user_name")?;
    let (old, new) =
        (Secret::new(field("password")?.to_owned()), Secret::new(field("new_password")?.to_owned()));
    let refused = |text: &str| show(&browser, &next, user_name, false, Some(text));
    if new.expose() != field("repeated_password")? {
        return refused("The two new passwords differ.");
    }
    match app.sign_in().change_password(user_name, &old, &new, browser.source()).await {
        Ok(signed_in) => sign_in::begin(&app, &browser, &next, &signed_in).await,
        Err(LoginError::Refused | LoginError::MustChangePassword) => {
            refused("The user name or the old password is not right.")
        }
        Err(LoginError::Disabled) => refused(sign_in::DISABLED),
        Err(LoginError::Throttled) => {
            refused("There were too many failed attempts. Wait some minutes and try again.")
        }
        Err(LoginError::App(Error::Invalid(problems))) => {
            let texts: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            refused(&texts.join("; "))
        }
        Err(LoginError::App(error)) => Err(error.into()),
    }
}

fn show(
    browser: &Browser,
    next: &Next,
    user_name: &str,
    expired: bool,
    error: Option<&str>,
) -> Result<Response, Problem> {
    let page = render(&PasswordPage {
        form: browser.form_token(),
        request: next.request(),
        next: next.path(),
        user_name,
        expired,
        error,
    })?;
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(browser.show(next.admit(page).with_status(status)))
}

/// The longest user name, as in the sign-in form.
const LONGEST_NAME: usize = 113;
