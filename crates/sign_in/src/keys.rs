//! The keys that sign tokens: made at the first start, rotated on demand, kept sealed.
//!
//! A key that was replaced is still accepted, and published, until the last token that it signed has ended.

use std::sync::Arc;

use crypto::keys::SigningKey;
use domain::{
    change::{Record, RecordKey},
    cluster::SealedKey,
    key,
    snapshot::Snapshot,
};
use jiff::{SignedDuration, Timestamp};

use crate::SignIn;
use state::{Caller, Error, Tx, authorize, sealed_keys::SIGNING_KEY};

/// The public half of a key whose signatures count, in base64url as in a JWK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    pub kid: String,
    pub modulus: String,
    pub exponent: String,
}

impl SignIn {
    /// What anybody may check tokens with.
    pub fn published_keys(&self) -> Vec<PublishedKey> {
        let (snapshot, now) = (self.state.snapshot(), self.state.now());
        let accepted = snapshot.signing_keys().filter(|each| each.is_accepted(now)).map(|each| &each.key);
        let publish = |key: &SealedKey| PublishedKey {
            kid: key.kid.clone(),
            modulus: key.n.clone(),
            exponent: key.e.clone(),
        };
        accepted.map(publish).collect()
    }

    /// Makes the first signing key of an installation, if there is none yet.
    pub async fn ensure_signing_key(&self) -> Result<(), Error> {
        let snapshot = self.state.snapshot();
        let mut known = snapshot.signing_keys().peekable();
        // Secrets that cannot be opened one by one are set aside; all of them together are a mistake of whoever starts.
        if known.peek().is_some() && known.all(|each| self.state.open_key(SIGNING_KEY, &each.key).is_err()) {
            return Err(Error::Internal(
                "no signing key can be opened: sealing.key is not the one that this state was sealed with"
                    .into(),
            ));
        }
        if self.state.snapshot().signing_keys().any(|each| each.may_sign(self.state.now())) {
            return Ok(());
        }
        let key = self.state.make_sealed_key(SIGNING_KEY).await?;
        let now = self.state.now();
        self.state
            .transact(|tx| {
                if tx.snapshot().signing_keys().any(|each| each.may_sign(now)) {
                    return Ok(());
                }
                let record = key::SigningKey {
                    key: key.clone(),
                    created: now,
                    active_from: now,
                    accepted_until: None,
                };
                tx.create(&Record::SigningKey(record))
            })
            .await
    }

