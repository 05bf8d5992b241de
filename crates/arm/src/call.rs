//! A request of which path, API version and caller are known.

use std::collections::BTreeMap;

use app::{App, Caller, clusters::ClusterName};
use axum::{body::Bytes, extract::rejection::BytesRejection};
use domain::{
    id::{Id, SubscriptionId},
    name::ResourceName,
    scope::Scope,
};
use http::{HeaderMap, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::{error::ArmError, path::Names};

pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) caller: Caller,
    pub(crate) names: Names,
    /// As it was asked for.
    path: &'a str,
    query: BTreeMap<String, String>,
    body: Bytes,
}

impl<'a> Call<'a> {
    pub(crate) fn read(
        app: &'a App,
        uri: &'a Uri,
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
        let query = parse_query(uri.query().unwrap_or_default())?;
        check_version(query.get("api-version").map(String::as_str))?;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ArmError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestContentTooLarge",
                "The request content is too large.",
            ),
            _ => ArmError::bad("InvalidRequestContent", "The request content could not be read."),
        })?;
        Ok(Self { app, caller, names: Names::default(), path: uri.path(), query, body })
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ArmError> {
        let invalid = |problem: &str| {
            let text = format!("The request content was invalid and could not be deserialized: '{problem}'.");
            ArmError::bad("InvalidRequestContent", text)
        };
        // A list would be read as the members of a structure in their order.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(invalid("expected a JSON object"));
        }
        serde_json::from_slice(&self.body).map_err(|error| invalid(&error.to_string()))
    }

    /// What the path has where its template has `{name}`.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.names.get(name)
    }

    pub(crate) fn subscription(&self) -> Result<SubscriptionId, ArmError> {
        let text = self.name("subscription");
        SubscriptionId::parse(text).map_err(|_| {
            let text: String = text.chars().take(60).collect();
            ArmError::bad(
                "InvalidSubscriptionId",
                format!("The provided subscription identifier '{text}' is malformed or invalid."),
            )
        })
    }

    pub(crate) fn resource_name(&self, name: &str) -> Result<ResourceName, ArmError> {
        ResourceName::parse(self.name(name))
            .map_err(|error| ArmError::bad("InvalidResourceName", error.to_string()))
    }

    pub(crate) fn cluster(&self) -> Result<ClusterName, ArmError> {
        Ok(ClusterName {
            subscription: self.subscription()?,
            resource_group: self.resource_name("group")?,
            name: self.resource_name("cluster")?,
        })
    }

    pub(crate) fn subscription_scope(&self) -> Result<Scope, ArmError> {
        Ok(Scope::subscription(self.subscription()?))
    }

    pub(crate) fn group_scope(&self) -> Result<Scope, ArmError> {
        let name = self.resource_name("group")?;
        Scope::parse(&format!("/subscriptions/{}/resourceGroups/{name}", self.subscription()?))
            .map_err(|error| ArmError::bad("InvalidResourceId", error.to_string()))
    }

    /// The resource id before the provider that is asked.
    pub(crate) fn scope(&self) -> Result<Scope, ArmError> {
        Scope::parse(self.name("scope")).map_err(|error| ArmError::bad("InvalidScope", error.to_string()))
    }

    /// A GUID in the path; `code` says what kind of id is wrong.
    pub(crate) fn id<K>(&self, name: &str, code: &'static str) -> Result<Id<K>, ArmError> {
        let text = self.name(name);
        Id::parse(text).map_err(|_| {
            let text: String = text.chars().take(60).collect();
            ArmError::bad(code, format!("'{text}' is not a valid id. Expected a GUID."))
        })
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The address of this request with one parameter of its query set: for the rest of a list.
    pub(crate) fn link_with(&self, name: &str, value: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let others = self.query.iter().filter(|(each, _)| *each != name);
        let others = others.map(|(name, value)| format!("{}={}&", plain(name), encode(value)));
        let others: String = others.collect();
        let base = &self.app.settings().external_url;
        format!("{base}{}?{others}{}={}", self.path, plain(name), encode(value))
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

/// A parameter's name as it is written in an address: `$` and `-` stay, as clients look for them.
fn plain(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'$').remove(b'-');

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
