//! A request of which path, API version and caller are known.

use std::collections::BTreeMap;

use app::{App, Caller};
use axum::{body::Bytes, extract::rejection::BytesRejection};
use http::{HeaderMap, StatusCode, Uri};
use serde::de::DeserializeOwned;

use crate::error::ArmError;

pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) path: &'a str,
    pub(crate) caller: Caller,
    query: BTreeMap<String, String>,
    body: Bytes,
}

impl<'a> Call<'a> {
    pub(crate) fn read(
        app: &'a App,
        uri: &'a Uri,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Self, ArmError> {
        let token = match web::bearer::credentials(headers) {
            web::bearer::Credentials::Bearer(token) => token,
            web::bearer::Credentials::None => {
                return Err(ArmError::unauthenticated(
                    "Authentication failed. The 'Authorization' header is missing.",
                ));
            }
            web::bearer::Credentials::Basic { .. } | web::bearer::Credentials::Unusable => {
                return Err(ArmError::unauthenticated(
                    "Authentication failed. The 'Authorization' header is provided in an invalid format.",
                ));
            }
        };
        let caller = app.verify_management_token(token).map_err(|rejection| {
            if rejection == app::tokens::Rejection::Stale {
                return ArmError::App(app::Error::Unavailable(rejection.to_string()));
            }
            tracing::info!(%rejection, "a token was not accepted");
            ArmError::unauthenticated("Authentication failed. The access token is invalid, has ended or was revoked: sign in again.")
        })?;
        let query = parse_query(query.unwrap_or_default())?;
        check_version(query.get("api-version").map(String::as_str))?;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ArmError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestContentTooLarge",
                "The request content is too large.",
            ),
            _ => ArmError::bad("InvalidRequestContent", "The request content could not be read."),
        })?;
        Ok(Self { app, path: uri.path(), caller, query, body })
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ArmError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            ArmError::bad(
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{error}'."),
            )
        })
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

/// Names are compared in lower case; of a name that stands twice neither is believed.
fn parse_query(query: &str) -> Result<BTreeMap<String, String>, ArmError> {
    let mut parsed = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| ArmError::bad("InvalidUri", "The query is not well formed."))
        };
        let name = decode(name)?.to_ascii_lowercase();
        if parsed.insert(name.clone(), decode(value)?).is_some() {
            return Err(ArmError::bad(
                "InvalidUri",
                format!("The query parameter '{name}' stands more than once."),
            ));
        }
    }
    Ok(parsed)
}

/// Any well-formed date is taken, with or without `-preview`: the versions that clients send change with
/// each of their releases, and one form serves them all.
fn check_version(version: Option<&str>) -> Result<(), ArmError> {
    let Some(version) = version else {
        return Err(ArmError::bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    let (date, suffix) = version.split_at_checked(10).unwrap_or((version, ""));
    let well_formed = date.parse::<jiff::civil::Date>().is_ok();
    if well_formed && matches!(suffix.to_ascii_lowercase().as_str(), "" | "-preview" | "-beta" | "-alpha") {
        return Ok(());
    }
    let version: String = version.chars().take(40).collect();
    Err(ArmError::bad(
        "InvalidApiVersionParameter",
        format!(
            "The api-version '{version}' is invalid. Expected a date such as '2022-04-01', with '-preview' after it where that is meant."
        ),
    ))
}
