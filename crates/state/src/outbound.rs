//! What lies outside of this installation, and the one way to it: other authorities and the issuers of workloads.
//!
//! Nothing is asked that an administrator or an owner of an application has not named, over HTTPS alone, without
//! following redirects, within a time and a size. The requests themselves are made by who composes the program; an
//! installation to which nobody has given a way asks nobody.

use std::{fmt::Debug, future::Future, pin::Pin};

use crypto::secret::Secret;
use serde_json::Value;

use crate::State;

/// Sends requests to other hosts.
pub trait Outbound: Debug + Send + Sync {
    fn send(&self, request: OutboundRequest) -> Answer<'_>;
}

/// The body of a successful answer. The error says what failed, for the log and for people.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// `https://HOST[:PORT]/PATH`.
    pub url: String,
    pub body: OutboundBody,
    pub bearer: Option<Secret<String>>,
}

/// Without a body the request is a GET, otherwise a POST.
#[derive(Clone)]
pub enum OutboundBody {
    None,
    Form(Vec<(&'static str, String)>),
    Json(Value),
}

impl Debug for OutboundBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Form(_) => "Form(***)",
            Self::Json(_) => "Json(***)",
        })
    }
}

impl State {
    /// Gives the way to other hosts, once; a second one changes nothing.
    pub fn connect_outbound(&self, outbound: std::sync::Arc<dyn Outbound>) {
        let _ = self.inner.outbound.set(outbound);
    }

    pub async fn ask_outbound(&self, request: OutboundRequest) -> Result<Value, String> {
        let outbound = self.inner.outbound.get().ok_or("this installation asks no other hosts")?;
        let url = request.url.clone();
        let bytes = outbound.send(request).await?;
        serde_json::from_slice(&bytes).map_err(|_| format!("{url} did not answer in JSON"))
    }
}

/// Scheme, host and port of an address, if it is one over HTTPS without a name before the host.
pub fn origin(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let host = rest.get(..end)?;
    let clean = !host.is_empty() && !host.contains('@') && host.bytes().all(|byte| byte.is_ascii_graphic());
    clean.then(|| url.get(.."https://".len() + end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_host_over_https() {
        for (url, expected) in [
            ("https://a.example/x", Some("https://a.example")),
            ("https://a.example:8443", Some("https://a.example:8443")),
            ("https://a.example?x=https://b.example", Some("https://a.example")),
            ("https://a@b.example/", None),
            ("https:///x", None),
            ("http://a.example/", None),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(origin(url), expected, "{url}");
        }
    }
}
