//! RSA keys: generated, exported for sealing, and published as JSON Web Keys (RFC 7517).

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
        RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{CryptoError, digest, secret::Secret};

/// A private key that signs with RS256.
#[derive(Debug)]
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
}

/// Modulus and exponent as in a JWK: base64url without padding (RFC 7518 §6.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicKey {
    pub n: String,
    pub e: String,
}

/// A public key of 2048 to 8192 bits, parsed once for many verifications.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    rs256: ParsedPublicKey,
    ps256: ParsedPublicKey,
}

/// The signature algorithm (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Ps256,
}

impl SigningKey {
    /// Makes a key of 2048 bits. Takes some 100 ms: call it on a blocking thread.
    pub fn generate() -> Result<Self, CryptoError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|error| CryptoError::new("RSA key", error))?;
        Ok(Self::from_pair(pair))
    }

    pub fn from_pkcs8(der: &Secret<Vec<u8>>) -> Result<Self, CryptoError> {
        let pair = KeyPair::from_pkcs8(der.expose()).map_err(|error| CryptoError::new("RSA key", error))?;
        Ok(Self::from_pair(pair))
    }

    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, CryptoError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|error| CryptoError::new("RSA key", error))?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2). Takes some 500 µs.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|error| CryptoError::new("RSA signature", error))?;
        Ok(signature)
    }

    fn from_pair(pair: KeyPair) -> Self {
        let key = pair.public_key();
        let public = PublicKey {
            n: URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
            e: URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
        };
        Self { pair, public }
    }
}

impl PublicKey {
    /// The thumbprint of RFC 7638, base64url: a key id that two different keys never share.
    pub fn thumbprint(&self) -> String {
        let canonical = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, self.e, self.n);
        URL_SAFE_NO_PAD.encode(digest::sha256(canonical.as_bytes()))
    }

    pub fn verifying(&self) -> Result<VerifyingKey, CryptoError> {
        let decode =
            |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| CryptoError::new("JWK", error));
        VerifyingKey::from_parts(&decode(&self.n)?, &decode(&self.e)?)
    }
}

impl VerifyingKey {
    /// From the modulus and exponent, big-endian.
    pub(crate) fn from_parts(n: &[u8], e: &[u8]) -> Result<Self, CryptoError> {
        let trimmed =
            |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().skip_while(|byte| *byte == 0).collect() };
        let components = RsaPublicKeyComponents { n: trimmed(n), e: trimmed(e) };
        let parse = |parameters| {
            components
                .to_parsed_public_key(parameters)
                .map_err(|error| CryptoError::new("RSA public key", error))
        };
        Ok(Self { rs256: parse(&RSA_PKCS1_2048_8192_SHA256)?, ps256: parse(&RSA_PSS_2048_8192_SHA256)? })
    }

    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = match algorithm {
            Algorithm::Rs256 => &self.rs256,
            Algorithm::Ps256 => &self.ps256,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_sealed_form_and_signs_as_before() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(key.public(), again.public());
        let signature = again.sign(b"message").unwrap();
        let verifying = key.public().verifying().unwrap();
        assert!(verifying.verify(Algorithm::Rs256, b"message", &signature));
        assert!(!verifying.verify(Algorithm::Rs256, b"other", &signature));
        assert!(!verifying.verify(Algorithm::Ps256, b"message", &signature));
    }

    #[test]
    fn a_key_that_is_too_short_or_no_key_at_all_verifies_nothing() {
        for (n, e) in [("", ""), ("AQAB", "AQAB"), ("!", "AQAB"), ("____", "")] {
            let key = PublicKey { n: n.into(), e: e.into() };
            let verifies = key.verifying().is_ok_and(|key| key.verify(Algorithm::Rs256, b"", &[0; 256]));
            assert!(!verifies, "{n:?} {e:?}");
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_the_example_in_rfc_7638() {
        let key = PublicKey {
            n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into(),
            e: "AQAB".into(),
        };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
