//! The browser of a request: its cookie, the session of its user, and whether a submitted form was rendered for it
//! (CSRF protection).

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

/// The browser that sent a request.
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
    /// The anti-CSRF token that each form of this browser has in the field `form`.
    pub(crate) fn form_token(&self) -> String {
        form_token(&self.id)
    }

    /// Refuses a form that was not rendered for this browser.
    pub(crate) fn check(&self, fields: &FormFields) -> Result<(), Problem> {
        let shown = fields.find("form")?.unwrap_or_default();
        if self.from_elsewhere || self.is_new || !is_form_token(&self.id, shown) {
            return Err(Problem::OldForm);
        }
        Ok(())
    }

    /// The source of its sign-in attempts, for throttling.
    pub(crate) fn source(&self) -> Source<'_> {
        Source { address: Some(self.address), browser: (!self.is_new).then_some(self.id.as_str()) }
    }

    pub(crate) async fn session(&self, app: &App) -> Result<Option<LiveSession>, Problem> {
        match &self.session {
            Some(session) => Ok(app.sign_in().find_session(session).await?),
            None => Ok(None),
        }
    }

    /// The pending authorization request with this id that was begun in this browser.
    pub(crate) async fn waiting(&self, app: &App, id: &str) -> Result<Waiting, Problem> {
        app.sign_in().find_authorization(id, &self.id).await?.ok_or(Problem::RequestGone)
    }

    /// Approves the pending request for the user of the session.
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

    /// Ends the current session, if any.
    pub(crate) async fn end_session(&self, app: &App) -> Result<(), Problem> {
        match &self.session {
            Some(session) => Ok(app.sign_in().end_session(session).await?),
            None => Ok(()),
        }
    }

    /// A page response; sets the browser cookie if the browser has none yet.
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

/// Redirects to the endpoint that sends the authorization response to the client.
fn finish(id: &str) -> Response {
    Redirect::to(&format!("/oauth2/finish?request={id}")).into_response()
}

/// Whether another site started the request, by Fetch Metadata. Browsers that do not send it are checked by the form
/// token alone.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none")
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
