//! How an authorization is answered: by a redirect with a query, by a page that posts a form, or, where there
//! is no address to trust, by a page for the person.

use app::sign_in::grants::authorization::ResponseMode;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use web::{escapes::encode, page::Page};

use crate::{
    error::Failure,
    html::{escape, page},
};

/// Where an answer goes.
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

    /// RFC 6749 §4.1.2.1.
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

/// A page that says what is wrong, for requests whose address cannot be trusted.
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
    // A registered address is plain ASCII or no header could hold it.
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

/// OAuth 2.0 Form Post Response Mode. The script presses the button; without scripts the person does.
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
/// SHA-256 of [`SCRIPT`] in base64: a browser runs this script and no other.
const SCRIPT_DIGEST: &str = "ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";
