//! Refresh tokens: random, kept as digests, replaced at each use. A token that was replaced and comes again later was
//! copied, and its whole family ends (RFC 9700 §4.14.2).
//!
//! A token is `<family>.<secret>`; the family is the record, the secret is what counts.
//!
//! Programs of one person share a token and renew at the same moment, so for a while (a minute, unless it is set
//! otherwise) a replaced token gives its successor again: the same one to whoever asks, so that there is one chain and
//! nothing forks. The successor is derived, not stored: an HMAC of the presented token under a key that lies outside
//! the store. Who has the store alone has digests, and neither a token to begin with nor the key; who has an old token
//! alone cannot work out what followed it, and learns the next one only by asking within the interval, as its owner
//! does. From then on both hold one token: whoever of them comes second, after the interval, ends the family. So a copy
//! is noticed as before, at most one interval later.

mod family;

use domain::id::{AppId, TenantId};
use jiff::SignedDuration;

use self::family::RefreshOutcome;
use super::{GrantError, Granted};
use crate::SignIn;
use state::{Cold, Error, Swap};

pub(crate) use family::Family;

impl Cold for Family {
    const KIND: &'static str = "refresh";

    fn expires(&self) -> Option<jiff::Timestamp> {
        Some(self.expires)
    }
}

impl SignIn {
    /// An id for a family that is about to begin.
    pub fn new_family(&self) -> Result<String, Error> {
        Ok(crypto::random::url_safe(&self.state.random_bytes::<16>()?))
    }

    /// Begins a family with its first token.
    pub async fn begin_family(&self, family: &str, granted: &Granted) -> Result<String, Error> {
        let secret = crypto::random::url_safe(&self.state.random_bytes::<32>()?);
        let expires = self.state.now().checked_add(LIFE).map_err(Error::internal)?;
        self.state.create_cold(family, &Family::begin(granted.clone(), &secret, expires)).await?;
        Ok(format!("{family}.{secret}"))
    }

    /// What a refresh token would be traded for, as long as it counts: to refuse a request before the token is used up.
    pub async fn find_refresh(&self, token: &str) -> Result<Option<Granted>, Error> {
        let Some((family, secret)) = token.split_once('.').filter(|_| token.len() <= 256) else {
            return Ok(None);
        };
        let family = self.state.find_cold::<Family>(family).await?;
        Ok(family.filter(|each| each.accepts(secret, self.state.now())).map(|each| each.granted))
    }

    /// Trades a refresh token for what was granted and the token that takes its place.
    pub async fn redeem_refresh(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        token: &str,
    ) -> Result<(Granted, String), GrantError> {
        let unknown = || GrantError::Invalid("no such refresh token");
        let (family, secret) = token.split_once('.').filter(|_| token.len() <= 256).ok_or_else(unknown)?;
        let now = self.state.now();
        let expires = now.checked_add(LIFE).map_err(Error::internal)?;
        let successors = self.state.seal().derive(SUCCESSOR, token);
        let reuse = self.refresh_reuse();
        let outcome = self
            .state
            .swap(family, |record: Option<Family>| {
                let Some(record) = record else { return Ok((Swap::Keep, Err(unknown()))) };
                if now >= record.expires {
                    return Ok((Swap::Delete, Err(GrantError::Expired)));
                }
                if !record.granted.is_for(client, tenant) {
                    return Ok((Swap::Keep, Err(unknown())));
                }
                let granted = record.granted.clone();
                Ok(match record.present(secret, now, expires, reuse, &successors) {
                    RefreshOutcome::Replaced(family, next) => (Swap::Put(family), Ok((granted, next))),
                    RefreshOutcome::Again(next) => (Swap::Keep, Ok((granted, next))),
                    RefreshOutcome::Lost => (Swap::Keep, Err(unknown())),
                    RefreshOutcome::Stolen => (
                        Swap::Delete,
                        Err(GrantError::Invalid("it was used before, so its family has ended")),
                    ),
                })
            })
            .await?;
        let (granted, next) = outcome?;
        self.require_live(&granted)?;
        Ok((granted, format!("{family}.{next}")))
    }

    /// For how long a replaced refresh token gives its successor again. The first setting counts; nothing: no reuse.
    pub fn let_refresh_tokens_be_reused_for(&self, reuse: SignedDuration) {
        let _ = self.inner.refresh_reuse.set(reuse);
    }

    fn refresh_reuse(&self) -> SignedDuration {
        self.inner.refresh_reuse.get().copied().unwrap_or(REUSE)
    }

    /// Ends a family: none of its tokens counts any more.
    pub async fn end_family(&self, family: &str) -> Result<(), Error> {
        self.state
            .swap(family, |record: Option<Family>| {
                Ok((if record.is_some() { Swap::Delete } else { Swap::Keep }, ()))
            })
            .await
    }
}

/// Without use. Entra's is 90 days.
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Unless it is set otherwise.
const REUSE: SignedDuration = SignedDuration::from_mins(1);
/// What the sealing key's derivation is asked for.
const SUCCESSOR: &str = "refresh token successor";
