//! What seals secrets on their way into the store and opens them on their way out. The key lies outside the
//! data file, so that the file alone, or a copy of it, gives no secret away.

use std::sync::Arc;

use crypto::{random::Random, seal::Sealer};

use crate::{Error, Secret};

#[derive(Debug)]
pub(crate) struct Seal {
    sealer: Sealer,
    random: Arc<dyn Random>,
}

impl Seal {
    pub(crate) fn new(sealer: Sealer, random: Arc<dyn Random>) -> Self {
        Self { sealer, random }
    }

    /// Seals what lies at `place`. It opens at no other place.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Result<String, Error> {
        self.sealer.seal(place, plain, &*self.random).map_err(Error::internal)
    }

    pub(crate) fn open(&self, place: &str, sealed: &str) -> Result<Secret<Vec<u8>>, Error> {
        self.sealer.open(place, sealed).map_err(Error::internal)
    }

    /// Texts that only the holder of the key can work out, by the current key first.
    pub(crate) fn derive(&self, purpose: &str, message: &str) -> Vec<String> {
        let derived = self.sealer.derive(purpose, message.as_bytes());
        derived.map(|bytes| crypto::random::url_safe(&bytes)).collect()
    }
}
