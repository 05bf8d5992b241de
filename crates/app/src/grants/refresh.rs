//! Refresh tokens: random, kept as digests, replaced at each use. A token that was replaced and comes again
//! was copied, and its whole family ends (RFC 9700 §4.14.2).
//!
//! A token is `<family>.<secret>`; the family is the record, the secret is what counts.

use domain::id::{AppId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{GrantError, Granted, digest};
use crate::{App, Cold, Error, Swap};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Family {
    granted: Granted,
    /// Digest of the secret that counts now.
    current: String,
    pub(crate) expires: Timestamp,
}

impl Cold for Family {
    const KIND: &'static str = "refresh";
}

impl App {
    /// An id for a family that is about to begin.
    pub fn new_family(&self) -> Result<String, Error> {
        Ok(crypto::random::url_safe(&self.random_bytes::<16>()?))
    }

    /// Begins a family with its first token.
    pub async fn begin_family(&self, family: &str, granted: &Granted) -> Result<String, Error> {
        let secret = crypto::random::url_safe(&self.random_bytes::<32>()?);
        let expires = self.now().checked_add(LIFE).map_err(Error::internal)?;
        let record = Family { granted: granted.clone(), current: digest(&secret), expires };
        self.create_cold(family, &record).await?;
        Ok(format!("{family}.{secret}"))
    }

    /// What a refresh token would be traded for, as long as it counts: to refuse a request before the token is used up.
    pub async fn find_refresh(&self, token: &str) -> Result<Option<Granted>, Error> {
        let Some((family, secret)) = token.split_once('.').filter(|_| token.len() <= 256) else {
            return Ok(None);
        };
        let family = self.find_cold::<Family>(family).await?;
        let current = family.filter(|each| {
            self.now() < each.expires
                && crypto::digest::equal(digest(secret).as_bytes(), each.current.as_bytes())
        });
        Ok(current.map(|each| each.granted))
    }

    /// Trades a refresh token for what was granted and the token that takes its place.
    ///
    /// Two processes that send one token at the same moment are not told from a thief: the later one ends the
    /// family. A grace would let a copied token live on beside the real one, unseen; clients that share a
    /// token take turns instead.
    pub async fn redeem_refresh(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        token: &str,
    ) -> Result<(Granted, String), GrantError> {
        let unknown = || GrantError::Invalid("no such refresh token");
        let (family, secret) = token.split_once('.').filter(|_| token.len() <= 256).ok_or_else(unknown)?;
        let now = self.now();
        let expires = now.checked_add(LIFE).map_err(Error::internal)?;
        let next = crypto::random::url_safe(&self.random_bytes::<32>()?);
        let outcome = self
            .swap(family, |record: Option<Family>| {
                let Some(record) = record else { return Ok((Swap::Keep, Err(unknown()))) };
                if now >= record.expires {
                    return Ok((Swap::Delete, Err(GrantError::Expired)));
                }
                if !record.granted.is_for(client, tenant) {
                    return Ok((Swap::Keep, Err(unknown())));
                }
                if !crypto::digest::equal(digest(secret).as_bytes(), record.current.as_bytes()) {
                    return Ok((
                        Swap::Delete,
                        Err(GrantError::Invalid("it was used before, so its family has ended")),
                    ));
                }
                let granted = record.granted.clone();
                Ok((Swap::Put(Family { current: digest(&next), expires, ..record }), Ok(granted)))
            })
            .await?;
        let granted = outcome?;
        self.require_live(&granted)?;
        Ok((granted, format!("{family}.{next}")))
    }

    /// Ends a family: none of its tokens counts any more.
    pub async fn end_family(&self, family: &str) -> Result<(), Error> {
        self.swap(family, |record: Option<Family>| {
            Ok((if record.is_some() { Swap::Delete } else { Swap::Keep }, ()))
        })
        .await
    }
}

/// Without use. Entra's is 90 days.
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
