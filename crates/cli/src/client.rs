//! Resource Manager and Graph as commands call them.

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
    /// The subscription that a flag names.
    wanted: Option<String>,
    subscription: OnceCell<String>,
}

/// A write counts only where this holds (RFC 9110, section 13.1).
type Condition<'a> = (HeaderName, &'a str);

/// An answer that is not a success, by the server's own words.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    message: String,
}

impl Client {
    /// With the token of the session, renewed if need be.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        Self::open_in(None).await
    }

    /// The same, to act in the subscription of this name or id in place of the session's.
    pub(crate) async fn open_in(wanted: Option<String>) -> anyhow::Result<Self> {
        let (session, token) = Session::management_token().await?;
        let (http, server) = (session.http()?, session.server()?);
        let subscription = OnceCell::new();
        Ok(Self { session, http, server, token: Mutex::new(token), wanted, subscription })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    /// Changes what is there. Where somebody else changes it between reading and writing, it is read again: neither
    /// change is lost.
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

    /// Writes what was read, with a change, if it is still what was read.
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

    /// Makes what is not there yet. `None` where it is there by now.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        match self.send_if(Method::PUT, path, Some(body), Some((header::IF_NONE_MATCH, "*"))).await {
            Ok((_, value)) => Ok(Some(value)),
            Err(error) if has_status(&error, StatusCode::PRECONDITION_FAILED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `None` where there is no such thing.
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

    /// Deletes an object; Graph says where there is none.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, None).await
    }

    /// Deletes a resource. Resource Manager answers that nothing is to be done where there is none; whoever types a
    /// name is told: `missing` says what is not there.
    pub(crate) async fn delete_resource(&self, path: &str, missing: &str) -> anyhow::Result<()> {
        match self.send_if(Method::DELETE, path, None, None).await? {
            (StatusCode::NO_CONTENT, _) => bail!("{missing}"),
            _ => Ok(()),
        }
    }

    /// Every element of a list, page after page.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(&next).await?;
            all.extend(page.get("value").and_then(Value::as_array).cloned().unwrap_or_default());
            let link = page.get("@odata.nextLink").or_else(|| page.get("nextLink")).and_then(Value::as_str);
            match link {
                None => return Ok(all),
                // A list that goes on elsewhere is not complete.
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
        // The token may have been refused before its time, as when the keys that sign were replaced at once, while the
        // session goes on.
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
        // The token goes along, so nothing is asked but the server that it is for.
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

/// The same result, but for one refusal, which is told in words of the command's own.
pub(crate) fn or_said<T>(
    result: anyhow::Result<T>,
    is_meant: fn(&anyhow::Error) -> bool,
    said: impl FnOnce() -> String,
) -> anyhow::Result<T> {
    result.map_err(|error| if is_meant(&error) { anyhow::Error::msg(said()) } else { error })
}

/// What a list of references says of one that is in it.
pub(crate) fn is_there_already(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.message.contains("added object references already exist"))
}

pub(crate) fn has_status(error: &anyhow::Error, status: StatusCode) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == status)
}

/// A text as one segment or value of an address.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A text within quotes of a filter.
pub(crate) fn quote(text: &str) -> String {
    encode(&format!("'{}'", text.replace('\'', "''")))
}

/// All but what an address may hold anywhere (RFC 3986 section 2.3), and the sign in names of users.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');
/// How often a change is tried that others come before.
const TRIES: usize = 20;
pub(crate) const SUBSCRIPTIONS: &str = "api-version=2022-12-01";
pub(crate) const ALIASES: &str = "api-version=2021-10-01";
pub(crate) const MANAGEMENT_GROUPS: &str = "api-version=2021-04-01";
pub(crate) const CLUSTERS: &str = "api-version=2026-06-01";
pub(crate) const GROUPS: &str = "api-version=2024-11-01";
pub(crate) const ROLES: &str = "api-version=2022-04-01";
