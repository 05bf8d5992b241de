//! The consent page of an authorization request: which account is used, and, for applications that are not part of
//! the installation, which permissions are requested.

use std::marker::PhantomData;

use app::App;
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use web::body::{Form, FormFields};

use super::{permissions::permissions, render};
use crate::{browser::Browser, problem::Problem};

#[derive(Template)]
#[template(path = "authorize.html")]
struct AuthorizePage<'a> {
    form: String,
    request: &'a str,
    client: String,
    first_party: bool,
    name: &'a str,
    permissions: Vec<String>,
    local: bool,
    host: String,
}

pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let id = fields.find("request")?.ok_or(Problem::RequestGone)?;
    let waiting = browser.waiting(&app, id).await?;
    let session = browser.session(&app).await?.filter(|session| waiting.accepts(session));
    let Some(session) = session else {
        return Ok(Redirect::to(&format!("/portal/sign-in?request={id}")).into_response());
    };
    let authorization = &waiting.authorization;
    let client = app.sign_in().find_client(authorization.client).map_err(|_| Problem::RequestGone)?;
    let permissions = match app.sign_in().needs_consent(&session.signed_in, authorization).await? {
        true => permissions(&app, &session.signed_in, &authorization.scope),
        false => Vec::new(),
    };
    let page = render(&AuthorizePage {
        form: browser.form_token(),
        request: id,
        client: client.name().to_owned(),
        first_party: client.is_first_party(),
        name: &session.caller.name,
        permissions,
        local: authorization.redirect_uri.starts_with("http://"),
        host: host(&authorization.redirect_uri),
    })?;
    Ok(browser.show(page.with_form_target(&authorization.redirect_uri)))
}

pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(fields, PhantomData): Form<Problem>,
) -> Result<Response, Problem> {
    browser.check(&fields)?;
    let id = fields.find("request")?.ok_or(Problem::RequestGone)?;
    match fields.find("answer")? {
        Some("allow") => {
            let session = browser.session(&app).await?.ok_or(Problem::OldForm)?;
            browser.allow(&app, id, &session).await
        }
        Some("decline") => browser.decline(&app, id).await,
        _ => Err(Problem::Malformed("the answer is neither allow nor decline".into())),
    }
}

fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}
