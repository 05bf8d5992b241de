//! The HTTP client for outbound requests of `app::state::outbound`: HTTPS only, no redirects, limits on concurrency,
//! time and size. A status other than success is a failure; its body is not read.

use std::{path::Path, time::Duration};

use anyhow::Context;
use app::state::outbound::{Answer, Outbound, OutboundBody, OutboundRequest};
use reqwest::{Certificate, Client, redirect::Policy};
use tokio::sync::Semaphore;

#[derive(Debug)]
pub struct Https {
    client: Client,
    places: Semaphore,
}

impl Https {
    /// `authorities`: a PEM file of CAs to trust besides the system's.
    pub fn new(authorities: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(5))
            .user_agent("portcullis");
        if let Some(path) = authorities {
            let reading = || format!("outside_authorities: {}", path.display());
            let pem = std::fs::read(path).with_context(reading)?;
            let certificates = Certificate::from_pem_bundle(&pem).with_context(reading)?;
            anyhow::ensure!(
                !certificates.is_empty(),
                "outside_authorities: {} holds no certificate in PEM form",
                path.display()
            );
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().context("preparing for requests to other hosts")?;
        Ok(Self { client, places: Semaphore::new(AT_ONCE) })
    }

    async fn ask(&self, asked: OutboundRequest) -> Result<Vec<u8>, String> {
        let OutboundRequest { url, body, bearer } = asked;
        let _place = self.places.acquire().await.map_err(|_| "the server is stopping".to_owned())?;
        let mut request = match &body {
            OutboundBody::None => self.client.get(&url),
            OutboundBody::Form(fields) => self.client.post(&url).form(fields),
            OutboundBody::Json(value) => self.client.post(&url).json(value),
        };
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer.expose());
        }
        let failed = |error: reqwest::Error| format!("asking {url} failed: {}", chain(&error));
        let mut response = request.send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{url} answered {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(format!("{url} answered more than {MOST_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl Outbound for Https {
    fn send(&self, request: OutboundRequest) -> Answer<'_> {
        Box::pin(self.ask(request))
    }
}

/// The error with its causes, without the URL, which the caller puts before it.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::from("no answer");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

const AT_ONCE: usize = 16;
const MOST_BYTES: usize = 1024 * 1024;
