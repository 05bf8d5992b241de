//! Sealing of secrets at rest: AES-256-GCM under a key that lies outside the data file. The place of a
//! secret is bound in, so that one sealed value cannot be put in the place of another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{CryptoError, random::Random, secret::Secret};

#[derive(Debug)]
pub struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    pub fn new(key: &Secret<[u8; 32]>) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose());
        Ok(Self { key: LessSafeKey::new(key.map_err(|error| CryptoError::new("sealing key", error))?) })
    }

    /// Standard base64 of version, nonce and ciphertext with tag. `place` names what is sealed, and must be
    /// given again to open it.
    pub fn seal(&self, place: &str, plain: &[u8], random: &dyn Random) -> Result<String, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut sealed = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|error| CryptoError::new("sealing", error))?;
        let mut blob = vec![VERSION];
        blob.extend_from_slice(&nonce);
        blob.append(&mut sealed);
        Ok(STANDARD.encode(blob))
    }

    pub fn open(&self, place: &str, sealed: &str) -> Result<Secret<Vec<u8>>, CryptoError> {
        let error =
            || CryptoError(format!("the secret of {place} cannot be opened: wrong sealing key, or damaged"));
        let blob = STANDARD.decode(sealed).map_err(|_| error())?;
        let (version, rest) = blob.split_first().ok_or_else(error)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(error)?;
        if *version != VERSION {
            return Err(error());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| error())?;
        let mut plain = ciphertext.to_vec();
        let length = self.key.open_in_place(nonce, Aad::from(place), &mut plain).map_err(|_| error())?.len();
        plain.truncate(length);
        Ok(Secret::new(plain))
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::System;

    #[test]
    fn a_sealed_secret_opens_in_its_place_with_its_key_only() {
        let random = System::default();
        let sealer = Sealer::new(&Secret::new([1; 32])).unwrap();
        let sealed = sealer.seal("key/a", b"private", &random).unwrap();
        assert_eq!(sealer.open("key/a", &sealed).unwrap().expose(), b"private");
        assert!(sealer.open("key/b", &sealed).is_err());
        assert!(Sealer::new(&Secret::new([2; 32])).unwrap().open("key/a", &sealed).is_err());
        for damaged in ["", "AA==", "!", &sealed[..sealed.len() - 8]] {
            assert!(sealer.open("key/a", damaged).is_err(), "{damaged}");
        }
    }
}
