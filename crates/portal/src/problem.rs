//! Error pages of the portal.

use app::{Error, sign_in::login::LoginError};
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use web::{
    body::{BodyError, Repeated},
    page::Page,
};

/// Why the requested page cannot be shown.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The form was not rendered for this browser, or its session has ended.
    OldForm,
    /// The authorization request has expired, was answered, or was begun in another browser.
    RequestGone,
    Malformed(String),
    Throttled,
    Unavailable,
    Internal,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    text: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, text) = match &self {
            Self::OldForm => (
                StatusCode::BAD_REQUEST,
                "This page was out of date",
                "Nothing was changed. Go back, load the page again and repeat what you did. Cookies must be allowed.",
            ),
            Self::RequestGone => (
                StatusCode::NOT_FOUND,
                "This sign-in has ended",
                "It took too long, it was answered already, or it was begun in another browser. \
                 Go back to the program that brought you here and begin again.",
            ),
            Self::Malformed(cause) => {
                (StatusCode::BAD_REQUEST, "The request cannot be understood", cause.as_str())
            }
            Self::Throttled => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many attempts", "Wait some minutes and try again.")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "Not available at this moment", "Try again in a moment.")
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                "The fault is ours and has been recorded. Try again later.",
            ),
        };
        match (ProblemPage { title, text }).render() {
            Ok(html) => Page::new(html).with_status(status).into_response(),
            Err(_) => status.into_response(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(cause) => {
                tracing::warn!(cause, "a page could not be served");
                Self::Unavailable
            }
            Error::Throttled { .. } => Self::Throttled,
            Error::Invalid(problems) => Self::Malformed(
                problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "),
            ),
            Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Conflict(_)
            | Error::Rule(..)
            | Error::TooLarge { .. }
            | Error::Unauthenticated(_)
            | Error::Forbidden(_)
            | Error::Internal(_) => {
                tracing::error!(error = %error, "a page failed within");
                Self::Internal
            }
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused | LoginError::MustChangePassword | LoginError::Disabled => Self::RequestGone,
            LoginError::Throttled => Self::Throttled,
            LoginError::App(error) => error.into(),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<Repeated> for Problem {
    fn from(error: Repeated) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        tracing::error!(error = %error, "a page could not be written");
        Self::Internal
    }
}
