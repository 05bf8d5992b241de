//! Sealing: encryption of secrets at rest with AES-256-GCM, under a key kept outside the data file. The storage place
//! of a secret is authenticated too, so that one sealed value cannot be moved to another place.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroize;

use crate::{CryptoError, digest, random::Random, secret::Secret};

/// Seals with the current key, and opens values sealed with it or an earlier key.
#[derive(Debug)]
pub struct Sealer {
    current: Key,
    earlier: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: [u8; KEY_ID_LEN],
    key: LessSafeKey,
    derivation: hmac::Key,
}

impl Sealer {
    pub fn new(key: &Secret<[u8; 32]>) -> Result<Self, CryptoError> {
        Ok(Self { current: Key::new(key)?, earlier: Vec::new() })
    }

    /// Also opens values sealed with `key`, until all values are sealed again with the current key.
    pub fn with_earlier(mut self, key: &Secret<[u8; 32]>) -> Result<Self, CryptoError> {
        self.earlier.push(Key::new(key)?);
        Ok(self)
    }

    /// Returns standard base64 of version, key id, nonce and ciphertext with tag. `place` identifies where the value
    /// is stored; opening needs the same `place`.
    pub fn seal(&self, place: &str, plain: &[u8], random: &dyn Random) -> Result<String, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut sealed = plain.to_vec();
        self.current
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|error| CryptoError::new("sealing", error))?;
        let mut blob = vec![VERSION];
        blob.extend_from_slice(&self.current.id);
        blob.extend_from_slice(&nonce);
        blob.append(&mut sealed);
        Ok(STANDARD.encode(blob))
    }

    pub fn open(&self, place: &str, sealed: &str) -> Result<Secret<Vec<u8>>, CryptoError> {
        let error =
            || CryptoError(format!("the secret of {place} cannot be opened: wrong sealing key, or damaged"));
        let blob = STANDARD.decode(sealed).map_err(|_| error())?;
        let (version, rest) = blob.split_first().ok_or_else(error)?;
        let (id, rest) = rest.split_at_checked(KEY_ID_LEN).ok_or_else(error)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(error)?;
        if *version != VERSION {
            return Err(error());
        }
        let key =
            std::iter::once(&self.current).chain(&self.earlier).find(|key| key.id == id).ok_or_else(error)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| error())?;
        let mut plain = ciphertext.to_vec();
        let length = key.key.open_in_place(nonce, Aad::from(place), &mut plain).map_err(|_| error())?.len();
        plain.truncate(length);
        Ok(Secret::new(plain))
    }

    /// Derives secret values from `message` (HMAC-SHA256): with the current key, then with each earlier key. Values
    /// for different purposes are independent.
    pub fn derive<'a>(&'a self, purpose: &'a str, message: &'a [u8]) -> impl Iterator<Item = [u8; 32]> + 'a {
        std::iter::once(&self.current).chain(&self.earlier).map(move |key| key.derive(purpose, message))
    }

    /// A sealer with keys derived for one purpose, so that a high volume of sealing does not exhaust the nonces of
    /// the storage keys.
    pub fn for_purpose(&self, purpose: &str) -> Result<Self, CryptoError> {
        let derived = |key: &Key| Key::new(&Secret::new(key.derive(purpose, b"sealing key")));
        let earlier = self.earlier.iter().map(derived).collect::<Result<_, _>>()?;
        Ok(Self { current: derived(&self.current)?, earlier })
    }

    /// Whether `sealed` was made with an earlier key and should be sealed again.
    pub fn is_outdated(&self, sealed: &str) -> bool {
        let id = STANDARD.decode(sealed).ok().and_then(|blob| blob.get(1..=KEY_ID_LEN).map(<[u8]>::to_vec));
        id.as_deref() != Some(self.current.id.as_slice())
    }
}

impl Key {
    fn new(secret: &Secret<[u8; 32]>) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, secret.expose());
        let key = LessSafeKey::new(key.map_err(|error| CryptoError::new("sealing key", error))?);
        // The key id: a digest of a fixed text and the key, which does not reveal the key.
        let mut named = ID_CONTEXT.to_vec();
        named.extend_from_slice(secret.expose());
        let digest = digest::sha256(&named);
        named.zeroize();
        let mut id = [0; KEY_ID_LEN];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let mut derivation = DERIVATION_CONTEXT.to_vec();
        derivation.extend_from_slice(secret.expose());
        let digest = Secret::new(digest::sha256(&derivation));
        derivation.zeroize();
        Ok(Self { id, key, derivation: hmac::Key::new(hmac::HMAC_SHA256, digest.expose()) })
    }

    fn derive(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.derivation);
        context.update(purpose.as_bytes());
        // The zero byte separates purpose and message unambiguously, because no purpose contains one.
        context.update(&[0]);
        context.update(message);
        let mut derived = [0; 32];
        derived.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        derived
    }
}

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const ID_CONTEXT: &[u8] = b"portcullis sealing key id";
const DERIVATION_CONTEXT: &[u8] = b"portcullis derivation key";

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

    #[test]
    fn a_new_sealing_key_opens_what_the_earlier_one_sealed() {
        let random = System::default();
        let (old, new) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let sealed = Sealer::new(&old).unwrap().seal("key/a", b"private", &random).unwrap();
        let rotated = Sealer::new(&new).unwrap().with_earlier(&old).unwrap();
        assert_eq!(rotated.open("key/a", &sealed).unwrap().expose(), b"private");
        assert!(rotated.is_outdated(&sealed));
        assert!(!rotated.is_outdated(&rotated.seal("key/a", b"private", &random).unwrap()));
    }

    #[test]
    fn what_is_derived_depends_on_key_purpose_and_message() {
        let one = Sealer::new(&Secret::new([1; 32])).unwrap();
        let first = |sealer: &Sealer, purpose: &str, message: &[u8]| sealer.derive(purpose, message).next();
        assert_eq!(first(&one, "a", b"b"), first(&one, "a", b"b"));
        let other = Sealer::new(&Secret::new([2; 32])).unwrap();
        for different in
            [first(&one, "a", b"c"), first(&one, "b", b"b"), first(&one, "ab", b""), first(&other, "a", b"b")]
        {
            assert_ne!(first(&one, "a", b"b"), different);
        }
        let rotated =
            Sealer::new(&Secret::new([2; 32])).unwrap().with_earlier(&Secret::new([1; 32])).unwrap();
        assert_eq!(rotated.derive("a", b"b").nth(1), first(&one, "a", b"b"));
    }

    #[test]
    fn a_sealer_for_one_purpose_opens_nothing_of_another() {
        let random = System::default();
        let sealer = Sealer::new(&Secret::new([1; 32])).unwrap();
        let forms = sealer.for_purpose("forms").unwrap();
        let sealed = forms.seal("x", b"plain", &random).unwrap();
        assert_eq!(sealer.for_purpose("forms").unwrap().open("x", &sealed).unwrap().expose(), b"plain");
        assert!(sealer.open("x", &sealed).is_err());
        assert!(sealer.for_purpose("other").unwrap().open("x", &sealed).is_err());
        assert!(forms.open("x", &sealer.seal("x", b"plain", &random).unwrap()).is_err());
    }
}
