//! The browser at the other end: the cookie that tells it from others, the session of its person, and whether
//! a form that it posts was made for it.

use std::net::IpAddr;

use app::{
    App,
    sign_in::{
        grants::authorization::Waiting,
        login::{
            Source,
            session::{LiveSession, form_token, is_form_token},
        },
    },
};
use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderName, header, request::Parts};
use web::{body::FormFields, cookie, page::Page, trace::RequestContext};

use crate::problem::Problem;

/// One browser.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) address: IpAddr,
    id: String,
    is_new: bool,
    session: Option<String>,
    from_elsewhere: bool,
}

impl FromRequestParts<App> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Ok(context) = RequestContext::from_request_parts(parts, app).await;
        let known = cookie::find(&parts.headers, cookie::BROWSER).map(str::to_owned);
        Ok(Self {
            address: context.peer.address.ip(),
            is_new: known.is_none(),
            id: match known {
                Some(known) => known,
                None => app.sign_in().new_browser()?,
            },
            session: cookie::find(&parts.headers, cookie::SESSION).map(str::to_owned),
            from_elsewhere: is_from_elsewhere(&parts.headers),
        })
    }
}

impl Browser {
    /// The value that each form of this browser carries in the field `form`.
    pub(crate) fn form_token(&self) -> String {
        form_token(&self.id)
    }

    /// Refuses a form that was not made for this browser.
    pub(crate) fn check(&self, fields: &FormFields) -> Result<(), Problem> {
        let shown = fields.find("form")?.unwrap_or_default();
        if self.from_elsewhere || self.is_new || !is_form_token(&self.id, shown) {
            return Err(Problem::OldForm);
        }
        Ok(())
    }

    /// Where its attempts to sign in come from.
    pub(crate) fn source(&self) -> Source<'_> {
        Source { address: Some(self.address), browser: (!self.is_new).then_some(self.id.as_str()) }
    }

    pub(crate) async fn session(&self, app: &App) -> Result<Option<LiveSession>, Problem> {
        match &self.session {
            Some(session) => Ok(app.sign_in().find_session(session).await?),
            None => Ok(None),
        }
    }

    /// The request of a client that waits for this browser's person.
    pub(crate) async fn waiting(&self, app: &App, id: &str) -> Result<Waiting, Problem> {
        app.sign_in().find_authorization(id, &self.id).await?.ok_or(Problem::RequestGone)
    }

    /// The person lets the client act.
    pub(crate) async fn allow(
        &self,
        app: &App,
        id: &str,
        session: &LiveSession,
    ) -> Result<Response, Problem> {
        app.sign_in().allow_authorization(id, &self.id, session).await?;
        Ok(finish(id))
    }

    pub(crate) async fn decline(&self, app: &App, id: &str) -> Result<Response, Problem> {
        Ok(finish(&app.sign_in().decline_authorization(id, &self.id).await?))
    }

    /// Ends the session that there was.
    pub(crate) async fn end_session(&self, app: &App) -> Result<(), Problem> {
        match &self.session {
            Some(session) => Ok(app.sign_in().end_session(session).await?),
            None => Ok(()),
        }
    }

    /// A page, with the cookie if the browser has none yet.
    pub(crate) fn show(&self, page: Page) -> Response {
        let mut response = page.into_response();
        if self.is_new {
            let header = cookie::set(cookie::BROWSER, &self.id);
            response.headers_mut().extend(header.map(|value| (header::SET_COOKIE, value)));
        }
        response
    }
}

/// Adds the cookie of a session that has just begun.
pub(crate) fn with_session(mut response: Response, session: &str) -> Response {
    let header = cookie::set(cookie::SESSION, session);
    response.headers_mut().extend(header.map(|value| (header::SET_COOKIE, value)));
    response
}

/// Where the answer of a client's request is made.
fn finish(id: &str) -> Response {
    Redirect::to(&format!("/oauth2/finish?request={id}")).into_response()
}

/// Browsers say whether a post was started by one of our pages (Fetch Metadata); those that do not say are
/// held to the form's value alone.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none")
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
