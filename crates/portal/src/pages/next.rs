//! Where a sign-in continues: a pending authorization request, or a path of this server. Nothing else, because any
//! other URL would make the sign-in page an open redirect.

use app::{
    App,
    sign_in::{grants::authorization::Waiting, login::session::LiveSession},
};
use axum::response::{IntoResponse, Redirect, Response};
use web::{body::FormFields, escapes::encode, page::Page};

use crate::{browser::Browser, problem::Problem};

#[derive(Debug)]
pub(super) enum Next {
    /// A pending authorization request and its id.
    Request(String, Box<Waiting>),
    /// A path on this host.
    Path(String),
}

impl Next {
    pub(super) async fn read(app: &App, browser: &Browser, fields: &FormFields) -> Result<Self, Problem> {
        if let Some(id) = fields.find("request")? {
            return Ok(Self::Request(id.to_owned(), Box::new(browser.waiting(app, id).await?)));
        }
        let path = fields.find("next")?.filter(|path| is_ours(path)).unwrap_or(HOME);
        Ok(Self::Path(path.to_owned()))
    }

    /// For the hidden field `request`; empty where there is none.
    pub(super) fn request(&self) -> &str {
        match self {
            Self::Request(id, _) => id,
            Self::Path(_) => "",
        }
    }

    /// For the hidden field `next`.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Request(..) => "",
            Self::Path(path) => path,
        }
    }

    /// The query that gives a page the same continuation.
    pub(super) fn query(&self) -> String {
        match self {
            Self::Request(id, _) => format!("request={id}"),
            Self::Path(path) => format!("next={}", encode(path)),
        }
    }

    /// The name of the client that the user signs in to, for the page.
    pub(super) fn client_name(&self, app: &App) -> Option<String> {
        match self {
            Self::Request(_, waiting) => {
                app.sign_in().find_client(waiting.authorization.client).ok().map(|c| c.name().to_owned())
            }
            Self::Path(_) => None,
        }
    }

    pub(super) fn login_hint(&self) -> &str {
        match self {
            Self::Request(_, waiting) => waiting.authorization.login_hint.as_deref().unwrap_or_default(),
            Self::Path(_) => "",
        }
    }

    /// Allows the page's form to be redirected to the client's redirect URI (`form-action`).
    pub(super) fn admit(&self, page: Page) -> Page {
        match self {
            Self::Request(_, waiting) => page.with_form_target(&waiting.authorization.redirect_uri),
            Self::Path(_) => page,
        }
    }

    /// Continues after a successful sign-in. Clients that are part of the installation need no consent page, because
    /// the sign-in page has named them.
    pub(super) async fn go_on(
        &self,
        app: &App,
        browser: &Browser,
        session: &LiveSession,
    ) -> Result<Response, Problem> {
        match self {
            Self::Request(id, waiting) => {
                if !waiting.accepts(session) {
                    return Ok(Redirect::to(&format!("/portal/authorize?request={id}")).into_response());
                }
                if app.sign_in().needs_consent(&session.signed_in, &waiting.authorization).await? {
                    return Ok(Redirect::to(&format!("/portal/authorize?request={id}")).into_response());
                }
                browser.allow(app, id, session).await
            }
            Self::Path(path) => Ok(Redirect::to(path).into_response()),
        }
    }
}

fn is_ours(path: &str) -> bool {
    let known = path.starts_with("/portal/") || path == "/devicelogin" || path.starts_with("/devicelogin/");
    let plain = path.len() <= 500
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_?=&.".contains(&byte));
    known && plain && !path.contains("//") && !path.contains("..")
}

const HOME: &str = "/portal/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_follow_a_sign_in() {
        for path in ["/portal/", "/devicelogin", "/devicelogin/confirm?code=BCDFGHJK"] {
            assert!(is_ours(path), "{path}");
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/portal",
            "/portal//evil.example",
            "/\\evil.example",
            "/portal/\\evil",
            "/portal/%5Cevil",
            "/portal/../x",
            "/devicelogin.evil",
            "/portal/\r\nx",
            "javascript:alert(1)",
        ] {
            assert!(!is_ours(path), "{path:?}");
        }
    }
}
