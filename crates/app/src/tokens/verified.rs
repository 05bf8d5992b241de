//! Tokens whose signature was checked, by their digest. An entry saves the signature's check and nothing
//! else: key, time, audience and the live directory are looked at again at each use.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crypto::jwt::Claims;
use domain::id::{AppId, ObjectId, TenantId};
use jiff::Timestamp;
use serde_json::Value;

use super::{Rejection, Version, issuer};

/// What counts of a token whose signature is good.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) kid: String,
    pub(super) audience: String,
    pub(super) tenant: TenantId,
    pub(super) object_id: ObjectId,
    pub(super) app_id: AppId,
    pub(super) not_before: Timestamp,
    pub(super) expires: Timestamp,
    /// The session stamp of the principal when the token was issued.
    pub(super) stamp: i64,
}

impl Verified {
    pub(super) fn read(kid: String, claims: &Claims, external_url: &str) -> Result<Self, Rejection> {
        let text =
            |name: &'static str| claims.get(name).and_then(Value::as_str).ok_or(Rejection::Lacks(name));
        let time = |name: &'static str| {
            let seconds = claims.get(name).and_then(Value::as_i64).ok_or(Rejection::Lacks(name))?;
            Timestamp::from_second(seconds).map_err(|_| Rejection::Lacks(name))
        };
        let tenant = TenantId::parse(text("tid")?).map_err(|_| Rejection::Lacks("tid"))?;
        let ours = [Version::V1, Version::V2]
            .iter()
            .any(|version| text("iss").is_ok_and(|iss| iss == issuer(external_url, tenant, *version)));
        if !ours {
            return Err(Rejection::Issuer);
        }
        // An id token has no client claim, and is not for calling anybody.
        let app = text("azp").or_else(|_| text("appid"))?;
        Ok(Self {
            kid,
            audience: text("aud")?.to_owned(),
            tenant,
            object_id: ObjectId::parse(text("oid")?).map_err(|_| Rejection::Lacks("oid"))?,
            app_id: AppId::parse(app).map_err(|_| Rejection::Lacks("azp"))?,
            not_before: time("nbf")?,
            expires: time("exp")?,
            stamp: claims
                .get(super::claims::STAMP)
                .and_then(Value::as_i64)
                .ok_or(Rejection::Lacks("xms_stamp"))?,
        })
    }
}

#[derive(Debug)]
pub(super) struct VerifiedTokens {
    shards: [RwLock<HashMap<[u8; 32], Arc<Verified>>>; SHARDS],
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl VerifiedTokens {
    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<Arc<Verified>> {
        self.shard(digest)?.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    pub(super) fn remember(&self, digest: [u8; 32], verified: Arc<Verified>) {
        let Some(shard) = self.shard(&digest) else { return };
        let mut entries = shard.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= SHARD_ENTRIES {
            entries.clear();
        }
        entries.insert(digest, verified);
    }

    fn shard(&self, digest: &[u8; 32]) -> Option<&RwLock<HashMap<[u8; 32], Arc<Verified>>>> {
        let [first, ..] = digest;
        self.shards.get(usize::from(*first) % SHARDS)
    }
}

const SHARDS: usize = 16;
/// Bounds the memory: 32,768 tokens at a time are remembered, some 10 MB.
const SHARD_ENTRIES: usize = 2048;
