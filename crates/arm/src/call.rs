//! An authenticated request: caller, query, body and preconditions. The router adds the variables of the path once a
//! route matches. The API version is checked and not kept.

use std::{collections::BTreeMap, sync::Arc};

use app::{
    App, Caller,
    resource_manager::clusters::ClusterName,
    state::precondition::{Precondition, Tags},
};
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use domain::{
    id::{Id, SubscriptionId},
    name::ResourceName,
    scope::Scope,
};
use http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny};
use web::{
    escapes,
    memory_budget::{MemoryBudget, Reservation},
    stream,
};

use crate::{error::ArmError, members::Shape, path::Names};

pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) caller: Caller,
    pub(crate) names: Names,
    /// The URI of the request.
    pub(crate) uri: &'a Uri,
    path: &'a str,
    query: BTreeMap<String, String>,
    precondition: Precondition,
    body: Bytes,
    room: Arc<MemoryBudget>,
    /// The memory reservation for a large body.
    _reservation: Option<Reservation>,
}

impl<'a> Call<'a> {
    /// Reads the request. The body is read after authentication; afterwards the caller is checked again, because
    /// reading may take long.
    pub(crate) async fn read(
        app: &'a App,
        uri: &'a Uri,
        headers: &HeaderMap,
        room: &Arc<MemoryBudget>,
        body: Body,
    ) -> Result<Self, ArmError> {
        let caller = Self::authenticate(app, headers)?;
        let query = parse_query(uri.query().unwrap_or_default())?;
        check_version(query.get("api-version").map(String::as_str))?;
        let name = || caller.object_id.to_string();
        let (body, place) = web::body::read_in_room(body, MOST_BODY_BYTES, room, name).await?;
        let caller = if body.is_empty() { caller } else { Self::authenticate(app, headers)? };
        check_media_type(headers, &body)?;
        let precondition = Precondition {
            if_match: tags(headers, &header::IF_MATCH)?,
            if_none_match: tags(headers, &header::IF_NONE_MATCH)?,
        };
        let (names, room) = (Names::default(), room.clone());
        Ok(Self {
            app,
            caller,
            names,
            uri,
            path: uri.path(),
            query,
            precondition,
            body,
            room,
            _reservation: place,
        })
    }

    fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, ArmError> {
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
        app.sign_in().verify_management_token(token).map_err(|rejection| {
            if rejection == app::sign_in::tokens::Rejection::Stale {
                return ArmError::App(app::Error::Unavailable(rejection.to_string()));
            }
            tracing::info!(%rejection, "a token was not accepted");
            ArmError::invalid_token(&rejection)
        })
    }

    /// A JSON response that may be large.
    pub(crate) fn answer(&self, text: Vec<u8>) -> Result<Response, ArmError> {
        let body = stream::whole(&self.room, || self.caller.object_id.to_string(), text)?;
        let mut response = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        response.extensions_mut().insert(stream::Counted);
        Ok(response)
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ArmError> {
        // serde would read an array as the members of a struct in order.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(invalid("expected a JSON object"));
        }
        web::body::parse_json(&self.body).map_err(|error| match error {
            web::body::BodyError::Malformed(problem) => invalid(&problem),
            error => invalid(&error.to_string()),
        })
    }

    /// As [`Call::json`], with member names normalized and checked by `shape`.
    pub(crate) fn json_of<T: DeserializeOwned>(&self, shape: &'static Shape) -> Result<T, ArmError> {
        self.json::<IgnoredAny>()?;
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        let value = shape.reader().deserialize(&mut deserializer);
        value.and_then(serde_json::from_value).map_err(|error| invalid(&error.to_string()))
    }

    /// The path segment at the template's `{name}`.
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

    /// The scope: the resource id before the provider segment.
    pub(crate) fn scope(&self) -> Result<Scope, ArmError> {
        Scope::parse(self.name("scope")).map_err(|error| ArmError::bad("InvalidScope", error.to_string()))
    }

    /// A GUID in the path; `code` is the error code if it is malformed.
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

    /// The precondition of the request (`If-Match`, `If-None-Match`).
    pub(crate) fn precondition(&self) -> &Precondition {
        &self.precondition
    }

    /// The URL of this request with one query parameter replaced, for `nextLink`.
    pub(crate) fn link_with(&self, name: &str, value: &str) -> String {
        let others = self.query.iter().filter(|(each, _)| *each != name);
        let others = others.map(|(name, value)| format!("{}={}&", plain(name), escapes::encode(value)));
        let others: String = others.collect();
        let base = &self.app.settings().external_url;
        format!("{base}{}?{others}{}={}", self.path, plain(name), escapes::encode(value))
    }
}

fn invalid(problem: &str) -> ArmError {
    let text = format!("The request content was invalid and could not be deserialized: '{problem}'.");
    ArmError::bad("InvalidRequestContent", text)
}

/// The entity tags of a header, with or without quotes.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ArmError> {
    let mut named = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| {
            ArmError::bad("InvalidHeaderValue", format!("The value of header '{name}' is not an entity tag."))
        })?;
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            match tag.strip_prefix("W/") {
                // If-Match does not match weak tags (RFC 9110 §13.1.1).
                Some(_) if name == header::IF_MATCH => {}
                Some(weak) => named.push(weak.trim_matches('"').to_owned()),
                None => named.push(tag.trim_matches('"').to_owned()),
            }
        }
    }
    Ok(match named.as_slice() {
        [] if !headers.contains_key(name) => None,
        [any] if any == "*" => Some(Tags::Any),
        _ => Some(Tags::These(named)),
    })
}

/// A body without a `Content-Type` is read as JSON; any other type is refused.
fn check_media_type(headers: &HeaderMap, body: &Bytes) -> Result<(), ArmError> {
    let Some(found) = web::body::media_type(headers).filter(|_| !body.is_empty()) else { return Ok(()) };
    let is_json = found == "application/json"
        || found == "text/json"
        || (found.starts_with("application/") && found.ends_with("+json"));
    if is_json {
        return Ok(());
    }
    let found: String = found.chars().take(60).collect();
    let text =
        format!("The content media type '{found}' is not supported. Only 'application/json' is supported.");
    Err(ArmError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", text))
}

/// Parameter names are case-insensitive; a repeated parameter is an error.
fn parse_query(query: &str) -> Result<BTreeMap<String, String>, ArmError> {
    let mut parsed = BTreeMap::new();
    let pairs = escapes::lenient_pairs(query.as_bytes())
        .map_err(|_| ArmError::bad("InvalidUri", "The query is not well formed."))?;
    for (name, value) in pairs {
        let name = name.to_ascii_lowercase();
        if parsed.insert(name.clone(), value.into_owned()).is_some() {
            return Err(ArmError::bad(
                "InvalidUri",
                format!("The query parameter '{name}' stands more than once."),
            ));
        }
    }
    Ok(parsed)
}

/// Encodes a parameter name; `$` and `-` stay unescaped, because clients search for them.
fn plain(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

const MOST_BODY_BYTES: usize = 1024 * 1024;
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'$').remove(b'-');

/// Accepts any well-formed date, also with `-preview`, `-alpha` or `-beta`: clients change their version with each
/// release, and all versions get the same response.
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
