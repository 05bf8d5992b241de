//! Authorization responses: a redirect with a query, a page that posts a form, or, without a trusted redirect URI, an
//! error page.

use app::sign_in::grants::authorization::ResponseMode;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use web::{escapes::encode, page::Page};

use crate::{
    error::Failure,
    html::{escape, page},
};

/// Where and how the response is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseDestination<'a> {
    pub(super) redirect_uri: &'a str,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<&'a str>,
}

impl ResponseDestination<'_> {
    pub(super) fn code(&self, code: &str) -> Response {
        self.send(vec![("code", code)])
    }

    /// The error response (RFC 6749 §4.1.2.1).
    pub(super) fn failure(&self, failure: &Failure) -> Response {
        let description = failure.description();
        self.send(vec![("error", failure.code.error), ("error_description", &description)])
    }

    fn send(&self, fields: Vec<(&str, &str)>) -> Response {
        let state = self.state.map(|state| ("state", state));
        let fields: Vec<(&str, &str)> = fields.into_iter().chain(state).collect();
        match self.mode {
            ResponseMode::Query => redirect(self.redirect_uri, &fields),
            ResponseMode::FormPost => form(self.redirect_uri, &fields),
        }
    }
}

/// An error page, for requests whose redirect URI is not validated.
pub(super) fn refusal(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.code.status).unwrap_or(StatusCode::BAD_REQUEST);
    let html = page(
        "This sign-in cannot go on",
        &format!(
            "<p>{}</p><p class=\"hint\">Go back to the program that brought you here and begin again.</p>",
            escape(&failure.description())
        ),
    );
    Page::new(html).with_status(status).into_response()
}

fn redirect(address: &str, fields: &[(&str, &str)]) -> Response {
    let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let separator = if address.contains('?') { '&' } else { '?' };
    let target = format!("{address}{separator}{}", query.join("&"));
    // Registered redirect URIs are ASCII, so this fails only for others.
    let Ok(location) = HeaderValue::try_from(target) else { return StatusCode::BAD_REQUEST.into_response() };
    let no_store = HeaderValue::from_static("no-store");
    let referrer = HeaderValue::from_static("no-referrer");
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, no_store),
        (header::REFERRER_POLICY, referrer),
    ];
    (StatusCode::FOUND, headers).into_response()
}

/// OAuth 2.0 Form Post Response Mode. A script submits the form; without scripts the user presses its button.
fn form(address: &str, fields: &[(&str, &str)]) -> Response {
    let inputs: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    let html = page(
        "One moment",
        &format!(
            "<p>You are being taken back to the program that asked you to sign in.</p>\
             <form method=\"post\" action=\"{}\">{inputs}<button type=\"submit\">Continue</button></form>\
             <script>{SCRIPT}</script>",
            escape(address)
        ),
    );
    Page::new(html).with_form_target(address).with_script(SCRIPT_DIGEST).into_response()
}

const SCRIPT: &str = "document.forms[0].submit()";
/// SHA-256 of [`SCRIPT`] in base64, for the Content-Security-Policy.
const SCRIPT_DIGEST: &str = "ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";
