//! Resource Manager and Graph as commands call them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{address::Server, session::Session};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session,
    http: reqwest::Client,
    server: Server,
    token: Mutex<String>,
}

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
        let (session, token) = Session::management_token().await?;
        let (http, server) = (session.http()?, session.server()?);
        Ok(Self { session, http, server, token: Mutex::new(token) })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
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

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, None).await
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

    /// The subscription that commands work in.
    pub(crate) async fn subscription(&self) -> anyhow::Result<String> {
        if let Some(known) = &self.session.subscription {
            return Ok(known.clone());
        }
        let all = self.list(&format!("/subscriptions?{SUBSCRIPTIONS}")).await?;
        let id = all.first().and_then(|first| first.get("subscriptionId")).and_then(Value::as_str);
        match id {
            Some(id) => Ok(id.to_owned()),
            None => bail!(
                "{} has no right in any subscription: ask an administrator for a role",
                self.session.account
            ),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = self.ask(&token, &method, path, body).await?;
        // The token may have been refused before its time, as when the keys that sign were replaced at once, while the
        // session goes on.
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(renewed) = Session::renewed_management_token(&token).await
        {
            self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&renewed);
            response = self.ask(&renewed, &method, path, body).await?;
        }
        let status = response.status();
        let bytes = response.bytes().await.context("reading the answer")?;
        let parsed: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(parsed);
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
    ) -> anyhow::Result<reqwest::Response> {
        // The token goes along, so nothing is asked but the server that it is for.
        let mut request = self.http.request(method.clone(), self.server.at(path)?).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await;
        answer.with_context(|| format!("asking {}: is the server running?", self.session.url))
    }
}

pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
}

/// A text as one segment or value of an address.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// A text within quotes of a filter.
pub(crate) fn quote(text: &str) -> String {
    encode(&format!("'{}'", text.replace('\'', "''")))
}

pub(crate) const SUBSCRIPTIONS: &str = "api-version=2022-12-01";
pub(crate) const ALIASES: &str = "api-version=2021-10-01";
pub(crate) const MANAGEMENT_GROUPS: &str = "api-version=2021-04-01";
pub(crate) const CLUSTERS: &str = "api-version=2026-06-01";
pub(crate) const GROUPS: &str = "api-version=2024-11-01";
pub(crate) const ROLES: &str = "api-version=2022-04-01";
