//! Fingerprints of texts, for finding in memory what was seen before.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{CryptoError, random::Random};

/// Makes fingerprints under a key that nobody else has.
///
/// A fingerprint is the GMAC of the text (NIST SP 800-38D) under that key, always with the same nonce, so equal texts
/// have equal ones. That leaves a universal hash: whoever knows neither the key nor any fingerprint meets that of
/// another text of n bytes with a chance below n / 2^128 a try. So fingerprints must not leave the process. In
/// exchange they cost a fraction of a digest, above all on processors that have no instructions for SHA-256.
#[derive(Debug)]
pub struct Fingerprints(LessSafeKey);

pub type Fingerprint = [u8; 16];

impl Fingerprints {
    pub fn new(random: &dyn Random) -> Result<Self, CryptoError> {
        let mut key = [0; 16];
        random.fill(&mut key)?;
        let key = UnboundKey::new(&AES_128_GCM, &key);
        Ok(Self(LessSafeKey::new(key.map_err(|error| CryptoError::new("key of fingerprints", error))?)))
    }

    pub fn of(&self, text: &[u8]) -> Result<Fingerprint, CryptoError> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(text), &mut []);
        let tag = tag.map_err(|error| CryptoError::new("fingerprint", error))?;
        tag.as_ref().try_into().map_err(|error| CryptoError::new("fingerprint", error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::System;

    #[test]
    fn equal_texts_have_equal_fingerprints_under_one_key_alone() {
        let (one, other) = (System::default(), System::default());
        let (one, other) = (Fingerprints::new(&one).unwrap(), Fingerprints::new(&other).unwrap());
        assert_eq!(one.of(b"text").unwrap(), one.of(b"text").unwrap());
        assert_ne!(one.of(b"text").unwrap(), other.of(b"text").unwrap());
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_text_has_another_fingerprint(
            text in prop::collection::vec(any::<u8>(), 1..2000), place: prop::sample::Index, bit in 0_u8..8
        ) {
            let fingerprints = Fingerprints::new(&System::default()).unwrap();
            let whole = fingerprints.of(&text).unwrap();
            let place = place.index(text.len());
            prop_assert_ne!(fingerprints.of(&text[..place]).unwrap(), whole);
            let mut changed = text.clone();
            changed[place] ^= 1_u8 << bit;
            prop_assert_ne!(fingerprints.of(&changed).unwrap(), whole);
            // Zero bytes are not lost in the padding of blocks.
            changed = text;
            changed.push(0);
            prop_assert_ne!(fingerprints.of(&changed).unwrap(), whole);
        }
    }
}
