//! Tokens whose signature was checked. An entry saves the signature's check and nothing else: key, time, audience and
//! the live directory are looked at again at each use.

use std::{borrow::Cow, sync::Arc};

use domain::id::{AppId, ObjectId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;

use directory::audience::ServiceName;

use super::{
    Rejection, is_issuer,
    seen::{SeenTokens, seen_tokens},
};

/// What counts of a token whose signature is good.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) kid: String,
    pub(super) audience: String,
    /// The application that it was made for, if for one.
    pub(super) application: Option<AppId>,
    pub(super) tenant: TenantId,
    pub(super) object_id: ObjectId,
    pub(super) app_id: AppId,
    /// What the client was in the tenant, where it was something.
    pub(super) client: Option<ObjectId>,
    pub(super) not_before: Timestamp,
    pub(super) expires: Timestamp,
    /// The session stamp of the principal when the token was issued.
    pub(super) stamp: i64,
}

/// The claims of our own access tokens that count here.
#[derive(Debug, Deserialize)]
pub(super) struct OwnClaims<'a> {
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    aud: Option<Cow<'a, str>>,
    tid: Option<Cow<'a, str>>,
    oid: Option<Cow<'a, str>>,
    azp: Option<Cow<'a, str>>,
    appid: Option<Cow<'a, str>>,
    nbf: Option<i64>,
    exp: Option<i64>,
    xms_stamp: Option<i64>,
    xms_resource: Option<Cow<'a, str>>,
    xms_client: Option<Cow<'a, str>>,
}

impl Verified {
    pub(super) fn read(kid: String, claims: OwnClaims<'_>, external_url: &str) -> Result<Self, Rejection> {
        let OwnClaims { iss, aud, tid, oid, azp, appid, nbf, exp, xms_stamp, xms_resource, xms_client } =
            claims;
        let time = |name: &'static str, seconds: Option<i64>| {
            let seconds = seconds.ok_or(Rejection::Lacks(name))?;
            Timestamp::from_second(seconds).map_err(|_| Rejection::Lacks(name))
        };
        let tenant = tid.and_then(|tid| TenantId::parse(&tid).ok()).ok_or(Rejection::Lacks("tid"))?;
        let iss = iss.ok_or(Rejection::Issuer)?;
        if !is_issuer(&iss, external_url, tenant) {
            return Err(Rejection::Issuer);
        }
        // An id token has no client claim, and is not for calling anybody.
        let app_id = azp.or(appid).and_then(|app| AppId::parse(&app).ok());
        let audience = aud.ok_or(Rejection::Lacks("aud"))?.into_owned();
        let application = match (xms_resource, ServiceName::parse(&audience)) {
            (Some(id), _) => AppId::parse(&id).ok(),
            (None, ServiceName::Id(id)) => Some(id),
            (None, ServiceName::Text(_)) => None,
        };
        Ok(Self {
            kid,
            audience,
            application,
            tenant,
            object_id: oid.and_then(|oid| ObjectId::parse(&oid).ok()).ok_or(Rejection::Lacks("oid"))?,
            app_id: app_id.ok_or(Rejection::Lacks("azp"))?,
            client: match xms_client {
                Some(id) => Some(ObjectId::parse(&id).map_err(|_| Rejection::Lacks("xms_client"))?),
                None => None,
            },
            not_before: time("nbf", nbf)?,
            expires: time("exp", exp)?,
            stamp: xms_stamp.ok_or(Rejection::Lacks("xms_stamp"))?,
        })
    }
}

#[derive(Debug)]
pub(super) struct VerifiedTokens(SeenTokens<Arc<Verified>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(seen_tokens(MOST, USUAL_BYTES))
    }
}

impl VerifiedTokens {
    pub(super) fn find(&self, token: &str) -> Option<Arc<Verified>> {
        self.0.get(token)
    }

    pub(super) fn remember(&self, token: &str, verified: Arc<Verified>) {
        self.0.insert(token.into(), verified);
    }
}

/// Bounds the memory, with [`USUAL_BYTES`]: some 24,000 tokens of the usual length at a time are remembered, 40 MB.
const MOST: usize = 32_768;
const USUAL_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
