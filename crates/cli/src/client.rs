//! The client of Resource Manager and Graph for commands.

pub(crate) mod subscription;

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method, StatusCode,
    header::{self, HeaderName},
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{address::Server, session::Session};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session,
    http: reqwest::Client,
    server: Server,
    token: Mutex<String>,
    /// The value of `--subscription`.
    wanted: Option<String>,
    subscription: OnceCell<String>,
}

/// A precondition of a write, such as `If-Match` (RFC 9110, section 13.1).
type Condition<'a> = (HeaderName, &'a str);

/// An error response, with the server's message.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    message: String,
}

impl Client {
    /// A client with the session's access token, renewed if necessary.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        Self::open_in(None).await
    }

    /// As [`Client::open`], for the subscription with this name or id instead of the session's.
    pub(crate) async fn open_in(wanted: Option<String>) -> anyhow::Result<Self> {
        let (session, token) = Session::management_token().await?;
        let (http, server) = (session.http()?, session.server()?);
        let subscription = OnceCell::new();
        Ok(Self { session, http, server, token: Mutex::new(token), wanted, subscription })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    /// Changes an object by read-modify-write. On a conflicting write it is read and changed again, so that no change
    /// is lost.
    pub(crate) async fn update(&self, path: &str, change: impl Fn(&mut Value)) -> anyhow::Result<Value> {
        let mut tries = TRIES;
        loop {
            let mut object = self.get(path).await?;
            match self.replace(path, &mut object, &change).await {
                Err(error) if has_status(&error, StatusCode::PRECONDITION_FAILED) && tries > 1 => tries -= 1,
                done => return done,
            }
        }
    }

    /// Applies `change` and writes the object if its ETag still matches.
    async fn replace(
        &self,
        path: &str,
        object: &mut Value,
        change: impl Fn(&mut Value),
    ) -> anyhow::Result<Value> {
        let tag = object.get("eTag").or_else(|| object.get("etag")).and_then(Value::as_str);
        let tag = tag.map(str::to_owned);
        change(object);
        let condition = tag.as_deref().map(|tag| (header::IF_MATCH, tag));
        self.send_if(Method::PUT, path, Some(object), condition).await.map(|(_, value)| value)
    }

    /// Creates an object. `None` if it already exists.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        match self.send_if(Method::PUT, path, Some(body), Some((header::IF_NONE_MATCH, "*"))).await {
            Ok((_, value)) => Ok(Some(value)),
            Err(error) if has_status(&error, StatusCode::PRECONDITION_FAILED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As `get`, but `None` for 404.
    pub(crate) async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Deletes an object of Graph, which answers 404 if it does not exist.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, None).await
    }

    /// Deletes a resource. Resource Manager answers 204 if it does not exist; that becomes the error `missing`.
    pub(crate) async fn delete_resource(&self, path: &str, missing: &str) -> anyhow::Result<()> {
        match self.send_if(Method::DELETE, path, None, None).await? {
            (StatusCode::NO_CONTENT, _) => bail!("{missing}"),
            _ => Ok(()),
        }
    }

    /// All elements of a list, over all pages.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(&next).await?;
            all.extend(page.get("value").and_then(Value::as_array).cloned().unwrap_or_default());
            let link = page.get("@odata.nextLink").or_else(|| page.get("nextLink")).and_then(Value::as_str);
            match link {
                None => return Ok(all),
                // A next link to another server is not followed, so the list would be incomplete.
                Some(link) => match self.server.path_of(link) {
                    Some(path) => next = path,
                    None => bail!(
                        "the list goes on at {link}, not at {}: sign in again with the server's own address",
                        self.session.url
                    ),
                },
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.send_if(method, path, body, None).await.map(|(_, value)| value)
    }

    async fn send_if(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        condition: Option<Condition<'_>>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = self.ask(&token, &method, path, body, condition.as_ref()).await?;
        // A token may be refused before it expires, for example after an immediate rotation of the signing keys,
        // while the session is still valid.
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(renewed) = Session::renewed_management_token(&token).await
        {
            self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&renewed);
            response = self.ask(&renewed, &method, path, body, condition.as_ref()).await?;
        }
        let status = response.status();
        let bytes = response.bytes().await.context("reading the answer")?;
        let parsed: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok((status, parsed));
        }
        let message = parsed.pointer("/error/message").and_then(Value::as_str);
        let message = message
            .map_or_else(|| format!("{} answered {status} to {path}", self.session.url), str::to_owned);
        let refused = anyhow::Error::from(Refused { status, message });
        if status == StatusCode::UNAUTHORIZED {
            return Err(refused.context(format!(
                "the session of {} has ended: sign in again with `portcullis login --url {}`",
                self.session.account, self.session.url
            )));
        }
        Err(refused)
    }
}

impl Client {
    async fn ask(
        &self,
        token: &str,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        condition: Option<&Condition<'_>>,
    ) -> anyhow::Result<reqwest::Response> {
        // The request carries the token, so it goes only to the session's server.
        let mut request = self.http.request(method.clone(), self.server.at(path)?).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some((header, tag)) = condition {
            request = request.header(header, *tag);
        }
        let answer = request.send().await;
        answer.with_context(|| format!("asking {}: is the server running?", self.session.url))
    }
}

pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
    has_status(error, StatusCode::NOT_FOUND)
}

/// Replaces the error that `is_meant` matches by the command's own message.
pub(crate) fn replace_error<T>(
    result: anyhow::Result<T>,
    is_meant: fn(&anyhow::Error) -> bool,
    said: impl FnOnce() -> String,
) -> anyhow::Result<T> {
    result.map_err(|error| if is_meant(&error) { anyhow::Error::msg(said()) } else { error })
}

/// Whether Graph refused a reference because the list already contains it.
pub(crate) fn is_there_already(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.message.contains("added object references already exist"))
}

pub(crate) fn has_status(error: &anyhow::Error, status: StatusCode) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == status)
}

/// Percent-encodes a text as one path segment or query value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A string literal for a Graph filter, percent-encoded.
pub(crate) fn quote(text: &str) -> String {
    encode(&format!("'{}'", text.replace('\'', "''")))
}

/// All characters except unreserved ones (RFC 3986 section 2.3) and the `@` of user principal names.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');
/// How often a change is tried on conflicts.
const TRIES: usize = 20;
pub(crate) const SUBSCRIPTIONS: &str = "api-version=2022-12-01";
pub(crate) const ALIASES: &str = "api-version=2021-10-01";
pub(crate) const MANAGEMENT_GROUPS: &str = "api-version=2021-04-01";
pub(crate) const CLUSTERS: &str = "api-version=2026-06-01";
pub(crate) const GROUPS: &str = "api-version=2024-11-01";
pub(crate) const ROLES: &str = "api-version=2022-04-01";