    /// Signs with a new key from now on; tokens of the old one stay good until they end. Gives the new id.
    ///
    /// The new key is the one that was published ahead, so that whoever has read our keys lately knows it;
    /// the one after it is published now.
    pub async fn rotate_signing_keys(&self, caller: &Caller) -> Result<String, Error> {
        authorize::administrator(&self.state.snapshot(), caller, ROTATE)?;
        let ready = self.state.make_sealed_key(SIGNING_KEY).await?;
        let spare = self.state.make_sealed_key(SIGNING_KEY).await?;
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, ROTATE)?;
                rotate(tx, &ready, &spare)
            })
            .await
    }

    /// Refuses every key there is at once, and signs with a new one: for a key that somebody else may have. Every token
    /// that was signed so far opens nothing any more when this returns, and no such key is published; refresh tokens,
    /// browsers' sessions and secrets are not signed by it, and go on. Gives the new id.
    ///
    /// The key that was published ahead goes too: it lay beside the others.
    pub async fn revoke_signing_keys(&self, caller: &Caller) -> Result<String, Error> {
        authorize::administrator(&self.state.snapshot(), caller, REVOKE)?;
        let next = self.state.make_sealed_key(SIGNING_KEY).await?;
        let spare = self.state.make_sealed_key(SIGNING_KEY).await?;
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, REVOKE)?;
                let now = tx.now();
                for old in known(tx) {
                    tx.delete(&RecordKey::SigningKey(old.key.kid));
                }
                tx.create(&Record::SigningKey(key::SigningKey { active_from: now, ..ahead(&next, now) }))?;
                tx.create(&Record::SigningKey(ahead(&spare, now)))
            })
            .await?;
        // Nothing is left to sign with them by mistake.
        self.state.forget_opened_keys(|kid| kid == next.kid);
        Ok(next.kid)
    }

    /// For a task that comes by from time to time: forgets keys that count no longer, publishes the next key
    /// ahead of its use, and lets it take over when the present one has served its time.
    pub async fn tend_signing_keys(&self) -> Result<(), Error> {
        let now = self.state.now();
        let snapshot = self.state.snapshot();
        let is_due = |key: &key::SigningKey| {
            key.may_sign(now) && key.active_from.saturating_add(SERVICE).unwrap_or(Timestamp::MAX) <= now
        };
        let due = snapshot.signing_keys().any(|each| is_due(each));
        let settled = snapshot.signing_keys().all(|each| each.is_accepted(now))
            && snapshot.signing_keys().any(|each| is_spare(each));
        if settled && !due {
            return Ok(());
        }
        let ready = self.state.make_sealed_key(SIGNING_KEY).await?;
        let spare = self.state.make_sealed_key(SIGNING_KEY).await?;
        self.state
            .transact(|tx| {
                let keys = known(tx);
                // Another replica may have been faster.
                if keys.iter().any(is_due) {
                    return rotate(tx, &ready, &spare).map(drop);
                }
                forget_ended(tx, &keys);
                if !keys.iter().any(is_spare) {
                    tx.create(&Record::SigningKey(ahead(&spare, tx.now())))?;
                }
                Ok(())
            })
            .await
    }

    /// The key that signs now, with its id.
    pub(crate) fn current_signing_key(
        &self,
        snapshot: &Snapshot,
    ) -> Result<(String, Arc<SigningKey>), Error> {
        let usable = snapshot.signing_keys().filter(|each| each.may_sign(self.state.now()));
        let newest = usable.max_by_key(|each| each.active_from);
        let newest = newest.ok_or_else(|| Error::internal("there is no key to sign with"))?;
        Ok((newest.key.kid.clone(), self.state.open_key(SIGNING_KEY, &newest.key)?))
    }
}

/// Lets the key that was published ahead take over, or `ready` where there is none, and publishes the next.
fn rotate(tx: &mut Tx, ready: &SealedKey, spare: &SealedKey) -> Result<String, Error> {
    let now = tx.now();
    let until = now.checked_add(LONGEST_TOKEN).map_err(Error::internal)?;
    let keys = known(tx);
    forget_ended(tx, &keys);
    for old in keys.iter().filter(|each| each.may_sign(now)) {
        tx.put(&Record::SigningKey(key::SigningKey { accepted_until: Some(until), ..old.clone() }))?;
    }
    let next = keys.iter().find(|each| is_spare(each)).cloned().unwrap_or_else(|| ahead(ready, now));
    let next = key::SigningKey { active_from: now, ..next };
    tx.put(&Record::SigningKey(next.clone()))?;
    tx.create(&Record::SigningKey(ahead(spare, now)))?;
    Ok(next.key.kid)
}

fn known(tx: &Tx) -> Vec<key::SigningKey> {
    tx.snapshot().signing_keys().map(|each| key::SigningKey::clone(each)).collect()
}

fn forget_ended(tx: &mut Tx, keys: &[key::SigningKey]) {
    let now = tx.now();
    for ended in keys.iter().filter(|each| !each.is_accepted(now)) {
        tx.delete(&RecordKey::SigningKey(ended.key.kid.clone()));
    }
}

/// A key that is published and does not sign until it is told to.
fn ahead(key: &SealedKey, now: Timestamp) -> key::SigningKey {
    key::SigningKey { key: key.clone(), created: now, active_from: Timestamp::MAX, accepted_until: None }
}

fn is_spare(key: &key::SigningKey) -> bool {
    key.active_from == Timestamp::MAX && key.accepted_until.is_none()
}

/// How long one key signs.
const SERVICE: SignedDuration = SignedDuration::from_hours(24 * 90);
const ROTATE: &str = "portcullis.directory/signingKeys/rotate";
const REVOKE: &str = "portcullis.directory/signingKeys/revoke";
/// No token that we sign lives longer, skew of clocks included.
const LONGEST_TOKEN: SignedDuration = SignedDuration::from_hours(25);
