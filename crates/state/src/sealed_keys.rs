//! Private keys as they lie in records: sealed, opened once, and remembered beside their public halves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crypto::keys::{PublicKey, SigningKey, VerifyingKey};
use domain::cluster::SealedKey;

use crate::{Error, State};

/// Opened private keys and prepared public ones, by key id, beside the public key: an id is only a fingerprint of it.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    private: Mutex<HashMap<String, (PublicKey, Arc<SigningKey>)>>,
    public: Mutex<HashMap<String, (PublicKey, Arc<VerifyingKey>)>>,
}

impl State {
    /// A private key, opened once and then remembered.
    pub fn open_key(&self, place: &str, key: &SealedKey) -> Result<Arc<SigningKey>, Error> {
        let ring = &self.inner.keys.private;
        if let Some((public, known)) = ring.lock().unwrap_or_else(PoisonError::into_inner).get(&key.kid)
            && is_half_of(public, key)
        {
            return Ok(known.clone());
        }
        let place = place_of_key(place, &key.kid);
        let der = self.inner.seal.open(&place, &key.sealed_key)?;
        let opened = Arc::new(SigningKey::from_pkcs8(&der).map_err(Error::internal)?);
        let entry = (public_half(key), opened.clone());
        ring.lock().unwrap_or_else(PoisonError::into_inner).insert(key.kid.clone(), entry);
        Ok(opened)
    }

    /// Forgets every opened private key but those that `keep` picks by their ids.
    pub fn forget_opened_keys(&self, keep: impl Fn(&str) -> bool) {
        let mut private = self.inner.keys.private.lock().unwrap_or_else(PoisonError::into_inner);
        private.retain(|kid, _| keep(kid));
    }

    /// A public key, prepared once and then remembered.
    pub fn verifying_key(&self, key: &SealedKey) -> Result<Arc<VerifyingKey>, Error> {
        let ring = &self.inner.keys.public;
        let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((public, known)) = ring.get(&key.kid)
            && is_half_of(public, key)
        {
            return Ok(known.clone());
        }
        let public = public_half(key);
        let prepared = Arc::new(public.verifying().map_err(Error::internal)?);
        ring.insert(key.kid.clone(), (public, prepared.clone()));
        Ok(prepared)
    }

    /// Makes an RSA key pair on a blocking thread and seals its private half. Its id is its thumbprint, so
    /// that no two keys share one.
    pub async fn make_sealed_key(&self, place: &'static str) -> Result<SealedKey, Error> {
        let made = tokio::task::spawn_blocking(SigningKey::generate).await.map_err(Error::internal)?;
        let made = made.map_err(Error::internal)?;
        let kid = made.public().thumbprint();
        let der = made.to_pkcs8().map_err(Error::internal)?;
        let sealed_key = self.inner.seal.seal(&place_of_key(place, &kid), der.expose())?;
        let public = made.public();
        Ok(SealedKey { kid, n: public.n.clone(), e: public.e.clone(), sealed_key })
    }
}

fn is_half_of(public: &PublicKey, key: &SealedKey) -> bool {
    public.n == key.n && public.e == key.e
}

fn public_half(key: &SealedKey) -> PublicKey {
    PublicKey { n: key.n.clone(), e: key.e.clone() }
}

/// What binds a sealed key to where it is kept.
pub(crate) fn place_of_key(place: &str, kid: &str) -> String {
    format!("{place}/{kid}")
}

/// Binds a sealed authority key of a cluster to its certificate.
pub fn authority_place(certificate_pem: &str) -> String {
    format!("cluster-authority/{}", crypto::digest::sha256_hex(certificate_pem.as_bytes()))
}

/// Where the keys that sign tokens are sealed.
pub const SIGNING_KEY: &str = "signing-key";
/// Where the keys of clusters' service accounts are sealed.
pub const SERVICE_ACCOUNT_KEY: &str = "service-account-key";
