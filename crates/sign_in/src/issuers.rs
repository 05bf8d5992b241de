//! The public keys of issuers outside, by OpenID Connect discovery, remembered for a while.
//!
//! An issuer is asked only when a token that names it could be of use, at most every ten seconds for a key that it
//! does not have, and its keys must come from its own host: a document of its cannot send us elsewhere.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use crypto::{
    jwt::Unverified,
    keys::{PublicKey, VerifyingKey},
};
use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use crate::SignIn;
use state::outbound::{OutboundBody, OutboundRequest, origin};

/// What is remembered of each issuer.
#[derive(Debug)]
pub(crate) struct IssuerState {
    known: Cache<String, Arc<Slot>>,
}

impl Default for IssuerState {
    fn default() -> Self {
        Self { known: Cache::new(MOST_ISSUERS) }
    }
}

/// The place of one issuer.
#[derive(Debug, Default)]
struct Slot {
    last: Mutex<Option<LastFetch>>,
    /// An issuer is asked once at a time, so that many tokens at once are one question.
    turn: tokio::sync::Mutex<()>,
}

/// The last question and its answer; a failure is remembered too.
#[derive(Clone, Debug)]
struct LastFetch {
    at: Timestamp,
    answer: Result<Arc<Issuer>, IssuerError>,
}

/// What an issuer says of itself.
#[derive(Debug)]
pub(crate) struct Issuer {
    keys: HashMap<String, PublicKey>,
    document: Value,
}

/// Why an issuer's keys cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssuerError {
    #[error("{0}")]
    Unreachable(String),
    #[error("the issuer \"{0}\" has no key of that id")]
    UnknownKey(String),
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

impl Issuer {
    /// A member of the discovery document that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name)?.as_str()
    }
}

impl SignIn {
    /// The key of an issuer that a token names. Only for issuers that somebody with a right to has named.
    pub(crate) async fn issuer_key(
        &self,
        issuer: &str,
        token: &Unverified<'_>,
    ) -> Result<VerifyingKey, IssuerError> {
        let kid = token.header.kid.as_deref().unwrap_or_default();
        let unknown = || IssuerError::UnknownKey(issuer.to_owned());
        let wanted = |known: &Issuer| known.keys.get(kid).cloned();
        let known = self.issuer(issuer, |known| wanted(known).is_some()).await?;
        let key = wanted(&known).ok_or_else(unknown)?;
        key.verifying().map_err(|_| unknown())
    }

    /// What an issuer says of itself: from memory if that is young and `serves`, or if it was asked a moment ago.
    pub(crate) async fn issuer(
        &self,
        issuer: &str,
        serves: impl Fn(&Issuer) -> bool,
    ) -> Result<Arc<Issuer>, IssuerError> {
        let slot = self.inner.issuers.slot(issuer);
        let remembered = || {
            let last = slot.last.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            let age = self.state.now().duration_since(last.at);
            let good = last.answer.as_ref().is_ok_and(|known| age < LONGEST && serves(known));
            (good || age < SHORTEST).then_some(last.answer)
        };
        if let Some(answer) = remembered() {
            return answer;
        }
        let _turn = slot.turn.lock().await;
        if let Some(answer) = remembered() {
            return answer;
        }
        let answer = self.read_issuer(issuer).await.map(Arc::new).map_err(IssuerError::Unreachable);
        let asked = LastFetch { at: self.state.now(), answer: answer.clone() };
        *slot.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        answer
    }

    async fn read_issuer(&self, issuer: &str) -> Result<Issuer, String> {
        let host = origin(issuer).ok_or_else(|| format!("the issuer \"{issuer}\" is no https address"))?;
        let bare = issuer.trim_end_matches('/');
        let document = self.read(format!("{bare}/.well-known/openid-configuration")).await?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("issuer") != issuer {
            return Err(format!("the issuer \"{issuer}\" calls itself \"{}\"", text("issuer")));
        }
        let keys = text("jwks_uri");
        if origin(keys) != Some(host) {
            return Err(format!("the keys of \"{issuer}\" are at \"{keys}\", expected the same host"));
        }
        let keys: Keys = serde_json::from_value(self.read(keys.to_owned()).await?)
            .map_err(|_| format!("\"{keys}\" is no JSON Web Key Set"))?;
        let keys = keys.keys.iter().take(MOST_KEYS).filter_map(rsa_key).collect();
        Ok(Issuer { keys, document })
    }

    async fn read(&self, url: String) -> Result<Value, String> {
        self.state.ask_outbound(OutboundRequest { url, body: OutboundBody::None, bearer: None }).await
    }
}

impl IssuerState {
    fn slot(&self, issuer: &str) -> Arc<Slot> {
        let Ok(slot) = self.known.get_or_insert_with(issuer, || Ok::<_, Infallible>(Arc::default()));
        slot
    }
}

/// A signing key of a set, with its id. Others are left out: a set may hold kinds that are of no use here.
fn rsa_key(key: &Value) -> Option<(String, PublicKey)> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let signs = text("use").is_none_or(|usage| usage == "sig");
    if text("kty") != Some("RSA") || !signs {
        return None;
    }
    let public = PublicKey { n: text("n")?.to_owned(), e: text("e")?.to_owned() };
    Some((text("kid")?.to_owned(), public))
}

/// An issuer may take a key back; then its tokens count no longer than this.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);
/// Between two questions when the answer is no help.
const SHORTEST: SignedDuration = SignedDuration::from_secs(10);
const MOST_ISSUERS: usize = 256;
const MOST_KEYS: usize = 64;
