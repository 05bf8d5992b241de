//! Errors in Entra's format: `error`, `error_description` that begins with an AADSTS number,
//! `error_codes`, `timestamp`, `trace_id`, `correlation_id` (RFC 6749 §5.2 with Entra's additions).
//!
//! Handlers return a [`Failure`]; a layer around all routes writes the body, because only it knows the request ids.

pub(crate) mod codes;

use app::{
    Error,
    sign_in::{
        grants::{
            GrantError,
            client::{ClientError, Mismatch},
        },
        login::LoginError,
    },
};
use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;
use web::{
    body::{BodyError, Repeated},
    trace::RequestContext,
};

use codes::Code;

/// An error response. It is attached to the response as data, and [`render`] writes the body.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: &'static Code,
    pub(crate) detail: String,
    status: Option<StatusCode>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: String,
    error_codes: [u32; 1],
    timestamp: String,
    trace_id: String,
    correlation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suberror: Option<&'static str>,
}

impl Failure {
    /// `detail` is sent to the client: it may only repeat what the client sent.
    pub(crate) fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), status: None }
    }

    /// The same, under another code.
    pub(crate) fn with_code(self, code: &'static Code) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(&codes::MISSING_PARAMETER, format!("The request lacks the parameter \"{parameter}\"."))
    }

    /// The `error_description`, without the ids.
    pub(crate) fn description(&self) -> String {
        let space = if self.detail.is_empty() { "" } else { " " };
        format!("AADSTS{}: {}{space}{}", self.code.number, self.code.text, self.detail)
    }

    fn status(&self) -> StatusCode {
        self.status.unwrap_or(StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::BAD_REQUEST))
    }
}

/// Writes the bodies of failures.
pub(crate) async fn render(context: RequestContext, request: Request, next: Next) -> Response {
    let correlation = correlation_id(request.headers()).unwrap_or_else(|| context.id.to_string());
    let by_header = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = next.run(request).await;
    let trace = context.id.to_string();
    for (name, value) in [(REQUEST_ID, &trace), (CLIENT_REQUEST_ID, &correlation)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        // The response of the router itself.
        None if response.status() == StatusCode::METHOD_NOT_ALLOWED => Failure::new(&codes::WRONG_METHOD, ""),
        None => return response,
    };
    // Only helps to find the request in the log.
    let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let description = format!(
        "{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}",
        failure.description()
    );
    let body = Body {
        error: failure.code.error,
        error_description: description,
        error_codes: [failure.code.number],
        timestamp: time,
        trace_id: trace,
        correlation_id: correlation,
        suberror: failure.code.suberror(),
    };
    let mut answer = (failure.status(), Json(body)).into_response();
    let kept = response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH);
    answer.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    // RFC 6749 §5.2. Only if the client used the header: otherwise a browser would prompt for a password.
    if by_header && answer.status() == StatusCode::UNAUTHORIZED {
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"client\""));
    }
    answer
}

/// The client's own request id, a UUID; it is logged and returned.
fn correlation_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CLIENT_REQUEST_ID)?.to_str().ok()?;
    let plain = text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    plain.then(|| text.to_ascii_lowercase())
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code.number == codes::BUSY.number {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self { status: Some(error.status()), ..Self::new(&codes::MALFORMED, sentence(&error)) }
    }
}

impl From<Repeated> for Failure {
    fn from(error: Repeated) -> Self {
        Self::new(&codes::MALFORMED, sentence(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(cause) => {
                tracing::warn!(cause, "a token request could not be served");
                Self::new(&codes::BUSY, "")
            }
            Error::Throttled { .. } => Self::new(&codes::TOO_MANY_REQUESTS, ""),
            Error::Unauthenticated(_) => Self::new(&codes::GRANT_REVOKED, ""),
            // Client input is validated before the application is called, so these are internal errors.
            Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Conflict(_)
            | Error::Rule(..)
            | Error::Invalid(_)
            | Error::TooLarge { .. }
            | Error::Forbidden(_)
            | Error::Internal(_) => {
                tracing::error!(error = %error, "a token request failed within");
                Self::new(&codes::INTERNAL, "")
            }
        }
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused => Self::new(&codes::WRONG_PASSWORD, ""),
            LoginError::Disabled => Self::new(&codes::ACCOUNT_DISABLED, ""),
            LoginError::Throttled => Self::new(&codes::THROTTLED, ""),
            LoginError::MustChangePassword => Self::new(&codes::PASSWORD_EXPIRED, ""),
            LoginError::App(error) => error.into(),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unknown(app_id) => {
                Self::new(&codes::UNKNOWN_CLIENT, format!("\"{app_id}\" is none."))
            }
            ClientError::NoServicePrincipal => Self::new(&codes::NO_SERVICE_PRINCIPAL, ""),
            ClientError::Disabled => Self::new(&codes::CLIENT_DISABLED, ""),
            ClientError::ProofRequired => Self::new(&codes::PROOF_REQUIRED, ""),
            ClientError::NoProofExpected => Self::new(&codes::NO_PROOF_EXPECTED, ""),
            ClientError::WrongSecret => Self::new(&codes::WRONG_SECRET, ""),
            ClientError::WrongAssertion(cause) => {
                Self::new(&codes::WRONG_ASSERTION, format!("Cause: {cause}."))
            }
            ClientError::AssertionTime => Self::new(&codes::ASSERTION_TIME, ""),
            ClientError::NotFederated(mismatch, found) => {
                let code = match mismatch {
                    Mismatch::Issuer => &codes::NO_FEDERATED_ISSUER,
                    Mismatch::Subject => &codes::NO_FEDERATED_SUBJECT,
                    Mismatch::Audience => &codes::NO_FEDERATED_AUDIENCE,
                };
                Self::new(code, format!("It is \"{found}\"."))
            }
            ClientError::IssuerUnreachable(cause) => {
                tracing::warn!(cause, "the keys of a federated credential's issuer cannot be read");
                Self::new(&codes::ISSUER_UNREACHABLE, "")
            }
            ClientError::Throttled => Self::new(&codes::THROTTLED, ""),
            ClientError::App(error) => error.into(),
        }
    }
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Pending => Self::new(&codes::PENDING, ""),
            GrantError::SlowDown => Self::new(&codes::SLOW_DOWN, ""),
            GrantError::Declined => Self::new(&codes::DECLINED, ""),
            GrantError::Expired => Self::new(&codes::GRANT_EXPIRED, ""),
            GrantError::Revoked => Self::new(&codes::GRANT_REVOKED, ""),
            GrantError::Invalid(cause) => Self::new(&codes::GRANT_INVALID, format!("Cause: {cause}.")),
            GrantError::ConsentRequired => Self::new(&codes::NO_CONSENT, ""),
            GrantError::Assertion(cause) => {
                Self::new(&codes::WRONG_GRANT_ASSERTION, format!("Cause: {cause}."))
            }
            GrantError::App(error) => error.into(),
        }
    }
}

fn sentence(error: &dyn std::fmt::Display) -> String {
    format!("Cause: {error}.")
}

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
