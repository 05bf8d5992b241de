//! Device login (RFC 8628 §3.3): the user enters the code that the device shows, signs in and confirms. The
//! confirmation names the client, so that nobody unknowingly approves a login that an attacker began.

use std::marker::PhantomData;

use app::{
    App,
    sign_in::{
        grants::device::Answer,
        login::{LoginError, failures},
    },
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

use super::{permissions::permissions, render};
use crate::{browser::Browser, problem::Problem};

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    form: String,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "device_confirm.html")]
struct ConfirmPage<'a> {
    form: String,
    code: &'a str,
    client: String,
    name: &'a str,
    /// The requested permissions, for applications that are not part of the installation.
    permissions: Vec<String>,
    other: String,
}

#[derive(Template)]
#[template(path = "device_done.html")]
struct DonePage {
    allowed: bool,
}

pub(crate) async fn get(browser: Browser) -> Result<Response, Problem> {
    show(&browser, None)
}

pub(crate) async fn post(
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    let code = clean(fields.find("user_code")?.unwrap_or_default());
    if code.is_empty() {
        return show(&browser, Some("Enter the code that the device or program shows."));
    }
    Ok(Redirect::to(&format!("/devicelogin/confirm?code={code}")).into_response())
}

pub(crate) async fn confirm(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let code = clean(fields.find("code")?.unwrap_or_default());
    let here = encode(&format!("/devicelogin/confirm?code={code}"));
    let sign_in = format!("/portal/sign-in?next={here}");
    let Some(session) = browser.session(&app).await? else {
        return Ok(Redirect::to(&sign_in).into_response());
    };
    let device = match app.sign_in().find_device(&session.signed_in, &code).await {
        Ok(device) => device,
        Err(error) => return wrong_code(&browser, &session.caller.name, error),
    };
    let client = app.sign_in().find_client(device.client).map_err(|_| Problem::RequestGone)?;
    let permissions = match client.is_first_party() {
        true => Vec::new(),
        false => permissions(&app, &session.signed_in, &device.scope),
    };
    let page = render(&ConfirmPage {
        form: browser.form_token(),
        code: &device.user_code,
        client: client.name().to_owned(),
        name: &session.caller.name,
        permissions,
        other: sign_in,
    })?;
    Ok(browser.show(page))
}

pub(crate) async fn answer(
    State(app): State<App>,
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    let code = clean(fields.find("code")?.unwrap_or_default());
    let answer = match fields.find("answer")? {
        Some("allow") => Answer::Approve,
        Some("decline") => Answer::Decline,
        _ => return Err(Problem::Malformed("the answer is neither allow nor decline".into())),
    };
    let session = browser.session(&app).await?.ok_or(Problem::OldForm)?;
    match app.sign_in().answer_device(&session.signed_in, &code, answer).await {
        Ok(()) => Ok(browser.show(render(&DonePage { allowed: answer == Answer::Approve })?)),
        Err(error) => wrong_code(&browser, &session.caller.name, error),
    }
}

fn wrong_code(browser: &Browser, name: &str, error: LoginError) -> Result<Response, Problem> {
    match &error {
        LoginError::Refused | LoginError::MustChangePassword | LoginError::Disabled => {
            failures::report(name, Some(browser.address), &"the code of a device is not known");
        }
        LoginError::Throttled => {
            failures::report(name, Some(browser.address), &"too many wrong codes of devices");
        }
        LoginError::App(_) => {}
    }
    match error {
        LoginError::Refused | LoginError::MustChangePassword | LoginError::Disabled => show(
            browser,
            Some("That code is not known, or it has expired. Look again, or start anew on the device."),
        ),
        LoginError::Throttled => {
            show(browser, Some("Too many wrong codes. Wait some minutes and try again."))
        }
        LoginError::App(error) => Err(error.into()),
    }
}

fn show(browser: &Browser, error: Option<&str>) -> Result<Response, Problem> {
    let page = render(&DevicePage { form: browser.form_token(), error })?;
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(browser.show(page.with_status(status)))
}

/// Keeps the letters and digits of a typed code; separators are ignored.
fn clean(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>().to_ascii_uppercase()
}
