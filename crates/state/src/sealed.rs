//! What seals secrets on their way into the store and opens them on their way out. The key lies outside the
//! data file, so that the file alone, or a copy of it, gives no secret away.
//!
//! It also seals what browsers carry about for us before anybody has signed in, so that strangers make nothing to be
//! stored: under keys of their own, one for each hour, because strangers may have as much sealed as they like, and a key
//! with random nonces is good for 2^32 texts only.

use std::sync::Arc;

use crypto::{random::Random, seal::Sealer};

use jiff::Timestamp;

use crate::{Error, Secret};

#[derive(Debug)]
pub struct Seal {
    sealer: Sealer,
    random: Arc<dyn Random>,
}

impl Seal {
    pub(crate) fn new(sealer: Sealer, random: Arc<dyn Random>) -> Self {
        Self { sealer, random }
    }

    /// Seals what lies at `place`. It opens at no other place.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<String, Error> {
        self.sealer.seal(place, plain, &*self.random).map_err(Error::internal)
    }

    pub fn open(&self, place: &str, sealed: &str) -> Result<Secret<Vec<u8>>, Error> {
        self.sealer.open(place, sealed).map_err(Error::internal)
    }

    /// The same secret, sealed by the current key. It is a conflict where neither key opens it.
    pub(crate) fn seal_anew(&self, place: &str, sealed: &str) -> Result<String, Error> {
        let plain = self.open(place, sealed).map_err(|error| Error::Conflict(error.to_string()))?;
        self.seal(place, plain.expose())
    }

    /// Whether an earlier key has sealed it.
    pub(crate) fn is_outdated(&self, sealed: &str) -> bool {
        self.sealer.is_outdated(sealed)
    }

    /// Texts that only the holder of the key can work out, by the current key first.
    pub fn derive(&self, purpose: &str, message: &str) -> Vec<String> {
        let derived = self.sealer.derive(purpose, message.as_bytes());
        derived.map(|bytes| crypto::random::url_safe(&bytes)).collect()
    }

    /// Seals a text that a browser carries about; letters that stand in addresses as they are. It opens for an hour at
    /// least, and for two at most.
    pub fn seal_form(&self, place: &str, plain: &[u8], now: Timestamp) -> Result<String, Error> {
        let sealer = self.of_hour(hour(now))?;
        let sealed = sealer.seal(place, plain, &*self.random).map_err(Error::internal)?;
        Ok(sealed.trim_end_matches('=').replace('+', "-").replace('/', "_"))
    }

    /// Nothing, if it was not sealed here for this place, or too long ago.
    pub fn open_form(
        &self,
        place: &str,
        sealed: &str,
        now: Timestamp,
    ) -> Result<Option<Secret<Vec<u8>>>, Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if sealed.len() > LONGEST_FORM || !sealed.bytes().all(plain) {
            return Ok(None);
        }
        let padding = "=".repeat(sealed.len().wrapping_neg() % 4);
        let sealed = sealed.replace('-', "+").replace('_', "/") + &padding;
        for hour in [hour(now), hour(now) - 1] {
            if let Ok(plain) = self.of_hour(hour)?.open(place, &sealed) {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }

    fn of_hour(&self, hour: i64) -> Result<Sealer, Error> {
        self.sealer.for_purpose(&format!("forms of hour {hour}")).map_err(Error::internal)
    }
}

fn hour(now: Timestamp) -> i64 {
    now.as_second().div_euclid(3600)
}

/// Well above what is ever sealed.
const LONGEST_FORM: usize = 32 * 1024;
